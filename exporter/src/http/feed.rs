//! Server-sent events for pages: the last second of each database, and its tree whenever it has changed.
//!
//! ```text
//! retry: 2000
//!
//! event: tree
//! data: {"database":"orders","at":…,"levels":[{"level":0,"count":1,"tables":[[number,bytes,entries,tombstones,"smallest","largest"]]}],…}
//!
//! event: second
//! data: {"database":"orders","at":…,"values":[…],"heat":{"get":[…],…},"now":{"db_level_bytes":[…],…},"activity":{…},"exporter":{…}}
//!
//! ```
//! Everybody gets the same bytes, made once. Who reads slowly misses seconds: nothing piles up.

use super::line::Permit;
use super::live::{Live, unheard};
use crate::history::Book;
use axum::body::Bytes;
use http_body::Frame;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::watch;

/// Waits for the bell, and gives it back unless it will not ring any more.
type Ring = Pin<Box<dyn Future<Output = Option<watch::Receiver<()>>> + Send>>;

/// The body of one stream.
pub(super) struct Feed {
    books: Vec<(Arc<Book>, u64)>,
    ring: Ring,
    waiting: VecDeque<Bytes>,
    _permit: Permit,
}

impl Feed {
    pub(super) fn new(live: &Live, books: Vec<Arc<Book>>, permit: Permit) -> Self {
        let books = books.into_iter().map(|book| (book, 0)).collect();
        let waiting = VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]);
        let mut feed = Self { books, ring: heard(live.bell()), waiting, _permit: permit };
        feed.take();
        feed
    }

    fn take(&mut self) {
        for (book, tree_heard) in &mut self.books {
            self.waiting.extend(unheard(book, tree_heard));
        }
    }
}

fn heard(mut bell: watch::Receiver<()>) -> Ring {
    Box::pin(async move { bell.changed().await.is_ok().then_some(bell) })
}

impl http_body::Body for Feed {
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
            let Some(bell) = ready!(self.ring.as_mut().poll(context)) else { return Poll::Ready(None) };
            self.ring = heard(bell);
            self.take();
        }
    }
}
