//! Server-sent events: what changed in each second.
//!
//! ```text
//! retry: 2000
//!
//! event: delta
//! data: {"schema_version":1,"database":"orders","window":{…},"metrics":[…]}
//!
//! ```
//! One event a second for each database, whatever changed. Who reads slowly gets them at longer intervals, each over the
//! time since the one before: nothing piles up.
//!
//! Source: HTML Living Standard, 9.2.

use super::app::App;
use super::line::Permit;
use crate::formats::json;
use axum::body::Bytes;
use bettong_metrics::MetricsSnapshot;
use http_body::Frame;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

const INTERVAL: Duration = Duration::from_secs(1);

/// The body of one stream.
pub(super) struct Deltas {
    app: Arc<App>,
    seen: Vec<MetricsSnapshot>,
    ticks: Interval,
    waiting: VecDeque<Bytes>,
    _permit: Permit,
}

impl Deltas {
    pub(super) fn new(app: Arc<App>, permit: Permit) -> Self {
        let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = app.all_snapshots();
        let waiting = VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]);
        Self { app, seen, ticks, waiting, _permit: permit }
    }

    fn look(&mut self) {
        let now = self.app.all_snapshots();
        for (before, now) in self.seen.iter().zip(&now) {
            // JSON has no line ends of its own.
            let event = format!("event: delta\ndata: {}\n\n", json::delta(before, now));
            self.waiting.push_back(Bytes::from(event));
        }
        self.seen = now;
    }
}

impl http_body::Body for Deltas {
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
            ready!(self.ticks.poll_tick(context));
            self.look();
        }
    }
}
