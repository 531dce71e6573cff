//! Histories with crashes and faults: after each crash the state is that of the model after some number of the last commits, and
//! before it every read and every snapshot is right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::script::Script;
use crate::batch::WriteBatch;
use crate::db::Db;
use crate::db::snapshot::Snapshot;
use crate::env::Env;
use crate::env::sim::{Fault, IoOp, Rule, SimDisk};
use crate::error::Result;
use crate::options::{Durability, Options, WriteOptions};

/// A value, and whether it lives for an hour only.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, bool)>;
/// Writes that belong together: a key, and its value if it is a set.
type Change = Vec<(Vec<u8>, Option<(Vec<u8>, bool)>)>;

const HOUR: Duration = Duration::from_secs(3600);
/// Values that expire are a byte longer: what is found names one state.
const LENGTHS: [usize; 4] = [10, 40, 200, 900];
/// Faults, crashes and steps of one history: each further one costs more than it shows.
const FAULTS_MAX: u32 = 4;
const CRASHES_MAX: u32 = 12;
const STEPS_MAX: u32 = 400;

/// A commit that may be lost.
#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    /// It was answered with an error: it may be there, and it may not, whatever follows.
    failed: bool,
}

struct History {
    disk: SimDisk,
    choice: u8,
    db: Option<Db>,
    snapshots: Vec<(Snapshot, Model)>,
    /// The state that is certain to survive.
    durable: Model,
    pending: Vec<Pending>,
    /// What reads must find; not known after a fault until the next open.
    live: Option<Model>,
    faults: u32,
}

/// A history that the input names.
pub fn history(input: &[u8]) {
    let mut script = Script::new(input);
    let disk = SimDisk::new(3);
    let choice = script.byte();
    let mut history = History {
        disk,
        choice,
        db: None,
        snapshots: Vec::new(),
        durable: Model::new(),
        pending: Vec::new(),
        live: Some(Model::new()),
        faults: 0,
    };
    let mut crashes = 0;
    for _ in 0..STEPS_MAX {
        if script.is_done() || crashes > CRASHES_MAX {
            break;
        }
        let op = script.byte();
        if op % 32 == 31 {
            crashes += 1;
            history.crash(&mut script);
        } else {
            history.step(op, &mut script);
        }
    }
    history.check_reads();
    history.disk.heal();
    history.close();
}

impl History {
    fn options(&self) -> Options {
        let options =
            Options::default().memtable_bytes(4 << 10).table_bytes(4 << 10).level_base_bytes(4 << 10);
        let options = options.block_bytes(256).cache_bytes(1 << 14).l0_compaction_tables(2);
        let options = options.separation_threshold(if self.choice & 1 == 0 { 64 } else { usize::MAX });
        options.mapped_reads(self.choice & 2 == 0).env(Env::sim(&self.disk))
    }

    fn db(&mut self) -> Db {
        let options = self.options();
        let open = || Db::open("/db", options).expect("a crash is no corruption");
        self.db.get_or_insert_with(open).clone()
    }

    fn step(&mut self, op: u8, script: &mut Script<'_>) {
        let db = self.db();
        match op % 32 {
            0..14 => self.commit(&db, op, script),
            14..17 => self.then_nothing(db.step().map(drop)),
            17 | 18 => self.then_durable(db.flush()),
            19 => self.then_durable(db.sync()),
            20 => self.then_durable(db.compact(..)),
            21 => self.then_durable(db.collect_garbage().map(drop)),
            22 | 23 if self.snapshots.len() < 3 => {
                if let Some(live) = &self.live {
                    self.snapshots.push((db.snapshot(), live.clone()));
                }
            }
            24 => drop(self.snapshots.pop()),
            25 => self.check_reads(),
            26 => self.pass_time(),
            27 | 28 => self.inject(script),
            29 => {
                let options = WriteOptions::new().durability(Durability::Sync);
                // A batch of nothing.
                self.then_nothing(db.write_with(WriteBatch::new(), options));
            }
            30 => {
                drop(db);
                self.close();
            }
            _ => {}
        }
    }

    fn commit(&mut self, db: &Db, op: u8, script: &mut Script<'_>) {
        let shape = script.byte();
        let ttl = shape & 0x70 == 0x70;
        let entries = if shape & 0x0c == 0 { 1 + script.byte() % 12 } else { 1 };
        let durability =
            [Durability::Os, Durability::None, Durability::Sync, Durability::Os][usize::from(shape & 3)];
        let mut batch = WriteBatch::new();
        let mut change = Change::new();
        for _ in 0..entries {
            let (key, what) = (vec![b'k', script.byte() % 24], script.byte());
            if op % 4 == 3 || what < 16 {
                batch.delete(&key);
                change.push((key, None));
            } else {
                let value = vec![what; LENGTHS[usize::from(what & 3)] + usize::from(ttl)];
                batch.set(&key, &value);
                change.push((key, Some((value, ttl))));
            }
        }
        let options = WriteOptions::new().durability(durability);
        let options = if ttl { options.ttl(HOUR) } else { options };
        let done = db.write_with(batch, options);
        self.pending.push(Pending { change: change.clone(), failed: done.is_err() });
        match done {
            Ok(()) => {
                if let Some(live) = &mut self.live {
                    apply(live, change);
                }
                if durability == Durability::Sync {
                    self.settle();
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// An error is fine where a fault asked for it; nothing is known of reads from then on.
    fn failed(&mut self, error: &crate::error::Error) {
        assert!(self.faults > 0, "an error without a fault: {error:?}");
        self.live = None;
    }

    fn then_nothing(&mut self, done: Result<()>) {
        done.unwrap_or_else(|error| self.failed(&error));
    }

    fn then_durable(&mut self, done: Result<()>) {
        match done {
            Ok(()) => self.settle(),
            Err(error) => self.failed(&error),
        }
    }

    /// Everything that was acknowledged is durable. What failed may still be either.
    fn settle(&mut self) {
        if self.pending.iter().all(|commit| !commit.failed) {
            self.pending.drain(..).for_each(|commit| apply(&mut self.durable, commit.change));
        }
    }

    fn inject(&mut self, script: &mut Script<'_>) {
        if self.faults >= FAULTS_MAX {
            return;
        }
        self.faults += 1;
        self.live = None;
        let (what, nth) = (script.byte(), script.byte());
        let fault = [Fault::Errno(libc::EIO), Fault::Errno(libc::ENOSPC), Fault::Short, Fault::PowerCut];
        let rule = Rule::new(fault[usize::from(what & 3)]).nth(nth.into());
        let ops = [
            IoOp::Write,
            IoOp::Sync,
            IoOp::SyncDir,
            IoOp::Rename,
            IoOp::Create,
            IoOp::Read,
            IoOp::Preallocate,
        ];
        let rule = match usize::from(what >> 2 & 7) {
            7 => rule.on_changes(),
            op => rule.on(ops.get(op).copied().unwrap_or(IoOp::Write)),
        };
        self.disk.inject(if what & 0x20 == 0 { rule } else { rule.forever() });
    }

    /// Two hours go by: what lives for an hour is gone.
    fn pass_time(&mut self) {
        self.disk.advance(2 * HOUR.as_nanos() as u64);
        let gone = |model: &mut Model| model.retain(|_, (_, expires)| !*expires);
        gone(&mut self.durable);
        self.live.as_mut().map(gone);
        for commit in &mut self.pending {
            for (_, value) in &mut commit.change {
                *value = value.take().filter(|(_, expires)| !expires);
            }
        }
    }

    fn check_reads(&mut self) {
        for (snapshot, model) in &self.snapshots {
            let items = snapshot
                .scan(..)
                .map(|item| item.and_then(|item| Ok((item.key().to_vec(), item.value()?.to_vec()))));
            match items.collect::<Result<Vec<_>>>() {
                Ok(found) => assert_eq!(found, values(model), "a snapshot moved"),
                Err(error) => assert!(self.faults > 0, "{error:?}"),
            }
        }
        let Some(live) = self.live.clone() else { return };
        let db = self.db();
        assert_eq!(contents(&db), values(&live), "a scan");
        let mut backward: Vec<_> =
            db.scan(..).rev().map(|item| item.expect("a sound disk").key().to_vec()).collect();
        backward.reverse();
        assert_eq!(backward, live.keys().cloned().collect::<Vec<_>>(), "a scan backwards");
        for n in 0..24 {
            let key = vec![b'k', n];
            let found = db.get(&key).expect("a sound disk").map(|value| value.to_vec());
            assert_eq!(found.as_ref(), live.get(&key).map(|(value, _)| value), "a get");
        }
    }

    fn close(&mut self) {
        self.snapshots.clear();
        let Some(db) = self.db.take() else { return };
        match db.close() {
            Ok(()) => self.settle(),
            Err(error) => self.failed(&error),
        }
        self.reopen();
    }

    fn crash(&mut self, script: &mut Script<'_>) {
        self.snapshots.clear();
        let (seed, keep) = (script.byte(), script.byte());
        if keep & 0x80 == 0 {
            self.disk.crash(seed.into(), u32::from(keep) % 101);
        } else {
            self.disk.kill();
        }
        self.db = None;
        self.reopen();
    }

    /// Opens the database, and finds out what it still knows.
    fn reopen(&mut self) {
        self.disk.heal();
        self.faults = 0;
        let db = self.db();
        let found = state_of(contents(&db));
        let pending = std::mem::take(&mut self.pending);
        assert!(
            (0..=pending.len()).any(|kept| leads(&self.durable, &pending[..kept], &found)),
            "what is left is not the work of some number of the last commits"
        );
        self.durable = found;
        self.live = Some(self.durable.clone());
        let report = db.verify().expect("it is open");
        assert!(report.is_sound(), "{:?}", report.faults);
    }
}

/// Whether these commits, each of them whole, lead from one state to the other, where those that failed may be missing.
///
/// It is looked at from the end: a failed commit that agrees with what is found may as well be there, for all that it changes is
/// that nobody sees what was before. So no choice has to be tried twice. (All states that are possible were too many to keep.)
fn leads(from: &Model, commits: &[Pending], to: &Model) -> bool {
    let mut decided = BTreeSet::new();
    for Pending { change, failed } in commits.iter().rev() {
        let last: BTreeMap<_, _> = change.iter().map(|(key, value)| (key, value.as_ref())).collect();
        if last.iter().all(|(key, value)| decided.contains(key) || to.get(*key) == *value) {
            decided.extend(last.into_keys());
        } else if !failed {
            return false;
        }
    }
    from.keys().chain(to.keys()).all(|key| decided.contains(key) || from.get(key) == to.get(key))
}

/// What was found, with what its lengths tell of its lives.
fn state_of(found: Vec<(Vec<u8>, Vec<u8>)>) -> Model {
    let with_life = |value: Vec<u8>| {
        let expires = !LENGTHS.contains(&value.len());
        (value, expires)
    };
    found.into_iter().map(|(key, value)| (key, with_life(value))).collect()
}

fn apply(model: &mut Model, change: Change) {
    for (key, value) in change {
        match value {
            Some(value) => drop(model.insert(key, value)),
            None => drop(model.remove(&key)),
        }
    }
}

fn values(model: &Model) -> Vec<(Vec<u8>, Vec<u8>)> {
    model.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
}

fn contents(db: &Db) -> Vec<(Vec<u8>, Vec<u8>)> {
    let items = db.scan(..).map(|item| item.expect("a sound disk"));
    items.map(|item| (item.key().to_vec(), item.value().expect("a value").to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::script::Dice;

    /// A few keys and values, so that commits meet.
    fn change(dice: &mut Dice) -> Change {
        let write = |dice: &mut Dice| {
            let key = vec![dice.below(3) as u8];
            (key, Some(vec![dice.below(3) as u8]).filter(|value| value != &[0]).map(|value| (value, false)))
        };
        (0..=dice.below(2)).map(|_| write(dice)).collect()
    }

    /// Every state that these commits may leave, by trying both ways where there are two.
    fn all_states(from: &Model, commits: &[Pending]) -> BTreeSet<Model> {
        commits.iter().fold(BTreeSet::from([from.clone()]), |states, Pending { change, failed }| {
            let mut next = if *failed { states.clone() } else { BTreeSet::new() };
            next.extend(states.into_iter().map(|mut state| {
                apply(&mut state, change.clone());
                state
            }));
            next
        })
    }

    /// The oracle kept all states once, until an input with many failed commits took 500 MiB for them.
    #[test]
    fn looking_back_finds_what_trying_every_choice_finds() {
        let mut dice = Dice::new(7);
        let mut answers = [0_u32; 2];
        for _ in 0..20_000 {
            let (mut from, mut to) = (Model::new(), Model::new());
            apply(&mut from, change(&mut dice));
            for _ in 0..3 {
                apply(&mut to, change(&mut dice));
            }
            let commits = 0..dice.below(7);
            let commits: Vec<_> =
                commits.map(|_| Pending { change: change(&mut dice), failed: dice.below(2) == 0 }).collect();
            let expected = all_states(&from, &commits).contains(&to);
            assert_eq!(leads(&from, &commits, &to), expected, "{from:?} {commits:?} {to:?}");
            answers[usize::from(expected)] += 1;
        }
        assert!(answers.iter().all(|times| *times > 1_000), "both answers come often: {answers:?}");
    }
}
