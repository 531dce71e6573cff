//! The engine against a `BTreeMap`: random histories on the simulated disk and on a real one, with flushes, compactions,
//! snapshots, both scan directions, closings and kills.

use std::ops::Bound;

use bettong::env::sim::SimDisk;
use bettong::{Db, Durability, Options, Snapshot, WriteBatch, WriteOptions};

use crate::support::{Dice, Model, contents, random_options, sim_db};

/// Operations in all histories together; the bar of the project is a million in CI.
const OPERATIONS: u64 = 1_000_000;
const OPERATIONS_PER_HISTORY: u64 = 5_000;

struct History {
    dice: Dice,
    db: Option<Db>,
    model: Model,
    snapshots: Vec<(Snapshot, Model)>,
    keys: u64,
}

impl History {
    fn new(seed: u64, db: Db) -> History {
        let mut dice = Dice::new(seed);
        let keys = dice.pick(&[10, 100, 1000, 20_000]);
        History { dice, db: Some(db), model: Model::new(), snapshots: Vec::new(), keys }
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("the database is open")
    }

    fn key(&mut self) -> Vec<u8> {
        let n = self.dice.below(self.keys);
        match n % 5 {
            0 => format!("shared/prefix/{n:06}").into_bytes(),
            1 => n.to_be_bytes().to_vec(),
            2 => vec![0xff; 1 + n as usize % 9],
            3 => [&[0][..], n.to_string().as_bytes(), &[0, 0xff]].concat(),
            _ => n.to_string().into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.dice.below(100) {
            0 => 3000 + self.dice.below(3000),
            1..=5 => 0,
            _ => self.dice.below(120),
        };
        let byte = self.dice.next() as u8;
        (0..len).map(|at| byte.wrapping_add(at as u8)).collect()
    }

    fn bound(&mut self) -> Bound<Vec<u8>> {
        match self.dice.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(self.key()),
            _ => Bound::Excluded(self.key()),
        }
    }

    /// One operation on the database and on the model.
    fn step(&mut self) {
        match self.dice.below(1000) {
            0..430 => {
                let (key, value) = (self.key(), self.value());
                self.db().set(&key, &value).unwrap();
                self.model.insert(key, value);
            }
            430..560 => {
                let key = self.key();
                self.db().delete(&key).unwrap();
                self.model.remove(&key);
            }
            560..880 => {
                let key = self.key();
                assert_eq!(self.db().get(&key).unwrap().as_deref(), self.model.get(&key).map(Vec::as_slice));
            }
            880..920 => self.batch(),
            920..970 => self.scan(),
            970..978 => self.take_or_check_snapshot(),
            978..990 => drop(self.db().step().unwrap()),
            990..994 => self.db().flush().unwrap(),
            994..996 => {
                let (a, b) = (self.key(), self.key());
                self.db().compact(a.as_slice()..=b.as_slice()).unwrap();
            }
            996..997 if self.dice.percent(50) => drop(self.db().collect_garbage().unwrap()),
            996..997 => self.db().compact(..).unwrap(),
            _ => self.db().sync().unwrap(),
        }
    }

    fn batch(&mut self) {
        let mut batch = WriteBatch::new();
        for _ in 0..self.dice.below(30) {
            let key = self.key();
            if self.dice.percent(30) {
                batch.delete(&key);
                self.model.remove(&key);
            } else {
                let value = self.value();
                batch.set(&key, &value);
                self.model.insert(key, value);
            }
        }
        let durability = self.dice.pick(&[Durability::Sync, Durability::Os, Durability::None]);
        self.db().write_with(batch, WriteOptions::new().durability(durability)).unwrap();
    }

    /// Walks a random range from both ends, in random turns, for a random number of steps.
    fn scan(&mut self) {
        let (lower, upper) = (self.bound(), self.bound());
        let inside = |key: &&Vec<u8>| {
            let low = match &lower {
                Bound::Included(bound) => *key >= bound,
                Bound::Excluded(bound) => *key > bound,
                Bound::Unbounded => true,
            };
            let high = match &upper {
                Bound::Included(bound) => *key <= bound,
                Bound::Excluded(bound) => *key < bound,
                Bound::Unbounded => true,
            };
            low && high
        };
        let expected: Vec<_> = self.model.iter().filter(|(key, _)| inside(key)).collect();
        let mut expected = expected.into_iter();
        let as_slices = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let mut scan = self.db.as_ref().unwrap().scan(as_slices);
        let mut dice = self.dice.clone();
        let (steps, backward) = (dice.below(200), dice.pick(&[0, 50, 100]));
        for _ in 0..steps {
            let backwards = dice.percent(backward);
            let want = if backwards { expected.next_back() } else { expected.next() };
            let want = want.map(|(key, value)| (key.as_slice(), value.as_slice()));
            if !backwards && dice.percent(50) {
                let got = scan.next_ref().map(|item| item.unwrap());
                let got = got.map(|item| (item.key(), item.value().unwrap()));
                assert_eq!(got, want, "in {lower:?} .. {upper:?}");
                continue;
            }
            let got = if backwards { scan.next_back() } else { scan.next() };
            let got = got.map(|item| item.unwrap());
            let got = got.as_ref().map(|item| (item.key(), item.value().unwrap()));
            assert_eq!(got, want, "in {lower:?} .. {upper:?}");
        }
        self.dice = dice;
    }

    fn take_or_check_snapshot(&mut self) {
        if self.snapshots.len() < 4 {
            self.snapshots.push((self.db().snapshot(), self.model.clone()));
            return;
        }
        let at = self.dice.below(4) as usize;
        let (snapshot, model) = self.snapshots.swap_remove(at);
        check_snapshot(&snapshot, &model);
    }

    fn check(&mut self) {
        assert_eq!(contents(self.db()), self.model);
        for (snapshot, model) in self.snapshots.drain(..) {
            check_snapshot(&snapshot, &model);
        }
        let report = self.db().verify().unwrap();
        assert!(report.is_sound(), "{:?}", report.faults);
    }
}

fn check_snapshot(snapshot: &Snapshot, model: &Model) {
    let got: Model = snapshot
        .scan(..)
        .rev()
        .map(|item| item.map(|item| (item.key().to_vec(), item.value().unwrap().to_vec())).unwrap())
        .collect();
    assert_eq!(&got, model, "G11: a snapshot sees one state");
    for key in model.keys().step_by(7) {
        assert_eq!(snapshot.get(key).unwrap().as_deref(), model.get(key).map(Vec::as_slice));
    }
}

/// Runs one history on the simulated disk, with closings and process kills, and returns the operations done.
fn run_simulated(seed: u64) -> u64 {
    let disk = SimDisk::new(seed);
    let mut dice = Dice::new(!seed);
    let mut options = random_options(&mut dice);
    let mut history = History::new(seed, sim_db(&disk, options.clone()).unwrap());
    for done in 1..=OPERATIONS_PER_HISTORY {
        history.step();
        if dice.below(1500) == 0 || done == OPERATIONS_PER_HISTORY {
            history.check();
            let db = history.db.take().unwrap();
            if dice.percent(50) {
                db.close().unwrap();
            } else {
                // The process dies: everything that was acknowledged with at least Durability::Os is there (G2).
                db.sync().unwrap();
                disk.kill();
                drop(db);
            }
            if dice.percent(50) {
                options = random_options(&mut dice);
            }
            history.db = Some(sim_db(&disk, options.clone()).unwrap());
            history.check();
        }
    }
    OPERATIONS_PER_HISTORY
}

#[test]
fn a_million_random_operations_agree_with_a_btree_map() {
    let done = std::sync::atomic::AtomicU64::new(0);
    let next = std::sync::atomic::AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while done.load(std::sync::atomic::Ordering::Relaxed) < OPERATIONS {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let result = std::panic::catch_unwind(|| run_simulated(seed));
                    let operations = result.unwrap_or_else(|_| panic!("the history of seed {seed} differs"));
                    done.fetch_add(operations, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert!(done.into_inner() >= OPERATIONS);
}

/// The same histories with real files and real threads: flushes and compactions run beside the writer.
#[test]
fn random_histories_on_a_real_disk_agree_with_a_btree_map() {
    for (seed, mapped) in [(1, true), (2, false), (3, true), (4, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut dice = Dice::new(seed);
        let options = |dice: &mut Dice| -> Options { random_options(dice).mapped_reads(mapped) };
        let mut history = History::new(seed, Db::open(dir.path(), options(&mut dice)).unwrap());
        for done in 1..=20_000 {
            history.step();
            if done % 5_000 == 0 {
                history.check();
                history.db.take().unwrap().close().unwrap();
                history.db = Some(Db::open(dir.path(), options(&mut dice)).unwrap());
                history.check();
            }
        }
    }
}
