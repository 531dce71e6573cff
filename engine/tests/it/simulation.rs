//! Crashes: random histories on the simulated disk, cut at random points, with lost and torn sectors and lost directory
//! entries. After each crash the state must be that of the model after exactly n commits, with n not below the last one that was
//! acknowledged as durable (G1, G3), and recovery must not mistake a torn tail for corruption (G5).

use std::sync::atomic::{AtomicU64, Ordering};

use bettong::env::sim::{Fault, Rule, SimDisk};
use bettong::{Db, Durability, Error, Options, WriteBatch, WriteOptions};

use crate::support::{Dice, Model, contents, random_options, sim_db};

/// Crashes in CI; `BETTONG_SIM_CRASHES` asks for more of them.
const CRASHES: u64 = 6_000;
const CRASHES_PER_HISTORY: u64 = 12;

type Change = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A database, and every state that it may legally be in after a crash.
struct Cut {
    seed: u64,
    dice: Dice,
    disk: SimDisk,
    /// The state that is certain to survive.
    durable: Model,
    /// Commits after it, in order; the last may not have been acknowledged.
    pending: Vec<Change>,
}

impl Cut {
    fn new(seed: u64) -> Cut {
        let (dice, disk) = (Dice::new(seed), SimDisk::new(seed));
        Cut { seed, dice, disk, durable: Model::new(), pending: Vec::new() }
    }

    fn settle(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, change);
        }
    }

    fn change(&mut self) -> Change {
        let entries = if self.dice.percent(80) { 1 } else { self.dice.below(20) + 1 };
        let entry = |dice: &mut Dice| {
            let key = format!("key{:04}", dice.below(300)).into_bytes();
            let len = if dice.percent(5) { 2000 } else { dice.below(100) } as usize;
            let byte = dice.next() as u8;
            (key, (!dice.percent(20)).then(|| vec![byte; len]))
        };
        (0..entries).map(|_| entry(&mut self.dice)).collect()
    }

    /// Works until the power fails. An error before that is a fault of the engine.
    fn work(&mut self, db: &Db) {
        for _ in 0..self.dice.below(400) {
            let done = match self.dice.below(100) {
                0..85 => self.commit(db),
                85..93 => db.step().map(drop),
                93..95 => self.then_durable(db.sync()),
                95..97 => self.then_durable(db.flush()),
                97..98 => self.then_durable(db.compact(..)),
                98..99 => self.then_durable(db.collect_garbage().map(drop)),
                _ => db.get(b"key0001").map(drop),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn then_durable(&mut self, done: bettong::Result<()>) -> bettong::Result<()> {
        done.map(|()| self.settle())
    }

    fn commit(&mut self, db: &Db) -> bettong::Result<()> {
        let change = self.change();
        let durability =
            self.dice.pick(&[Durability::Sync, Durability::Os, Durability::Os, Durability::None]);
        let options = WriteOptions::new().durability(durability);
        let mut batch = WriteBatch::new();
        for (key, value) in &change {
            match value {
                Some(value) => batch.set(key, value),
                None => batch.delete(key),
            }
        }
        self.pending.push(change);
        db.write_with(batch, options)?;
        if durability == Durability::Sync {
            self.settle();
        }
        Ok(())
    }

    /// Compares what is there with every prefix that may be; goes on from the one that is.
    fn check(&mut self, db: &Db) {
        let found = contents(db);
        let mut state = self.durable.clone();
        let mut states = 0;
        loop {
            if state == found {
                break;
            }
            assert!(
                states < self.pending.len(),
                "seed {}: what is left is no prefix of the {} commits since the last sync; recovery: {:?}",
                self.seed,
                self.pending.len(),
                db.recovery(),
            );
            apply(&mut state, self.pending[states].clone());
            states += 1;
        }
        self.durable = state;
        self.pending.clear();
        let report = db.verify().unwrap();
        assert!(report.is_sound(), "seed {}: {:?}", self.seed, report.faults);
    }

    fn options(&mut self) -> Options {
        random_options(&mut self.dice)
    }

    /// Opens the database, with the power failing now and then while it recovers.
    fn open(&mut self) -> Db {
        loop {
            let crash_in_recovery = self.dice.percent(30);
            if crash_in_recovery {
                let at = self.dice.below(60);
                self.disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
            }
            let options = self.options();
            match sim_db(&self.disk, options) {
                Ok(db) => {
                    self.disk.heal();
                    return db;
                }
                Err(error) => {
                    assert!(
                        crash_in_recovery && matches!(error, Error::Io { .. } | Error::ReadOnly(_)),
                        "seed {}: {error}",
                        self.seed
                    );
                    self.crash();
                }
            }
        }
    }

    /// The power fails, or only the process dies: then everything written is there, synced or not.
    fn crash(&mut self) {
        if self.dice.percent(25) {
            self.disk.kill();
            return;
        }
        let keep = self.dice.pick(&[0, 10, 50, 90, 100]);
        let seed = self.dice.next();
        self.disk.crash(seed, keep);
    }

    fn run(&mut self, crashes: u64) {
        for _ in 0..crashes {
            let db = self.open();
            self.check(&db);
            // What is found after a recovery is durable: it was written to tables and synced.
            if self.dice.percent(70) {
                let at = self.dice.below(500);
                self.disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
            }
            self.work(&db);
            if self.dice.percent(20) && db.close().is_ok() {
                self.settle();
            }
            self.crash();
        }
    }
}

fn apply(state: &mut Model, change: Change) {
    for (key, value) in change {
        match value {
            Some(value) => drop(state.insert(key, value)),
            None => drop(state.remove(&key)),
        }
    }
}

#[test]
fn g1_g3_g5_after_thousands_of_crashes_every_state_is_a_prefix_that_keeps_what_was_synced() {
    let next = AtomicU64::new(1);
    let asked = std::env::var("BETTONG_SIM_CRASHES").ok().and_then(|crashes| crashes.parse().ok());
    let histories = asked.unwrap_or(CRASHES) / CRASHES_PER_HISTORY;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > histories {
                        return;
                    }
                    let run = std::panic::catch_unwind(|| Cut::new(seed).run(CRASHES_PER_HISTORY));
                    assert!(run.is_ok(), "the history of seed {seed} failed");
                }
            });
        }
    });
}

/// F46, F75, F79, F80: every operation of a short history is a crash point, and nothing that was not synced survives; then everything does.
#[test]
fn f46_f75_f79_f80_a_crash_at_every_change_of_a_short_history_leaves_a_prefix() {
    for keep in [0, 100] {
        let mut at = 0;
        loop {
            let disk = SimDisk::new(1);
            disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
            let mut acknowledged = 0;
            let finished = short_history(&disk, &mut acknowledged).is_ok();
            disk.crash(at, keep);
            let db = sim_db(&disk, crate::support::small_options()).unwrap();
            let found = contents(&db).len() as u64;
            assert!(
                found == acknowledged || found == acknowledged + 1,
                "crash at change {at}: {found} keys of {acknowledged} acknowledged"
            );
            if finished {
                break;
            }
            at += 1;
        }
        assert!(at > 100, "the history has many changes, not {at}");
    }
}

/// F78, found by review: edits that a killed process had written and not synced were read by the next one, remembered in new
/// files, and then lost with the power: the database refused to open, missing edits that never counted.
#[test]
fn f78_a_kill_and_then_a_power_cut_during_recovery_is_no_corruption() {
    // The last changes are those of closing: the mark that all is well is written, and not synced.
    let changes = changes_of_short_history();
    let firsts = (0..changes).step_by(7).chain(changes - 6..changes);
    for (first, second) in firsts.flat_map(|first| (0..24).map(move |second| (first, second))) {
        let disk = SimDisk::new(2);
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(first));
        let mut acknowledged = 0;
        short_history(&disk, &mut acknowledged).ok();
        disk.kill();
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(second));
        drop(sim_db(&disk, crate::support::small_options()));
        disk.crash(second, if first % 2 == 0 { 0 } else { 50 });
        let db = sim_db(&disk, crate::support::small_options())
            .unwrap_or_else(|error| panic!("killed at change {first}, power cut at {second}: {error}"));
        assert!(
            contents(&db).len() as u64 >= acknowledged,
            "killed at change {first}, power cut at {second}"
        );
    }
}

fn changes_of_short_history() -> u64 {
    let finishes_with_cut_at = |at| {
        let disk = SimDisk::new(2);
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
        short_history(&disk, &mut 0).is_ok()
    };
    (0..10_000).find(|at| finishes_with_cut_at(*at)).expect("the history ends")
}

/// Sets one synced key after the other, with flushes and compactions.
fn short_history(disk: &SimDisk, acknowledged: &mut u64) -> bettong::Result<()> {
    let db = sim_db(disk, crate::support::small_options().durability(Durability::Sync))?;
    for n in 0..60u64 {
        db.set(n.to_be_bytes(), [n as u8; 300])?;
        *acknowledged += 1;
        if n % 20 == 19 {
            db.flush()?;
            while db.step()? {}
        }
    }
    db.compact(..)?;
    db.close()
}
