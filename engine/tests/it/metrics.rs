//! What the counters count is tested by the work they count.

use bettong::env::sim::SimDisk;
use bettong::{Db, Durability, Options, WriteBatch, WriteOptions};
use bettong_metrics::{Counter, Gauge, Histogram, Operation};

use crate::support::{Dice, sim_db, small_options};

#[test]
fn n_operations_count_n() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, small_options()).unwrap();
    let mut dice = Dice::new(1);
    let (mut sets, mut deletes, mut batches, mut written) = (0u64, 0u64, 0u64, 0u64);
    for n in 0..2000u32 {
        let value = vec![1; dice.below(100) as usize];
        if dice.percent(20) {
            let mut batch = WriteBatch::new();
            batch.set(n.to_be_bytes(), &value);
            batch.delete(b"x");
            written += batch.payload_bytes() as u64;
            db.write(batch).unwrap();
            (sets, deletes, batches) = (sets + 1, deletes + 1, batches + 1);
        } else {
            db.set(n.to_be_bytes(), &value).unwrap();
            (sets, written) = (sets + 1, written + 4 + value.len() as u64);
        }
    }
    db.delete(b"x").unwrap();
    (deletes, written) = (deletes + 1, written + 1);
    db.get(b"x").unwrap();
    db.get(b"never").unwrap();
    let read = db.get(7u32.to_be_bytes()).unwrap().unwrap().len() as u64;
    let scanned: u64 = db.scan(..).map(|item| (item.unwrap().value().unwrap().len() + 4) as u64).sum();
    assert!(db.set(b"", b"").is_err());

    let snapshot = db.metrics().snapshot();
    let count = |cell: Counter| snapshot.counter(cell);
    assert_eq!(count(Counter::SetOperations), sets + 1, "failed ones included");
    assert_eq!(count(Counter::DeleteOperations), deletes);
    assert_eq!(count(Counter::BatchOperations), batches);
    assert_eq!(count(Counter::GetOperations), 3);
    assert_eq!(count(Counter::ScanOperations), 1);
    assert_eq!(count(Counter::UserWrittenBytes), written);
    assert_eq!(count(Counter::UserReadBytes), read + scanned);
    assert_eq!(snapshot.counter(Counter::GetResults.at(0)), 1, "hit");
    assert_eq!(snapshot.counter(Counter::GetResults.at(1)), 1, "tombstone");
    assert_eq!(snapshot.counter(Counter::GetResults.at(2)), 1, "miss");
    assert_eq!(snapshot.counter_total(Counter::GetServed), 3);
    assert_eq!(snapshot.counter_total(Counter::SetErrors), 1);
    assert_eq!(snapshot.counter(Counter::IteratorSteps.at(0)), 2000);
    assert_eq!(count(Counter::WalRecords), 2001);
    assert_eq!(snapshot.histogram(Histogram::SetLatency).count(), sets - batches + 1);
    assert_eq!(Operation::ALL.map(|operation| snapshot.in_flight(operation)), [0; 5]);
}

#[test]
fn the_bytes_of_levels_compactions_and_storage_add_up() {
    let disk = SimDisk::new(2);
    let db = sim_db(&disk, small_options()).unwrap();
    for n in 0..5000u32 {
        db.set(n.wrapping_mul(2_654_435_761).to_be_bytes(), [1; 64]).unwrap();
        if n % 4 == 0 {
            db.step().unwrap();
        }
    }
    db.compact(..).unwrap();
    let snapshot = db.metrics().snapshot();
    let levels = |counter: Counter| (0..7).map(|level| snapshot.counter(counter.at(level))).sum::<u64>();
    let flushed = snapshot.counter(Counter::FlushOutputBytes);
    let compacted = snapshot.counter(Counter::CompactionOutputBytes);
    assert!(flushed > 0 && compacted > 0);
    assert_eq!(levels(Counter::LevelWrittenBytes), flushed + compacted);
    assert_eq!(snapshot.counter(Counter::StorageWrittenBytes.at(1)), flushed);
    assert_eq!(snapshot.counter(Counter::StorageWrittenBytes.at(2)), compacted);
    assert_eq!(
        snapshot.counter(Counter::StorageWrittenBytes.at(0)),
        snapshot.counter(Counter::WalWrittenBytes)
    );
    let read: u64 = (0..7)
        .flat_map(|level| [0, 1].map(|o| snapshot.counter(Counter::LevelReadBytes.at2(level, o))))
        .sum();
    assert_eq!(read, snapshot.counter(Counter::CompactionInputBytes));
    let user = snapshot.counter(Counter::UserWrittenBytes) as f64;
    let storage = snapshot.counter_total(Counter::StorageWrittenBytes) as f64;
    assert!((snapshot.gauge(Gauge::WriteAmplification) - storage / user).abs() < 1e-6);
    let tables: u64 = disk
        .paths()
        .iter()
        .filter(|path| path.extension() == Some("sst".as_ref()))
        .map(|path| disk.read(path).unwrap().len() as u64)
        .sum();
    assert_eq!(snapshot.gauge(Gauge::DiskUsageBytes.at(1)) as u64, tables, "files and figures agree");
    assert_eq!(snapshot.gauge(Gauge::Entries) as u64, 5000);
}

#[test]
fn filters_and_sources_are_counted_by_level() {
    let disk = SimDisk::new(3);
    let db = sim_db(&disk, small_options()).unwrap();
    for n in 0..2000u32 {
        db.set((2 * n).to_be_bytes(), [1; 32]).unwrap();
    }
    db.compact(..).unwrap();
    let before = db.metrics().snapshot();
    for n in 0..4000u32 {
        db.get(n.to_be_bytes()).unwrap();
    }
    let snapshot = db.metrics().snapshot().since(&before);
    let outcome =
        |o: usize| (0..7).map(|level| snapshot.counter(Counter::FilterChecks.at2(level, o))).sum::<u64>();
    let (negative, hit, in_vain) = (outcome(0), outcome(1), outcome(2));
    assert_eq!(hit, 2000);
    assert!(negative + in_vain <= 2000, "absent keys between two tables are not even looked for");
    assert!((in_vain as f64) < 0.03 * 2000.0, "10 bits a key let about 1 % through, not {in_vain} of 2000");
    let probes: u64 = (0..7).map(|level| snapshot.counter(Counter::LevelProbes.at(level))).sum();
    assert_eq!(probes, hit + in_vain);
    assert_eq!(snapshot.counter(Counter::GetResults.at(0)), 2000);
    assert_eq!(snapshot.counter(Counter::GetServed.at(9)), 2000, "misses");
}

#[test]
fn syncs_stalls_and_recoveries_are_counted() {
    let disk = SimDisk::new(4);
    let db = sim_db(&disk, small_options()).unwrap();
    for n in 0..50u32 {
        db.set_with(n.to_be_bytes(), b"v", WriteOptions::new().durability(Durability::Sync)).unwrap();
    }
    let snapshot = db.metrics().snapshot();
    assert_eq!(snapshot.counter(Counter::WalSyncs.at(0)), 50);
    assert_eq!(snapshot.histogram(Histogram::WalSyncDuration).count(), 50);
    assert_eq!(snapshot.histogram(Histogram::CommitGroupWriters).max(), Some(1));
    for n in 0..3000u32 {
        db.set(n.to_be_bytes(), [3; 64]).unwrap();
    }
    let stats = db.stats();
    assert!(stats.stalls > 0, "nobody flushed but the writer: it had to wait for room");
    disk.kill();
    drop(db);
    let db = sim_db(&disk, small_options()).unwrap();
    let snapshot = db.metrics().snapshot();
    assert_eq!(snapshot.gauge(Gauge::CleanShutdown) as u64, 0);
    assert_eq!(snapshot.gauge(Gauge::RecoveredWalRecords) as u64, db.recovery().records);
    assert!(db.recovery().records > 0 && !db.recovery().clean);
}

#[test]
fn the_statistics_print_as_tables() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    for n in 0..1000u32 {
        db.set(n.to_be_bytes(), [0; 100]).unwrap();
    }
    db.flush().unwrap();
    db.get(5u32.to_be_bytes()).unwrap();
    let text = db.stats().to_string();
    for word in ["operation", "get", "set", "p99.9", "L0", "write amplification", "space amplification"] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
}
