//! Bettong with its defaults, except for what the settings say. Instrumentation stays at its default, `sampled`, and checksums are
//! verified when a block is first touched, as they are by default.

use std::path::Path;
use std::time::{Duration, Instant};

use bettong::{Db, Durability, LEVELS, Options, WriteBatch};
use bettong_metrics::Gauge;

use crate::failed::Done;
use crate::settings::{self, Compression, Settings};
use crate::store::{Entries, Store};

/// How often to look whether background work is done, and how long to wait for that at most.
const POLL: Duration = Duration::from_millis(20);
const SETTLE_MAX: Duration = Duration::from_secs(1_800);

pub(crate) struct Bettong(Db);

pub(crate) fn open(dir: &Path, settings: &Settings) -> Done<Box<dyn Store>> {
    let compression = match settings.compression {
        Compression::Off => bettong::Compression::None,
        Compression::Lz4 => bettong::Compression::Lz4,
    };
    let durability = match settings.durability {
        settings::Durability::System => Durability::Os,
        settings::Durability::Disk => Durability::Sync,
    };
    let base = Options::default();
    let options = match settings.space_amplification {
        Some(most) => base.max_space_amplification(most),
        None => base,
    };
    let options = options
        .memtable_bytes(settings.write_buffer_bytes as usize)
        .cache_bytes(settings.cache_bytes as usize)
        .filter_bits_per_key(settings.filter_bits as usize)
        .compression([compression; LEVELS])
        .separation_threshold(settings.separation_bytes as usize)
        // Flushes have a thread of their own.
        .compaction_threads((settings.background_threads.max(2) - 1) as usize)
        // As RocksDB's default: a thread for flushes, one for compactions.
        .subcompactions(1)
        .durability(durability);
    Ok(Box::new(Bettong(Db::open(dir, options)?)))
}

impl Bettong {
    fn is_busy(&self) -> bool {
        let figures = self.0.metrics().snapshot();
        [Gauge::CompactionsRunning, Gauge::CompactionsPending, Gauge::ImmutableMemtables]
            .into_iter()
            .any(|gauge| figures.gauge(gauge) > 0.0)
    }
}

impl Store for Bettong {
    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Done<bool> {
        let value = self.0.get(key)?;
        Ok(value.inspect(|value| found(value)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Done {
        Ok(self.0.set(key, value)?)
    }

    fn delete(&self, key: &[u8]) -> Done {
        Ok(self.0.delete(key)?)
    }

    fn batch(&self, entries: &Entries) -> Done {
        let mut batch = WriteBatch::new();
        entries.iter().for_each(|(key, value)| batch.set(key, value));
        Ok(self.0.write(batch)?)
    }

    fn scan(&self, from: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done {
        let mut items = self.0.scan(from..);
        while let Some(item) = items.next_ref() {
            let item = item?;
            if !each(item.key(), item.value()?) {
                break;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Done {
        Ok(self.0.sync()?)
    }

    fn settle(&self) -> Done {
        self.0.flush()?;
        let began = Instant::now();
        // Twice: a compaction may make the next one due.
        let mut quiet = 0;
        while quiet < 2 {
            std::thread::sleep(POLL);
            quiet = if self.is_busy() { 0 } else { quiet + 1 };
            if began.elapsed() > SETTLE_MAX {
                return Err(
                    format!("background work goes on after {SETTLE_MAX:?}\n{}", self.0.stats()).into()
                );
            }
        }
        self.0.background_error().map_or(Ok(()), |error| Err(error.to_string().into()))
    }

    fn written_bytes(&self) -> Option<u64> {
        Some(self.0.stats().storage_written_bytes)
    }

    fn close(self: Box<Self>) -> Done {
        Ok(self.0.close()?)
    }
}
