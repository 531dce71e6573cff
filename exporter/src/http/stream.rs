//! Server-sent events, for `/events` (what changed in each second) and `/api/v1/live` (the last second of each database, and its tree
//! whenever that has changed).
//!
//! ```text
//! retry: 2000
//!
//! event: delta
//! data: {"schema_version":1,"database":"orders","window":{…},"metrics":[…]}
//!
//! event: tree
//! data: {"database":"orders","at":…,"levels":[{"level":0,"count":1,"tables":[[number,bytes,entries,tombstones,"smallest","largest"]]}],…}
//!
//! event: second
//! data: {"database":"orders","at":…,"values":[…],"heat":{"get":[…],…},"now":{"db_level_bytes":[…],…},"activity":{…},"exporter":{…}}
//!
//! ```
//! One event a second for each database, whatever changed. Who reads slowly gets deltas at longer intervals, each over the time since the
//! one before, and misses seconds, whose bytes are made once for everybody: nothing piles up.
//!
//! Source: HTML Living Standard, 9.2.

use super::app::App;
use super::line::Permit;
use super::live::{Live, unheard};
use crate::formats::json;
use crate::history::Book;
use axum::body::Bytes;
use http_body::Frame;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);

/// Whether there will be something to tell, once there is.
type Ring = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The body of one stream.
pub(super) struct Stream {
    /// What to wait for next.
    next: Box<dyn FnMut() -> Ring + Send>,
    ring: Ring,
    take: Box<dyn FnMut() -> Vec<Bytes> + Send>,
    waiting: VecDeque<Bytes>,
    _permit: Permit,
}

impl Stream {
    fn new(
        mut next: impl FnMut() -> Ring + Send + 'static,
        take: impl FnMut() -> Vec<Bytes> + Send + 'static,
        permit: Permit,
    ) -> Self {
        let waiting = VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]);
        Self { ring: next(), next: Box::new(next), take: Box::new(take), waiting, _permit: permit }
    }

    /// What changes in each second from now on.
    pub(super) fn of_deltas(app: Arc<App>, permit: Permit) -> Self {
        let mut seen = app.all_snapshots();
        let take = move || {
            let now = app.all_snapshots();
            // JSON has no line ends of its own.
            let event = |(before, now)| format!("event: delta\ndata: {}\n\n", json::delta(before, now));
            let events = seen.iter().zip(&now).map(event).map(Bytes::from).collect();
            seen = now;
            events
        };
        let second = || -> Ring {
            let wait = tokio::time::sleep(INTERVAL);
            Box::pin(async {
                wait.await;
                true
            })
        };
        Self::new(second, take, permit)
    }

    /// What is known of these databases, and then what is written into their books.
    pub(super) fn of_books(live: &Live, books: Vec<Arc<Book>>, permit: Permit) -> Self {
        let mut books: Vec<_> = books.into_iter().map(|book| (book, 0)).collect();
        let take = move || {
            let heard = books.iter_mut().flat_map(|(book, tree_heard)| unheard(book, tree_heard));
            heard.collect::<Vec<_>>()
        };
        let mut bell = live.bell();
        let rung = move || -> Ring {
            // What it rang for so far has been taken, or is about to be.
            bell.mark_unchanged();
            let mut bell = bell.clone();
            Box::pin(async move { bell.changed().await.is_ok() })
        };
        let mut stream = Self::new(rung, take, permit);
        // After the bell is listened to: what comes between is told twice at worst, and never missed.
        let known = (stream.take)();
        stream.waiting.extend(known);
        stream
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if !ready!(self.ring.as_mut().poll(context)) {
                return Poll::Ready(None);
            }
            self.ring = (self.next)();
            let events = (self.take)();
            self.waiting.extend(events);
        }
    }
}
