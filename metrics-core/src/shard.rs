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
//! One shard of every pool is leased to nobody: the overflow shard, written with locked instructions by threads that
//! are already tearing down their thread-local storage and can no longer lease.
//!
//! Memory: about 4 KiB a shard, and 36 KiB more for each kind of operation its thread has finished.

use crate::catalog::{Counter, CounterCell, Histogram, Operation};
use crate::cell::{self, Writers};
use crate::histogram::LazyHistogram;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What every operation touches, first and last. A block of its own for each operation: two cache lines, since
/// processors fetch lines in pairs. The cells of a sampler belong here too.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct OperationCells {
    /// Operations begun.
    pub(crate) entered: AtomicU64,
    /// Operations finished; never above `entered` for a reader that loads it first.
    pub(crate) exited: AtomicU64,
}

/// The cells of one thread.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    operations: [OperationCells; Operation::ALL.len()],
    counters: [AtomicU64; Counter::CELLS],
    histograms: [LazyHistogram; Histogram::SHARD_CELLS],
    leased: AtomicBool,
}

impl Shard {
    fn new(leased: bool) -> Self {
        Self {
            operations: Default::default(),
            counters: [const { AtomicU64::new(0) }; Counter::CELLS],
            histograms: Default::default(),
            leased: AtomicBool::new(leased),
        }
    }

    /// The hot cells of `operation`.
    #[inline]
    pub(crate) fn operation(&self, operation: Operation) -> &OperationCells {
        let [get, set, delete, batch, scan] = &self.operations;
        match operation {
            Operation::Get => get,
            Operation::Set => set,
            Operation::Delete => delete,
            Operation::Batch => batch,
            Operation::Scan => scan,
        }
    }

    /// The counter cells, in catalogue order.
    pub(crate) fn counters(&self) -> &[AtomicU64] {
        &self.counters
    }

    /// Adds `n` to a counter.
    #[inline]
    pub(crate) fn add(&self, counter: CounterCell, n: u64, writers: Writers) {
        if let Some(counter) = self.counters.get(counter.position()) {
            cell::raise(counter, n, writers);
        }
    }

    /// The histogram at `position` among those kept in shards.
    #[inline]
    pub(crate) fn histogram(&self, position: usize) -> Option<&LazyHistogram> {
        self.histograms.get(position)
    }

    /// Whether a thread is writing the shard.
    pub(crate) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::Relaxed)
    }

    /// Returns the shard, with its values. Releases the last stores to the thread that leases it next.
    pub(crate) fn give_back(&self) {
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
        size_of::<Self>() + self.histograms.iter().map(LazyHistogram::heap_bytes).sum::<usize>()
    }
}

/// One link of the list of shards.
#[derive(Debug)]
struct Node {
    shard: Arc<Shard>,
    next: OnceLock<Box<Self>>,
}

/// All shards of one database.
#[derive(Debug)]
pub(crate) struct ShardPool {
    overflow: Shard,
    head: OnceLock<Box<Node>>,
}

impl ShardPool {
    /// A pool without shards, but for the overflow shard.
    pub(crate) fn new() -> Self {
        Self { overflow: Shard::new(false), head: OnceLock::new() }
    }

    /// A shard that nobody else writes until it is given back.
    pub(crate) fn lease(&self) -> Arc<Shard> {
        let mut link = &self.head;
        loop {
            if let Some(node) = link.get() {
                if node.shard.try_lease() {
                    return Arc::clone(&node.shard);
                }
                link = &node.next;
                continue;
            }
            let shard = Arc::new(Shard::new(true));
            let node = Box::new(Node { shard: Arc::clone(&shard), next: OnceLock::new() });
            // If another thread appended first, go on from its shard; ours was never seen and is dropped.
            if link.set(node).is_ok() {
                return shard;
            }
        }
    }

    /// The shard of threads that can no longer lease one; many threads write it.
    pub(crate) fn overflow(&self) -> &Shard {
        &self.overflow
    }

    /// The shards that are or were leased.
    pub(crate) fn leasable(&self) -> impl Iterator<Item = &Shard> {
        let nodes = std::iter::successors(self.head.get(), |node| node.next.get());
        nodes.map(|node| &*node.shard)
    }

    /// Every shard, the overflow shard first.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        std::iter::once(&self.overflow).chain(self.leasable())
    }
}

impl Drop for ShardPool {
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
        let pool = ShardPool::new();
        let shard = pool.lease();
        shard.add(Counter::GetResults.at(1), 7, Writers::One);
        shard.give_back();
        let again = pool.lease();
        assert!(Arc::ptr_eq(&shard, &again));
        assert_eq!(again.counters()[Counter::GetResults.at(1).position()].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn a_shard_has_one_holder_at_a_time() {
        let pool = ShardPool::new();
        let (first, second) = (pool.lease(), pool.lease());
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(pool.leasable().filter(|shard| shard.is_leased()).count(), 2);
    }

    #[test]
    fn threads_leasing_at_once_get_different_shards() {
        let pool = ShardPool::new();
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
        assert_eq!(pool.leasable().count(), 8);
    }

    #[test]
    fn a_long_list_is_dropped_without_recursion() {
        let pool = ShardPool::new();
        let mut link = &pool.head;
        let shard = Arc::new(Shard::new(false));
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
