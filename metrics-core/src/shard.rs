//! The cells of one thread, and the pool that lends them.
//!
//! A shard is written by the thread that leased it and by nobody else, until the thread ends and returns it with its
//! values in place. The next thread goes on counting where the last one stopped, so the sum over all shards is exact
//! and there are never more shards than threads that were alive at once.
//!
//! The pool is a list that only grows (see [`crate::lending`]). Shards are freed when the last of the pool and the threads
//! that hold them lets go.
//!
//! A second list holds the *sinks*: shards that threads write while nothing is to be counted. No snapshot reads them.
//!
//! Memory: about 7.5 KiB a shard, and 36 KiB more for each kind of operation and stratum its thread has timed.

use crate::catalog::{Counter, CounterCell, GetSource, Lookup, Operation};
use crate::cell::{self, Writers};
use crate::histogram::LazyHistogram;
use crate::lending::{Lent, List, PoolId, Tag};
use crate::stratum::OperationCells;
use crate::sync::{AtomicU64, Ordering};
use crate::trace::Trace;

/// Ends of gets: where, and whether a value or a tombstone was found there. The last one is nowhere.
const GET_ENDS: usize = GetSource::COUNT * 2;

/// The cells of one thread. What every operation touches comes first.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Shard {
    /// First, so that what points to a shard points to the number of its pool, on which `lease` relies.
    tag: Tag,
    operations: [OperationCells; Operation::ALL.len()],
    /// How gets ended that have no cell in [`QuickCells`](crate::quick::QuickCells): one cell says both what `db_get_served_total` and what
    /// `db_get_results_total` want to know.
    gets: [AtomicU64; GET_ENDS],
    /// What gets learnt from tables, by level.
    lookups: [AtomicU64; Lookup::CELLS],
    counters: [AtomicU64; Counter::CELLS],
    fast: [LazyHistogram; Operation::ALL.len()],
    slow: [LazyHistogram; Operation::ALL.len()],
    trace: Trace,
    /// 1 while the owner waits for its turn to write.
    queued: AtomicU64,
}

/// What is timed of one kind of operation in one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed<'a> {
    pub(crate) cells: &'a OperationCells,
    pub(crate) fast: &'a LazyHistogram,
    pub(crate) slow: &'a LazyHistogram,
}

impl Shard {
    /// Whether the shard is one of the pool's.
    #[inline]
    pub(crate) fn belongs_to(&self, pool: PoolId) -> bool {
        self.tag.belongs_to(pool)
    }

    /// Records a latency into the exact stratum of the operation with this index.
    pub(crate) fn record_slow(&self, operation: usize, nanos: u64, n: u64) {
        if let Some(slow) = self.slow.get(operation) {
            slow.record_n(nanos, n, Writers::One);
        }
    }

    /// Makes the owner look at the level in force, at its next operation of every kind.
    pub(crate) fn look_again(&self) {
        self.tag.look_again();
    }

    /// Obeys [`Shard::look_again`], for the owner. The level is loaded afterwards, of which no change is missed.
    pub(crate) fn obey(&self, pool: PoolId) {
        if self.tag.obey(pool) {
            self.operations.iter().for_each(OperationCells::look_next);
        }
    }

    /// The hot cells of `operation`.
    #[inline]
    pub(crate) fn operation(&self, operation: Operation) -> &OperationCells {
        pick(&self.operations, operation)
    }

    /// The cells and latencies of `operation`.
    #[inline]
    pub(crate) fn timed(&self, operation: Operation) -> Timed<'_> {
        Timed {
            cells: pick(&self.operations, operation),
            fast: pick(&self.fast, operation),
            slow: pick(&self.slow, operation),
        }
    }

    /// The counter cells, in catalogue order.
    pub(crate) fn counters(&self) -> &[AtomicU64] {
        &self.counters
    }

    /// How gets ended that ended in none of the usual ways: value and tombstone for each source.
    pub(crate) fn gets(&self) -> &[AtomicU64] {
        &self.gets
    }

    /// What gets learnt from tables: every [`Lookup`] for each level.
    pub(crate) fn lookups(&self) -> &[AtomicU64] {
        &self.lookups
    }

    /// Says whether the owner waits for its turn to write.
    #[inline]
    pub(crate) fn set_queued(&self, queued: bool) {
        // Relaxed: it says nothing about other cells.
        self.queued.store(queued.into(), Ordering::Relaxed);
    }

    /// 1 if the owner waits for its turn to write, else 0.
    pub(crate) fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// The trace of the operation under way.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Adds `n` to a counter.
    #[inline]
    pub(crate) fn add(&self, counter: CounterCell, n: u64) {
        if let Some(counter) = self.counters.get(counter.position()) {
            cell::raise(counter, n, Writers::One);
        }
    }

    /// Counts the end of a get.
    #[inline]
    pub(crate) fn add_get(&self, source: GetSource, tombstone: bool) {
        if let Some(end) = self.gets.get(source.index() * 2 + usize::from(tombstone)) {
            cell::raise(end, 1, Writers::One);
        }
    }

    /// Counts what a get learnt from a table of `level`.
    #[inline]
    pub(crate) fn add_lookup(&self, level: usize, lookup: Lookup) {
        if let Some(cell) = self.lookups.get(lookup.cell(level)) {
            cell::raise(cell, 1, Writers::One);
        }
    }

    /// Whether a thread is writing the shard.
    pub(crate) fn is_leased(&self) -> bool {
        self.tag.is_leased()
    }

    /// Whether the operation that ends is to give the shard back.
    pub(crate) fn is_for_one_operation(&self) -> bool {
        self.tag.is_for_one_operation()
    }

    /// Returns the shard, with its values.
    pub(crate) fn give_back(&self) {
        self.tag.give_back();
    }

    /// What `counter_lost_on_thread_exit` does.
    #[cold]
    pub(crate) fn lose_counters(&self) {
        self.counters.iter().for_each(|cell| cell.store(0, Ordering::Relaxed));
    }

    /// Bytes of memory, histograms included.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.fast.iter().chain(&self.slow).map(LazyHistogram::heap_bytes).sum::<usize>()
    }
}

/// The element of `operation`.
#[inline]
fn pick<T>(all: &[T; Operation::ALL.len()], operation: Operation) -> &T {
    let [first, ..] = all;
    all.get(operation.index()).unwrap_or(first)
}

impl Lent for Shard {
    fn new(pool: PoolId) -> Self {
        Self {
            tag: Tag::new(pool),
            operations: Default::default(),
            gets: [const { AtomicU64::new(0) }; GET_ENDS],
            lookups: [const { AtomicU64::new(0) }; Lookup::CELLS],
            counters: [const { AtomicU64::new(0) }; Counter::CELLS],
            fast: Default::default(),
            slow: Default::default(),
            trace: Trace::new(),
            queued: AtomicU64::new(0),
        }
    }
    fn tag(&self) -> &Tag {
        &self.tag
    }
}

/// All shards of one database.
#[derive(Debug)]
pub(crate) struct ShardPool {
    /// Those that count.
    pub(crate) counting: List<Shard>,
    /// Those that are written while nothing is to be counted.
    pub(crate) sinks: List<Shard>,
}

impl ShardPool {
    /// A pool without shards.
    pub(crate) fn new(pool: PoolId) -> Self {
        Self { counting: List::new(pool), sinks: List::new(pool) }
    }

    /// The list to lease from.
    pub(crate) fn list(&self, counting: bool) -> &List<Shard> {
        if counting { &self.counting } else { &self.sinks }
    }

    /// Makes every owner look at what the caller stored before.
    pub(crate) fn look_again(&self) {
        self.counting.look_again();
        self.sinks.look_again();
    }

    /// The shards of both lists.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Shard> {
        self.counting.iter().chain(self.sinks.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quick::QuickEnd;
    use std::mem::offset_of;

    #[test]
    fn hot_cells_of_operations_do_not_share_lines_and_a_shard_stays_small() {
        assert_eq!((size_of::<OperationCells>(), align_of::<Shard>()), (256, 128));
        assert_eq!((offset_of!(Shard, tag), offset_of!(Shard, operations)), (0, 128));
        assert!(size_of::<Shard>() <= 8 << 10, "{} bytes", size_of::<Shard>());
    }

    #[test]
    fn every_level_of_the_catalogue_has_a_cell_for_each_end() {
        let hits = QuickEnd::all().filter(|end| matches!(end, QuickEnd::TableValue(_))).count();
        assert_eq!(hits, 2 * Lookup::CELLS / Lookup::ALL.len());
    }
}
