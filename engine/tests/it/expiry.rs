//! Values that expire: gone at once, for good, and for nobody who looked before.

use std::collections::BTreeMap;
use std::time::Duration;

use bettong::env::sim::SimDisk;
use bettong::{Db, Options, WriteBatch, WriteOptions};

use crate::support::{Dice, Model, contents, random_options, sim_db, small_options};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

fn lives(seconds: u64) -> WriteOptions {
    WriteOptions::new().ttl(Duration::from_secs(seconds))
}

fn options() -> Options {
    small_options().separation_threshold(100)
}

#[test]
fn an_expired_value_is_gone_for_gets_scans_and_contains() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    for (key, len) in [("small", 10), ("large", 500)] {
        db.set_with(key, vec![1; len], lives(60)).unwrap();
        db.set(format!("{key} for ever"), vec![2; len]).unwrap();
    }
    for flushed in [false, true] {
        if flushed {
            db.flush().unwrap();
        }
        assert_eq!(db.get("small").unwrap().unwrap(), vec![1; 10]);
        assert_eq!(db.get("large").unwrap().unwrap(), vec![1; 500]);
        assert_eq!(db.scan(..).rev().map(|item| item.unwrap().value().unwrap().len()).sum::<usize>(), 1020);
        let (mut scan, mut borrowed) = (db.scan(..), 0);
        while let Some(item) = scan.next_ref() {
            borrowed += item.unwrap().value().unwrap().len();
        }
        assert_eq!(borrowed, 1020);
        assert!(db.contains("large").unwrap());
    }
    disk.advance(61 * SECOND);
    for key in ["small", "large"] {
        assert!(db.get(key).unwrap().is_none() && !db.contains(key).unwrap());
    }
    assert_eq!(contents(&db).len(), 2);
    assert_eq!(db.scan(..).rev().count(), 2);
    db.compact(..).unwrap();
    assert_eq!(contents(&db).len(), 2);
    assert_eq!(db.stats().levels.iter().map(|level| level.entries).sum::<u64>(), 2, "they left no trace");
}

/// What an expired value hid must not come back when the value is dropped.
#[test]
fn an_older_value_stays_hidden() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    db.set(b"key", vec![1; 300]).unwrap();
    db.compact(..).unwrap();
    db.set_with(b"key", b"short", lives(5)).unwrap();
    db.flush().unwrap();
    disk.advance(6 * SECOND);
    while db.step().unwrap() {}
    assert!(db.get(b"key").unwrap().is_none());
    db.compact(..).unwrap();
    assert!(db.get(b"key").unwrap().is_none());
}

/// G11: who looked before the time sees the value for as long as he looks, whatever compaction does.
#[test]
fn g11_a_snapshot_keeps_what_had_not_expired() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    for (key, len) in [(b"a", 10), (b"b", 500)] {
        db.set_with(key, vec![7; len], lives(60)).unwrap();
    }
    let (snapshot, scan) = (db.snapshot(), db.scan(..));
    disk.advance(61 * SECOND);
    let late = db.snapshot();
    db.compact(..).unwrap();
    assert_eq!(snapshot.get(b"b").unwrap().unwrap(), vec![7; 500]);
    assert_eq!(snapshot.scan(..).count(), 2);
    assert_eq!(scan.map(|item| item.unwrap().value().unwrap().len()).sum::<usize>(), 510);
    assert!(late.get(b"b").unwrap().is_none() && db.get(b"a").unwrap().is_none());
    drop((snapshot, late));
    db.compact(..).unwrap();
    assert_eq!(db.stats().levels.iter().map(|level| level.entries).sum::<u64>(), 0);
}

/// The files of values that have all expired go without being read, and by themselves.
#[test]
fn value_files_whose_entries_have_all_expired_go_unread() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options().ttl(Some(Duration::from_secs(60)))).unwrap();
    for n in 0..200u32 {
        db.set(n.to_be_bytes(), vec![n as u8; 1000]).unwrap();
    }
    db.flush().unwrap();
    while db.step().unwrap() {}
    let values = |disk: &SimDisk| {
        disk.paths().iter().filter(|path| path.extension().is_some_and(|e| e == "val")).count()
    };
    assert!(values(&disk) > 3);
    disk.advance(61 * SECOND);
    while db.step().unwrap() {}
    assert_eq!(values(&disk), 0);
    assert_eq!(db.metrics().snapshot().counter_total(bettong_metrics::Counter::VlogReads), 0);
    assert_eq!(db.metrics().published().value_files, []);
}

/// F85: the clock is set back by ten days while the database is open and while it is closed: nothing comes back to life.
#[test]
fn f85_a_clock_that_goes_back_brings_nothing_back() {
    for closed in [false, true] {
        let disk = SimDisk::new(1);
        let mut db = sim_db(&disk, options()).unwrap();
        db.set_with(b"key", vec![1; 500], lives(60)).unwrap();
        disk.advance(61 * SECOND);
        assert!(db.get(b"key").unwrap().is_none());
        let back = disk.unix_nanos() - 10 * DAY;
        if closed {
            db.close().unwrap();
            disk.set_unix_nanos(back);
            db = sim_db(&disk, options()).unwrap();
        } else {
            disk.set_unix_nanos(back);
        }
        assert!(db.get(b"key").unwrap().is_none(), "closed: {closed}");
        db.set_with(b"new", b"1", lives(60)).unwrap();
        disk.advance(59 * SECOND);
        assert!(db.get(b"new").unwrap().is_some());
        disk.advance(2 * SECOND);
        assert!(db.get(b"new").unwrap().is_none(), "what is to expire in a minute does");
    }
}

/// F85, F86: the clock is set forward by ten years and back again; times at the end of all times.
#[test]
fn f85_f86_a_clock_set_forward_and_times_that_do_not_fit_do_no_harm() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    db.set_with(b"for ever", b"1", WriteOptions::new().ttl(Duration::MAX)).unwrap();
    db.set_with(b"at once", b"1", WriteOptions::new().ttl(Duration::ZERO)).unwrap();
    db.set_with(b"five years", b"1", lives(5 * 365 * 86_400)).unwrap();
    let now = disk.unix_nanos();
    disk.set_unix_nanos(now + 3650 * DAY);
    assert!(db.get(b"at once").unwrap().is_none() && db.get(b"five years").unwrap().is_none());
    disk.set_unix_nanos(now);
    assert!(db.get(b"five years").unwrap().is_none(), "what was gone stays gone");
    db.set_with(b"a minute", b"1", lives(60)).unwrap();
    assert!(db.get(b"a minute").unwrap().is_some());
    disk.advance(61 * SECOND);
    assert!(db.get(b"a minute").unwrap().is_none());
    disk.set_unix_nanos(u64::MAX);
    assert!(db.get(b"for ever").unwrap().is_some());
    db.compact(..).unwrap();
    assert_eq!(contents(&db).len(), 1);
}

/// The model: what is there, and until when.
type Until = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn alive(model: &Until, now: u64) -> Model {
    let alive = model.iter().filter(|(_, (_, until))| *until > now);
    alive.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
}

#[test]
fn random_histories_with_expiry_agree_with_a_model() {
    for seed in 0..40 {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed));
        let mut db = sim_db(&disk, random_options(&mut dice)).unwrap();
        let (mut model, mut snapshots) = (Until::new(), Vec::new());
        for _ in 0..1500 {
            match dice.below(100) {
                0..55 => write(&db, &disk, &mut dice, &mut model),
                55..65 => disk.advance(dice.below(5 * SECOND)),
                65..80 => {
                    let key = key(&mut dice);
                    let expected = alive(&model, disk.unix_nanos()).get(&key).cloned();
                    assert_eq!(db.get(&key).unwrap().as_deref(), expected.as_deref(), "seed {seed}");
                    assert_eq!(db.contains(&key).unwrap(), expected.is_some());
                }
                80..90 => drop(db.step().unwrap()),
                90..92 => db.flush().unwrap(),
                92..93 => db.compact(..).unwrap(),
                93..94 => drop(db.collect_garbage().unwrap()),
                94..96 => snapshots.push((db.snapshot(), alive(&model, disk.unix_nanos()))),
                96..99 => check(&db, &disk, &model, &mut snapshots, seed),
                _ => {
                    check(&db, &disk, &model, &mut snapshots, seed);
                    db.close().unwrap();
                    db = sim_db(&disk, random_options(&mut dice)).unwrap();
                }
            }
        }
        check(&db, &disk, &model, &mut snapshots, seed);
    }
}

fn key(dice: &mut Dice) -> Vec<u8> {
    format!("key{:02}", dice.below(60)).into_bytes()
}

fn write(db: &Db, disk: &SimDisk, dice: &mut Dice, model: &mut Until) {
    let ttl = dice.pick(&[None, Some(0), Some(SECOND), Some(20 * SECOND), Some(u64::MAX)]);
    let mut options = WriteOptions::new();
    if let Some(ttl) = ttl {
        options = options.ttl(Duration::from_nanos(ttl));
    }
    let mut batch = WriteBatch::new();
    for _ in 0..dice.below(4) {
        let key = key(dice);
        if dice.percent(20) {
            batch.delete(&key);
            model.remove(&key);
        } else {
            let value = vec![dice.next() as u8; dice.below(150) as usize];
            batch.set(&key, &value);
            let until = ttl.map_or(u64::MAX, |ttl| disk.unix_nanos().saturating_add(ttl));
            model.insert(key, (value, until));
        }
    }
    db.write_with(batch, options).unwrap();
}

fn check(db: &Db, disk: &SimDisk, model: &Until, snapshots: &mut Vec<(bettong::Snapshot, Model)>, seed: u64) {
    assert_eq!(contents(db), alive(model, disk.unix_nanos()), "seed {seed}");
    for (snapshot, model) in snapshots.drain(..) {
        let found = snapshot.scan(..).rev().map(|item| item.unwrap());
        let found: Model = found.map(|item| (item.key().to_vec(), item.value().unwrap().to_vec())).collect();
        assert_eq!(found, model, "G11: a snapshot sees one state; seed {seed}");
    }
    let report = db.verify().unwrap();
    assert!(report.is_sound(), "seed {seed}: {:?}", report.faults);
}
