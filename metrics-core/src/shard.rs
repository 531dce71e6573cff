//! The cells of one thread, and the pool that lends them.
//!
//! A shard is written by the thread that leased it and by nobody else, until the thread ends and returns it with its
//! values in place. The next thread goes on counting where the last one stopped, so the sum over all shards is exact
//! and there are never more shards than threads that were alive at once.
//!
//! The pool is a linked list that only grows. Leasing walks it and takes the first free shard by compare-and-swap, or
//! appends a new one; a snapshot walks it with plain loads and can neither block nor be blocked. Shards are freed when
//! the last of the pool and the threads that hold them lets go.
//!
//! A second list holds the *sinks*: shards that threads write while nothing is to be counted. No snapshot reads them.
//!
//! Memory: about 5 KiB a shard, and 36 KiB more for each kind of operation and stratum its thread has timed.

use crate::catalog::{Counter, CounterCell, GetSource, Operation};
use crate::cell::{self, Writers};
use crate::histogram::LazyHistogram;
use crate::stratum::OperationCells;
use crate::trace::Trace;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Ends of gets: where, and whether a value or a tombstone was found there. The last one is nowhere.
const GET_ENDS: usize = GetSource::COUNT * 2;

/// Identifies a pool. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolId(u64);

impl PoolId {
    /// Stands for no pool.
    pub(crate) const NOBODY: Self = Self(0);

    /// An identity that no other pool has.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Uniqueness is all that is asked of the number, hence relaxed.
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The cells of one thread. What every operation touches comes first.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Shard {
    /// The number of the pool; 0 makes the owner look at the level in force before it goes on.
    pool: AtomicU64,
    operations: [OperationCells; Operation::ALL.len()],
    /// How gets ended: one cell says both what `db_get_served_total` and what `db_get_results_total` want to know.
    gets: [AtomicU64; GET_ENDS],
    counters: [AtomicU64; Counter::CELLS],
    fast: [LazyHistogram; Operation::ALL.len()],
    slow: [LazyHistogram; Operation::ALL.len()],
    trace: Trace,
    leased: AtomicBool,
    /// Leased by a thread that is ending, whose operation gives it back.
    for_one_operation: AtomicBool,
}

/// What is timed of one kind of operation in one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed<'a> {
    pub(crate) cells: &'a OperationCells,
    pub(crate) fast: &'a LazyHistogram,
    pub(crate) slow: &'a LazyHistogram,
}

impl Shard {
    pub(crate) const fn new(pool: PoolId) -> Self {
        Self {
            pool: AtomicU64::new(pool.0),
            operations: [const { OperationCells::new() }; Operation::ALL.len()],
            gets: [const { AtomicU64::new(0) }; GET_ENDS],
            counters: [const { AtomicU64::new(0) }; Counter::CELLS],
            fast: [const { LazyHistogram::new() }; Operation::ALL.len()],
            slow: [const { LazyHistogram::new() }; Operation::ALL.len()],
            trace: Trace::new(),
            leased: AtomicBool::new(false),
            for_one_operation: AtomicBool::new(false),
        }
    }

    /// Whether the shard is one of the pool's.
    #[inline]
    pub(crate) fn belongs_to(&self, pool: PoolId) -> bool {
        self.pool.load(Ordering::Relaxed) == pool.0
    }

    /// Records a latency into the exact stratum of the operation with this index.
    pub(crate) fn record_slow(&self, operation: usize, nanos: u64, n: u64) {
        if let Some(slow) = self.slow.get(operation) {
            slow.record_n(nanos, n, Writers::One);
        }
    }

    /// Makes the owner look at the level in force, at its next operation of every kind.
    pub(crate) fn look_again(&self) {
        self.pool.store(PoolId::NOBODY.0, Ordering::SeqCst);
    }

    /// Obeys [`Shard::look_again`], for the owner.
    ///
    /// Whoever changes the level stores it and then calls `look_again`; here the number is stored, and the level is loaded
    /// afterwards. All four are sequentially consistent: either the new level is seen, or the call to look comes last.
    pub(crate) fn obey(&self, pool: PoolId) {
        if !self.belongs_to(pool) {
            self.pool.store(pool.0, Ordering::SeqCst);
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

    /// How gets ended: value and tombstone for each source.
    pub(crate) fn gets(&self) -> &[AtomicU64] {
        &self.gets
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

    /// Whether a thread is writing the shard.
    pub(crate) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::Relaxed)
    }

    /// Whether the operation that ends is to give the shard back.
    pub(crate) fn is_for_one_operation(&self) -> bool {
        self.for_one_operation.load(Ordering::Relaxed)
    }

    /// Returns the shard, with its values. Releases the last stores to the thread that leases it next.
    pub(crate) fn give_back(&self) {
        self.for_one_operation.store(false, Ordering::Relaxed);
        self.leased.store(false, Ordering::Release);
    }

    /// Takes the shard if it is free, and acquires the stores of the thread that had it last.
    fn try_lease(&self) -> bool {
        // The load keeps the line of a shard in use shared: a failed compare-and-swap would take it from its owner.
        !self.is_leased()
            && self.leased.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
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

/// One link of a list of shards.
#[derive(Debug)]
struct Node {
    shard: Arc<Shard>,
    next: OnceLock<Box<Self>>,
}

/// A list of shards that only grows.
#[derive(Debug)]
pub(crate) struct ShardList {
    pool: PoolId,
    head: OnceLock<Box<Node>>,
}

/// All shards of one database.
#[derive(Debug)]
pub(crate) struct ShardPool {
    /// Those that count.
    pub(crate) counting: ShardList,
    /// Those that are written while nothing is to be counted.
    pub(crate) sinks: ShardList,
}

impl ShardList {
    pub(crate) fn new(pool: PoolId) -> Self {
        Self { pool, head: OnceLock::new() }
    }

    /// A shard that nobody else writes until it is given back.
    pub(crate) fn lease(&self) -> Arc<Shard> {
        Arc::clone(self.lease_shard())
    }

    /// A shard that is given back by the timer of the one operation it is for.
    pub(crate) fn lease_for_one_operation(&self) -> &Shard {
        let shard = self.lease_shard();
        shard.for_one_operation.store(true, Ordering::Relaxed);
        shard
    }

    fn lease_shard(&self) -> &Arc<Shard> {
        let mut link = &self.head;
        loop {
            if let Some(node) = link.get() {
                if node.shard.try_lease() {
                    return &node.shard;
                }
                link = &node.next;
                continue;
            }
            // Appended free: whoever appends, all of us try to lease it.
            let node = Box::new(Node { shard: Arc::new(Shard::new(self.pool)), next: OnceLock::new() });
            link.set(node).ok();
        }
    }

    /// All shards of the list, in the order in which they were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard> {
        let nodes = std::iter::successors(self.head.get(), |node| node.next.get());
        nodes.map(|node| &*node.shard)
    }
}

impl ShardPool {
    /// A pool without shards.
    pub(crate) fn new(pool: PoolId) -> Self {
        Self { counting: ShardList::new(pool), sinks: ShardList::new(pool) }
    }

    /// The list to lease from.
    pub(crate) fn list(&self, counting: bool) -> &ShardList {
        if counting { &self.counting } else { &self.sinks }
    }

    /// The shards of both lists.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Shard> {
        self.counting.iter().chain(self.sinks.iter())
    }
}

impl Drop for ShardList {
    fn drop(&mut self) {
        // Link by link: dropping the head would recurse as deep as the list is long.
        let mut next = self.head.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_shard_is_lent_again_with_its_values() {
        let pool = ShardList::new(PoolId::NOBODY);
        let shard = pool.lease();
        shard.add(Counter::GetResults.at(1), 7);
        shard.give_back();
        let again = pool.lease();
        assert!(Arc::ptr_eq(&shard, &again));
        assert_eq!(again.counters()[Counter::GetResults.at(1).position()].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn a_shard_has_one_holder_at_a_time() {
        let pool = ShardList::new(PoolId::NOBODY);
        let (first, second) = (pool.lease(), pool.lease());
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(pool.iter().filter(|shard| shard.is_leased()).count(), 2);
    }

    #[test]
    fn threads_leasing_at_once_get_different_shards() {
        let pool = ShardList::new(PoolId::NOBODY);
        let barrier = std::sync::Barrier::new(8);
        let shards: Vec<_> = std::thread::scope(|scope| {
            let lease = || {
                barrier.wait();
                pool.lease()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(lease)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (i, shard) in shards.iter().enumerate() {
            assert!(shards.iter().skip(i + 1).all(|other| !Arc::ptr_eq(shard, other)));
        }
        assert_eq!(pool.iter().count(), 8);
    }

    #[test]
    fn a_long_list_is_dropped_without_recursion() {
        let pool = ShardList::new(PoolId::NOBODY);
        let mut link = &pool.head;
        let shard = Arc::new(Shard::new(PoolId::NOBODY));
        for _ in 0..200_000 {
            link = &link
                .get_or_init(|| Box::new(Node { shard: Arc::clone(&shard), next: OnceLock::new() }))
                .next;
        }
        drop(pool);
    }

    #[test]
    fn hot_cells_of_operations_do_not_share_lines_and_a_shard_stays_small() {
        assert_eq!((size_of::<OperationCells>(), align_of::<Shard>()), (128, 128));
        assert!(size_of::<Shard>() <= 8 << 10, "{} bytes", size_of::<Shard>());
    }
}
