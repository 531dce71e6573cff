//! One connection, as far as others have to know: what it is doing, and what it is told to do.
//!
//! ```text
//!   reading ──head complete──> serving ──answer sent──> reading ──…
//!      └─ evicted, refused, silent: closed
//! ```
//! Only a connection that is reading may be evicted: it costs its client nothing but a new one.

use super::head::Refusal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::time::Instant;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Since when it has been doing what it does.
    since: Instant,
    serving: bool,
    /// The answer is a stream: it ends when it ends.
    streaming: bool,
    evicted: bool,
    requests: u32,
    refusal: Option<Refusal>,
    /// The reader, while it waits.
    reader: Option<Waker>,
}

/// What a reader may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Read the next head. So many came before.
    Read { requests: u32, since: Instant },
    /// Wait: an answer is under way, and has to be done at that time.
    Wait { since: Instant, streaming: bool },
    /// Read no more.
    Stop,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                since: Instant::now(),
                serving: false,
                streaming: false,
                evicted: false,
                requests: 0,
                refusal: None,
                reader: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the reader is to do. It is woken when that changes.
    pub(super) fn turn(&self, reader: &Waker) -> Turn {
        let mut state = self.state();
        state.reader = Some(reader.clone());
        let since = state.since;
        match *state {
            State { evicted: true, .. } | State { refusal: Some(_), .. } => Turn::Stop,
            State { serving: true, streaming, .. } => Turn::Wait { since, streaming },
            State { requests, .. } => Turn::Read { requests, since },
        }
    }

    /// A head is complete: its answer is under way from now on.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.requests += 1;
        (state.serving, state.streaming, state.since) = (true, false, Instant::now());
    }

    /// The answer under way is a stream.
    pub(super) fn stream(&self) {
        self.state().streaming = true;
    }

    /// The answer is sent.
    pub(super) fn end(&self) {
        let mut state = self.state();
        (state.serving, state.since) = (false, Instant::now());
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// How many requests were begun.
    pub(super) fn requests(&self) -> u32 {
        self.state().requests
    }

    /// The request under way is refused: nothing more is read.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.state().refusal = Some(refusal);
    }

    /// Why the last request was refused.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.state().refusal
    }

    /// Since when nothing is being answered; `None` while something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (!state.serving).then_some(state.since)
    }

    /// Closes it, if nothing is being answered.
    pub(super) fn evict(&self) {
        let mut state = self.state();
        if !state.serving {
            state.evicted = true;
            let reader = state.reader.take();
            drop(state);
            reader.into_iter().for_each(Waker::wake);
        }
    }
}
