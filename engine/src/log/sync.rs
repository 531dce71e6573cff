//! Group commit: one `fdatasync` serves every writer that waits for one.
//!
//! 1. A writer that needs its bytes durable asks for their position.
//! 2. If no sync runs, it becomes the leader: it syncs everything handed over so far, older segments first, and wakes the rest.
//! 3. If one runs, it waits; its bytes may be too young for that sync, then one of those who wait leads the next.
//!
//! A failed sync is final (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020): the kernel may have
//! dropped the bytes and will not say so again. No later sync is tried, everyone gets the error.

use std::collections::VecDeque;
use std::sync::Arc;

use bettong_metrics::{Ticks, planted};

use super::segment::{LogPosition, Segment};
use crate::env::names::FileNumber;
use crate::error::{Error, Result};
use crate::header::HEADER_BYTES;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Which parts of the log are durable.
#[derive(Debug)]
pub(crate) struct SyncQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Segments with bytes that may not be durable, oldest first. The last is the active one.
    open: VecDeque<Arc<Segment>>,
    leading: bool,
    /// Syncs begun, and who waits for the next.
    begun: u64,
    waiting: u64,
    failed: Option<Arc<Error>>,
}

/// One sync, for whoever counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncRound {
    /// Writers that it served.
    pub(crate) writers: u64,
}

impl SyncQueue {
    pub(crate) fn new() -> SyncQueue {
        SyncQueue { state: Mutex::default(), changed: Condvar::new() }
    }

    /// A new active segment follows the present one.
    pub(crate) fn push(&self, segment: Arc<Segment>) {
        self.state.lock().open.push_back(segment);
    }

    /// Segments up to `number` hold nothing that is not durable elsewhere.
    pub(crate) fn retire(&self, number: FileNumber) {
        self.state.lock().open.retain(|segment| segment.number > number);
        self.changed.notify_all();
    }

    /// Whether the operating system has half of what the active segment can take.
    pub(crate) fn half_full(&self) -> bool {
        self.state.lock().open.back().is_some_and(|segment| segment.written() >= segment.capacity / 2)
    }

    /// Bytes handed over and not durable, and since when the oldest of them waits.
    pub(crate) fn unsynced(&self) -> (u64, Option<Ticks>) {
        let state = self.state.lock();
        let segments = || state.open.iter().filter_map(|segment| segment.unsynced());
        (segments().map(|(bytes, _)| bytes).sum(), segments().map(|(_, since)| since).min())
    }

    /// Waits until the log is durable up to `position`. `sync` syncs a segment.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] once any sync has failed.
    pub(crate) fn wait_durable(
        &self,
        position: LogPosition,
        sync: impl Fn(&Segment) -> Result<()>,
    ) -> Result<Option<SyncRound>> {
        let mut state = self.state.lock();
        let mut led = None;
        let joined = state.begun;
        state.waiting += 1;
        loop {
            if let Some(failed) = &state.failed {
                let failed = failed.clone();
                state.leave(joined);
                return Err(Error::ReadOnly(failed));
            }
            if state.is_durable(position) {
                state.leave(joined);
                return Ok(led);
            }
            if state.leading {
                self.changed.wait(&mut state);
                continue;
            }
            state.leading = true;
            led = Some(state.begin());
            let targets: Vec<_> =
                state.open.iter().map(|segment| (segment.clone(), segment.written())).collect();
            let result = MutexGuard::unlocked(&mut state, || {
                let targets = if planted("no_log_sync") { &[] } else { targets.as_slice() };
                targets.iter().try_for_each(|(segment, _)| sync(segment))
            });
            state.leading = false;
            match result {
                Ok(()) => state.finish(&targets),
                Err(error) => state.failed = Some(Arc::new(error)),
            }
            self.changed.notify_all();
        }
    }
}

impl State {
    /// Begins a sync for all who wait: what they wait for has been handed over.
    fn begin(&mut self) -> SyncRound {
        self.begun += 1;
        SyncRound { writers: std::mem::take(&mut self.waiting) }
    }

    /// One who joined after so many syncs had begun waits no longer.
    fn leave(&mut self, joined: u64) {
        if joined == self.begun {
            self.waiting -= 1;
        }
    }

    /// A segment that has left the queue is durable, or its data are elsewhere.
    fn is_durable(&self, position: LogPosition) -> bool {
        match self.open.iter().find(|segment| segment.number >= position.segment) {
            Some(segment) if segment.number == position.segment => segment.synced() >= position.offset,
            _ => true,
        }
    }

    fn finish(&mut self, targets: &[(Arc<Segment>, u64)]) {
        for (segment, written) in targets {
            segment.set_synced((*written).max(HEADER_BYTES));
        }
        // All targets but the active segment were sealed before the next one got its first byte.
        if let Some((active, _)) = targets.last() {
            self.open.retain(|segment| segment.number >= active.number);
        }
    }
}

#[cfg(test)]
mod tests;
