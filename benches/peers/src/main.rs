//! Fills Bettong, fjall and RocksDB (BlobDB), all with values apart from their keys, in turn, and writes a plain file beside them.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml [-- MIB VALUE_BYTES ROUNDS DIR]`
//!
//! Every engine gets the same keys in the same random order, one thread, memtables of 64 MiB and no compression, keeps its log,
//! and has handed its writes to the operating system when a set returns. A fill ends with a sync of the log, so that the disk has
//! all of it, as it has the plain file; what an engine still does then is waited for and not counted. Rounds are interleaved, and the medians of their ratios within a round are what counts.
//! RocksDB is built from source, which takes `clang` and ten minutes.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

type Failed = Box<dyn std::error::Error>;

/// What a round measures: name, and how the fill goes.
type Filling = (&'static str, fn(&Path, &Load) -> Result<f64, Failed>);

struct Load {
    keys: u64,
    value_bytes: usize,
}

impl Load {
    /// The keys in an order that looks random: their number is no multiple of the prime.
    fn keys(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        (0..self.keys).map(|at| {
            let mut key = [0; 16];
            key[8..].copy_from_slice(&(at * 1_000_003 % self.keys).to_be_bytes());
            key
        })
    }

    /// A value that does not compress, and that names its key.
    fn value(&self, key: &[u8; 16], value: &mut Vec<u8>) {
        value.resize(self.value_bytes, 0);
        let (_, number) = key.split_at(8);
        let mut word = u64::from_be_bytes(number.try_into().unwrap_or_default());
        for place in value.as_chunks_mut::<8>().0 {
            word = word.wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(0x9e37_79b9_7f4a_7c15);
            *place = word.to_le_bytes();
        }
    }

    fn bytes(&self) -> f64 {
        (self.keys * (self.value_bytes as u64 + 16)) as f64
    }

    /// Sets every key, syncs, and says how many bytes a second that were.
    fn run(
        &self,
        mut set: impl FnMut(&[u8; 16], &[u8]) -> Result<(), Failed>,
        sync: impl FnOnce() -> Result<(), Failed>,
    ) -> Result<f64, Failed> {
        let mut value = Vec::new();
        let began = Instant::now();
        for key in self.keys() {
            self.value(&key, &mut value);
            set(&key, &value)?;
        }
        sync()?;
        Ok(self.bytes() / began.elapsed().as_secs_f64())
    }
}

fn bettong(dir: &Path, load: &Load) -> Result<f64, Failed> {
    let db = bettong::Db::open(dir, bettong::Options::default())?;
    let speed = load.run(|key, value| Ok(db.set(key, value)?), || Ok(db.sync()?))?;
    db.close()?;
    Ok(speed)
}

fn fjall(dir: &Path, load: &Load) -> Result<f64, Failed> {
    let db = fjall::Database::builder(dir).open()?;
    let values = fjall::KvSeparationOptions::default();
    let keyspace =
        db.keyspace("values", || fjall::KeyspaceCreateOptions::default().with_kv_separation(Some(values)))?;
    load.run(|key, value| Ok(keyspace.insert(key, value)?), || Ok(db.persist(fjall::PersistMode::SyncData)?))
}

fn rocksdb(dir: &Path, load: &Load) -> Result<f64, Failed> {
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.set_compression_type(rocksdb::DBCompressionType::None);
    options.set_max_background_jobs(2);
    options.set_enable_blob_files(true);
    options.set_min_blob_size(4096);
    options.set_enable_blob_gc(true);
    let db = rocksdb::DB::open(&options, dir)?;
    let speed = load.run(|key, value| Ok(db.put(key, value)?), || Ok(db.flush_wal(true)?))?;
    db.flush()?;
    Ok(speed)
}

/// A file that the disk has when it is counted.
fn plain_file(dir: &Path, load: &Load) -> Result<f64, Failed> {
    let mut file = std::fs::File::create(dir.join("plain"))?;
    let chunk = vec![0x5a; 1 << 20];
    let began = Instant::now();
    while file.seek(SeekFrom::Current(0))? < load.bytes() as u64 {
        file.write_all(&chunk)?;
    }
    file.sync_data()?;
    Ok(load.bytes() / began.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (mib, value_bytes, rounds) = (number(1024)?, number(16 << 10)?, number(5)?);
    let place = arguments.next().unwrap_or_else(|| std::env::temp_dir().display().to_string());
    let load = Load { keys: (mib << 20) / value_bytes, value_bytes: value_bytes as usize };
    let fillings: [Filling; 4] =
        [("plain file, synced", plain_file), ("bettong", bettong), ("fjall", fjall), ("rocksdb", rocksdb)];
    println!("{} values of {value_bytes} bytes in random order, {rounds} rounds; MB/s", load.keys);
    let mut speeds: Vec<Vec<f64>> = vec![Vec::new(); fillings.len()];
    for _ in 0..rounds {
        for ((name, fill), speeds) in fillings.iter().zip(&mut speeds) {
            let dir = tempfile::tempdir_in(&place)?;
            let speed = fill(dir.path(), &load)? / 1e6;
            println!("  {name:<20} {speed:>8.0}");
            speeds.push(speed);
        }
    }
    let [plain, bettong, fjall, rocksdb] = speeds.as_slice() else { return Ok(()) };
    let ratio = |others: &[f64]| median(bettong.iter().zip(others).map(|(ours, theirs)| ours / theirs).collect());
    println!(
        "bettong: {:.2} of the plain file, {:.2} of fjall, {:.2} of rocksdb (medians of {rounds})",
        ratio(plain),
        ratio(fjall),
        ratio(rocksdb)
    );
    Ok(())
}
