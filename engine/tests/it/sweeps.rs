//! One history of five hundred operations, cut off at every change that it makes to the disk, and failed at every call.
//!
//! `SQLite` does both for every step of its tests ("How `SQLite` Is Tested", chapters 3.2 and 3.3).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bettong::env::sim::{Fault, Rule, SimDisk};
use bettong::{Db, Durability, Error, ErrorKind, Instrumentation, Options, WriteBatch, WriteOptions};

use crate::support::{Dice, Model, contents, sim_db, small_options};

const OPERATIONS: u64 = 500;

type Change = (Vec<u8>, Option<Vec<u8>>);

/// What a history does, one after the other.
enum Op {
    Write(Vec<Change>, Durability),
    Step,
    Sync,
    Flush,
    Compact,
    Collect,
    Get(Vec<u8>),
}

fn history() -> Vec<Op> {
    let mut dice = Dice::new(500);
    (0..OPERATIONS)
        .map(|at| match dice.below(100) {
            0..80 => write(&mut dice, at),
            80..88 => Op::Step,
            88..90 => Op::Sync,
            90..93 => Op::Flush,
            93..95 => Op::Compact,
            95..97 => Op::Collect,
            _ => Op::Get(key(&mut dice)),
        })
        .collect()
}

fn key(dice: &mut Dice) -> Vec<u8> {
    format!("key{:02}", dice.below(60)).into_bytes()
}

fn write(dice: &mut Dice, at: u64) -> Op {
    let entries = if dice.percent(80) { 1 } else { dice.below(8) + 1 };
    let changes = (0..entries).map(|_| {
        let key = key(dice);
        // Around the threshold, so that some stay in the log.
        let len = if dice.percent(40) { 200 + dice.below(400) } else { dice.below(60) };
        (key, (!dice.percent(20)).then(|| vec![at as u8; len as usize]))
    });
    let changes = changes.collect();
    Op::Write(changes, dice.pick(&[Durability::Sync, Durability::Os, Durability::None]))
}

fn options() -> Options {
    // Thousands of openings: what they would allocate to be measured is a third of their cost.
    small_options()
        .memtable_bytes(8 << 10)
        .separation_threshold(200)
        .max_space_amplification(1.2)
        .instrumentation(Instrumentation::Off)
}

fn perform(db: &Db, op: &Op) -> bettong::Result<()> {
    match op {
        Op::Write(changes, durability) => {
            let mut batch = WriteBatch::new();
            for (key, value) in changes {
                match value {
                    Some(value) => batch.set(key, value),
                    None => batch.delete(key),
                }
            }
            db.write_with(batch, WriteOptions::new().durability(*durability))
        }
        Op::Step => db.step().map(drop),
        Op::Sync => db.sync(),
        Op::Flush => db.flush(),
        Op::Compact => db.compact(..),
        Op::Collect => db.collect_garbage().map(drop),
        Op::Get(key) => db.get(key).map(drop),
    }
}

/// Whether everything that was acknowledged is durable once the operation has succeeded.
fn settles(op: &Op) -> bool {
    match op {
        Op::Write(_, durability) => *durability == Durability::Sync,
        Op::Step | Op::Get(_) => false,
        Op::Sync | Op::Flush | Op::Compact | Op::Collect => true,
    }
}

/// Calls `body` with 0, 1, 2 … from two threads until it says that there is no more; returns how many there were.
fn sweep(body: impl Fn(u64) -> bool + Sync) -> u64 {
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= end.load(Ordering::Relaxed) {
                        return;
                    }
                    if !body(at) {
                        end.fetch_min(at, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    end.into_inner()
}

/// G1, G3, F46, F74, F75, F76, F77, F79, F80: the power fails at every change of the history, and of what was not synced nothing,
/// half or everything survives: what is found is the state after one of the commits, not before the last that was durable.
#[test]
fn g1_g3_f75_f76_f77_f79_a_power_cut_at_every_change_leaves_the_state_after_a_commit() {
    let history = history();
    let points = sweep(|at| {
        let disk = SimDisk::new(1);
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
        // The states since the last one that was durable.
        let mut states = vec![Model::new()];
        let finished = run_until_cut(&disk, &history, &mut states).is_ok();
        for keep in [0, 50, 100] {
            let copy = disk.crashed_copy(at, keep);
            let db =
                sim_db(&copy, options()).unwrap_or_else(|error| panic!("cut at {at}, {keep} %: {error}"));
            let found = contents(&db);
            assert!(states.contains(&found), "cut at {at}, {keep} % kept: no state after a commit");
            assert!(db.verify().unwrap().is_sound(), "cut at {at}, {keep} % kept");
        }
        !finished
    });
    println!("{points} crash points, each with 0, 50 and 100 % kept");
    assert!(points > 1000, "only {points}");
}

fn run_until_cut(disk: &SimDisk, history: &[Op], states: &mut Vec<Model>) -> bettong::Result<()> {
    let db = sim_db(disk, options())?;
    for op in history {
        if let Op::Write(changes, _) = op {
            let mut next = states[states.len() - 1].clone();
            for (key, value) in changes {
                match value {
                    Some(value) => drop(next.insert(key.clone(), value.clone())),
                    None => drop(next.remove(key)),
                }
            }
            states.push(next);
        }
        perform(&db, op)?;
        if settles(op) {
            states.drain(..states.len() - 1);
        }
    }
    db.close()
}

/// For each key, what it may hold: the last value that was acknowledged, and those of writes that failed after it.
type May = BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>;

/// F54, F56–F58, F60–F66, F70–F72: every call of the history fails, once and from then on, in every way: no panic, no endless loop, no
/// untyped error; what is read is right, and what was acknowledged is there afterwards.
#[test]
fn f54_to_f72_every_call_fails_once_and_for_ever_and_what_was_acknowledged_stays() {
    let history = history();
    let faults = [
        5,  /* EIO */
        28, /* ENOSPC */
        4,  /* EINTR */
        24, /* EMFILE */
        30, /* EROFS */
    ]
    .map(Fault::Errno);
    let cases: Vec<_> =
        faults.into_iter().chain([Fault::Short]).flat_map(|fault| [(fault, false), (fault, true)]).collect();
    // Each call has its turn with one of the cases, and with all of them if time does not matter.
    let all = std::env::var_os("BETTONG_ALL_FAULTS").is_some();
    let calls = sweep(|at| {
        let turn =
            cases.iter().enumerate().filter(|(which, _)| all || *which as u64 == at % cases.len() as u64);
        turn.fold(true, |happened, (_, (fault, forever))| happened & fails_at(&history, *fault, *forever, at))
    });
    println!("{calls} calls");
    assert!(calls > 1000, "only {calls}");
}

/// Returns whether there was such a call.
fn fails_at(history: &[Op], fault: Fault, forever: bool, at: u64) -> bool {
    let case = format!("{fault:?} at call {at}, for ever: {forever}");
    let disk = SimDisk::new(6);
    let rule = Rule::new(fault).nth(at);
    disk.inject(if forever { rule.forever() } else { rule });
    let mut may = May::new();
    let closed = match sim_db(&disk, options().durability(Durability::Sync)) {
        Ok(db) => {
            history.iter().for_each(|op| perform_and_note(&db, op, &mut may, &case));
            db.close()
        }
        Err(error) => Err(error),
    };
    closed.err().iter().for_each(|error| check(error, &case));
    let happened = disk.operations() > at;
    disk.crash(at, 50);
    let db = sim_db(&disk, options()).unwrap_or_else(|error| panic!("{case}: {error:?}"));
    for (key, values) in &may {
        assert!(values.contains(&value_of(&db, key).unwrap()), "{case}: {}", key.escape_ascii());
    }
    assert!(db.verify().unwrap().is_sound(), "{case}");
    happened
}

fn perform_and_note(db: &Db, op: &Op, may: &mut May, case: &str) {
    let op = match op {
        // What is acknowledged has to survive the crash that follows.
        Op::Write(changes, _) => &Op::Write(changes.clone(), Durability::Sync),
        op => op,
    };
    let done = perform(db, op);
    done.as_ref().err().iter().for_each(|error| check(error, case));
    match op {
        Op::Write(changes, _) => {
            let last: BTreeMap<_, _> = changes.iter().map(|(key, value)| (key, value)).collect();
            for (key, value) in last {
                let values = may.entry(key.clone()).or_insert_with(|| vec![None]);
                if done.is_ok() {
                    values.clear();
                }
                values.push(value.clone());
            }
        }
        Op::Get(key) => match value_of(db, key) {
            Ok(value) => {
                let none = vec![None];
                let values = may.get(key).unwrap_or(&none);
                assert!(values.contains(&value), "{case}: {}", key.escape_ascii());
            }
            Err(error) => check(&error, case),
        },
        _ => {}
    }
}

fn value_of(db: &Db, key: &[u8]) -> bettong::Result<Option<Vec<u8>>> {
    Ok(db.get(key)?.map(|value| value.to_vec()))
}

fn check(error: &Error, case: &str) {
    let expected = [ErrorKind::Io, ErrorKind::NoSpace, ErrorKind::ReadOnly, ErrorKind::Locked];
    assert!(expected.contains(&error.kind()), "{case}: {error:?}");
}
