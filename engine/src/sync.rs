//! Locks, atomics and threads, in one place: with `--cfg shuttle` they are those of Shuttle, which runs the engine on one real thread
//! and chooses at each of them who goes on (`engine/shuttle`); `engine/loom` has its own, for two modules.
//!
//! The atomics of memtable nodes and of checked blocks are not among them: they lie in raw memory, or order nothing else.

#[cfg(not(shuttle))]
pub(crate) use machine::*;
#[cfg(shuttle)]
pub(crate) use scheduled::*;

#[cfg(not(shuttle))]
mod machine {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::thread::{Builder, JoinHandle};

    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

    /// Whether all threads are one.
    pub(crate) const ONE_REAL_THREAD: bool = false;

    /// Rounds of looking before a thread goes to sleep, where it waits for no more than a few instructions of another.
    pub(crate) const SPINS: usize = 200;

    /// How many sequence numbers a write that is done may be ahead of what is visible before it has to wait: some hundred
    /// writers, or several with batches, in two pages of memory.
    pub(crate) const PUBLISH_WINDOW: usize = 1024;

    /// Says where others may come between, at what Shuttle knows nothing of. Here they always may.
    #[inline]
    pub(crate) fn others_may_run() {}
}

#[cfg(shuttle)]
mod scheduled;
