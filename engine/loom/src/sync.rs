//! Loom's types with the interface of `engine/src/sync.rs`.

use std::ops::{Deref, DerefMut};

pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::atomic::Ordering;
use loom::sync::atomic::{self, fence};

/// One look is as good as two hundred, where every interleaving is tried.
pub(crate) const SPINS: usize = 1;

/// So few that the third of three writers has to wait for room.
pub(crate) const PUBLISH_WINDOW: usize = 2;

/// Two things are as they have to be for Loom:
/// - It takes sequentially consistent accesses for acquiring and releasing ones, but knows such fences. What is before and behind
///   them is in one order for all threads, as the accesses would be.
/// - It tries two orders of two accesses if one of them writes and it remembers the other, and it remembers the last access of a cell only.
///   A relaxed write to a second cell, which orders nothing, is in the way of every other access.
macro_rules! atomic {
    ($name:ident: $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            cell: atomic::$name,
            accesses: atomic::AtomicUsize,
        }

        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self { cell: atomic::$name::new(value), accesses: atomic::AtomicUsize::new(0) }
            }

            fn access<T>(&self, order: Ordering, access: impl FnOnce(&atomic::$name) -> T) -> T {
                self.accesses.fetch_add(1, Ordering::Relaxed);
                let strict = order == Ordering::SeqCst;
                if strict {
                    fence(Ordering::SeqCst);
                }
                let result = access(&self.cell);
                if strict {
                    fence(Ordering::SeqCst);
                }
                result
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.access(order, |cell| cell.load(order))
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.access(order, |cell| cell.store(value, order));
            }

            pub(crate) fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.access(success, |cell| cell.compare_exchange(from, to, success, failure))
            }
        }
    };
}

atomic!(AtomicU64: u64);

#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

#[derive(Debug)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap()))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().unwrap()
    }
}

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar(loom::sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        guard.0 = Some(self.0.wait(guard.0.take().unwrap()).unwrap());
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}
