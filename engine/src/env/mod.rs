//! The environment seam: files, clocks, threads and randomness. Nothing else in the engine reaches for the machine.
//!
//! [`Env::disk`] is the real machine. [`sim::SimDisk`] is a machine in memory that crashes, loses what was not synced and
//! fails operations on demand; [`Env::sim`] runs the whole engine on it, in one thread, repeatably.

pub mod names;
pub mod file;
mod shared_mapping;
mod part;
mod dir;
mod disk;
mod overlay;
pub mod sim;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use dir::{DataFile, Dir};
pub(crate) use disk::spawn;
use file::FileSystem;
pub(crate) use part::{Bytes, Part};
pub(crate) use shared_mapping::SharedMapping;

use crate::sync::ONE_REAL_THREAD;

/// Reads the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds since an arbitrary start; never goes back.
    fn monotonic_nanos(&self) -> u64;
    /// Nanoseconds since 1970 by the system's clock, which may jump.
    fn unix_nanos(&self) -> u64;
    /// Nanoseconds of processor time that the calling thread has used; always 0 where that is not known.
    fn thread_cpu_nanos(&self) -> u64 {
        0
    }
}

/// Where background work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// Flushes and compactions run on threads of their own.
    Background,
    /// They run when the caller asks for a step (or when a write finds no room): repeatable.
    Inline,
}

/// Everything the engine needs from the outside.
#[derive(Clone, Debug)]
pub struct Env {
    pub(crate) files: Arc<dyn FileSystem>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) threads: Threads,
    /// Set where the database is only looked at: the threads that it would have had.
    pub(crate) for_reading: Option<Threads>,
}

impl Env {
    /// The machine the program runs on.
    pub fn disk() -> Env {
        Env {
            files: Arc::new(disk::RealDisk),
            clock: Arc::new(disk::RealClock::new()),
            threads: Threads::Background,
            for_reading: None,
        }
    }

    /// A simulated machine, for one opening of a database: see [`sim::SimDisk`].
    pub fn sim(disk: &sim::SimDisk) -> Env {
        let mounted = Arc::new(disk.mount());
        Env { files: mounted.clone(), clock: mounted, threads: Threads::Inline, for_reading: None }
    }

    /// The same environment, for looking: what is written is in memory alone, and nothing is done in the background.
    #[must_use]
    pub(crate) fn for_reading(self) -> Env {
        let files = Arc::new(overlay::Overlay::over(self.files));
        Env { files, threads: Threads::Inline, for_reading: Some(self.threads), ..self }
    }

    /// Whether time goes by while nobody calls the database.
    pub(crate) fn is_live(&self) -> bool {
        self.for_reading.unwrap_or(self.threads) == Threads::Background
    }

    /// The same environment with background work on threads, or inline.
    #[must_use]
    pub fn with_threads(mut self, threads: Threads) -> Env {
        self.threads = threads;
        self
    }

    /// The same environment with its file system wrapped: to make it slow, to count what it is asked, to let it fail.
    #[must_use]
    pub fn with_files(mut self, wrap: impl FnOnce(Arc<dyn FileSystem>) -> Arc<dyn FileSystem>) -> Env {
        self.files = wrap(self.files);
        self
    }

    /// Does jobs `0..count`, at the same time where work has threads, and returns what they came to, in order. A job is told whether
    /// the caller's thread does it.
    pub(crate) fn side_by_side<T: Send>(
        &self,
        name: &str,
        count: usize,
        job: impl Fn(usize, bool) -> T + Sync,
    ) -> Vec<T> {
        if count < 2 || self.threads == Threads::Inline || ONE_REAL_THREAD {
            return (0..count).map(|at| job(at, true)).collect();
        }
        disk::side_by_side(name, count, job)
    }

    pub(crate) fn unix_time(&self) -> Duration {
        Duration::from_nanos(self.clock.unix_nanos())
    }
}
