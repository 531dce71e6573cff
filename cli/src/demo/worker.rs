//! One thread of the load: it does what the mix says and checks everything it reads.

use bettong::{Db, Item, WriteBatch};

use super::ledger::{Ledger, State, judge};
use super::mix::{Action, Mix, SCAN_KEYS};
use crate::fault::{Fault, Result};
use crate::payload;

/// What was done, counted by who did it: the metrics must come to the same figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) gets: u64,
    pub(super) hits: u64,
    pub(super) sets: u64,
    pub(super) deletes: u64,
    pub(super) batches: u64,
    pub(super) batch_sets: u64,
    pub(super) batch_deletes: u64,
    pub(super) scans: u64,
    /// Values compared, and absences that were right.
    pub(super) checked: u64,
}

impl Counts {
    /// Calls of the database.
    pub(super) fn operations(&self) -> u64 {
        self.gets + self.sets + self.deletes + self.batches + self.scans
    }

    pub(super) fn add(&mut self, other: &Counts) {
        self.gets += other.gets;
        self.hits += other.hits;
        self.sets += other.sets;
        self.deletes += other.deletes;
        self.batches += other.batches;
        self.batch_sets += other.batch_sets;
        self.batch_deletes += other.batch_deletes;
        self.scans += other.scans;
        self.checked += other.checked;
    }
}

/// One thread.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    db: &'a Db,
    ledger: &'a Ledger,
    keys: &'a KeyNames,
    mix: Mix,
    value: Vec<u8>,
    pub(super) counts: Counts,
}

/// The names of the keys of one run.
#[derive(Debug)]
pub(super) struct KeyNames {
    pub(super) seed: u64,
}

impl KeyNames {
    /// The key with a number: runs on the same database do not touch each other's keys.
    pub(super) fn of(&self, id: u64) -> String {
        // Short, so that what is shown of a key (16 bytes) has something of its number.
        format!("demo/{:07x}/{id:06}", self.seed & 0xfff_ffff)
    }

    fn id(key: &[u8]) -> Option<u64> {
        let (_, digits) = key.split_last_chunk::<6>()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(db: &'a Db, ledger: &'a Ledger, keys: &'a KeyNames, mix: Mix) -> Worker<'a> {
        Worker { db, ledger, keys, mix, value: Vec::new(), counts: Counts::default() }
    }

    /// Does one operation.
    pub(super) fn step(&mut self) -> Result<()> {
        match self.mix.action() {
            Action::Get => self.get(),
            Action::GetMissing => self.get_missing(),
            Action::Set => self.set(),
            Action::Delete => self.delete(),
            Action::Scan => self.scan(false),
            Action::ScanBack => self.scan(true),
            Action::Batch => self.batch(),
        }
    }

    fn get(&mut self) -> Result<()> {
        let id = self.mix.key();
        let key = self.keys.of(id);
        let done = self.ledger.done(id);
        let value = self.db.get(&key)?;
        self.counts.gets += 1;
        self.counts.hits += u64::from(value.is_some());
        self.check(id, value.as_deref(), done)
    }

    fn get_missing(&mut self) -> Result<()> {
        let key = self.keys.of(self.mix.key()) + "?";
        self.counts.gets += 1;
        self.counts.checked += 1;
        match self.db.get(&key)? {
            None => Ok(()),
            Some(_) => Err(wrong(&key, "was never written and is there")),
        }
    }

    fn set(&mut self) -> Result<()> {
        let id = self.mix.own_key();
        let state = self.ledger.begin(id, true);
        self.fill_value(id, state);
        self.db.set(self.keys.of(id), &self.value)?;
        self.ledger.finish(id, state);
        self.counts.sets += 1;
        Ok(())
    }

    fn delete(&mut self) -> Result<()> {
        let id = self.mix.own_key();
        let state = self.ledger.begin(id, false);
        self.db.delete(self.keys.of(id))?;
        self.ledger.finish(id, state);
        self.counts.deletes += 1;
        Ok(())
    }

    fn batch(&mut self) -> Result<()> {
        let mut batch = WriteBatch::new();
        let mut writes: Vec<(u64, State)> = Vec::new();
        let mut sets = 0;
        for _ in 0..self.mix.batch_writes() {
            let id = self.mix.own_key();
            if writes.iter().any(|(known, _)| *known == id) {
                continue;
            }
            let state = self.ledger.begin(id, !self.mix.batch_deletes());
            if state.present {
                self.fill_value(id, state);
                batch.set(self.keys.of(id), &self.value);
                sets += 1;
            } else {
                batch.delete(self.keys.of(id));
            }
            writes.push((id, state));
        }
        self.db.write(batch)?;
        self.counts.batches += 1;
        self.counts.batch_sets += sets;
        self.counts.batch_deletes += writes.len() as u64 - sets;
        for (id, state) in writes {
            self.ledger.finish(id, state);
        }
        Ok(())
    }

    /// Scans a range of keys and checks each of them, those that are not there too.
    fn scan(&mut self, backward: bool) -> Result<()> {
        let first = self.mix.key();
        let end = (first + SCAN_KEYS).min(self.ledger.keys());
        let done: Vec<State> = (first..end).map(|id| self.ledger.done(id)).collect();
        let (from, to) = (self.keys.of(first), self.keys.of(end));
        let scan = self.db.scan(from.as_bytes()..to.as_bytes());
        self.counts.scans += 1;
        let mut items = if backward {
            scan.rev().collect::<std::result::Result<Vec<Item>, _>>()?
        } else {
            scan.collect::<std::result::Result<Vec<Item>, _>>()?
        };
        if backward {
            items.reverse();
        }
        let mut items = items.iter().peekable();
        for (id, done) in (first..end).zip(done) {
            let item = items.next_if(|item| KeyNames::id(item.key()) == Some(id));
            let value = item.map(Item::value).transpose()?;
            self.check(id, value, done)?;
        }
        items
            .next()
            .map_or(Ok(()), |item| Err(wrong(&item.key().escape_ascii().to_string(), "is out of order")))
    }

    fn fill_value(&mut self, id: u64, state: State) {
        let len = self.mix.value_bytes();
        payload::write(&mut self.value, self.keys.seed, id, state.version, len);
    }

    /// Judges what was found under a key.
    fn check(&mut self, id: u64, value: Option<&[u8]>, done: State) -> Result<()> {
        let begun = self.ledger.begun(id);
        let fault = match value.map(|value| payload::check(value, self.keys.seed, id)) {
            Some(None) => Some("has a value that was never written to it"),
            Some(found) => judge(found, done, begun),
            None => judge(None, done, begun),
        };
        self.counts.checked += 1;
        fault.map_or(Ok(()), |what| Err(wrong(&self.keys.of(id), what)))
    }
}

fn wrong(key: &str, what: &str) -> Fault {
    Fault::Damaged(format!("wrong data: key {key} {what}"))
}
