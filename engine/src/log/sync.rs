//! Group commit: one `fdatasync` serves every writer that waits for one.
//!
//! 1. A writer that needs its bytes durable asks for their position.
//! 2. If no sync runs, it becomes the leader: it syncs everything handed over so far, older segments first.
//! 3. If one runs, it waits. When that ends, the first whose bytes were too young for it leads the next, and is woken before
//!    those that were served, so that the disk has something to do while they come back with their next writes.
//!
//! A failed sync is final (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020): the kernel may have
//! dropped the bytes and will not say so again. No later sync is tried, everyone gets the error.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bettong_metrics::{Ticks, planted};

use super::segment::{LogPosition, Segment};
use crate::env::names::FileNumber;
use crate::error::{Error, Result};
use crate::header::HEADER_BYTES;
use crate::sync::Mutex;
use crate::waiter::Waiter;

/// Which parts of the log are durable.
#[derive(Debug, Default)]
pub(crate) struct SyncQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Segments with bytes that may not be durable, oldest first. The last is the active one.
    open: VecDeque<Arc<Segment>>,
    /// Whether somebody syncs, or was told to.
    leading: bool,
    /// Who waits while another one leads.
    waiting: Vec<Waiting>,
    failed: Option<Arc<Error>>,
}

/// A writer that waits.
#[derive(Debug)]
struct Waiting {
    position: LogPosition,
    waiter: Arc<Waiter<Turn>>,
}

/// What a wait ends with.
#[derive(Debug)]
enum Turn {
    /// The next sync is his to make.
    Lead,
    Durable,
    Failed(Arc<Error>),
}

/// One sync, for whoever counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncRound {
    /// Writers that it served.
    pub(crate) writers: u64,
}

impl SyncQueue {
    pub(crate) fn new() -> SyncQueue {
        SyncQueue::default()
    }

    /// A new active segment follows the present one.
    pub(crate) fn push(&self, segment: Arc<Segment>) {
        self.state.lock().open.push_back(segment);
    }

    /// Segments up to `number` hold nothing that is not durable elsewhere.
    pub(crate) fn retire(&self, number: FileNumber) {
        let mut state = self.state.lock();
        state.open.retain(|segment| segment.number > number);
        let served = state.take_served();
        drop(state);
        served.iter().for_each(|writer| writer.waiter.tell(Turn::Durable));
    }

    /// Whether the operating system has half of what the active segment can take.
    pub(crate) fn half_full(&self) -> bool {
        self.state.lock().open.back().is_some_and(|segment| segment.written() >= segment.capacity / 2)
    }

    /// Has the disk begin with what the operating system has of the active segment, so that there is less to wait for when it is synced. A hint.
    pub(crate) fn start_write_back(&self) {
        let active = self.state.lock().open.back().cloned();
        if let Some(active) = active {
            active.file.start_write_back(0, active.written());
        }
    }

    /// Makes the system's cache ready for what the active segment wants it for.
    pub(crate) fn prepare_cache(&self) {
        let active = self.state.lock().open.back().cloned();
        if let Some(active) = active {
            active.prepare_cache();
        }
    }

    /// Bytes handed over and not durable, and since when the oldest of them waits.
    pub(crate) fn unsynced(&self) -> (u64, Option<Ticks>) {
        let state = self.state.lock();
        let segments = || state.open.iter().filter_map(|segment| segment.unsynced());
        (segments().map(|(bytes, _)| bytes).sum(), segments().map(|(_, since)| since).min())
    }

    /// Waits until the log is durable up to `position`, which the operating system has. `sync` syncs a segment. Returns the sync, if this
    /// thread made it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] once any sync has failed.
    pub(crate) fn wait_durable(
        &self,
        position: LogPosition,
        sync: impl Fn(&Segment) -> Result<()>,
    ) -> Result<Option<SyncRound>> {
        let turn = {
            let mut state = self.state.lock();
            match &state.failed {
                Some(failed) => Turn::Failed(failed.clone()),
                None if state.is_durable(position) => Turn::Durable,
                None if state.leading => {
                    let waiter = Waiter::new();
                    state.waiting.push(Waiting { position, waiter: waiter.clone() });
                    drop(state);
                    waiter.wait()
                }
                None => {
                    state.leading = true;
                    Turn::Lead
                }
            }
        };
        match turn {
            Turn::Lead => self.lead(position, sync).map(Some),
            Turn::Durable => Ok(None),
            Turn::Failed(error) => Err(Error::ReadOnly(error)),
        }
    }

    /// Syncs what was handed over so far, for all who wait for it.
    fn lead(&self, position: LogPosition, sync: impl Fn(&Segment) -> Result<()>) -> Result<SyncRound> {
        let segments: Vec<_> = self.state.lock().open.iter().cloned().collect();
        let targets: Vec<_> = segments.into_iter().map(|segment| (segment.written(), segment)).collect();
        let to_sync = if planted("no_log_sync") { &[] } else { targets.as_slice() };
        // Others wait for what this comes to: a panic, of a file system that the application brought, must come to something, too.
        let caught = |segment: &Segment| {
            catch_unwind(AssertUnwindSafe(|| sync(segment)))
                .unwrap_or_else(|_| Err(Error::panicked("sync", segment.file.path())))
        };
        let result = to_sync.iter().try_for_each(|(_, segment)| caught(segment));
        let mut state = self.state.lock();
        if let Err(error) = result {
            return Err(state.fail(Arc::new(error)));
        }
        state.finish(&targets);
        debug_assert!(state.is_durable(position), "the operating system had it");
        let served = state.take_served();
        let writers = served.len() as u64 + 1;
        let next = (!state.waiting.is_empty()).then(|| state.waiting.remove(0));
        state.leading = next.is_some();
        drop(state);
        next.iter().for_each(|writer| writer.waiter.tell(Turn::Lead));
        served.iter().for_each(|writer| writer.waiter.tell(Turn::Durable));
        Ok(SyncRound { writers })
    }
}

impl State {
    /// Those who wait for nothing any more.
    fn take_served(&mut self) -> Vec<Waiting> {
        let (served, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|writer| self.is_durable(writer.position));
        self.waiting = waiting;
        served
    }

    /// Nothing will be durable any more.
    fn fail(&mut self, error: Arc<Error>) -> Error {
        for writer in self.waiting.drain(..) {
            writer.waiter.tell(Turn::Failed(error.clone()));
        }
        self.leading = false;
        self.failed = Some(error.clone());
        Error::ReadOnly(error)
    }

    /// A segment that has left the queue is durable, or its data are elsewhere.
    fn is_durable(&self, position: LogPosition) -> bool {
        match self.open.iter().find(|segment| segment.number >= position.segment) {
            Some(segment) if segment.number == position.segment => segment.synced() >= position.offset,
            _ => true,
        }
    }

    fn finish(&mut self, targets: &[(u64, Arc<Segment>)]) {
        for (written, segment) in targets {
            segment.set_synced((*written).max(HEADER_BYTES));
        }
        // All targets but the active segment were sealed before the next one got its first byte.
        if let Some((_, active)) = targets.last() {
            self.open.retain(|segment| segment.number >= active.number);
        }
    }
}

#[cfg(test)]
mod tests;
