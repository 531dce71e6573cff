//! The model's own counts, and how they compare with the engine's metrics: exactly, once nothing is under way.

use bettong::Db;
use bettong_metrics::{Counter, CounterCell};

use crate::failure::Checked;

/// What was done since the database was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sets: u64,
    pub(crate) deletes: u64,
    pub(crate) batches: u64,
    pub(crate) set_errors: u64,
    pub(crate) delete_errors: u64,
    /// Writes that became visible.
    pub(crate) commits: u64,
    pub(crate) written_bytes: u64,
    pub(crate) gets: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) iterators: u64,
    /// First steps of an iterator in a direction.
    pub(crate) scans: u64,
    pub(crate) steps: [u64; 2],
    pub(crate) read_bytes: u64,
    /// Some read failed, and how far it had come nobody can tell.
    pub(crate) reads_unknown: bool,
    /// Some values were passed over, and whether they counted depends on where they lay.
    pub(crate) read_bytes_unknown: bool,
}

impl Tally {
    /// A get found something, or nothing.
    pub(crate) fn got(&mut self, bytes: Option<u32>) {
        self.gets += 1;
        match bytes {
            Some(bytes) => {
                self.hits += 1;
                self.read_bytes += u64::from(bytes);
            }
            None => self.misses += 1,
        }
    }

    /// Compares with the metrics. Nothing may be open that has not handed over its counts.
    pub(crate) fn compare(&self, db: &Db) -> Checked {
        let snapshot = db.metrics().snapshot();
        let count = |cell: CounterCell| snapshot.counter(cell);
        let [hits, tombstones, misses] = [0, 1, 2].map(|at| count(Counter::GetResults.at(at)));
        let mut pairs = vec![
            ("sets", self.sets, count(Counter::SetOperations.into())),
            ("deletes", self.deletes, count(Counter::DeleteOperations.into())),
            ("batches", self.batches, count(Counter::BatchOperations.into())),
            ("failed sets", self.set_errors, snapshot.counter_total(Counter::SetErrors)),
            ("failed deletes", self.delete_errors, snapshot.counter_total(Counter::DeleteErrors)),
            ("log records", self.commits, count(Counter::WalRecords.into())),
            ("bytes written", self.written_bytes, count(Counter::UserWrittenBytes.into())),
        ];
        if !self.reads_unknown {
            pairs.extend([
                ("gets", self.gets, count(Counter::GetOperations.into())),
                ("hits", self.hits, hits),
                ("misses", self.misses, tombstones + misses),
                ("gets served", self.gets, snapshot.counter_total(Counter::GetServed)),
                ("failed reads", 0, snapshot.counter_total(Counter::GetErrors)),
                ("iterators", self.iterators, count(Counter::IteratorsCreated.into())),
                ("scans", self.scans, count(Counter::ScanOperations.into())),
                ("steps forward", self.steps[0], count(Counter::IteratorSteps.at(0))),
                ("steps backward", self.steps[1], count(Counter::IteratorSteps.at(1))),
            ]);
            if !self.read_bytes_unknown {
                pairs.push(("bytes read", self.read_bytes, count(Counter::UserReadBytes.into())));
            }
        }
        let differ = |(_, ours, theirs): &(&str, u64, u64)| ours != theirs;
        match pairs.into_iter().find(differ) {
            Some((what, ours, theirs)) => {
                Err(format!("the metrics count {theirs} {what}, there were {ours}"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bettong::Options;
    use bettong::env::{Env, sim::SimDisk};

    use super::*;

    #[test]
    fn a_count_that_is_off_by_one_is_noticed() {
        let db = Db::open("/db", Options::default().env(Env::sim(&SimDisk::new(1)))).unwrap();
        db.set(b"key", b"value").unwrap();
        db.get(b"key").unwrap();
        db.get(b"none").unwrap();
        let right = Tally {
            sets: 1,
            commits: 1,
            written_bytes: 8,
            gets: 2,
            hits: 1,
            misses: 1,
            read_bytes: 5,
            ..Tally::default()
        };
        right.compare(&db).unwrap();
        let wrong = [
            Tally { sets: 2, ..right.clone() },
            Tally { deletes: 1, ..right.clone() },
            Tally { commits: 0, ..right.clone() },
            Tally { written_bytes: 9, ..right.clone() },
            Tally { hits: 2, misses: 0, ..right.clone() },
            Tally { read_bytes: 4, ..right.clone() },
            Tally { steps: [0, 1], ..right },
        ];
        assert!(wrong.iter().all(|tally| tally.compare(&db).is_err()));
    }
}
