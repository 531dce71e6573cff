//! The engines by name.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failed::Done;
use crate::settings::Settings;
use crate::store::Store;
use crate::stores;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Engine {
    Bettong,
    Rocksdb,
    RocksdbBlob,
    Fjall,
    FjallKv,
    Redb,
    Lmdb,
    Plain,
}

impl Engine {
    pub(crate) const ALL: [Engine; 8] = [
        Engine::Bettong,
        Engine::Rocksdb,
        Engine::RocksdbBlob,
        Engine::Fjall,
        Engine::FjallKv,
        Engine::Redb,
        Engine::Lmdb,
        Engine::Plain,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Bettong => "bettong",
            Engine::Rocksdb => "rocksdb",
            Engine::RocksdbBlob => "rocksdb-blob",
            Engine::Fjall => "fjall",
            Engine::FjallKv => "fjall-kv",
            Engine::Redb => "redb",
            Engine::Lmdb => "lmdb",
            Engine::Plain => "plain",
        }
    }

    /// What it is, and how the common settings reach it.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Engine::Bettong => {
                "this engine: its defaults, with the memtable, block cache, filter, compression, separation threshold and \
                 compaction threads of the settings; a set is with the system when it returns (Durability::Os)"
            }
            Engine::Rocksdb => {
                "RocksDB: LRU block cache, full bloom filter, 3 memtables, background jobs as set, reads with pread; the log is on \
                 and not synced; values are read pinned"
            }
            Engine::RocksdbBlob => {
                "RocksDB with integrated BlobDB: values from --peer-separation on in blob files, with garbage collection; no blob \
                 cache, as by default"
            }
            Engine::Fjall => {
                "fjall: block cache, memtable, bloom filter and workers as set; a set is with the system when it returns"
            }
            Engine::FjallKv => "fjall with values from --peer-separation on apart from their keys",
            Engine::Redb => {
                "redb: page cache as set, a transaction for each operation; without syncs a commit is in memory only, which \
                 promises less than the others do"
            }
            Engine::Lmdb => {
                "LMDB through heed: a transaction for each operation, no cache (the file is mapped), no checksums; NOSYNC, with \
                 which a power cut may take all"
            }
            Engine::Plain => {
                "no engine: keys and values appended to a file in calls of 1 MiB; for fills only"
            }
        }
    }

    /// Whether it can be read from.
    pub(crate) fn reads(self) -> bool {
        self != Engine::Plain
    }

    /// Opens a database in a directory that exists, or makes one there.
    pub(crate) fn open(self, dir: &Path, settings: &Settings) -> Done<Box<dyn Store>> {
        match self {
            Engine::Bettong => stores::bettong::open(dir, settings),
            Engine::Rocksdb => stores::rocksdb::open(dir, settings, false),
            Engine::RocksdbBlob => stores::rocksdb::open(dir, settings, true),
            Engine::Fjall => stores::fjall::open(dir, settings, false),
            Engine::FjallKv => stores::fjall::open(dir, settings, true),
            Engine::Redb => stores::redb::open(dir, settings),
            Engine::Lmdb => stores::lmdb::open(dir, settings),
            Engine::Plain => stores::plain::open(dir, settings),
        }
    }
}
