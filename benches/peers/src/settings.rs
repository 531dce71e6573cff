//! What all engines are opened with.

use serde::{Deserialize, Serialize};

/// Whether blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    /// Everything as it is.
    Off,
    /// LZ4 on every level, by engines that have it.
    Lz4,
}

/// What a set has achieved when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// The operating system has it: a crash of the process loses nothing. (LMDB and redb promise less, see `engine`.)
    System,
    /// The disk has it.
    Disk,
}

/// The same for every engine; what an engine does not have it ignores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Bytes of one memtable.
    pub(crate) write_buffer_bytes: u64,
    /// Bytes of the block cache (of redb: of its page cache).
    pub(crate) cache_bytes: u64,
    pub(crate) filter_bits: u32,
    pub(crate) compression: Compression,
    /// From how many bytes on Bettong keeps values apart from their keys.
    pub(crate) separation_bytes: u64,
    /// From how many bytes on `rocksdb-blob` and `fjall-kv` do.
    pub(crate) peer_separation_bytes: u64,
    /// Threads for flushes and compactions together.
    pub(crate) background_threads: u32,
    pub(crate) durability: Durability,
    /// The most disk for each live byte, in Bettong alone: the others have no such bound.
    #[serde(default)]
    pub(crate) space_amplification: Option<f64>,
}

impl Settings {
    /// The same with every set on the disk when it returns.
    pub(crate) fn on_disk(&self) -> Settings {
        Settings { durability: Durability::Disk, ..self.clone() }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            write_buffer_bytes: 64 << 20,
            cache_bytes: 256 << 20,
            filter_bits: 10,
            compression: Compression::Off,
            separation_bytes: 4 << 10,
            peer_separation_bytes: 4 << 10,
            background_threads: 2,
            durability: Durability::System,
            space_amplification: None,
        }
    }
}
