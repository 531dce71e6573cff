//! One thread's loop for each workload.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::keys::{KEY_BYTES, KeySpace, decode, encode};
use super::plan::{Part, Plan, wrong};
use super::tally::Tally;
use super::workload::Workload;
use crate::fault::{Fault, Result};
use crate::random::Random;
use crate::signal;

/// Keys read after a seek.
const SEEK_KEYS: u64 = 10;
/// The longest scan of YCSB E.
const LONGEST_SCAN: u64 = 100;
/// Operations between two looks at signals and two reports of progress.
const REPORT_EVERY: u64 = 512;

/// One thread of a run.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    plan: &'a Plan,
    thread: u64,
    random: Random,
    buffer: Vec<u8>,
    /// Versions this thread wrote; their numbers are its own.
    versions: u64,
    /// Keys this thread inserted.
    inserted: u64,
    done: &'a AtomicU64,
    pub(super) tally: Tally,
}

impl<'a> Worker<'a> {
    pub(super) fn new(plan: &'a Plan, thread: u64, done: &'a AtomicU64) -> Result<Worker<'a>> {
        let tally = Tally::new().ok_or_else(|| Fault::Usage("no histogram could be made".to_owned()))?;
        let random = Random::new(plan.seed, thread + 1);
        Ok(Worker { plan, thread, random, buffer: Vec::new(), versions: 0, inserted: 0, done, tally })
    }

    /// Runs a part of this thread's share of the workload.
    pub(super) fn run(&mut self, part: Part) -> Result<()> {
        let (first, end) = self.plan.share(self.thread, self.plan.ops);
        let ops = part.take(first, end);
        match self.plan.workload {
            Workload::Fillseq => self.laps(ops, |me, at| me.set(at, 0)),
            Workload::Fillrandom => self.laps(ops, |me, at| me.set(me.plan.order.at(at), 0)),
            Workload::Overwrite => self.laps(ops, |me, _| me.update_uniform()),
            Workload::Readrandom | Workload::Readwhilewriting => self.laps(ops, |me, _| me.get_uniform()),
            Workload::Readmissing => self.laps(ops, |me, _| me.get_missing()),
            Workload::Readseq => self.walk(ops.0 - first, ops.1 - first),
            Workload::Seekrandom => self.laps(ops, |me, _| me.seek()),
            Workload::Deletes => self.laps(ops, |me, at| me.delete(me.plan.order.at(at))),
            Workload::Churn => self.churn(),
            _ => self.ycsb(ops),
        }
    }

    /// Fills the database with this thread's share of all keys, in random order.
    pub(super) fn fill(&mut self) -> Result<()> {
        let keys = self.plan.share(self.thread, self.plan.keys);
        self.laps(keys, |me, at| me.set(me.plan.order.at(at), 0))
    }

    /// Overwrites random keys until told to stop.
    pub(super) fn overwrite_until(&mut self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.update_uniform()?;
        }
        Ok(())
    }

    /// The operations from the first up to, not including, the second.
    fn laps(
        &mut self,
        (first, end): (u64, u64),
        mut op: impl FnMut(&mut Self, u64) -> Result<()>,
    ) -> Result<()> {
        self.tally.begin();
        for at in first..end {
            op(self, at)?;
            self.tally.lap();
            if (at - first) % REPORT_EVERY == REPORT_EVERY - 1 {
                self.report()?;
            }
        }
        self.done.fetch_add((end - first) % REPORT_EVERY, Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    fn report(&self) -> Result<()> {
        self.done.fetch_add(REPORT_EVERY, Ordering::Relaxed);
        signal::check()
    }

    /// Sets the n-th key.
    #[inline]
    fn set(&mut self, n: u64, version: u64) -> Result<()> {
        self.plan.value(&mut self.buffer, self.plan.number(n), version);
        self.set_made(n)
    }

    /// Sets the n-th key to the value that was made last.
    #[inline]
    fn set_made(&mut self, n: u64) -> Result<()> {
        self.tally.bytes += (KEY_BYTES + self.buffer.len()) as u64;
        self.plan.set(n, &self.buffer)
    }

    #[inline]
    fn update(&mut self, n: u64) -> Result<()> {
        let version = self.next_version();
        self.set(n, version)
    }

    /// A version that nobody else writes.
    #[inline]
    fn next_version(&mut self) -> u64 {
        self.versions += 1;
        (self.thread + 1) << 40 | self.versions
    }

    /// Overwrites random keys until this thread's share of the bytes is written. Only the sets are timed: making a large
    /// value takes longer than setting it may.
    fn churn(&mut self) -> Result<()> {
        let (first, end) = self.plan.share(self.thread, self.plan.write_bytes);
        self.tally.begin();
        while self.tally.bytes < end - first {
            let n = self.uniform();
            let version = self.next_version();
            self.plan.value(&mut self.buffer, self.plan.number(n), version);
            self.tally.resume();
            self.set_made(n)?;
            self.tally.lap();
            if self.versions.is_multiple_of(REPORT_EVERY) {
                self.report()?;
            }
        }
        self.done.fetch_add(self.versions % REPORT_EVERY, Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    fn get(&mut self, n: u64) -> Result<()> {
        let len = self.plan.get_present(self.plan.number(n))?;
        self.tally.bytes += (KEY_BYTES + len) as u64;
        self.tally.verified += 1;
        Ok(())
    }

    #[inline]
    fn uniform(&mut self) -> u64 {
        self.random.below(self.plan.keys)
    }

    fn update_uniform(&mut self) -> Result<()> {
        let n = self.uniform();
        self.update(n)
    }

    fn get_uniform(&mut self) -> Result<()> {
        let n = self.uniform();
        self.get(n)
    }

    fn get_missing(&mut self) -> Result<()> {
        let key = encode(KeySpace::missing(self.uniform()));
        if self.plan.db.get(key)?.is_some() {
            return Err(wrong(&key, "was never written and is there"));
        }
        self.tally.bytes += KEY_BYTES as u64;
        self.tally.verified += 1;
        Ok(())
    }

    fn delete(&mut self, n: u64) -> Result<()> {
        self.tally.bytes += KEY_BYTES as u64;
        Ok(self.plan.db.delete_with(encode(self.plan.number(n)), self.plan.write)?)
    }

    /// Walks over this thread's part of the keys, again and again: the steps from `at` up to, not including, `end`.
    fn walk(&mut self, mut at: u64, end: u64) -> Result<()> {
        let (first_key, end_key) = self.plan.share(self.thread, self.plan.keys);
        self.tally.begin();
        while at < end && first_key < end_key {
            let key = first_key + at % (end_key - first_key);
            let steps = (end - at).min(end_key - key);
            self.scan(key, steps, |me, at| {
                me.tally.lap();
                if at % REPORT_EVERY == REPORT_EVERY - 1 { me.report() } else { Ok(()) }
            })?;
            at += steps;
        }
        Ok(())
    }

    fn seek(&mut self) -> Result<()> {
        let n = self.uniform();
        let steps = SEEK_KEYS.min(self.plan.keys - n);
        self.scan(n, steps, |_, _| Ok(()))
    }

    /// Reads `steps` keys from the n-th on, which must be exactly the ones that were written.
    fn scan(&mut self, n: u64, steps: u64, mut each: impl FnMut(&mut Self, u64) -> Result<()>) -> Result<()> {
        let start = encode(self.plan.number(n));
        let mut items = self.plan.db.scan((Bound::Included(start.as_slice()), Bound::Unbounded));
        for at in 0..steps {
            let expected = self.plan.number(n + at);
            let item = items.next_ref().ok_or_else(|| wrong(&encode(expected), "is missing in a scan"))??;
            if decode(item.key()) != Some(expected) {
                return Err(wrong(&encode(expected), "is not where a scan should find it"));
            }
            self.read(expected, item.value()?)?;
            each(self, at)?;
        }
        Ok(())
    }

    #[inline]
    fn read(&mut self, number: u64, value: &[u8]) -> Result<()> {
        self.plan.check(number, value)?;
        self.tally.bytes += (KEY_BYTES + value.len()) as u64;
        self.tally.verified += 1;
        Ok(())
    }

    fn ycsb(&mut self, ops: (u64, u64)) -> Result<()> {
        let zipf = self.plan.zipf;
        let workload = self.plan.workload;
        self.laps(ops, |me, _| {
            let percent = me.random.below(100);
            let rank = zipf.pick(&mut me.random);
            match workload {
                Workload::YcsbA if percent < 50 => me.update(rank),
                Workload::YcsbB if percent < 5 => me.update(rank),
                Workload::YcsbD | Workload::YcsbE if percent < 5 => me.insert(),
                Workload::YcsbD => me.get_latest(rank),
                Workload::YcsbE => me.scan_scattered(rank),
                Workload::YcsbF if percent < 50 => {
                    me.get(rank)?;
                    me.update(rank)
                }
                _ => me.get(rank),
            }
        })
    }

    /// The n-th key that this thread inserts: threads take turns, so that no two insert the same.
    fn own(&self, n: u64) -> u64 {
        self.plan.keys + self.thread + n * self.plan.threads
    }

    fn insert(&mut self) -> Result<()> {
        let n = self.own(self.inserted);
        self.inserted += 1;
        self.set(n, 0)
    }

    /// Gets one of the latest keys, the latest most often: first this thread's own, then those of the fill.
    fn get_latest(&mut self, rank: u64) -> Result<()> {
        let n = match rank.checked_sub(self.inserted) {
            None => self.own(self.inserted - 1 - rank),
            Some(older) => self.plan.keys - 1 - older.min(self.plan.keys - 1),
        };
        self.get(n)
    }

    fn scan_scattered(&mut self, n: u64) -> Result<()> {
        let steps = 1 + self.random.below(LONGEST_SCAN);
        let start = self.plan.number(n);
        let bytes = encode(start);
        let mut items = self.plan.db.scan((Bound::Included(bytes.as_slice()), Bound::Unbounded));
        let mut least = start;
        for at in 0..steps {
            let Some(item) = items.next() else { break };
            let item = item?;
            let number = decode(item.key());
            let number = number.filter(|number| *number >= least && (at > 0 || *number == start));
            let number = number.ok_or_else(|| wrong(&bytes, "begins a scan with a wrong key in it"))?;
            self.read(number, item.value()?)?;
            least = number.saturating_add(1);
        }
        Ok(())
    }
}
