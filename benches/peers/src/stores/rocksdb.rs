//! RocksDB, plain or with BlobDB.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Options, WaitForCompactOptions, WriteBatch, WriteOptions,
};

use crate::failed::Done;
use crate::settings::{Compression, Durability, Settings};
use crate::store::{Entries, Store};

pub(crate) struct RocksDb {
    db: DB,
    writes: WriteOptions,
    dir: PathBuf,
}

pub(crate) fn open(dir: &Path, settings: &Settings, blobs: bool) -> Done<Box<dyn Store>> {
    let compression = match settings.compression {
        Compression::Off => DBCompressionType::None,
        Compression::Lz4 => DBCompressionType::Lz4,
    };
    let cache = Cache::new_lru_cache(settings.cache_bytes as usize);
    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(&cache);
    tables.set_bloom_filter(f64::from(settings.filter_bits), false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&tables);
    options.set_compression_type(compression);
    options.set_write_buffer_size(settings.write_buffer_bytes as usize);
    // One that is written to and two that wait, as Bettong has them; the default of two in all stops sooner.
    options.set_max_write_buffer_number(3);
    options.set_max_background_jobs(settings.background_threads as i32);
    if blobs {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(settings.peer_separation_bytes);
        options.set_blob_compression_type(compression);
        options.set_enable_blob_gc(true);
    }
    let db = DB::open(&options, dir).map_err(|error| explained(error, settings))?;
    let mut writes = WriteOptions::default();
    writes.set_sync(settings.durability == Durability::Disk);
    Ok(Box::new(RocksDb { db, writes, dir: dir.to_owned() }))
}

/// RocksDB is built without compression here, which saves a C library and minutes.
fn explained(error: rocksdb::Error, settings: &Settings) -> String {
    match settings.compression {
        Compression::Off => error.to_string(),
        Compression::Lz4 => format!(
            "{error} (for LZ4 the crate `rocksdb` needs its feature `lz4`, which Cargo.toml leaves out)"
        ),
    }
}

impl Store for RocksDb {
    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Done<bool> {
        let value = self.db.get_pinned(key)?;
        Ok(value.inspect(|value| found(value)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Done {
        Ok(self.db.put_opt(key, value, &self.writes)?)
    }

    fn delete(&self, key: &[u8]) -> Done {
        Ok(self.db.delete_opt(key, &self.writes)?)
    }

    fn batch(&self, entries: &Entries) -> Done {
        let mut batch = WriteBatch::with_capacity_bytes(entries.bytes() as usize);
        entries.iter().for_each(|(key, value)| batch.put(key, value));
        Ok(self.db.write_opt(batch, &self.writes)?)
    }

    fn scan(&self, from: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done {
        let mut items = self.db.raw_iterator();
        items.seek(from);
        while let Some((key, value)) = items.item() {
            if !each(key, value) {
                break;
            }
            items.next();
        }
        Ok(items.status()?)
    }

    fn sync(&self) -> Done {
        Ok(self.db.flush_wal(true)?)
    }

    fn settle(&self) -> Done {
        let mut options = WaitForCompactOptions::default();
        options.set_flush(true);
        Ok(self.db.wait_for_compact(&options)?)
    }

    /// Logs, manifest and blobs have CRC-32C, in software or with the processor's instruction as the compiler was told.
    fn note(&self) -> Option<String> {
        let log = std::fs::read_to_string(self.dir.join("LOG")).ok()?;
        let line = log.lines().find(|line| line.contains("Fast CRC32 supported"))?;
        line.contains("Not supported").then(|| {
            "computes CRC-32C in software: set RUSTFLAGS=\"-C target-cpu=…\" and build again before comparing writes".to_owned()
        })
    }

    fn close(self: Box<Self>) -> Done {
        Ok(())
    }
}
