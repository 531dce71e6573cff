//! What background work there is, who does it, and who waits for it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bettong_metrics::Recorder;

use crate::env::names::FileNumber;
use crate::error::Error;
use crate::metric::LockLabel;
use crate::sync::{Condvar, MutexGuard};
use crate::timed_mutex::TimedMutex;

/// The board that workers and stalled writers share: a state, and a bell that rings whenever it changes.
#[derive(Debug)]
pub(crate) struct Work {
    state: TimedMutex<WorkState>,
    bell: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct WorkState {
    /// Workers finish what they must and leave.
    pub(crate) closing: bool,
    pub(crate) compacting: usize,
    /// Tables that a compaction under way reads.
    pub(crate) busy: HashSet<FileNumber>,
    /// Manual compactions that want the tree for themselves.
    pub(crate) exclusive: usize,
    pub(crate) flush: Trouble,
    pub(crate) compaction: Trouble,
    /// A compaction met damage: its tables stay busy for as long as the database is open.
    pub(crate) damage: Option<Arc<Error>>,
}

/// Work that failed for a reason that may pass, and is being tried again.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) blocked: Option<Arc<Error>>,
    /// How often it has failed.
    pub(crate) failures: u64,
    /// When to try again, by the monotonic clock.
    pub(crate) retry_at_nanos: u64,
}

impl Work {
    pub(crate) fn new(recorder: &Recorder) -> Work {
        let state = TimedMutex::new(WorkState::default(), LockLabel::Work, recorder);
        Work { state, bell: Condvar::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, WorkState> {
        self.state.lock()
    }

    /// Wakes everybody who waits for a change.
    pub(crate) fn ring(&self) {
        // Taking the lock closes the gap between a waiter's look and its sleep.
        drop(self.state.lock());
        self.bell.notify_all();
    }

    /// Changes the state and wakes everybody.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut WorkState) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.bell.notify_all();
        result
    }

    /// Wakes everybody, from under the lock.
    pub(crate) fn notify(&self) {
        self.bell.notify_all();
    }

    pub(crate) fn wait(&self, state: &mut MutexGuard<'_, WorkState>) {
        self.bell.wait(state);
    }

    /// Waits for a change, at most this long.
    pub(crate) fn wait_for(&self, state: &mut MutexGuard<'_, WorkState>, nanos: u64) {
        self.bell.wait_for(state, Duration::from_nanos(nanos));
    }
}
