//! A mapping that values are lent from, counted in several places.
//!
//! Each value that is not copied holds the mapping that it lies in. With one count for all, threads that read from one file would take the cache
//! line of that count from each other twice for each value. So each thread has a handle of its own to hand out; where there are more threads
//! than handles, some share one. (After sharded reference counts.)

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::file::Mapping;
use crate::value::Owner;

/// Handles of one mapping: for more threads than a machine usually has that read from one file.
const HANDLES: usize = 16;

/// A mapping, and handles of it by thread.
#[derive(Debug)]
pub(crate) struct SharedMapping {
    mapping: Arc<Mapping>,
    handles: Box<[OnceLock<Arc<Handle>>; HANDLES]>,
}

/// Keeps the mapping. Its count has a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Handle(#[expect(dead_code, reason = "it is held, not looked at")] Arc<Mapping>);

impl Owner for Handle {}

impl SharedMapping {
    pub(crate) fn new(mapping: Mapping) -> SharedMapping {
        SharedMapping { mapping: Arc::new(mapping), handles: Box::default() }
    }

    /// What keeps the mapping for a value of this thread.
    #[inline]
    pub(crate) fn owner(&self) -> Arc<dyn Owner> {
        self.owner_of(thread_number())
    }

    #[inline]
    fn owner_of(&self, thread: usize) -> Arc<dyn Owner> {
        match self.handles.get(thread % HANDLES) {
            Some(handle) => handle.get_or_init(|| Arc::new(Handle(self.mapping.clone()))).clone(),
            None => self.mapping.clone(),
        }
    }
}

impl Deref for SharedMapping {
    type Target = Arc<Mapping>;

    #[inline]
    fn deref(&self) -> &Arc<Mapping> {
        &self.mapping
    }
}

/// How many threads had come by here before this one did first.
#[inline]
fn thread_number() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: nothing hangs on it but who shares with whom.
    thread_local!(static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed));
    // A thread that ends, and has no number any more, shares with the first.
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_handles_of_their_own_and_each_keeps_the_mapping() {
        let shared = SharedMapping::new(Mapping::owned(vec![7; 100]));
        let counts = || Arc::strong_count(&shared.mapping);
        assert_eq!(counts(), 1, "no handle before one is asked for");
        let (one, again, another) = (shared.owner_of(3), shared.owner_of(3), shared.owner_of(4 + HANDLES));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &another));
        assert_eq!(counts(), 3);
        let mapping = Arc::downgrade(&shared.mapping);
        drop((shared, one, again));
        assert!(mapping.upgrade().is_some());
        drop(another);
        assert!(mapping.upgrade().is_none());
    }

    #[test]
    fn a_thread_keeps_its_number_and_another_has_another() {
        let number = thread_number();
        assert_eq!(thread_number(), number);
        let elsewhere = std::thread::scope(|scope| scope.spawn(thread_number).join().unwrap());
        assert_ne!(elsewhere, number);
    }
}
