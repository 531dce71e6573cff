//! Many histories, on several threads, one history on one thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::failure::Failure;
use crate::generate::{Profile, generate};
use crate::history::History;
use crate::runner::run;

/// Histories of consecutive seeds, until there were enough cycles or somebody says stop.
#[derive(Debug)]
pub struct Campaign {
    profile: Profile,
    next_seed: AtomicU64,
    cycles_max: u64,
    stopped: AtomicBool,
    histories: AtomicU64,
    cycles: AtomicU64,
    operations: AtomicU64,
    found: Mutex<Vec<Found>>,
}

/// A history that failed, as it was generated.
#[derive(Clone, Debug)]
pub struct Found {
    /// The history.
    pub history: History,
    /// What with.
    pub failure: Failure,
}

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Histories run to their ends.
    pub histories: u64,
    /// Crashes, and other ends of a process, each with what follows: open, compare, verify.
    pub cycles: u64,
    /// Operations on the database.
    pub operations: u64,
    /// Histories that failed.
    pub failures: u64,
}

impl Campaign {
    /// Histories from `seed` on, until `cycles_max` cycles are done.
    pub fn new(profile: Profile, seed: u64, cycles_max: u64) -> Campaign {
        Campaign {
            profile,
            next_seed: AtomicU64::new(seed),
            cycles_max,
            stopped: AtomicBool::new(false),
            histories: AtomicU64::new(0),
            cycles: AtomicU64::new(0),
            operations: AtomicU64::new(0),
            found: Mutex::default(),
        }
    }

    /// Runs histories on the calling thread; call it on as many threads as there are to be. Returns at the end, or at the first failure of any thread.
    pub fn work(&self) {
        while !self.is_over() {
            let history = generate(self.next_seed.fetch_add(1, Ordering::Relaxed), self.profile);
            match run(&history) {
                Ok(outcome) => {
                    self.histories.fetch_add(1, Ordering::Relaxed);
                    self.cycles.fetch_add(outcome.cycles, Ordering::Relaxed);
                    self.operations.fetch_add(outcome.operations, Ordering::Relaxed);
                }
                Err(failure) => {
                    self.found.lock().push(Found { history, failure });
                    self.stop();
                }
            }
        }
    }

    /// Ends the campaign after the histories under way.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether there is nothing more to run.
    pub fn is_over(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.cycles.load(Ordering::Relaxed) >= self.cycles_max
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Progress {
            histories: count(&self.histories),
            cycles: count(&self.cycles),
            operations: count(&self.operations),
            failures: self.found.lock().len() as u64,
        }
    }

    /// The histories that failed.
    pub fn failures(&self) -> Vec<Found> {
        self.found.lock().clone()
    }
}
