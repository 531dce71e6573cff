//! What the counters count is tested by the work they count.

use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::{Db, Durability, Options, WriteBatch, WriteOptions};
use bettong_metrics::{Counter, Gauge, Histogram, Instrumentation, IoFile, IoOperation, Operation};

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

/// A get stops at the table for which it has to leave the fast path and goes on from there with a timer. What it passed
/// before is not to be counted again, nor forgotten, and it is timed whatever the sampling says.
#[test]
fn a_get_that_leaves_the_fast_path_on_its_way_counts_every_table_once() {
    let disk = SimDisk::new(31);
    let db = sim_db(&disk, small_options().mapped_reads(true)).unwrap();
    // Three tables over the same range; the key asked for is in the oldest alone.
    for age in [2, 1, 0u32] {
        for n in 0..100u32 {
            db.set([n.to_be_bytes(), age.to_be_bytes()].concat(), [1; 32]).unwrap();
        }
        db.flush().unwrap();
    }
    let [newest, oldest] = [0, 2u32].map(|age| [50u32.to_be_bytes(), age.to_be_bytes()].concat());
    // Opens the newest table alone, and reads its block.
    assert!(db.get(&newest).unwrap().is_some());
    // The first sample of a thread is not wanted here: the next get is not timed unless it leaves the fast path.
    for _ in 0..2 {
        db.get(b"\0").unwrap();
    }
    for leaves_fast_path in [true, false] {
        let before = db.metrics().snapshot();
        assert!(db.get(&oldest).unwrap().is_some());
        let counted = db.metrics().snapshot().since(&before);
        let outcomes = |outcome| counted.counter(Counter::FilterChecks.at2(0, outcome));
        assert_eq!((outcomes(0) + outcomes(2), outcomes(1)), (2, 1));
        assert_eq!(counted.counter_total(Counter::TableCacheRequests), 3);
        assert_eq!(counted.counter(Counter::LevelProbes.at(0)), 1);
        assert_eq!(counted.counter(Counter::GetServed.at(2)), 1);
        assert_eq!(counted.counter(Counter::GetOperations), 1);
        assert_eq!(counted.counter(Counter::UserReadBytes), 32);
        let slow = Counter::LatencySamples.at2(Operation::Get.index(), 1);
        assert_eq!(counted.counter(slow), u64::from(leaves_fast_path));
    }
}

/// What gets of these keys count of the families that they all have a part in.
fn counted_by_gets(db: &Db, keys: &[&[u8]], level: Instrumentation) -> Vec<Vec<u64>> {
    let metrics = db.metrics();
    metrics.set_level(level);
    let families = [
        (Counter::GetOperations, 1),
        (Counter::GetServed, 10),
        (Counter::GetResults, 3),
        (Counter::LevelProbes, 7),
        (Counter::FilterChecks, 21),
        (Counter::TableCacheRequests, 2),
        (Counter::UserReadBytes, 1),
    ];
    let of_each = keys.iter().map(|key| {
        // It is looked at, if one is: the next one is not, if not all are.
        db.get(b"memtable value").unwrap();
        let before = metrics.snapshot();
        db.get(key).unwrap();
        let counted = metrics.snapshot().since(&before);
        let cells = families.iter().flat_map(|(family, cells)| (0..*cells).map(|cell| family.at(cell)));
        cells.map(|cell| counted.counter(cell)).collect()
    });
    let of_each = of_each.collect();
    assert_eq!(metrics.snapshot().in_flight(Operation::Get), 0);
    of_each
}

/// A get that is not timed counts its end and what it learnt from the table that ended it in one cell; one that is timed counts each by
/// itself.
#[test]
fn a_get_counts_the_same_whether_it_is_timed_or_not() {
    for asked in [true, false] {
        let options = small_options().mapped_reads(true).separation_threshold(100);
        let options = if asked { options } else { options.filter_bits_per_key(0).point_index(false) };
        let disk = SimDisk::new(34);
        let db = sim_db(&disk, options).unwrap();
        let ttl = WriteOptions::new().ttl(std::time::Duration::from_secs(1_000));
        db.set(b"deleted below", b"old").unwrap();
        let _before_it_was_deleted = db.snapshot();
        db.delete(b"deleted below").unwrap();
        db.set(b"below", b"value").unwrap();
        db.set(b"large below", [1; 1_000]).unwrap();
        db.set_with(b"passing below", b"value", ttl).unwrap();
        db.compact(..).unwrap();
        // Both tables of L0 cover the keys of both.
        for age in ["old", "new"] {
            for end in ["a", "z"] {
                db.set(end, age).unwrap();
            }
            db.set(format!("{age} in L0"), b"value").unwrap();
            db.set_with(format!("{age} passing in L0"), b"value", ttl).unwrap();
            db.delete(format!("{age} deleted in L0")).unwrap();
            db.flush().unwrap();
        }
        db.set(b"memtable value", b"value").unwrap();
        db.delete(b"memtable tombstone").unwrap();
        db.set_with(b"memtable passing", b"value", ttl).unwrap();
        let keys: [&[u8]; 16] = [
            b"memtable value",
            b"memtable tombstone",
            b"memtable passing",
            b"new in L0",
            b"new passing in L0",
            b"new deleted in L0",
            b"old in L0",
            b"old passing in L0",
            b"old deleted in L0",
            b"below",
            b"large below",
            b"passing below",
            b"deleted below",
            b"missing among the others",
            b"Before all",
            b"zz behind all",
        ];
        // Tables are open and their blocks verified from here on.
        keys.iter().for_each(|key| drop(db.get(key).unwrap()));
        let timed = counted_by_gets(&db, &keys, Instrumentation::Full);
        let untimed = counted_by_gets(&db, &keys, Instrumentation::Counters);
        for ((key, timed), untimed) in keys.iter().zip(&timed).zip(&untimed) {
            assert_eq!(timed, untimed, "{} {asked}", String::from_utf8_lossy(key));
            assert_eq!(untimed.first(), Some(&1));
        }
        let served = |at: usize| (0..10).find(|source| untimed[at][1 + source] == 1);
        assert_eq!(
            [0, 3, 6, 13].map(served),
            [Some(0), Some(2), Some(2), Some(9)],
            "memtable, L0, L0, nowhere"
        );
        assert!(served(9).is_some_and(|source| (3..9).contains(&source)), "below L0");
    }
}

/// What one cell counts of most tables is counted apart of others: those that a get has to open, that have nothing to ask, or that cannot be
/// read. A table that a get opened and could not read was once counted as opened and as open already.
#[test]
fn tables_that_are_opened_unfiltered_or_damaged_are_counted_like_all_others() {
    for (asked, hurt) in [(true, false), (false, false), (true, true), (false, true)] {
        let options = || {
            let options = small_options().mapped_reads(true);
            if asked { options } else { options.filter_bits_per_key(0).point_index(false) }
        };
        let disk = SimDisk::new(33);
        let db = sim_db(&disk, options()).unwrap();
        (0..50u32).for_each(|n| db.set(n.to_be_bytes(), [1; 32]).unwrap());
        db.close().unwrap();
        let table = disk.paths().into_iter().find(|path| path.extension() == Some("sst".as_ref())).unwrap();
        if hurt {
            let mut bytes = disk.read(&table).unwrap();
            bytes[100] ^= 1;
            disk.overwrite(&table, &bytes);
        }
        let db = sim_db(&disk, options()).unwrap();
        for opened in [true, false] {
            let before = db.metrics().snapshot();
            assert_eq!(db.get(0u32.to_be_bytes()).is_err(), hurt);
            let counted = db.metrics().snapshot().since(&before);
            let requests = [0, 1].map(|result| counted.counter(Counter::TableCacheRequests.at(result)));
            assert_eq!(requests, [u64::from(!opened), u64::from(opened)], "{asked} {hurt}");
            assert_eq!(counted.counter(Counter::LevelProbes.at(0)), 1, "{asked} {hurt} {opened}");
            let checks = [0, 1, 2].map(|outcome| counted.counter(Counter::FilterChecks.at2(0, outcome)));
            assert_eq!(checks, [0, u64::from(asked && !hurt), 0], "{asked} {hurt} {opened}");
        }
    }
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

#[test]
fn every_call_of_the_file_system_is_counted_by_what_it_did() {
    let disk = SimDisk::new(5);
    let db = sim_db(&disk, small_options().mapped_reads(false)).unwrap();
    let before = db.metrics().snapshot();
    let calls = |s: &bettong_metrics::MetricsSnapshot, o: IoOperation, f: IoFile| {
        s.counter(Counter::IoOperations.at2(o.index(), f.index()))
    };
    let sync = WriteOptions::new().durability(Durability::Sync);
    for n in 0..10u32 {
        db.set_with(n.to_be_bytes(), b"v", sync).unwrap();
    }
    db.set(b"k", b"v").unwrap();
    let snapshot = db.metrics().snapshot().since(&before);
    assert_eq!(calls(&snapshot, IoOperation::Sync, IoFile::Wal), 10);
    assert_eq!(calls(&snapshot, IoOperation::Write, IoFile::Wal), 11, "each commit hands its record over");
    assert_eq!(snapshot.histogram(Histogram::FsyncDuration.at(IoFile::Wal.index())).count(), 10);
    assert_eq!(snapshot.histogram(Histogram::IoLatency.at(IoOperation::Sync.index())).count(), 10);
    assert!(snapshot.gauge(Gauge::WalUnsyncedBytes) > 0.0, "the last write was not synced");
    assert!(snapshot.gauge(Gauge::WalOldestUnsyncedAge) > 0.0);
    db.sync().unwrap();
    assert_eq!(db.metrics().snapshot().gauge(Gauge::WalUnsyncedBytes) as u64, 0);
    assert_eq!(db.metrics().snapshot().gauge(Gauge::WalOldestUnsyncedAge) as u64, 0);

    let before = db.metrics().snapshot();
    db.flush().unwrap();
    let snapshot = db.metrics().snapshot().since(&before);
    assert_eq!(calls(&snapshot, IoOperation::Open, IoFile::Table), 1);
    assert_eq!(calls(&snapshot, IoOperation::Sync, IoFile::Table), 1);
    assert_eq!(snapshot.counter(Counter::FlushOperations.at2(1, 0)), 1, "asked for");
    disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Read));
    assert!(db.get(b"k").is_err());
    let snapshot = db.metrics().snapshot().since(&before);
    assert_eq!(calls(&snapshot, IoOperation::Read, IoFile::Table), 1);
    assert_eq!(snapshot.counter_total(Counter::IoErrors), 1);
    let failed = Counter::IoErrors.at2(IoOperation::Read.index(), IoFile::Table.index());
    assert_eq!(snapshot.counter(failed), 1);
    assert_eq!(
        (0..6).map(|o| snapshot.gauge(Gauge::IoInFlight.at(o)) as u64).sum::<u64>(),
        0,
        "nothing is under way"
    );
}

#[test]
fn the_files_on_the_disk_are_as_large_as_the_gauges_say() {
    let disk = SimDisk::new(6);
    let db = sim_db(&disk, small_options()).unwrap();
    for n in 0..4000u32 {
        db.set(n.wrapping_mul(2_654_435_761).to_be_bytes(), [1; 64]).unwrap();
    }
    let scan = db.scan(..);
    db.compact(..).unwrap();
    let bytes_of = |extension: &str| -> u64 {
        let paths = disk.paths().into_iter();
        let paths = paths.filter(|path| path.extension() == Some(extension.as_ref()));
        paths.map(|path| disk.read(&path).unwrap().len() as u64).sum()
    };
    let gauge = |gauge: Gauge, label: usize| db.metrics().snapshot().gauge(gauge.at(label)) as u64;
    let (table, obsolete) = (gauge(Gauge::DiskUsageBytes, 1), gauge(Gauge::DiskUsageBytes, 5));
    assert_eq!(table + obsolete, bytes_of("sst"), "the scan holds tables that no version needs");
    assert!(obsolete > 0);
    assert_eq!(gauge(Gauge::PinnedObsoleteBytes, 1), obsolete);
    assert_eq!(gauge(Gauge::ObsoleteBytes, 1), obsolete);
    assert_eq!(gauge(Gauge::VersionsLive, 0), 2);
    assert_eq!(gauge(Gauge::DiskUsageBytes, 0), bytes_of("log"));
    let held = gauge(Gauge::ObsoleteFiles, 1);

    let before = db.metrics().snapshot();
    drop(scan);
    db.set(b"k", b"v").unwrap();
    db.flush().unwrap();
    let after = db.metrics().snapshot().since(&before);
    assert_eq!(after.counter(Counter::FileDeletions.at(1)), held);
    assert!(after.counter(Counter::SpaceReclaimBytes.at(1)) >= obsolete);
    assert_eq!(gauge(Gauge::DiskUsageBytes, 1), bytes_of("sst"));
    assert_eq!((gauge(Gauge::ObsoleteFiles, 1), gauge(Gauge::VersionsLive, 0)), (0, 1));
}

#[test]
fn flushes_and_compactions_count_what_they_did() {
    let disk = SimDisk::new(7);
    let db = sim_db(&disk, small_options()).unwrap();
    for round in 0..3u32 {
        for n in 0..50u32 {
            db.set(n.to_be_bytes(), round.to_be_bytes()).unwrap();
        }
        db.flush().unwrap();
    }
    let snapshot = db.snapshot();
    db.delete(7u32.to_be_bytes()).unwrap();
    let before = db.metrics().snapshot();
    assert_eq!(before.counter(Counter::FlushOperations.at2(1, 0)), 3);
    assert_eq!(before.histogram(Histogram::FlushDuration).count(), 3);
    assert_eq!(before.gauge(Gauge::MemtableTombstones.at(0)) as u64, 1);
    assert_eq!(before.gauge(Gauge::LevelFiles.at(0)) as u64, 3);

    db.compact(..).unwrap();
    let after = db.metrics().snapshot().since(&before);
    assert_eq!(after.counter_total(Counter::CompactionOperations), 1);
    assert_eq!(after.counter(Counter::CompactionInputEntries), 151);
    // The tombstone and the value below it: the snapshot reads the value, so the tombstone must hide it from others.
    assert_eq!(after.counter(Counter::SnapshotPinnedEntries), 2);
    assert_eq!(after.counter(Counter::SnapshotPinnedBytes), 4 + 8);
    assert_eq!(after.counter(Counter::LevelDroppedEntries.at2(6, 0)), 100);
    assert_eq!(after.counter(Counter::CompactionOutputEntries), 51);
    assert_eq!(after.counter_total(Counter::LevelCompactions), 1);
    assert!(after.counter(Counter::LevelCompactionNanos.at(6)) > 0);
    let busy = after.counter_total(Counter::BackgroundBusyNanos);
    assert!(busy >= after.counter(Counter::LevelCompactionNanos.at(6)));
    let gauge = |gauge: Gauge| after.gauge(gauge) as u64;
    assert_eq!(
        [Gauge::CompactionsRunning, Gauge::CompactionsPending, Gauge::FlushesPending].map(gauge),
        [0; 3]
    );
    assert_eq!(gauge(Gauge::CompactionInProgressBytes), 0);

    drop(snapshot);
    db.compact(..).unwrap();
    let last = db.metrics().snapshot().since(&before);
    assert_eq!(last.counter(Counter::LevelDroppedEntries.at2(6, 1)), 1, "the tombstone");
    assert_eq!(last.gauge(Gauge::Entries) as u64, 49);
}
