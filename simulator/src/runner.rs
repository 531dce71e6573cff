//! Runs a history: every operation on the database and on the model.
//!
//! The database may fail an operation only while the disk fails, and then with an error that says so. A write that failed is not there,
//! unless it was its sync that failed: then it is visible, and may be there after a crash. Which of the two it was, the number of log records
//! tells.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bettong::env::Env;
use bettong::env::sim::SimDisk;
use bettong::{Db, Durability, Error, ErrorKind, Options, Snapshot, Value, WriteBatch, WriteOptions};
use bettong_metrics::Counter;

use crate::cell::Cell;
use crate::dice::Dice;
use crate::failure::{Checked, Failure};
use crate::history::History;
use crate::keys::Keys;
use crate::op::{End, Op, Range, Safety, Terms, Ttl, Walk};
use crate::oracle::Oracle;
use crate::state::{Change, Contents, Kept, State};
use crate::swarm::half_past;
use crate::tally::Tally;
use crate::walking::{Step, Walking};

pub(crate) const SECOND: u64 = 1_000_000_000;
const SNAPSHOTS_MAX: usize = 4;
const SCANS_MAX: usize = 3;
/// Time is not moved beyond this: what comes later is for ever.
const LATEST_NANOS: u64 = u64::MAX / 2;

/// What a history came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Times that the process ended, the database was opened again, and everything was compared and verified.
    pub cycles: u64,
    /// Operations done.
    pub operations: u64,
    /// Operations of the simulated disk: the same for every run of a history.
    pub disk_operations: u64,
}

/// Runs a history from its start.
///
/// # Errors
/// [`Failure`] at the first operation at which the database is not what the model is, or panics.
pub fn run(history: &History) -> Result<Outcome, Failure> {
    let mut at = 0;
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut runner = Runner::new(history).map_err(|what| Failure { at: 0, what })?;
        for op in &history.ops {
            runner.apply(op).map_err(|what| Failure { at, what })?;
            at += 1;
        }
        runner.finish().map_err(|what| Failure { at, what })
    }));
    run.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Failure { at, what: format!("a panic: {message}") })
    })
}

pub(crate) struct Runner {
    pub(crate) keys: Keys,
    pub(crate) disk: SimDisk,
    pub(crate) db: Option<Db>,
    pub(crate) options: Options,
    pub(crate) default_durability: Durability,
    pub(crate) default_ttl: Option<u32>,
    pub(crate) oracle: Oracle,
    pub(crate) tally: Tally,
    pub(crate) snapshots: Vec<(Snapshot, State, u64)>,
    pub(crate) scans: Vec<Walking>,
    /// Whether anything may fail: the disk does, or did since the database was opened.
    pub(crate) faulty: bool,
    /// The time by which values expire, in nanoseconds. The wall's clock may be behind it.
    pub(crate) now: u64,
    serial: u64,
    pub(crate) outcome: Outcome,
}

impl Runner {
    fn new(history: &History) -> Checked<Runner> {
        let disk = SimDisk::new(history.seed);
        let mut runner = Runner {
            keys: Keys::new(history.keys),
            now: disk.unix_nanos(),
            disk,
            db: None,
            options: Options::default(),
            default_durability: Durability::Os,
            default_ttl: None,
            oracle: Oracle::default(),
            tally: Tally::default(),
            snapshots: Vec::new(),
            scans: Vec::new(),
            faulty: false,
            serial: 0,
            outcome: Outcome::default(),
        };
        runner.take_options(&history.options);
        runner.db = Some(runner.open().map_err(|error| format!("the first opening: {error}"))?);
        Ok(runner)
    }

    pub(crate) fn open(&self) -> bettong::Result<Db> {
        Db::open("/db", self.options.clone().env(Env::sim(&self.disk)))
    }

    pub(crate) fn db(&self) -> Checked<&Db> {
        self.db.as_ref().ok_or_else(|| "no database is open".to_owned())
    }

    fn apply(&mut self, op: &Op) -> Checked {
        if !matches!(op, Op::Reopen(_)) && !self.disk.has_power() {
            // Whatever is tried fails; the process has only to end.
            return Ok(());
        }
        self.outcome.operations += 1;
        match op {
            Op::Set { key, len, terms } => self.write(&[(*key, Some(*len))], *terms, false),
            Op::Delete { key, terms } => self.write(&[(*key, None)], *terms, false),
            Op::Batch { entries, terms } => self.write(entries, *terms, true),
            Op::Get(key) => self.get(*key),
            Op::Contains(key) => self.contains(*key),
            Op::MultiGet(keys) => self.multi_get(keys),
            Op::Scan { range, walk } => self.scan(*range, *walk),
            Op::HoldScan(range) => self.hold_scan(*range),
            Op::StepScan { at, walk } => self.step_scan(*at, *walk),
            Op::Snapshot => self.snapshot(),
            Op::CheckSnapshot { at, backward } => self.check_snapshot(*at, *backward),
            Op::Step => self.work(|db| db.step().map(drop), false),
            Op::Flush => self.work(Db::flush, true),
            Op::Compact(None) => self.work(|db| db.compact(..), true),
            Op::Compact(Some((a, b))) => {
                let [a, b] = [*a, *b].map(|key| self.keys.bytes(self.keys.rank(key)).to_vec());
                self.work(|db| db.compact(a.as_slice()..=b.as_slice()), true)
            }
            Op::Collect => self.work(|db| db.collect_garbage().map(drop), true),
            Op::Sync => self.work(Db::sync, true),
            Op::Advance(seconds) => {
                self.advance(*seconds);
                Ok(())
            }
            Op::SetBack(seconds) => self.set_back(*seconds),
            Op::Check => self.check(),
            Op::Metrics => self.metrics(),
            Op::Fault(rule) => {
                self.faulty |= !rule.is_harmless();
                self.disk.inject(rule.rule());
                Ok(())
            }
            Op::Capacity(bytes) => {
                self.faulty = true;
                self.disk.set_capacity(self.disk.used_bytes() + u64::from(*bytes));
                Ok(())
            }
            Op::Heal => {
                self.disk.heal();
                self.disk.set_capacity(u64::MAX);
                Ok(())
            }
            Op::Reopen(reopen) => self.reopen(reopen),
        }
    }

    fn finish(mut self) -> Result<Outcome, String> {
        if !self.faulty {
            self.metrics()?;
        }
        self.outcome.disk_operations = self.disk.operations();
        self.snapshots.clear();
        self.scans.clear();
        // Nobody looks at what closing would write.
        self.disk.kill();
        Ok(self.outcome)
    }

    /// Whether an error may be.
    pub(crate) fn allow(&self, error: &Error) -> Checked {
        let typed = matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::ReadOnly);
        if self.faulty && typed { Ok(()) } else { Err(format!("an error that may not be: {error:?}")) }
    }

    /// One write, single or a batch.
    fn write(&mut self, entries: &[(u16, Option<u32>)], terms: Terms, is_batch: bool) -> Checked {
        let any_short = entries.iter().any(|(_, len)| len.is_some_and(Cell::is_short));
        // Values that are alike must live alike.
        let ttl = if any_short { Ttl::Max } else { terms.ttl };
        let until = self.until(ttl);
        let change: Change = entries
            .iter()
            .map(|(key, len)| {
                self.serial += 1;
                let cell = len.map(|len| Cell::new(len, self.serial));
                (self.keys.rank(*key), cell.map(|cell| Kept { cell, until }))
            })
            .collect();
        let options = write_options(terms, ttl);
        let keys = &self.keys;
        let mut batch = WriteBatch::new();
        let mut payload = 0;
        for (rank, kept) in &change {
            let key = keys.bytes(*rank);
            let value = kept.map(|kept| kept.cell.bytes());
            payload += (key.len() + value.as_ref().map_or(0, Vec::len)) as u64;
            match value {
                Some(value) => batch.set(key, value),
                None => batch.delete(key),
            }
        }
        let db = self.db()?;
        let single = change.first().filter(|_| !is_batch).copied();
        let result = match single {
            Some((rank, Some(kept))) => db.set_with(keys.bytes(rank), kept.cell.bytes(), options),
            Some((rank, None)) => db.delete_with(keys.bytes(rank), options),
            None => db.write_with(batch, options),
        };
        self.count_write(&change, is_batch, result.is_ok());
        self.conclude_write(change, payload, terms.safety.or(self.default_durability), result)
    }

    fn count_write(&mut self, change: &Change, is_batch: bool, is_done: bool) {
        let sets = change.iter().filter(|(_, kept)| kept.is_some()).count() as u64;
        let deletes = change.len() as u64 - sets;
        let tally = &mut self.tally;
        if is_batch {
            tally.batches += 1;
            if is_done {
                tally.sets += sets;
                tally.deletes += deletes;
            } else {
                tally.set_errors += 1;
            }
            return;
        }
        tally.sets += sets;
        tally.deletes += deletes;
        if !is_done {
            tally.set_errors += sets;
            tally.delete_errors += deletes;
        }
    }

    fn conclude_write(
        &mut self,
        change: Change,
        payload: u64,
        durability: Durability,
        result: bettong::Result<()>,
    ) -> Checked {
        if change.is_empty() {
            return result.or_else(|error| self.allow(&error));
        }
        let promised = match result {
            Ok(()) => Some(durability),
            Err(error) => {
                self.allow(&error)?;
                let records = self.db()?.metrics().snapshot().counter(Counter::WalRecords);
                if records == self.tally.commits {
                    return Ok(());
                }
                if durability != Durability::Sync {
                    return Err(format!("a write failed and is there: {error}"));
                }
                None
            }
        };
        self.tally.commits += 1;
        self.tally.written_bytes += payload;
        self.oracle.commit(change, promised);
        Ok(())
    }

    /// When what is written now expires.
    fn until(&self, ttl: Ttl) -> u64 {
        let seconds = match ttl {
            Ttl::Default => self.default_ttl,
            Ttl::Seconds(seconds) => Some(seconds),
            Ttl::Zero => return self.now,
            Ttl::Max => return u64::MAX,
        };
        seconds.map_or(u64::MAX, |seconds| self.now.saturating_add(half_past(seconds).as_nanos() as u64))
    }

    fn get(&mut self, key: u16) -> Checked {
        let rank = self.keys.rank(key);
        let found = self.db()?.get(self.keys.bytes(rank));
        self.compare(rank, self.oracle.state().get(rank, self.now), found)
    }

    /// Compares what a get returned with what it should have.
    fn compare(
        &mut self,
        rank: u16,
        expected: Option<Cell>,
        found: bettong::Result<Option<Value>>,
    ) -> Checked {
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.failed_read(&error),
        };
        let cell = found.as_ref().and_then(|value| Cell::of(value));
        if cell != expected || cell.is_none() != found.is_none() {
            return Err(format!("key {rank} has {cell:?} ({found:?}), not {expected:?}"));
        }
        self.tally.got(expected.map(|cell| cell.len));
        Ok(())
    }

    fn failed_read(&mut self, error: &Error) -> Checked {
        self.tally.reads_unknown = true;
        self.allow(error)
    }

    fn contains(&mut self, key: u16) -> Checked {
        let rank = self.keys.rank(key);
        match self.db()?.contains(self.keys.bytes(rank)) {
            Ok(found) if found == self.oracle.state().get(rank, self.now).is_some() => {
                self.tally.got(found.then_some(0));
                Ok(())
            }
            Ok(found) => Err(format!("whether key {rank} is there: {found}")),
            Err(error) => self.failed_read(&error),
        }
    }

    fn multi_get(&mut self, keys: &[u16]) -> Checked {
        let ranks: Vec<u16> = keys.iter().map(|key| self.keys.rank(*key)).collect();
        let bytes: Vec<&[u8]> = ranks.iter().map(|rank| self.keys.bytes(*rank)).collect();
        let values = match self.db()?.multi_get(&bytes) {
            Ok(values) => values,
            Err(error) => return self.failed_read(&error),
        };
        if values.len() != ranks.len() {
            return Err(format!("{} values of {} keys", values.len(), ranks.len()));
        }
        ranks.into_iter().zip(values).try_for_each(|(rank, found)| {
            self.compare(rank, self.oracle.state().get(rank, self.now), Ok(found))
        })
    }

    fn open_scan(&self, range: Range) -> Checked<Walking> {
        let [lower, upper] = [range.lower, range.upper].map(|end| self.bound(end));
        let bytes = |bound: Bound<u16>| bound.map(|rank| self.keys.bytes(rank));
        let scan = self.db()?.scan((bytes(lower), bytes(upper)));
        Ok(Walking::new(scan, self.oracle.state().range((lower, upper), self.now)))
    }

    fn bound(&self, end: End) -> Bound<u16> {
        match end {
            End::Open => Bound::Unbounded,
            End::Included(key) => Bound::Included(self.keys.rank(key)),
            End::Excluded(key) => Bound::Excluded(self.keys.rank(key)),
        }
    }

    fn scan(&mut self, range: Range, walk: Walk) -> Checked {
        let mut walking = self.open_scan(range)?;
        self.walk(&mut walking, walk)?;
        walking.end(&mut self.tally);
        Ok(())
    }

    fn hold_scan(&mut self, range: Range) -> Checked {
        if self.scans.len() < SCANS_MAX {
            let walking = self.open_scan(range)?;
            self.scans.push(walking);
        }
        Ok(())
    }

    /// Goes on with a scan that is held; one that came to its end is dropped.
    fn step_scan(&mut self, at: u8, walk: Walk) -> Checked {
        if self.scans.is_empty() {
            return Ok(());
        }
        let mut walking = self.scans.swap_remove(usize::from(at) % self.scans.len());
        if self.walk(&mut walking, walk)? {
            self.scans.push(walking);
        } else {
            walking.end(&mut self.tally);
        }
        Ok(())
    }

    /// Whether there may be more.
    fn walk(&self, walking: &mut Walking, walk: Walk) -> Checked<bool> {
        let mut dice = Dice::new(u64::from(walk.seed));
        for _ in 0..walk.steps {
            let backward = dice.percent(u64::from(walk.backward));
            match walking.step(&self.keys, backward, walk.values)? {
                Step::Item => {}
                Step::End => return Ok(false),
                Step::Failed(error) => return self.allow(&error).map(|()| false),
            }
        }
        Ok(true)
    }

    fn snapshot(&mut self) -> Checked {
        if self.snapshots.len() < SNAPSHOTS_MAX {
            let snapshot = self.db()?.snapshot();
            self.snapshots.push((snapshot, self.oracle.state().clone(), self.now));
        }
        Ok(())
    }

    fn check_snapshot(&mut self, at: u8, backward: bool) -> Checked {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let (snapshot, state, time) = self.snapshots.swap_remove(usize::from(at) % self.snapshots.len());
        let walk = Walk { steps: u16::MAX, backward: if backward { 100 } else { 0 }, seed: 0, values: true };
        let mut walking =
            Walking::new(snapshot.scan(..), state.range((Bound::Unbounded, Bound::Unbounded), time));
        self.walk(&mut walking, walk).map_err(|what| format!("G11, a snapshot: {what}"))?;
        walking.end(&mut self.tally);
        let some = self.keys.rank(u16::from(at).wrapping_mul(257));
        let found = snapshot.get(self.keys.bytes(some));
        self.compare(some, state.get(some, time), found).map_err(|what| format!("G11, a snapshot: {what}"))
    }

    /// Work that a caller can ask for; some of it makes everything durable.
    fn work(&mut self, work: impl FnOnce(&Db) -> bettong::Result<()>, makes_durable: bool) -> Checked {
        match work(self.db()?) {
            Ok(()) if makes_durable => {
                self.oracle.settle();
                Ok(())
            }
            Ok(()) => Ok(()),
            Err(error) => self.allow(&error),
        }
    }

    fn advance(&mut self, seconds: u32) {
        let nanos = u64::from(seconds) * SECOND;
        if self.now.saturating_add(nanos) < LATEST_NANOS {
            self.disk.advance(nanos);
            self.now += nanos;
        }
    }

    /// A write whose values expire makes the database look at the clock, so that it knows how far that was.
    fn set_back(&mut self, seconds: u32) -> Checked {
        let terms = Terms { safety: Safety::Os, ttl: Ttl::Seconds(1) };
        self.write(&[(0, Some(16))], terms, false)?;
        let back = u64::from(seconds) * SECOND;
        self.disk.set_unix_nanos(self.disk.unix_nanos().saturating_sub(back));
        Ok(())
    }

    /// Reads everything.
    pub(crate) fn contents(&mut self, backward: bool) -> Checked<Result<Contents, Error>> {
        let mut found = Contents::new();
        let mut bytes = 0;
        let db = self.db()?;
        let mut scan = db.scan(..);
        let mut next = || if backward { scan.next_back() } else { scan.next() };
        while let Some(item) = next() {
            let item = match item {
                Ok(item) => item,
                Err(error) => return Ok(Err(error)),
            };
            let value = match item.value() {
                Ok(value) => value,
                Err(error) => return Ok(Err(error)),
            };
            let shown = || item.key().escape_ascii().to_string();
            let rank =
                self.keys.find(item.key()).ok_or_else(|| format!("nobody wrote the key {}", shown()))?;
            let cell = Cell::of(value).ok_or_else(|| format!("nobody wrote the value of {}", shown()))?;
            bytes += (item.key().len() + value.len()) as u64;
            if found.insert(rank, cell).is_some() {
                return Err(format!("a scan shows {} twice", shown()));
            }
        }
        drop(scan);
        let tally = &mut self.tally;
        tally.iterators += 1;
        tally.scans += 1;
        tally.read_bytes += bytes;
        if let Some(steps) = tally.steps.get_mut(usize::from(backward)) {
            *steps += found.len() as u64;
        }
        Ok(Ok(found))
    }

    fn check(&mut self) -> Checked {
        let expected = self.oracle.state().contents(self.now);
        match self.contents(false)? {
            Ok(found) if found == expected => {}
            Ok(found) => return Err(format!("a scan shows {found:?}, not {expected:?}")),
            Err(error) => return self.failed_read(&error),
        }
        if self.faulty { Ok(()) } else { self.verify().map(drop) }
    }

    pub(crate) fn metrics(&mut self) -> Checked {
        if self.db.is_none() || !self.disk.has_power() {
            return Ok(());
        }
        for walking in self.scans.drain(..) {
            walking.end(&mut self.tally);
        }
        self.tally.compare(self.db()?)
    }
}

fn write_options(terms: Terms, ttl: Ttl) -> WriteOptions {
    let durability = terms.safety.asked();
    let options =
        durability.map_or(WriteOptions::new(), |durability| WriteOptions::new().durability(durability));
    match ttl {
        Ttl::Default => options,
        Ttl::Zero => options.ttl(Duration::ZERO),
        Ttl::Seconds(seconds) => options.ttl(half_past(seconds)),
        Ttl::Max => options.ttl(Duration::MAX),
    }
}
