//! fjall, plain or with values apart from their keys.

use std::path::Path;
use std::time::{Duration, Instant};

use fjall::config::{BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use crate::failed::Done;
use crate::settings::{Compression, Durability, Settings};
use crate::store::{Entries, Store};

const POLL: Duration = Duration::from_millis(20);
const SETTLE_MAX: Duration = Duration::from_secs(1_800);
/// How often nothing must have changed: fjall does not say what still waits, but a waiting compaction starts within a few
/// milliseconds.
const QUIET_POLLS: u32 = 5;

pub(crate) struct Fjall {
    db: Database,
    keyspace: Keyspace,
    /// What a set does beyond handing its bytes to the system.
    persist: Option<PersistMode>,
}

pub(crate) fn open(dir: &Path, settings: &Settings, separated: bool) -> Done<Box<dyn Store>> {
    let compression = match settings.compression {
        Compression::Off => CompressionType::None,
        Compression::Lz4 => CompressionType::Lz4,
    };
    let filter = match settings.filter_bits {
        0 => FilterPolicyEntry::None,
        bits => FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(bits as f32)),
    };
    let values = separated.then(|| {
        KvSeparationOptions::default()
            .compression(compression)
            .separation_threshold(settings.peer_separation_bytes as u32)
    });
    let db = Database::builder(dir)
        .cache_size(settings.cache_bytes)
        .journal_compression(compression)
        .worker_threads(settings.background_threads as usize)
        .open()?;
    let keyspace = db.keyspace("data", || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(settings.write_buffer_bytes)
            .data_block_compression_policy(CompressionPolicy::all(compression))
            .filter_policy(FilterPolicy::all(filter))
            .with_kv_separation(values)
    })?;
    let persist = (settings.durability == Durability::Disk).then_some(PersistMode::SyncData);
    Ok(Box::new(Fjall { db, keyspace, persist }))
}

impl Fjall {
    fn persisted(&self) -> Done {
        self.persist.map_or(Ok(()), |mode| Ok(self.db.persist(mode)?))
    }

    /// What changes while there is background work.
    fn traces(&self) -> (usize, usize, u64) {
        (self.db.compactions_completed(), self.keyspace.table_count(), self.keyspace.disk_space())
    }

    fn is_busy(&self) -> bool {
        self.db.outstanding_flushes() > 0
            || self.db.active_compactions() > 0
            || self.keyspace.sealed_memtable_count() > 0
    }
}

impl Store for Fjall {
    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Done<bool> {
        let value = self.keyspace.get(key)?;
        Ok(value.inspect(|value| found(value)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Done {
        self.keyspace.insert(key, value)?;
        self.persisted()
    }

    fn delete(&self, key: &[u8]) -> Done {
        self.keyspace.remove(key)?;
        self.persisted()
    }

    fn batch(&self, entries: &Entries) -> Done {
        let mut batch = self.db.batch().durability(self.persist);
        entries.iter().for_each(|(key, value)| batch.insert(&self.keyspace, key, value));
        Ok(batch.commit()?)
    }

    fn scan(&self, from: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done {
        for item in self.keyspace.range(from..) {
            let (key, value) = item.into_inner()?;
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Done {
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    fn settle(&self) -> Done {
        self.keyspace.rotate_memtable_and_wait()?;
        let began = Instant::now();
        let (mut traces, mut quiet) = (self.traces(), 0);
        while quiet < QUIET_POLLS {
            std::thread::sleep(POLL);
            let now = self.traces();
            quiet = if self.is_busy() || now != traces { 0 } else { quiet + 1 };
            traces = now;
            if began.elapsed() > SETTLE_MAX {
                return Err(format!("background work goes on after {SETTLE_MAX:?}").into());
            }
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Done {
        Ok(())
    }
}
