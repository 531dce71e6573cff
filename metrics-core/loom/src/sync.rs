//! Loom's types under the names of `metrics-core/src/sync.rs`.
//!
//! Loom explores two orders of two accesses only if one of them writes and if it remembers the other: it remembers the last
//! access of a cell. What is modelled here counts by a load and a store, so a writer's own load hides from its store that
//! somebody else has loaded the cell, and Loom would find nothing to explore. Hence every access is preceded by a relaxed
//! write to a second cell, which orders nothing and is in the way of every other access.

use loom::sync::atomic::{self, AtomicUsize};
use std::ptr;

pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic::{Ordering, fence};

macro_rules! atomic {
    ($name:ident($($of:ident)?): $value:ty; $($change:ident),*) => {
        #[derive(Debug)]
        pub(crate) struct $name$(<$of>)? {
            cell: atomic::$name$(<$of>)?,
            accesses: AtomicUsize,
        }

        impl$(<$of>)? $name$(<$of>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self { cell: atomic::$name::new(value), accesses: AtomicUsize::new(0) }
            }
            fn accessed(&self) -> &atomic::$name$(<$of>)? {
                self.accesses.fetch_add(1, Ordering::Relaxed);
                &self.cell
            }
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.accessed().load(order)
            }
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.accessed().store(value, order);
            }
            pub(crate) fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.accessed().compare_exchange(old, new, success, failure)
            }
            $(pub(crate) fn $change(&self, value: $value, order: Ordering) -> $value {
                self.accessed().$change(value, order)
            })*
        }
    };
}

atomic!(AtomicU64(): u64; fetch_add, fetch_max, fetch_min, fetch_or);
atomic!(AtomicBool(): bool;);
atomic!(AtomicPtr(T): *mut T;);

impl Default for AtomicU64 {
    fn default() -> Self {
        Self::new(0)
    }
}

/// A cell that is written once, as the standard library's. Where several threads initialise it at once, each makes a value
/// and the first one is kept: nobody waits.
#[derive(Debug)]
pub(crate) struct OnceLock<T>(AtomicPtr<T>);

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let value = self.0.load(Ordering::Acquire);
        // SAFETY: a pointer that is not null is from a box that is dropped with `self`.
        unsafe { value.as_ref() }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let value = Box::into_raw(Box::new(value));
        let set = self.0.compare_exchange(ptr::null_mut(), value, Ordering::Release, Ordering::Relaxed);
        // SAFETY: it was not stored, so the box is still ours.
        set.map(|_| ()).map_err(|_| unsafe { *Box::from_raw(value) })
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            self.set(make()).ok();
        }
        self.get().expect("somebody has set it")
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        let value = self.0.cell.with_mut(|value| std::mem::replace(value, ptr::null_mut()));
        // SAFETY: nobody else has the pointer any more.
        (!value.is_null()).then(|| unsafe { *Box::from_raw(value) })
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for OnceLock<T> {
    fn drop(&mut self) {
        self.take();
    }
}
