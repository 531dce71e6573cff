//! Which shard the running thread writes.
//!
//! 1. A thread-local one-entry cache points to the shard used last; the shard knows whose it is. The hit path is one
//!    comparison and no reference count.
//! 2. On a miss the thread looks into its list of leases, and leases a shard if it has none of this database.
//! 3. When the thread ends, its list is dropped and every shard returned.
//! 4. A thread that is already tearing down its thread-local storage has no list any more: it leases a shard for the
//!    length of one call.
//!
//! A lease keeps its shard alive after the database is gone; it is let go on the thread's next miss, or with the thread.

use crate::lending::PoolId;
use crate::shard::{Shard, ShardPool};
use crate::sync::AtomicU64;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A pool under the identity by which its shards are known.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    id: PoolId,
    shards: Arc<ShardPool>,
}

/// The shards of one database held by this thread.
struct Lease {
    id: PoolId,
    counting: Arc<Shard>,
    /// Leased the first time that nothing is to be counted.
    sink: Option<Arc<Shard>>,
}

/// The shards held by this thread. Dropped when the thread ends.
struct Leases(RefCell<Vec<Lease>>);

/// The number of no pool ([`PoolId::NOBODY`]), for a thread that has used no database: its own number is another for every
/// pool, so nobody takes what lies here for a shard.
static NOBODYS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The shard used last, by the number of its pool, which it begins with: one that this thread's list of leases holds, or
    /// [`NOBODYS`]. Has no destructor, so it can be read at any time, even while the thread tears down its other thread-local
    /// values.
    static LATEST: Cell<*const AtomicU64> = const { Cell::new(&raw const NOBODYS) };
    static LEASES: Leases = const { Leases(RefCell::new(Vec::new())) };
}

impl Pool {
    /// A new pool without shards.
    pub(crate) fn new() -> Self {
        let id = PoolId::next();
        Self { id, shards: Arc::new(ShardPool::new(id)) }
    }

    /// The identity of the pool.
    pub(crate) fn id(&self) -> PoolId {
        self.id
    }

    /// The shards of the pool.
    pub(crate) fn shards(&self) -> &ShardPool {
        &self.shards
    }

    /// Calls `hit` with this thread's shard if it is the one used last, which takes about a nanosecond; else `miss`.
    #[inline]
    pub(crate) fn if_latest<'a, R>(
        &'a self,
        hit: impl FnOnce(&'a Shard) -> R,
        miss: impl FnOnce() -> R,
    ) -> R {
        let latest = LATEST.get();
        // SAFETY: it points to the start of a shard that this thread's list of leases holds, or to a static number: the list
        // forgets no shard without the cell pointing elsewhere afterwards (`find`, and `drop` of the list). A shard starts
        // with a number (`Shard` and `Tag` are `repr(C)`).
        let number = unsafe { &*latest };
        if !self.id.is_in(number) {
            return miss();
        }
        #[expect(
            clippy::cast_ptr_alignment,
            reason = "it was made from a pointer to a shard, which is aligned"
        )]
        let shard = latest.cast::<Shard>();
        // SAFETY: the static number is that of no pool, so this one is a shard's; the pointer was made from one to all of it.
        hit(unsafe { &*shard })
    }

    /// Calls `work` with this thread's shard.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl Fn(&Shard) -> R) -> R {
        self.if_latest(&work, || self.with_found(&work))
    }

    #[cold]
    #[inline(never)]
    fn with_found<R>(&self, work: impl Fn(&Shard) -> R) -> R {
        if let Some(shard) = self.find(|| true) {
            return work(shard);
        }
        let shard = self.shards.counting.lease();
        shard.obey(self.id);
        let result = work(&shard);
        shard.give_back();
        result
    }

    /// Finds or leases this thread's shard and remembers it as the one used last: the one that counts, if it is to, or its
    /// sink. `None` if the thread cannot hold a lease any more.
    #[cold]
    pub(crate) fn find(&self, counting: impl Fn() -> bool) -> Option<&Shard> {
        let found = LEASES.try_with(|leases| {
            // Borrowed already only if an allocator that counts with us is called from here.
            let mut leases = leases.0.try_borrow_mut().ok()?;
            // A shard held by nobody else belongs to a database that is gone; it may be the one used last.
            LATEST.set(&raw const NOBODYS);
            leases.retain(|lease| Arc::strong_count(&lease.counting) > 1);
            let at = leases.iter().position(|lease| lease.id == self.id).unwrap_or_else(|| {
                leases.push(Lease { id: self.id, counting: self.shards.counting.lease(), sink: None });
                leases.len() - 1
            });
            let lease = leases.get_mut(at)?;
            lease.counting.obey(self.id);
            if let Some(sink) = &lease.sink {
                sink.obey(self.id);
            }
            let shard = if counting() {
                &lease.counting
            } else {
                let sink = lease.sink.get_or_insert_with(|| self.shards.list(false).lease());
                // Asked again: if the sink was leased just now, whoever changed the level meanwhile could not call it.
                if counting() { &lease.counting } else { sink }
            };
            let shard = Arc::as_ptr(shard);
            LATEST.set(shard.cast());
            Some(shard)
        });
        // SAFETY: the pointer is to a shard in a list of `self.shards`, which lets go of none: it lives as long as `self`.
        found.ok().flatten().map(|shard| unsafe { &*shard })
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        // First forget, then return: destructors that run after this one must not write a shard that is someone else's.
        LATEST.set(&raw const NOBODYS);
        for lease in self.0.get_mut() {
            if crate::planted("counter_lost_on_thread_exit") {
                lease.counting.lose_counters();
            }
            lease.counting.give_back();
            if let Some(sink) = &lease.sink {
                sink.give_back();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    fn mine(pool: &Pool) -> *const Shard {
        pool.with(ptr::from_ref)
    }

    #[test]
    fn a_thread_keeps_its_shard_of_each_pool() {
        let (first, second) = (Pool::new(), Pool::new());
        let (a, b) = (mine(&first), mine(&second));
        assert!(!ptr::eq(a, b));
        for _ in 0..3 {
            assert!(ptr::eq(mine(&first), a));
            assert!(ptr::eq(mine(&second), b));
        }
        assert_eq!((first.shards().counting.iter().count(), second.shards().counting.iter().count()), (1, 1));
    }

    #[test]
    fn a_thread_can_turn_to_its_sink_and_back() {
        let pool = Pool::new();
        let counting = mine(&pool);
        let sink = ptr::from_ref(pool.find(|| false).unwrap());
        assert!(!ptr::eq(sink, counting));
        assert!(ptr::eq(mine(&pool), sink));
        assert!(ptr::eq(pool.find(|| true).unwrap(), counting));
        assert!(ptr::eq(mine(&pool), counting));
        assert_eq!((pool.shards().counting.iter().count(), pool.shards().all().count()), (1, 2));
    }

    /// A thread counted nothing any more if the level rose between its asking for it and its leasing its first sink: it had
    /// chosen the sink, and the sink was not yet where whoever changed the level looked for it.
    #[test]
    fn a_level_that_rises_while_the_first_sink_is_leased_is_not_missed() {
        let pool = Pool::new();
        let asked = Cell::new(0);
        let shard = pool.find(|| asked.replace(asked.get() + 1) > 0);
        assert!(ptr::eq(shard.unwrap(), mine(&pool)));
        assert!(pool.shards().counting.iter().any(|counting| ptr::eq(counting, mine(&pool))));
    }

    #[test]
    fn leases_of_dropped_pools_are_let_go_on_the_next_miss() {
        for _ in 0..100 {
            Pool::new().with(|_| ());
        }
        let held = LEASES.with(|leases| leases.0.borrow().len());
        assert!(held <= 2, "{held} leases held");
    }

    #[test]
    fn a_thread_returns_its_shards_when_it_ends() {
        let pool = Pool::new();
        for _ in 0..10 {
            let pool = pool.clone();
            std::thread::spawn(move || (pool.find(|| true).is_some(), pool.find(|| false).is_some()))
                .join()
                .unwrap();
        }
        assert_eq!(pool.shards().all().count(), 2);
        assert_eq!(pool.shards().all().filter(|shard| shard.is_leased()).count(), 0);
    }

    #[test]
    fn a_thread_that_is_ending_leases_for_the_length_of_a_call() {
        struct Late(Pool, std::sync::mpsc::Sender<bool>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.with(|shard| self.1.send(shard.is_leased()).unwrap());
                self.1.send(self.0.find(|| true).is_some()).unwrap();
            }
        }
        thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });

        let pool = Pool::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn({
            let pool = pool.clone();
            move || {
                // Registered before the leases, so destroyed after them: it must be safe to count all the same.
                LATE.with(|late| *late.borrow_mut() = Some(Late(pool.clone(), sender)));
                pool.with(|_| ());
            }
        })
        .join()
        .unwrap();
        assert_eq!((receiver.recv(), receiver.recv()), (Ok(true), Ok(false)));
        assert_eq!(pool.shards().counting.iter().filter(|shard| shard.is_leased()).count(), 0);
    }
}
