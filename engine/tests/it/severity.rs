//! Faults of background work: how bad each is, what goes on meanwhile, and what passes by itself (G7).

use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::env::{Env, Threads};
use bettong::{Db, Durability, Error, ErrorKind, Severity};
use bettong_metrics::{Counter, Gauge};

use crate::support::{contents, sim_db, small_options};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn severity(db: &Db) -> Option<Severity> {
    let present = db.background_error();
    let shown = db.metrics().snapshot().gauge(Gauge::BackgroundErrorSeverity);
    let severity = present.map(|error| error.severity);
    assert_eq!(shown as u8, severity.map_or(0, |severity| severity as u8), "the gauge says the same");
    severity
}

/// Steps until nothing is to do, whatever comes of it.
fn steps(db: &Db, most: usize) {
    for _ in 0..most {
        if matches!(db.step(), Ok(false)) {
            break;
        }
    }
}

fn fill(db: &Db, range: std::ops::Range<u32>) -> bettong::Result<()> {
    range.into_iter().try_for_each(|n| db.set(n.to_be_bytes(), [n as u8; 200]))
}

/// G7: a compaction that fails is tried again; writes and reads go on, and when it succeeds all is well.
#[test]
fn g7_f56_a_failing_compaction_is_soft_and_passes() {
    for errno in [EIO, ENOSPC] {
        let disk = SimDisk::new(1);
        let db = sim_db(&disk, small_options().l0_compaction_tables(2)).unwrap();
        for round in 0..2 {
            fill(&db, round * 20..round * 20 + 20).unwrap();
            db.flush().unwrap();
        }
        disk.inject(Rule::new(Fault::Errno(errno)).on(IoOp::Create).path(".sst").forever());
        assert!(db.step().is_err(), "the compaction fails");
        assert_eq!(severity(&db), Some(Severity::Soft));
        let error = db.background_error().unwrap();
        assert_eq!((error.origin, error.failures, error.resumes_by_itself()), ("compaction", 1, true));
        assert!(db.stats().to_string().contains("soft compaction error"), "{}", db.stats());
        fill(&db, 100..110).unwrap();
        assert_eq!(contents(&db).len(), 50);
        disk.heal();
        steps(&db, 100);
        assert_eq!(severity(&db), None);
    }
}

/// G7: a compaction that somebody asked for fails: it is told, and nobody tries again, so nothing is the matter with the database.
///
/// Before, the fault stayed for ever, for no background work was due that would have succeeded; and writers that came to a full L0
/// were refused for it.
#[test]
fn g7_f54_a_compaction_by_hand_that_fails_leaves_no_fault_behind() {
    let disk = SimDisk::new(11);
    let db = sim_db(&disk, small_options().l0_compaction_tables(3)).unwrap();
    fill(&db, 0..20).unwrap();
    db.flush().unwrap();
    disk.inject(Rule::new(Fault::Errno(ENOSPC)).on(IoOp::Create).path(".sst").forever());
    assert_eq!(db.compact(..).unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(severity(&db), None);
    disk.heal();
    fill(&db, 0..2_000).unwrap();
    assert_eq!(severity(&db), None);
}

/// G7: a collection fails; then somebody collects by hand, and no garbage is left that background work would succeed with.
///
/// Before, the fault of the collection stayed for ever.
#[test]
fn g7_f56_a_collection_by_hand_clears_the_fault_of_one_that_failed() {
    let disk = SimDisk::new(12);
    let db = sim_db(&disk, small_options().separation_threshold(64)).unwrap();
    let fill = |step: usize, byte| {
        (0..60u8).filter(|n| usize::from(*n) % 6 >= step).try_for_each(|n| db.set([n], vec![byte; 1000]))
    };
    fill(0, 0).unwrap();
    db.flush().unwrap();
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Write).path(".val").forever());
    // One value of six lives on, and most files have one.
    (1..30).take_while(|byte| fill(1, *byte).is_ok() && severity(&db).is_none()).for_each(|_| {
        db.flush().ok();
        db.step().ok();
    });
    assert_eq!(db.background_error().unwrap().origin, "vlog_gc");
    disk.heal();
    db.collect_garbage().unwrap();
    assert_eq!(severity(&db), None);
}

/// G6, F57: the sync of the very last edit fails when the database is closed. Opened again before the machine has lost anything, it
/// reads that edit, from memory alone, and takes the close for a clean one; the next edit promises that all before it is durable.
///
/// Before, the manifest did not read any more when the power failed after that: no later sync writes what a failed one has dropped.
#[test]
fn g6_f57_the_edit_of_a_close_whose_sync_failed_is_written_again() {
    // Some of these last edits lie across two sectors, and the first is not written with the edit that follows.
    for (flushes, nth) in (0..40).flat_map(|flushes| [(flushes, 0), (flushes, 1)]) {
        let disk = SimDisk::new(13);
        let db = sim_db(&disk, small_options()).unwrap();
        for at in 0..flushes {
            fill(&db, at..at + 1).unwrap();
            db.flush().unwrap();
        }
        disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Sync).path("MANIFEST").nth(nth));
        db.close().ok();
        disk.heal();
        let db = sim_db(&disk, small_options()).unwrap();
        fill(&db, 50..60).unwrap();
        db.flush().unwrap();
        disk.crash(1, 0);
        let db = sim_db(&disk, small_options()).unwrap();
        assert_eq!(contents(&db).len() as u32, flushes + 10);
    }
}

/// G7: a flush that fails is hard: writes go on until memory is full, are refused then, and resume by themselves.
#[test]
fn g7_f56_a_failing_flush_is_hard_and_writes_resume_by_themselves() {
    let disk = SimDisk::new(2);
    let db = sim_db(&disk, small_options()).unwrap();
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Create).path(".sst").forever());
    let refused = (0..10_000).find_map(|n| fill(&db, n..n + 1).err().map(|error| (n, error)));
    let (written, error) = refused.expect("memory fills up");
    assert!(written > 50, "only {written} writes found room");
    assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::ReadOnly), "{error:?}");
    assert_eq!(severity(&db), Some(Severity::Hard));
    assert_eq!(contents(&db).len() as u32, written, "reads go on");
    disk.heal();
    fill(&db, written..written + 100).unwrap();
    db.flush().unwrap();
    assert_eq!(severity(&db), None);
    assert_eq!(contents(&db).len() as u32, written + 100);
}

/// G6, G7, F57: after a failed sync of the log the database is read-only until it is opened again.
#[test]
fn g7_f57_a_failed_sync_is_fatal_until_reopened() {
    let disk = SimDisk::new(3);
    let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
    fill(&db, 0..10).unwrap();
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Sync).path(".log"));
    assert_eq!(fill(&db, 10..11).unwrap_err().kind(), ErrorKind::ReadOnly);
    for _ in 0..3 {
        assert_eq!(fill(&db, 11..12).unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    assert_eq!(severity(&db), Some(Severity::Fatal));
    let error = db.background_error().unwrap();
    assert_eq!((error.origin, error.failures, error.resumes_by_itself()), ("wal", 1, false));
    assert!(contents(&db).len() >= 10, "reads go on");
    db.close().unwrap_err();
    let db = sim_db(&disk, small_options()).unwrap();
    assert_eq!(severity(&db), None);
    fill(&db, 11..12).unwrap();
}

/// A database with two levels, of which a table on the lower one is damaged.
fn with_damaged_table(disk: &SimDisk) -> Db {
    let options = || small_options().l0_compaction_tables(2).l0_slowdown_tables(3).l0_stop_tables(4);
    let db = sim_db(disk, options()).unwrap();
    fill(&db, 0..30).unwrap();
    db.compact(..).unwrap();
    db.close().unwrap();
    let table = disk.paths().into_iter().find(|path| path.extension() == Some("sst".as_ref())).unwrap();
    let mut bytes = disk.read(&table).unwrap();
    bytes[100] ^= 1;
    disk.overwrite(&table, &bytes);
    sim_db(disk, options()).unwrap()
}

/// G7: damage that a compaction meets is unrecoverable. It is not met again and again; writes go on until they would need what is
/// damaged, and then say what is.
///
/// Before, the database turned read-only for good: opened again, it chose the same compaction at once.
#[test]
fn g7_f17_damage_in_a_compaction_is_met_once_and_writes_go_on() {
    let disk = SimDisk::new(4);
    let db = with_damaged_table(&disk);
    let failures = |db: &Db| db.metrics().snapshot().counter_total(Counter::BackgroundErrors);
    // Keys of the damaged table: every compaction of L0 needs it.
    fill(&db, 0..20).unwrap();
    db.flush().unwrap();
    fill(&db, 5..25).unwrap();
    db.flush().unwrap();
    assert_eq!(db.step().unwrap_err().kind(), ErrorKind::Corruption);
    assert_eq!(severity(&db), Some(Severity::Unrecoverable));
    steps(&db, 100);
    assert_eq!(failures(&db), 1, "it is not tried again");
    // Room is left in L0 and in memory.
    fill(&db, 0..20).unwrap();
    let error = (0..100_000u32).find_map(|n| db.set(n.to_be_bytes(), [9; 200]).err()).expect("L0 fills up");
    let Error::ReadOnly(reason) = &error else { panic!("{error:?}") };
    assert_eq!(reason.kind(), ErrorKind::Corruption, "{error}");
    assert_eq!(failures(&db), 1);
    assert_eq!(db.get(3u32.to_be_bytes()).unwrap().unwrap(), [9; 200], "reads go on");
}

/// F94: a bug in background work makes the database read-only and wakes the writers; nobody waits for a worker that is gone.
#[test]
fn f94_a_panic_in_a_background_thread_is_fatal_and_no_hang() {
    let disk = SimDisk::new(5);
    let env = Env::sim(&disk).with_threads(Threads::Background);
    let db = Db::open("/db", small_options().env(env)).unwrap();
    fill(&db, 0..10).unwrap();
    disk.inject(Rule::new(Fault::Panic).on(IoOp::Create).path(".sst"));
    let error = (0..1_000_000u32).find_map(|n| db.set(n.to_be_bytes(), [9; 200]).err()).expect("it stops");
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(severity(&db), Some(Severity::Fatal));
    assert!(db.get(3u32.to_be_bytes()).unwrap().is_some(), "reads go on");
    assert_eq!(db.close().unwrap_err().kind(), ErrorKind::ReadOnly);
    let again = sim_db(&disk, small_options()).unwrap();
    assert!(again.get(3u32.to_be_bytes()).unwrap().is_some(), "what was acknowledged is there");
}

/// F66: a file that cannot be removed is no fault: it is tried again later.
#[test]
fn f66_a_failing_unlink_is_tried_again_and_is_no_fault() {
    let disk = SimDisk::new(6);
    let db = sim_db(&disk, small_options()).unwrap();
    fill(&db, 0..60).unwrap();
    db.compact(..).unwrap();
    disk.inject(Rule::new(Fault::Errno(EIO)).on(IoOp::Remove).forever());
    fill(&db, 0..60).unwrap();
    db.compact(..).unwrap();
    let files = disk.paths().len();
    assert_eq!(severity(&db), None);
    disk.heal();
    fill(&db, 60..70).unwrap();
    db.flush().unwrap();
    steps(&db, 100);
    assert!(disk.paths().len() < files, "{:?}", disk.paths());
}
