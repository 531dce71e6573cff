//! Which shard the running thread writes.
//!
//! 1. A thread-local one-entry cache holds the database used last and the thread's shard of it. The hit path is one
//!    comparison and no reference count.
//! 2. On a miss the thread looks into its list of leases, and leases a shard if it has none of this database.
//! 3. When the thread ends, its list is dropped and every shard returned.
//!
//! A lease keeps its shard alive after the database is gone; it is let go on the thread's next miss, or with the thread.

use crate::cell::Writers;
use crate::shard::{Shard, ShardPool};
use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a pool in thread-local caches. Never 0 and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PoolId(u64);

/// Stands for no pool.
const NOBODY: PoolId = PoolId(0);

/// A pool under the identity by which threads remember their shard of it.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    id: PoolId,
    shards: Arc<ShardPool>,
}

/// A shard, and whether the calling thread is its only writer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent<'a> {
    pub(crate) shard: &'a Shard,
    pub(crate) writers: Writers,
}

/// One shard held by this thread.
struct Lease {
    id: PoolId,
    shard: Arc<Shard>,
}

/// The shards held by this thread. Dropped when the thread ends.
struct Leases(RefCell<Vec<Lease>>);

/// The pool used last and this thread's shard of it. Has no destructor, so it can be read at any time, even while the
/// thread tears down its other thread-local values.
struct Latest {
    id: Cell<PoolId>,
    shard: Cell<*const Shard>,
}

thread_local! {
    static LATEST: Latest = const { Latest { id: Cell::new(NOBODY), shard: Cell::new(ptr::null()) } };
    static LEASES: Leases = const { Leases(RefCell::new(Vec::new())) };
}

impl Pool {
    /// A new pool without shards.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Uniqueness is all that is asked of the number, hence relaxed.
        Self { id: PoolId(NEXT.fetch_add(1, Ordering::Relaxed)), shards: Arc::new(ShardPool::new()) }
    }

    /// The shards of the pool.
    pub(crate) fn shards(&self) -> &ShardPool {
        &self.shards
    }

    /// This thread's shard. The first call on a thread leases it, later ones find it in about a nanosecond.
    #[inline]
    pub(crate) fn mine(&self) -> Lent<'_> {
        LATEST.with(|latest| {
            if latest.id.get() == self.id {
                // SAFETY: the pointer was stored together with the id, from a shard in the list of the pool with that
                // id. An id names one pool for ever, that pool is `self.shards`, and its list never lets go of a
                // shard: it lives as long as the borrow of `self`.
                let shard = unsafe { &*latest.shard.get() };
                Lent { shard, writers: Writers::One }
            } else {
                self.look_up(latest)
            }
        })
    }

    /// Finds or leases this thread's shard, and remembers it in `latest`.
    #[cold]
    fn look_up(&self, latest: &Latest) -> Lent<'_> {
        let found = LEASES.try_with(|leases| {
            // Borrowed already only if an allocator that counts with us is called from here: it gets the overflow.
            let mut leases = leases.0.try_borrow_mut().ok()?;
            // A shard held by nobody else belongs to a database that is gone.
            leases.retain(|lease| Arc::strong_count(&lease.shard) > 1);
            let known =
                leases.iter().find(|lease| lease.id == self.id).map(|lease| Arc::as_ptr(&lease.shard));
            let shard = known.unwrap_or_else(|| {
                let shard = self.shards.lease();
                let pointer = Arc::as_ptr(&shard);
                leases.push(Lease { id: self.id, shard });
                pointer
            });
            latest.shard.set(shard);
            latest.id.set(self.id);
            Some(shard)
        });
        match found.ok().flatten() {
            Some(shard) => {
                // SAFETY: as in `mine`: the pointer is to a shard that the list of `self.shards` keeps alive.
                let shard = unsafe { &*shard };
                Lent { shard, writers: Writers::One }
            }
            None => Lent { shard: self.shards.overflow(), writers: Writers::Many },
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        // First forget, then return: destructors that run after this one must not write a shard that is someone else's.
        LATEST.with(|latest| latest.id.set(NOBODY));
        for lease in self.0.get_mut() {
            lease.shard.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_shard_of_each_pool() {
        let (first, second) = (Pool::new(), Pool::new());
        let (a, b) = (ptr::from_ref(first.mine().shard), ptr::from_ref(second.mine().shard));
        assert!(!ptr::eq(a, b));
        for _ in 0..3 {
            assert!(ptr::eq(first.mine().shard, a));
            assert!(ptr::eq(second.mine().shard, b));
        }
        assert_eq!((first.shards().leasable().count(), second.shards().leasable().count()), (1, 1));
    }

    #[test]
    fn leases_of_dropped_pools_are_let_go_on_the_next_miss() {
        for _ in 0..100 {
            assert_eq!(Pool::new().mine().writers, Writers::One);
        }
        let held = LEASES.with(|leases| leases.0.borrow().len());
        assert!(held <= 2, "{held} leases held");
    }

    #[test]
    fn a_thread_returns_its_shard_when_it_ends() {
        let pool = Pool::new();
        for _ in 0..10 {
            let pool = pool.clone();
            std::thread::spawn(move || pool.mine().writers).join().unwrap();
        }
        assert_eq!(pool.shards().leasable().count(), 1);
        assert_eq!(pool.shards().leasable().filter(|shard| shard.is_leased()).count(), 0);
    }

    #[test]
    fn a_thread_that_is_ending_writes_the_overflow_shard() {
        struct Late(Pool, std::sync::mpsc::Sender<Writers>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.1.send(self.0.mine().writers).unwrap();
            }
        }
        thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });

        let pool = Pool::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Registered before the leases, so destroyed after or before them: either way it must be safe to count.
            LATE.with(|late| *late.borrow_mut() = Some(Late(pool.clone(), sender)));
            assert_eq!(pool.mine().writers, Writers::One);
        })
        .join()
        .unwrap();
        assert_eq!(receiver.recv().unwrap(), Writers::Many);
    }
}
