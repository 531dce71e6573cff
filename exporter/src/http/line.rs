//! One connection, as far as others have to know: what it is doing, and what it is told to do.
//!
//! ```text
//!   reading ──head complete──> answering ──handed over──> sending ──flushed──> reading ──…
//!      └─ evicted, refused, silent: closed
//! ```
//! Only a connection that is reading may be evicted: it costs its client nothing but a new one.

use super::head::Refusal;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The right to have an answer under way. An answer carries it among its extensions, so that it lasts until it is sent.
#[derive(Clone, Debug)]
pub(super) struct Permit {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Permit {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Arc::new(permit) }
    }
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Since when it has been reading, or has had an answer under way.
    since: Instant,
    requests: u32,
    end: Option<End>,
    /// Its place was given to another.
    is_evicted: bool,
    /// What is held until the answer is sent.
    permit: Option<Permit>,
    /// The reader, while it waits.
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// A stream ends when it ends.
    Answering {
        streaming: bool,
    },
    /// Whoever sends the answer has all of it.
    Sending,
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Evicted,
    Refused(Refusal),
}

/// What a reader may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Read the next head. So many came before.
    Read { requests: u32, since: Instant },
    /// Wait: an answer has been under way since then.
    Wait { since: Instant, streaming: bool },
    /// Read no more.
    Stop,
}

impl Line {
    pub(super) fn new() -> Self {
        let state = State {
            phase: Phase::Reading,
            since: Instant::now(),
            requests: 0,
            end: None,
            is_evicted: false,
            permit: None,
            reader: None,
        };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the reader is to do. It is woken when that changes.
    pub(super) fn turn(&self, reader: &Waker) -> Turn {
        let mut state = self.state();
        state.reader = Some(reader.clone());
        let State { phase, since, requests, end, .. } = *state;
        match (end, phase) {
            (Some(_), _) => Turn::Stop,
            (None, Phase::Reading) => Turn::Read { requests, since },
            (None, Phase::Answering { streaming }) => Turn::Wait { since, streaming },
            (None, Phase::Sending) => Turn::Wait { since, streaming: false },
        }
    }

    /// A head is complete: its answer is under way from now on.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.requests += 1;
        (state.phase, state.since) = (Phase::Answering { streaming: false }, Instant::now());
    }

    /// The answer under way is a stream.
    pub(super) fn stream(&self) {
        self.state().phase = Phase::Answering { streaming: true };
    }

    /// Holds this until the answer under way is sent.
    pub(super) fn hold(&self, permit: Permit) {
        self.state().permit = Some(permit);
    }

    /// The answer is handed over.
    pub(super) fn answered(&self) {
        self.state().phase = Phase::Sending;
    }

    /// What was handed over is with the kernel. If that was an answer, the next request may come.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if state.phase != Phase::Sending {
            return;
        }
        (state.phase, state.since) = (Phase::Reading, Instant::now());
        let (reader, permit) = (state.reader.take(), state.permit.take());
        drop(state);
        drop(permit);
        reader.into_iter().for_each(Waker::wake);
    }

    /// How many requests were begun.
    pub(super) fn requests(&self) -> u32 {
        self.state().requests
    }

    /// The request under way is refused: nothing more is read.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.state().end = Some(End::Refused(refusal));
    }

    /// Why the last request was refused.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.state().end {
            Some(End::Refused(refusal)) => Some(refusal),
            Some(End::Evicted) | None => None,
        }
    }

    /// Waits until its place is given to another. Nobody may be reading meanwhile.
    pub(super) async fn evicted(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.is_evicted {
                return Poll::Ready(());
            }
            state.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Since when nothing has been under way; `None` while something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.phase == Phase::Reading).then_some(state.since)
    }

    /// Closes it, if nothing is under way.
    pub(super) fn evict(&self) {
        let mut state = self.state();
        if state.phase == Phase::Reading {
            state.end.get_or_insert(End::Evicted);
            state.is_evicted = true;
            let reader = state.reader.take();
            drop(state);
            reader.into_iter().for_each(Waker::wake);
        }
    }
}
