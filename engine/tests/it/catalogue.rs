//! Every family of the catalogue is fed by something: a workload that touches all the engine can do says which are not.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::{Db, Durability, Instrumentation, Options, WriteBatch, WriteOptions};
use bettong_metrics::{Family, MetricsSnapshot, Registry, Value};

use crate::support::{sim_db, small_options};

const NO_LOOKUPS: &str = "collection is part of compaction, which knows what lives: it looks nothing up";
const NOT_PINNED: &str = "a block that is evicted while it is read belongs to its reader, not to the cache";
const RARE: &str = "takes a second of a disk or a thread that hangs, which no test waits for";
const NO_LIMIT: &str = "there is no limit of memory to report";
const CUSTOM: &str = "the engine makes no series of its own";

/// The families that nothing fills, and why. The list can only shrink: a family that is filled must leave it.
const UNFILLED: &[(&str, &str)] = &[
    ("db_vlog_gc_lookups_total", NO_LOOKUPS),
    ("db_cache_pinned_bytes", NOT_PINNED),
    ("db_operations_stuck", RARE),
    ("db_io_slow_operations_total", RARE),
    ("db_memory_limit_bytes", NO_LIMIT),
    ("db_series_rejected_total", CUSTOM),
];

/// The families with a series that was not zero, in any of the snapshots.
#[derive(Debug, Default)]
struct Filled(BTreeSet<&'static str>);

impl Filled {
    fn look(&mut self, snapshot: &MetricsSnapshot) {
        let unseen: Vec<_> = Family::all().filter(|family| !self.0.contains(family.desc().name)).collect();
        for family in unseen {
            let mut samples = snapshot.samples(family);
            let filled = samples.any(|sample| match sample.value {
                Value::Counter(count) => count > 0,
                Value::Gauge(value) => value != 0.0,
                Value::Histogram(histogram) => histogram.count() > 0,
            });
            if filled {
                self.0.insert(family.desc().name);
            }
        }
    }

    fn unfilled(&self) -> BTreeSet<&'static str> {
        Family::all().map(|family| family.desc().name).filter(|name| !self.0.contains(name)).collect()
    }
}

#[test]
fn families_that_nothing_fills_are_known_by_name() {
    let mut filled = Filled::default();
    on_simulated_disks(&mut filled);
    on_a_real_disk(&mut filled);
    a_running_collection(&mut filled);
    let unfilled = filled.unfilled();
    let expected: BTreeSet<&str> = UNFILLED.iter().map(|(name, _)| *name).collect();
    for (name, reason) in UNFILLED {
        println!("{name}: {reason}");
    }
    let new: Vec<_> = unfilled.difference(&expected).collect();
    assert!(new.is_empty(), "nothing fills these, and no reason is given: {new:#?}");
    let old: Vec<_> = expected.difference(&unfilled).collect();
    assert!(old.is_empty(), "something fills these now, strike them off the list: {old:#?}");
}

/// What is the same at every run.
fn on_simulated_disks(filled: &mut Filled) {
    let disk = SimDisk::new(11);
    disk.set_capacity(64 << 20);
    let options = || small_options().l0_slowdown_tables(6).l0_stop_tables(8).mapped_reads(false);
    let db = sim_db(&disk, options()).unwrap();
    reads_and_writes(&db, filled);
    snapshots_and_scans_held_over_a_compaction(&db, filled);
    pressure(&db, filled);
    db.verify().unwrap();
    filled.look(&db.metrics().snapshot());

    // A crash in the middle of a record, and what the next open makes of it.
    disk.crash(5, 60);
    drop(db);
    let db = sim_db(&disk, options()).unwrap();
    filled.look(&db.metrics().snapshot());
    db.set(b"after", b"the crash").unwrap();
    db.close().unwrap();
    let db = sim_db(&disk, options()).unwrap();
    filled.look(&db.metrics().snapshot());

    damage(&disk, &db, filled);
    drop(db);
    ascending_keys(filled);
    a_torn_log(filled);
    separated_values(filled);
    a_cache_smaller_than_a_block(filled);
    failures(filled);
}

fn separated_values(filled: &mut Filled) {
    let disk = SimDisk::new(16);
    let options = small_options().separation_threshold(100).instrumentation(Instrumentation::Full);
    let db = sim_db(&disk, options).unwrap();
    for round in 0..3 {
        for n in (0..100u32).step_by(1 + 2 * round) {
            db.set(n.to_be_bytes(), [round as u8; 2000]).unwrap();
        }
        db.flush().unwrap();
        filled.look(&db.metrics().snapshot());
    }
    db.compact(..).unwrap();
    filled.look(&db.metrics().snapshot());
    assert!(db.get(0u32.to_be_bytes()).unwrap().is_some());
    assert_eq!(db.scan(..).map(|item| item.unwrap().value().unwrap().len()).sum::<usize>(), 200_000);
    let _watched = db.scan(..).next();
    for n in 0..2000u32 {
        // Merges drop what newer entries hide while its file is being collected.
        db.set((n * 37 % 100).to_be_bytes(), [n as u8; 2000]).unwrap();
        db.step().unwrap();
    }
    db.collect_garbage().unwrap();
    filled.look(&db.metrics().snapshot());
}

/// That a collection runs is seen from beside it alone.
fn a_running_collection(filled: &mut Filled) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), small_options().separation_threshold(100)).unwrap();
    while !filled.0.contains("db_vlog_gc_running") {
        for n in (0..400u32).chain((0..400).step_by(2)) {
            db.set(n.to_be_bytes(), vec![n as u8; 5000]).unwrap();
        }
        let collecting = std::thread::spawn({
            let db = db.clone();
            move || db.collect_garbage().unwrap()
        });
        while !collecting.is_finished() {
            filled.look(&db.metrics().snapshot());
        }
    }
}

fn a_cache_smaller_than_a_block(filled: &mut Filled) {
    let disk = SimDisk::new(15);
    let db = sim_db(&disk, small_options().mapped_reads(false).cache_bytes(64)).unwrap();
    db.set(b"k", [0; 200]).unwrap();
    db.flush().unwrap();
    assert!(db.get(b"k").unwrap().is_some());
    filled.look(&db.metrics().snapshot());
}

fn reads_and_writes(db: &Db, filled: &mut Filled) {
    for n in 0..3_000_u32 {
        db.set(n.wrapping_mul(2_654_435_761).to_be_bytes(), [7; 40]).unwrap();
        if n % 5 == 0 {
            db.step().unwrap();
        }
    }
    let mut batch = WriteBatch::new();
    batch.set(b"a", b"1");
    batch.delete(b"b");
    db.write(batch).unwrap();
    db.delete(b"gone").unwrap();
    for durability in [Durability::None, Durability::Sync] {
        db.set_with(b"c", b"2", WriteOptions::new().durability(durability)).unwrap();
    }
    db.set(b"unsynced", b"3").unwrap();
    assert!(db.get(b"a").unwrap().is_some());
    assert!(db.get(b"gone").unwrap().is_none());
    assert!(db.get(b"never").unwrap().is_none());
    filled.look(&db.metrics().snapshot());
    db.flush().unwrap();
    for n in 0..6_000_u32 {
        db.get(n.wrapping_mul(2_654_435_761).to_be_bytes()).unwrap();
    }
    db.multi_get(&[b"a", b"b"]).unwrap();
    let mut scan = db.scan(..);
    assert!(scan.next().is_some() && scan.next_back().is_some());
    filled.look(&db.metrics().snapshot());
    drop(scan);
    assert!(db.prefix(b"a").count() > 0);
    let some = (Bound::Included(b"a".as_slice()), Bound::Excluded(b"b".as_slice()));
    assert!(db.scan(some).rev().count() > 0);
    assert!(db.set(b"", b"").is_err() && db.delete(b"").is_err());
    db.sync().unwrap();
}

fn snapshots_and_scans_held_over_a_compaction(db: &Db, filled: &mut Filled) {
    let snapshot = db.snapshot();
    let scan = db.scan(..);
    for n in 0..3_000_u32 {
        db.set(n.wrapping_mul(2_654_435_761).to_be_bytes(), [8; 40]).unwrap();
    }
    db.delete(b"a").unwrap();
    db.compact(..).unwrap();
    filled.look(&db.metrics().snapshot());
    assert!(scan.count() > 0 && snapshot.get(b"a").unwrap().is_some());
    drop(snapshot);
    db.step().unwrap();
}

/// Writes without a step in between, until they must wait.
fn pressure(db: &Db, filled: &mut Filled) {
    let stalls = db.stats().stalls;
    for n in 0..60_000_u32 {
        db.set(n.wrapping_mul(0x9e37_79b9).to_be_bytes(), [9; 40]).unwrap();
        if n % 64 == 0 {
            filled.look(&db.metrics().snapshot());
            if db.stats().stalls > stalls + 3 {
                return;
            }
        }
    }
    panic!("the writer never had to wait");
}

fn damage(disk: &SimDisk, db: &Db, filled: &mut Filled) {
    let path = disk.paths().into_iter().find(|path| path.extension() == Some("sst".as_ref())).unwrap();
    let mut bytes = disk.read(&path).unwrap();
    bytes[100] ^= 1;
    disk.overwrite(&path, &bytes);
    assert!(!db.verify().unwrap().is_sound());
    filled.look(&db.metrics().snapshot());
}

/// Tables that nothing overlaps go down a level as they are.
fn ascending_keys(filled: &mut Filled) {
    let disk = SimDisk::new(14);
    let db = sim_db(&disk, small_options().l0_compaction_tables(1)).unwrap();
    for n in 0..4_000_u32 {
        db.set(n.to_be_bytes(), [4; 64]).unwrap();
        if n % 8 == 0 {
            db.step().unwrap();
        }
    }
    filled.look(&db.metrics().snapshot());
}

/// A log that breaks off in the middle of a record.
fn a_torn_log(filled: &mut Filled) {
    let disk = SimDisk::new(12);
    let db = sim_db(&disk, small_options()).unwrap();
    for n in 0..20_u32 {
        db.set(n.to_be_bytes(), [1; 300]).unwrap();
    }
    disk.kill();
    drop(db);
    let path = disk.paths().into_iter().rfind(|path| path.extension() == Some("log".as_ref())).unwrap();
    let mut bytes = disk.read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 100..].fill(0);
    disk.overwrite(&path, &bytes);
    let db = sim_db(&disk, small_options()).unwrap();
    assert!(db.recovery().truncated_bytes > 0);
    filled.look(&db.metrics().snapshot());
}

/// A disk that fails in the background, and then for good.
fn failures(filled: &mut Filled) {
    let disk = SimDisk::new(13);
    let db = sim_db(&disk, small_options().mapped_reads(false)).unwrap();
    db.set(b"k", b"v").unwrap();
    db.flush().unwrap();
    disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Read));
    assert!(db.get(b"k").is_err());
    db.set(b"k", b"w").unwrap();
    disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Create).path(".sst"));
    assert!(db.flush().is_err());
    disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Sync).forever());
    assert!(db.flush().is_err() || db.sync().is_err());
    assert!(db.set_with(b"k", b"v", WriteOptions::new().durability(Durability::Sync)).is_err());
    filled.look(&db.metrics().snapshot());
}

/// What takes threads and time: calls under way, locks contended, jobs running.
fn on_a_real_disk(filled: &mut Filled) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default()
        .memtable_bytes(64 << 10)
        .table_bytes(32 << 10)
        .level_base_bytes(64 << 10)
        .l0_slowdown_tables(5)
        .slowdown_bytes_per_second(64 << 10)
        .slow_threshold(Duration::from_micros(1))
        .mapped_reads(false);
    let db = Db::open(dir.path(), options).unwrap();
    let registry = db.metrics();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3_u32 {
            let (db, done) = (&db, &done);
            scope.spawn(move || {
                for n in 0_u32.. {
                    let key = (n.wrapping_mul(0x9e37_79b9) ^ writer).to_be_bytes();
                    let durability = if n % 16 == 0 { Durability::Sync } else { Durability::Os };
                    db.set_with(key, [5; 200], WriteOptions::new().durability(durability)).unwrap();
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                db.compact(..).unwrap();
            }
        });
        watch(&db, &registry, filled);
        done.store(true, Ordering::Relaxed);
    });
}

/// Looks until everything was seen that is filled at all, or for half a minute: some states are short.
fn watch(db: &Db, registry: &Registry, filled: &mut Filled) {
    let began = Instant::now();
    let is_known = |name: &&str| UNFILLED.iter().any(|(known, _)| known == name);
    while !filled.unfilled().iter().all(is_known) && began.elapsed() < Duration::from_secs(30) {
        filled.look(&registry.snapshot());
        filled.look(&db.metrics().snapshot());
    }
}
