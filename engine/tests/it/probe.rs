//! The probe of health checks: it finds out whether writes and reads work, and nobody notices.

use std::path::PathBuf;
use std::sync::Arc;

use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::{Compression, Db, Durability, ErrorKind};
use bettong_metrics::{Counter, Gauge, Operation, Probe, ProbeFault};

use crate::support::{contents, sim_db, small_options};

const EIO: i32 = 5;

fn probe(db: &Db) -> Arc<dyn Probe> {
    db.metrics().probe().unwrap()
}

fn fill(db: &Db, range: std::ops::Range<u32>) {
    range.for_each(|n| db.set(format!("key of a user {n:04}"), [n as u8; 200]).unwrap());
}

fn tables(disk: &SimDisk) -> Vec<PathBuf> {
    let paths = disk.paths().into_iter();
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "sst")).collect()
}

/// What users can tell: their counts, what a snapshot is of, what memtables hold.
fn seen_by_users(db: &Db) -> (Vec<u64>, Vec<u64>, u64) {
    let snapshot = db.metrics().snapshot();
    let entered = Operation::ALL.map(|operation| snapshot.entered(operation));
    let families = [
        Counter::GetOperations,
        Counter::SetOperations,
        Counter::DeleteOperations,
        Counter::UserWrittenBytes,
        Counter::UserReadBytes,
        Counter::WalRecords,
        Counter::WalPayloadBytes,
        Counter::ValuesWritten,
        Counter::CacheRequests,
    ];
    let counted = families.map(|family| snapshot.counter_total(family));
    let gauges = [Gauge::Entries, Gauge::Tombstones].map(|gauge| snapshot.gauge(gauge) as u64);
    let memtable = Gauge::MemtableEntries.cells().chain(Gauge::MemtableTombstones.cells());
    let kept = gauges.into_iter().chain(memtable.map(|cell| snapshot.gauge(cell) as u64)).collect();
    let _held = db.snapshot();
    let holders = db.metrics().holders().known;
    (entered.into_iter().chain(counted).collect(), kept, holders.last().map_or(0, |held| held.sequence))
}

#[test]
fn a_probe_moves_no_count_of_users_and_shows_in_no_read() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, small_options()).unwrap();
    fill(&db, 0..100);
    db.flush().unwrap();
    db.delete(b"key of a user 0007").unwrap();
    let before = (contents(&db), seen_by_users(&db));
    let held = db.snapshot();
    let written = || db.metrics().snapshot().counter(Counter::WalWrittenBytes);
    let log = written();
    for _ in 0..100 {
        probe(&db).write().unwrap();
        probe(&db).read().unwrap();
        assert_eq!(probe(&db).disk(), Ok(None), "a simulated disk does not say");
    }
    let counts = seen_by_users(&db);
    if cfg!(not(feature = "metrics-off")) {
        assert_eq!(written() - log, 100 * 24, "what it writes is counted as what it is: bytes of the log");
    }
    assert_eq!((contents(&db), counts), before);
    assert_eq!(held.scan(..).count(), before.0.len());
    assert!(db.verify().unwrap().is_sound());
    drop(held);
    disk.kill();
    drop(db);
    let db = sim_db(&disk, small_options()).unwrap();
    assert_eq!(db.recovery().records, 1, "the delete; the rest was in tables");
    assert_eq!(contents(&db), before.0);
}

#[test]
fn groups_of_probes_lie_between_those_of_writes_without_harm() {
    let options = || small_options().separation_threshold(100);
    for durability in [Durability::None, Durability::Os, Durability::Sync] {
        let disk = SimDisk::new(2);
        let db = sim_db(&disk, options().durability(durability)).unwrap();
        for n in 0..60 {
            fill(&db, n..n + 1);
            probe(&db).write().unwrap();
        }
        db.sync().unwrap();
        let written = contents(&db);
        let copy = disk.crashed_copy(3, 50);
        let crashed = sim_db(&copy, options()).unwrap();
        assert_eq!(contents(&crashed), written);
        // The logs, which are mostly values, become value files with the groups in them.
        crashed.flush().unwrap();
        assert!(crashed.verify().unwrap().is_sound());
        db.flush().unwrap();
        assert!(db.verify().unwrap().is_sound());
        db.close().unwrap();
        assert_eq!(contents(&sim_db(&disk, options()).unwrap()), written);
    }
}

#[test]
fn an_idle_database_that_is_probed_for_ever_does_not_grow() {
    let disk = SimDisk::new(4);
    let db = sim_db(&disk, small_options()).unwrap();
    fill(&db, 0..10);
    db.flush().unwrap();
    let (written, before) = (contents(&db), tables(&disk));
    let mut most = 0;
    for _ in 0..20_000 {
        probe(&db).write().unwrap();
        while db.step().unwrap() {}
        most = most.max(disk.used_bytes());
    }
    assert!(most < 150 << 10, "{most} bytes");
    assert_eq!((contents(&db), tables(&disk)), (written.clone(), before), "no table was written for it");
    assert!(db.verify().unwrap().is_sound());
    fill(&db, 10..20);
    disk.kill();
    drop(db);
    assert_eq!(contents(&sim_db(&disk, small_options()).unwrap()).len(), written.len() + 10);
}

#[test]
fn a_probe_says_why_writes_fail() {
    let disk = SimDisk::new(5);
    let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
    fill(&db, 0..10);
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Write).path(".log"));
    let Err(ProbeFault::Failed(reason)) = probe(&db).write() else { panic!("a write that fails") };
    assert!(reason.contains("write to"), "{reason}");
    assert_eq!(probe(&db).write(), Ok(()), "it passed");
    fill(&db, 10..20);

    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Sync).path(".log"));
    assert_eq!(db.set(b"failed", b"1").unwrap_err().kind(), ErrorKind::ReadOnly);
    for _ in 0..2 {
        let Err(ProbeFault::Failed(reason)) = probe(&db).write() else { panic!("writes are refused") };
        assert!(reason.contains("read-only") && reason.contains("sync"), "{reason}");
    }
    assert_eq!(probe(&db).read(), Ok(()), "reads go on");
    // The one whose sync failed is in doubt, and can be seen.
    assert_eq!(contents(&db).len(), 21);
}

#[test]
fn a_sync_that_fails_for_a_probe_is_as_bad_as_one_that_fails_for_a_write() {
    let disk = SimDisk::new(6);
    let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
    fill(&db, 0..10);
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Sync).path(".log"));
    assert!(matches!(probe(&db).write(), Err(ProbeFault::Failed(_))));
    assert_eq!(db.set(b"later", b"1").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(contents(&db).len(), 10);
}

#[test]
fn a_probe_does_not_wait_with_the_writes_that_do() {
    let disk = SimDisk::new(7);
    let options = small_options().l0_compaction_tables(2);
    let options = options.compaction_debt_slowdown_bytes(1).compaction_debt_stop_bytes(2);
    let db = sim_db(&disk, options).unwrap();
    for n in 0..2 {
        fill(&db, n..n + 1);
        db.flush().unwrap();
    }
    assert_eq!(probe(&db).write(), Err(ProbeFault::Waiting("compaction_debt")));
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Create).path(".sst").forever());
    assert!(db.step().is_err());
    // Writes fail at once now, instead of waiting.
    assert!(db.set(b"refused", b"1").is_err());
    assert!(matches!(probe(&db).write(), Err(ProbeFault::Failed(_))));
    disk.heal();
    while db.step().unwrap_or(true) {}
    assert_eq!(probe(&db).write(), Ok(()));
}

#[test]
fn a_damaged_block_is_found_wherever_it_lies_and_stays_found() {
    let options = || small_options().compression([Compression::None; 7]);
    for mapped in [false, true] {
        let disk = SimDisk::new(8);
        let db = sim_db(&disk, options().mapped_reads(mapped)).unwrap();
        fill(&db, 0..200);
        db.flush().unwrap();
        let all = tables(&disk);
        assert!(all.len() > 1, "{all:?}");
        for path in &all {
            let whole = disk.read(path).unwrap();
            // In the data: blocks of 256 bytes, 40 of them or so, behind a header.
            let mut bad = whole.clone();
            bad[3000] ^= 1;
            disk.overwrite(path, &bad);
            let found = (0..2_000).find_map(|_| probe(&db).read().err()).expect("it is found");
            let ProbeFault::Damaged(reason) = &found else { panic!("{found:?}") };
            assert!(reason.contains("checksum") && reason.contains(path.to_str().unwrap()), "{reason}");
            assert!(!reason.contains("user"), "no key is shown: {reason}");
            assert_eq!(probe(&db).read(), Err(found), "it is looked at again");
            assert_eq!(probe(&db).write(), Ok(()));
            disk.overwrite(path, &whole);
            assert_eq!(probe(&db).read(), Ok(()), "until it is well");
        }
    }
}

#[test]
fn a_read_that_fails_is_told_from_damage_and_a_database_without_tables_reads_its_log() {
    let disk = SimDisk::new(9);
    let db = sim_db(&disk, small_options()).unwrap();
    for _ in 0..3 {
        assert_eq!(probe(&db).read(), Ok(()));
    }
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Read).path(".log"));
    assert!(matches!(probe(&db).read(), Err(ProbeFault::Failed(_))));
    fill(&db, 0..50);
    db.flush().unwrap();
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Read).path(".sst"));
    let Err(ProbeFault::Failed(reason)) = probe(&db).read() else { panic!("a read that fails") };
    assert!(reason.contains(".sst"), "{reason}");
    disk.inject(Rule::new(Fault::Flip).on(IoOp::Read).path(".sst"));
    assert!(matches!(probe(&db).read(), Err(ProbeFault::Damaged(_))));
    assert_eq!(probe(&db).read(), Ok(()));
}

#[test]
fn a_probe_keeps_neither_the_database_nor_its_directory() {
    let disk = SimDisk::new(10);
    let db = sim_db(&disk, small_options()).unwrap();
    fill(&db, 0..10);
    let (held, registry) = (probe(&db), db.metrics());
    drop(db);
    let db = sim_db(&disk, small_options()).expect("the directory is free");
    for closed in [held, registry.probe().unwrap()] {
        assert_eq!(closed.write(), Err(ProbeFault::Closed));
        assert_eq!(closed.read(), Err(ProbeFault::Closed));
        assert_eq!(closed.disk(), Err(ProbeFault::Closed));
    }
    assert_eq!(probe(&db).write(), Ok(()));
    assert_eq!(contents(&db).len(), 10);
}
