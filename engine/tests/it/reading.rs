//! Databases that are opened for reading: they say what any opening would, and leave every byte where it is.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bettong::env::Env;
use bettong::env::sim::SimDisk;
use bettong::{Db, Error, ErrorKind, Options};
use bettong_metrics::{EventKind, Gauge, ProbeFault, TableState};

use crate::support::{Dice, contents, random_options, sim_db, small_options};

fn open_read_only(disk: &SimDisk, options: Options) -> bettong::Result<Db> {
    Db::open_read_only("/db", options.env(Env::sim(disk)))
}

/// Every file with its bytes.
fn image(disk: &SimDisk) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    disk.paths().into_iter().map(|path| (path.clone(), disk.read(&path))).collect()
}

/// Some writes, some of them flushed; whether the database was closed at the end is a matter of luck.
fn some_history(disk: &SimDisk, dice: &mut Dice, options: Options) {
    let db = sim_db(disk, options).unwrap();
    for _ in 0..dice.below(600) {
        let key = format!("key {:03}", dice.below(200));
        match dice.below(20) {
            0 => db.flush().unwrap(),
            1..=4 => db.delete(key).unwrap(),
            // Some are long enough to stay in the log, and to be pointed to.
            _ => db.set(key, vec![dice.below(256) as u8; dice.below(3_000) as usize]).unwrap(),
        }
        if dice.below(10) == 0 {
            db.step().unwrap();
        }
    }
    if dice.below(3) == 0 { db.close().unwrap() } else { disk.crash(dice.next(), dice.below(101) as u32) }
}

#[test]
fn what_is_read_is_what_any_opening_finds_and_no_byte_is_changed() {
    for seed in 0..150 {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed));
        let options = random_options(&mut dice);
        for _ in 0..=dice.below(3) {
            some_history(&disk, &mut dice, options.clone());
        }
        let before = image(&disk);
        let db = open_read_only(&disk, options.clone()).unwrap();
        let (found, report) = (contents(&db), db.recovery().clone());
        for (key, value) in &found {
            assert_eq!(db.get(key).unwrap().unwrap(), value, "seed {seed}");
        }
        assert!(db.verify().unwrap().is_sound(), "seed {seed}");
        db.close().unwrap();
        assert!(image(&disk) == before, "seed {seed}: the disk is not as it was");
        let db = sim_db(&disk, options).unwrap();
        assert_eq!(contents(&db), found, "seed {seed}");
        assert_eq!(db.recovery().records, report.records, "seed {seed}");
        assert_eq!(db.recovery().truncated_bytes, report.truncated_bytes, "seed {seed}");
    }
}

#[test]
fn everything_that_writes_is_refused_and_says_why() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, small_options()).unwrap();
    db.set(b"k", b"v").unwrap();
    disk.kill();
    drop(db);
    let db = open_read_only(&disk, small_options()).unwrap();
    let refusals = [
        db.set(b"k", b"w").unwrap_err(),
        db.delete(b"k").unwrap_err(),
        db.flush().unwrap_err(),
        db.compact(..).unwrap_err(),
        db.collect_garbage().unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.kind(), ErrorKind::ReadOnly);
        assert_eq!(refusal.to_string(), "the database was opened for reading only");
        assert!(!refusal.is_retryable());
    }
    assert!(!db.step().unwrap(), "nothing is done in the background");
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"v");
    let registry = db.metrics();
    if cfg!(not(feature = "metrics-off")) {
        assert!((registry.snapshot().gauge(Gauge::ReadOnly) - 1.0).abs() < f64::EPSILON);
    }
    assert!(db.background_error().is_none(), "it is no fault");
    let probe = registry.probe().unwrap();
    assert_eq!(probe.write(), Err(ProbeFault::ReadOnly), "nor is it for a health check");
    assert_eq!(probe.read(), Ok(()));
}

#[test]
fn readers_share_a_database_and_a_writer_has_it_alone() {
    let disk = SimDisk::new(1);
    let options = small_options;
    let writer = sim_db(&disk, options()).unwrap();
    assert!(matches!(open_read_only(&disk, options()), Err(Error::Locked { .. })));
    writer.close().unwrap();
    let (one, two) = (open_read_only(&disk, options()).unwrap(), open_read_only(&disk, options()).unwrap());
    drop(one);
    assert!(matches!(sim_db(&disk, options()), Err(Error::Locked { .. })));
    drop(two);
    sim_db(&disk, options()).unwrap();
}

/// The same with the locks of the machine; and a directory that nobody may write to.
#[test]
fn a_directory_that_nobody_may_write_to_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options::default().memtable_bytes(1 << 20);
    let writer = Db::open(dir.path(), options()).unwrap();
    writer.set(b"k", vec![7; 100_000]).unwrap();
    match Db::open_read_only(dir.path(), options()) {
        Err(Error::Locked { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    writer.close().unwrap();
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let (one, two) = (Db::open_read_only(dir.path(), options()), Db::open_read_only(dir.path(), options()));
    assert_eq!(one.unwrap().get(b"k").unwrap().unwrap(), vec![7; 100_000]);
    assert!(matches!(Db::open(dir.path(), options()), Err(Error::Locked { .. })));
    drop(two);
    assert_eq!(names(), before);
    Db::open(dir.path(), options()).unwrap();
}

#[test]
fn a_copy_without_the_lock_file_can_be_read_and_nothing_is_not_a_database() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, small_options()).unwrap();
    db.set(b"k", b"v").unwrap();
    db.close().unwrap();
    disk.delete("/db/LOCK".as_ref());
    let db = open_read_only(&disk, small_options()).unwrap();
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"v");
    assert!(disk.read("/db/LOCK".as_ref()).is_none());
    let empty = SimDisk::new(2);
    assert_eq!(open_read_only(&empty, small_options()).unwrap_err().kind(), ErrorKind::Io);
    assert!(empty.paths().is_empty());
}

/// Opened for reading, a database with many tables in L0 said that writes were stopped, and a health check with it.
#[test]
fn nobody_is_held_back_where_nobody_writes() {
    let disk = SimDisk::new(1);
    let options = || small_options().l0_compaction_tables(50).l0_slowdown_tables(51).l0_stop_tables(52);
    let db = sim_db(&disk, options()).unwrap();
    for n in 0..30_u8 {
        db.set([n], [n; 100]).unwrap();
        db.flush().unwrap();
    }
    db.close().unwrap();
    let strict = small_options().l0_compaction_tables(2).l0_slowdown_tables(4).l0_stop_tables(8);
    let db = open_read_only(&disk, strict).unwrap();
    let snapshot = db.metrics().snapshot();
    let gauges = [Gauge::WriteStallActive.cells(), Gauge::CompactionsPending.cells()];
    assert!(gauges.into_iter().flatten().all(|cell| snapshot.gauge(cell) == 0.0));
    let stalls = db.metrics().events().into_iter().filter(|event| event.kind == EventKind::StallBegin);
    assert_eq!(stalls.count(), 0);
    assert_eq!(db.metrics().probe().unwrap().write(), Err(ProbeFault::ReadOnly));
}

/// Figures of a database that was opened for reading stayed as they were at its opening.
#[test]
fn figures_of_the_machine_go_on_changing() {
    let dir = tempfile::tempdir().unwrap();
    Db::open(dir.path(), Options::default()).unwrap().close().unwrap();
    let db = Db::open_read_only(dir.path(), Options::default()).unwrap();
    let registry = db.metrics();
    let free = || registry.snapshot().gauge(Gauge::DiskFreeBytes);
    let before = free();
    if before == 0.0 {
        return; // Compiled without metrics.
    }
    std::fs::write(dir.path().join("beside"), vec![1; 64 << 20]).unwrap();
    let began = std::time::Instant::now();
    while (free() - before).abs() < f64::EPSILON {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "nobody looks at the disk");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// The tables of each level.
fn shape(db: &Db) -> BTreeSet<(u32, TableState)> {
    let published = db.metrics().published();
    let tables =
        published.levels.iter().flat_map(|level| level.tables.iter().map(|table| (level.level, table)));
    tables.map(|(level, table)| (level, table.clone())).collect()
}

/// The oracle is what the database announced while it was at work.
#[test]
fn the_changes_of_the_tree_lead_through_every_state_that_was_announced() {
    for seed in 0..20 {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed));
        let db = sim_db(&disk, small_options()).unwrap();
        let mut seen = vec![shape(&db)];
        for n in 0..900 {
            db.set(format!("key {:04}", dice.below(2_000)), vec![0; dice.below(200) as usize]).unwrap();
            if n % 90 == 0 {
                db.flush().unwrap();
                seen.push(shape(&db));
            }
            while dice.below(40) == 0 && db.step().unwrap() {
                seen.push(shape(&db));
            }
        }
        db.compact(..).unwrap();
        db.clone().close().unwrap();
        assert_eq!(db.tree_changes().unwrap_err().kind(), ErrorKind::Closed);
        drop(db);
        let db = open_read_only(&disk, small_options()).unwrap();
        seen.push(shape(&db));
        seen.dedup();
        let changes = db.tree_changes().unwrap();
        assert!(changes.len() >= seen.len() - 1 && changes.len() > 10, "seed {seed}: {}", changes.len());
        let (mut present, mut seen) = (BTreeSet::new(), seen.into_iter().peekable());
        assert!(seen.next().unwrap().is_empty());
        for (at, change) in changes.iter().enumerate() {
            assert_eq!(change.number, at as u64 + 1);
            for table in &change.removed {
                assert!(present.remove(table), "seed {seed}: {table:?} was not there");
            }
            for table in &change.added {
                assert!(present.insert(table.clone()), "seed {seed}: {table:?} was there");
            }
            seen.next_if(|announced| *announced == present);
        }
        assert_eq!(seen.count(), 0, "seed {seed}: states that no change leads to");
        assert_eq!(present, shape(&db), "seed {seed}");
    }
}
