//! Separated values: where they are, that damage to them is told, that garbage goes and nothing else does.

use std::path::PathBuf;

use bettong::env::Env;
use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::{Db, Error, Options, VerifyReport};
use bettong_metrics::{Counter, ValueFileStanding};

use crate::support::{Dice, Model, contents, sim_db, small_options};

fn options() -> Options {
    small_options().separation_threshold(100)
}

fn value_files(disk: &SimDisk) -> Vec<PathBuf> {
    disk.paths().into_iter().filter(|path| path.extension().is_some_and(|e| e == "val")).collect()
}

fn is_sound(db: &Db) -> VerifyReport {
    let report = db.verify().unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    report
}

fn count(db: &Db, cell: bettong_metrics::CounterCell) -> u64 {
    db.metrics().snapshot().counter(cell)
}

/// Sets `keys` keys to values of `len` bytes that follow from key and round.
fn fill(db: &Db, keys: u32, round: u8, len: usize) -> Model {
    let set = |n: u32| {
        let (key, value) = (n.to_be_bytes().to_vec(), vec![round ^ n as u8; len]);
        db.set(&key, &value).unwrap();
        (key, value)
    };
    (0..keys).map(set).collect()
}

#[test]
fn values_from_the_threshold_on_are_written_once_and_read_from_everywhere() {
    for mapped in [true, false] {
        let disk = SimDisk::new(1);
        let db = sim_db(&disk, options().mapped_reads(mapped)).unwrap();
        let snapshot = db.snapshot();
        for len in [0, 1, 99, 100, 101, 5000] {
            db.set(format!("{len:04}"), vec![len as u8; len]).unwrap();
        }
        let check = |db: &Db| {
            for len in [0, 1, 99, 100, 101, 5000] {
                assert_eq!(db.get(format!("{len:04}")).unwrap().unwrap(), vec![len as u8; len]);
            }
            assert_eq!(contents(db).len(), 6);
        };
        check(&db);
        assert_eq!([0, 1].map(|at| count(&db, Counter::ValuesWritten.at(at))), [3, 3]);
        db.flush().unwrap();
        check(&db);
        db.compact(..).unwrap();
        check(&db);
        assert_eq!(is_sound(&db).values, 3);
        assert_eq!(value_files(&disk).len(), 1, "the log became the value file");
        assert_eq!(count(&db, Counter::StorageWrittenBytes.at(3)), 0, "nothing was copied");
        assert_eq!(snapshot.scan(..).count(), 0);
        drop((snapshot, db));
        check(&sim_db(&disk, options().mapped_reads(mapped)).unwrap());
    }
}

#[test]
fn a_walk_over_keys_reads_no_values_and_one_over_values_reads_each_once() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options().memtable_bytes(64 << 10)).unwrap();
    let mut model = Model::new();
    let mut dice = Dice::new(1);
    for _ in 0..2000 {
        let (key, byte) = (dice.below(1 << 40).to_be_bytes().to_vec(), dice.next() as u8);
        db.set(&key, vec![byte; 1000]).unwrap();
        model.insert(key, vec![byte; 1000]);
    }
    db.flush().unwrap();
    while db.step().unwrap() {}
    let reads = || count(&db, Counter::VlogReads.at(1));
    assert_eq!(db.scan(..).map(|item| item.unwrap().key().len()).sum::<usize>(), 8 * model.len());
    assert!(db.contains(model.keys().next().unwrap()).unwrap());
    assert_eq!((reads(), count(&db, Counter::VlogReadBytes.at(0))), (0, 0));
    assert_eq!(contents(&db), model);
    assert_eq!(reads(), model.len() as u64);
    // Walked from both ends at once, with some values left out.
    let mut scan = db.scan(..);
    let (mut front, mut back) = (model.iter(), model.iter().rev());
    for step in 0..model.len() {
        let ((key, value), kept) = match step % 3 {
            0 => (back.next().unwrap(), Some(scan.next_back().unwrap().unwrap())),
            1 => (front.next().unwrap(), Some(scan.next().unwrap().unwrap())),
            _ => (front.next().unwrap(), None),
        };
        let item = match &kept {
            Some(item) => item.borrowed(),
            None => scan.next_ref().unwrap().unwrap(),
        };
        assert_eq!(item.key(), key);
        if step % 7 != 0 {
            assert_eq!(item.value().unwrap(), value);
        }
    }
    assert!(scan.next().is_none() && scan.next_back().is_none());
}

#[test]
fn the_threshold_can_be_anything_and_change_from_open_to_open() {
    let disk = SimDisk::new(1);
    let mut model = Model::new();
    for (round, threshold) in [0, 50, usize::MAX, 1, 1000, 0].into_iter().enumerate() {
        let db = sim_db(&disk, options().separation_threshold(threshold)).unwrap();
        assert_eq!(contents(&db), model, "threshold {threshold}");
        for (key, value) in fill(&db, 30, round as u8, 30 * (round + 1)) {
            model.insert(key, value);
        }
        if round % 2 == 0 {
            db.close().unwrap();
        } else {
            disk.kill();
        }
    }
    let db = sim_db(&disk, options()).unwrap();
    assert_eq!(contents(&db), model);
    is_sound(&db);
}

/// F31, F32, F35: a value file that is missing, cut off, another one, or damaged anywhere: its values are errors that say file,
/// offset and key, or right; all others can be read, and written.
#[test]
fn f31_f32_f35_a_damaged_value_file_costs_its_own_values_alone() {
    let whole = SimDisk::new(1);
    let db = sim_db(&whole, options()).unwrap();
    let mut model = fill(&db, 40, 1, 200);
    db.flush().unwrap();
    db.set(b"other", vec![9; 300]).unwrap();
    db.set(b"small", b"inline").unwrap();
    model.extend([(b"other".to_vec(), vec![9; 300]), (b"small".to_vec(), b"inline".to_vec())]);
    db.close().unwrap();
    let [first, second] = value_files(&whole).try_into().unwrap();
    let (bytes, other) = (whole.read(&first).unwrap(), whole.read(&second).unwrap());
    let mut cases: Vec<(String, Option<Vec<u8>>)> =
        vec![("missing".into(), None), ("empty".into(), Some(Vec::new())), ("another".into(), Some(other))];
    let lens = (0..bytes.len()).step_by(97);
    cases.extend(lens.map(|len| (format!("cut at {len}"), Some(bytes[..len].to_vec()))));
    for at in (0..bytes.len()).step_by(13) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        cases.push((format!("flipped at {at}"), Some(flipped)));
    }
    for (case, bytes) in cases {
        for mapped in [true, false] {
            let disk = whole.crashed_copy(0, 100);
            match &bytes {
                Some(bytes) => disk.overwrite(&first, bytes),
                None => disk.delete(&first),
            }
            let db = Db::open("/db", options().mapped_reads(mapped).env(Env::sim(&disk))).unwrap();
            for (key, value) in &model {
                match db.get(key) {
                    Ok(found) => assert_eq!(found.as_deref(), Some(value.as_slice()), "{case}"),
                    Err(Error::Corruption { path, key: of, .. }) => {
                        assert_eq!((path, of.as_ref()), (first.clone(), Some(key)), "{case}");
                    }
                    Err(error) => panic!("{case}: {error}"),
                }
            }
            for key in [b"other", b"small"] {
                assert!(db.get(key).is_ok(), "{case}");
            }
            // Whoever may look at the metrics need not be one who may look at keys.
            let told = format!("{:?}", db.metrics().events());
            assert!(!told.contains("(key "), "{case}: {told}");
            assert_eq!(db.scan(..).flatten().count(), model.len(), "keys are all there: {case}");
            db.set(b"new", vec![1; 500]).unwrap();
            db.collect_garbage().unwrap();
            db.compact(..).unwrap();
            assert_eq!(db.get(b"new").unwrap().unwrap(), vec![1; 500], "{case}");
        }
    }
}

/// Badger #2286: a value that collection moved came back after its key was deleted. Overwritten and deleted keys stay so, whatever
/// is collected when.
#[test]
fn f37_f38_what_was_deleted_or_overwritten_stays_so_through_every_collection() {
    let mut collections = 0;
    for seed in 0..20 {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed));
        let options = options().memtable_bytes(4 << 10).max_space_amplification(1.1);
        let db = sim_db(&disk, options).unwrap();
        let mut model = Model::new();
        for _ in 0..2000 {
            let key = dice.below(150).to_be_bytes().to_vec();
            if dice.percent(40) {
                db.delete(&key).unwrap();
                model.remove(&key);
            } else {
                let value = vec![dice.next() as u8; 100 + dice.below(400) as usize];
                db.set(&key, &value).unwrap();
                model.insert(key, value);
            }
            match dice.below(40) {
                0 => db.flush().unwrap(),
                1 => drop(db.collect_garbage().unwrap()),
                2..12 => drop(db.step().unwrap()),
                _ => {}
            }
        }
        collections += count(&db, Counter::VlogGcRuns.at(0));
        db.collect_garbage().unwrap();
        assert_eq!(contents(&db), model, "seed {seed}");
        is_sound(&db);
    }
    assert!(collections > 100, "{collections} collections by themselves or asked for");
}

#[test]
fn garbage_goes_by_itself_and_the_ceiling_holds() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options().memtable_bytes(32 << 10)).unwrap();
    let mut dice = Dice::new(1);
    let (keys, len) = (500u64, 2000);
    for n in 0..keys {
        db.set(n.to_be_bytes(), vec![1; len]).unwrap();
    }
    let mut most = 0.0f64;
    for n in 0..10 * keys {
        db.set(dice.below(keys).to_be_bytes(), vec![n as u8; len]).unwrap();
        while db.step().unwrap() {}
        let is_data = |path: &&PathBuf| path.extension().is_some();
        let used: usize =
            disk.paths().iter().filter(is_data).map(|path| disk.read(path).unwrap().len()).sum();
        most = most.max(used as f64 / (keys * len as u64) as f64);
    }
    assert!(most < 1.6, "space amplification went up to {most}");
    assert!(count(&db, Counter::VlogGcDeletedFiles.at(0)) > 10);
    is_sound(&db);
}

/// Found by review: tombstones use nothing of the value files, so what they hid did not count as hidden, and stayed.
#[test]
fn what_deletes_hide_is_garbage_too() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    fill(&db, 200, 1, 1000);
    db.compact(..).unwrap();
    for n in 0..200u32 {
        db.delete(n.to_be_bytes()).unwrap();
    }
    db.collect_garbage().unwrap();
    assert_eq!(value_files(&disk).len(), 0, "asked for");
    fill(&db, 200, 2, 1000);
    db.compact(..).unwrap();
    for n in 0..190u32 {
        db.delete(n.to_be_bytes()).unwrap();
    }
    db.flush().unwrap();
    while db.step().unwrap() {}
    let left: usize = value_files(&disk).iter().map(|path| disk.read(path).unwrap().len()).sum();
    assert!(left < 50_000, "by itself: {left} bytes are left for 10 values of 1000");
    is_sound(&db);
}

/// Found by review: the room that was reserved for a log stayed on the disk when the log became a value file in recovery.
#[test]
fn a_log_that_recovery_makes_a_value_file_gives_back_its_reserve() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options().memtable_bytes(64 << 10)).unwrap();
    let model = fill(&db, 10, 1, 1000);
    disk.kill();
    drop(db);
    let db = sim_db(&disk, options()).unwrap();
    let [file] = value_files(&disk).try_into().unwrap();
    assert!(disk.read(&file).unwrap().len() < 11_000);
    assert_eq!(contents(&db), model);
}

/// F39: a scan of an old state keeps the files that it reads; they are shown as pinned.
#[test]
fn f39_files_that_a_reader_holds_stay_and_are_shown_as_pinned() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    let model = fill(&db, 60, 1, 1000);
    db.flush().unwrap();
    let mut scan = db.scan(..);
    let first = scan.next().unwrap().unwrap();
    fill(&db, 60, 2, 1000);
    let report = db.collect_garbage().unwrap();
    assert!(report.freed_bytes() > 10_000 && report.pinned_files > 0, "{report:?}");
    db.flush().unwrap();
    let pinned = || {
        db.metrics();
        let published = db.metrics().published();
        published.value_files.iter().filter(|file| file.standing == ValueFileStanding::Pinned).count()
    };
    assert_eq!(pinned() as u64, report.pinned_files);
    let rest = scan.map(|item| item.unwrap());
    let found: Model = std::iter::once(first)
        .chain(rest)
        .map(|item| (item.key().to_vec(), item.value().unwrap().to_vec()))
        .collect();
    assert_eq!(found, model);
    db.collect_garbage().unwrap();
    assert_eq!(value_files(&disk).len(), db.metrics().published().value_files.len());
}

/// F40: collection on a full disk is given up, and nothing is lost.
#[test]
fn f40_a_collection_without_room_does_no_harm() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    let mut model = fill(&db, 60, 1, 1000);
    // Every file has values that live on, and some garbage, but not enough to be collected by itself.
    for n in (0..60u32).step_by(6) {
        db.set(n.to_be_bytes(), vec![100; 1000]).unwrap();
        model.insert(n.to_be_bytes().to_vec(), vec![100; 1000]);
    }
    disk.inject(Rule::new(Fault::Errno(libc::ENOSPC)).on(IoOp::Write).path(".val").forever());
    assert!(db.collect_garbage().unwrap_err().is_retryable());
    assert_eq!(contents(&db), model);
    disk.heal();
    db.collect_garbage().unwrap();
    assert_eq!(contents(&db), model);
    is_sound(&db);
    assert_eq!(value_files(&disk).len(), db.metrics().published().value_files.len(), "no left-overs");
}

/// F36: a crash at every change of a collection: every value can be reached all the time.
#[test]
fn f36_a_crash_at_every_change_of_a_collection_loses_nothing() {
    for keep in [0, 50, 100] {
        for at in 0.. {
            let disk = SimDisk::new(at);
            let db = sim_db(&disk, options().durability(bettong::Durability::Sync)).unwrap();
            fill(&db, 40, 1, 500);
            let mut model = fill(&db, 40, 2, 500);
            db.delete(0u32.to_be_bytes()).unwrap();
            model.remove(0u32.to_be_bytes().as_slice());
            db.flush().unwrap();
            disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
            let finished = db.collect_garbage().is_ok();
            drop(db);
            disk.crash(at, keep);
            let db = sim_db(&disk, options()).unwrap();
            assert_eq!(contents(&db), model, "crash at change {at}, {keep} % kept");
            is_sound(&db);
            if finished {
                assert!(at > 10, "a collection has some changes, not {at}");
                break;
            }
        }
    }
}

/// Room that will not come is not waited for: a file that cannot be removed stays, and writes go on.
#[test]
fn dead_value_files_that_cannot_be_removed_hold_nobody_back() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    fill(&db, 200, 0, 2000);
    disk.inject(Rule::new(Fault::Errno(13)).on(IoOp::Remove).path(".val").forever());
    let mut model = Model::new();
    for round in 1..10 {
        model = fill(&db, 200, round, 2000);
        while db.step().unwrap() {}
    }
    let left: usize = value_files(&disk).iter().map(|path| disk.read(path).unwrap().len()).sum();
    assert!(left > 2 * 200 * 2000, "{left} bytes could not be removed");
    assert_eq!(contents(&db), model);
    disk.heal();
    fill(&db, 200, 10, 2000);
    while db.step().unwrap() {}
    let left: usize = value_files(&disk).iter().map(|path| disk.read(path).unwrap().len()).sum();
    assert!(left < 2 * 200 * 2000, "{left} bytes were not removed");
    is_sound(&db);
}
