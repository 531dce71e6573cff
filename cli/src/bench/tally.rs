//! What one thread counted: its operations, and how long each took.

use bettong_metrics::{Clock, Ticks};
use hdrhistogram::Histogram;
use std::time::Instant;

/// The longest latency that is told apart: a minute.
const HIGHEST_NANOS: u64 = 60_000_000_000;
/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// One thread's counts, or the sum of several.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) latencies: Histogram<u64>,
    /// Bytes of keys and values read or written.
    pub(super) bytes: u64,
    /// Values compared with what was written.
    pub(super) verified: u64,
    /// When the first operation of the last part began …
    pub(super) began: Instant,
    /// … and its last one ended.
    pub(super) ended: Instant,
    clock: Clock,
    last: Ticks,
}

impl Tally {
    pub(super) fn new() -> Option<Tally> {
        let latencies = Histogram::new_with_max(HIGHEST_NANOS, DIGITS).ok()?;
        let clock = Clock::global();
        let now = Instant::now();
        Some(Tally { latencies, bytes: 0, verified: 0, began: now, ended: now, clock, last: clock.now() })
    }

    /// The first operation begins.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
        self.last = self.clock.now();
    }

    /// The next operation begins only now: what came since the last one is part of neither.
    #[inline]
    pub(super) fn resume(&mut self) {
        self.last = self.clock.now();
    }

    /// An operation ended and the next one begins: one look at the clock serves both, as in `db_bench`. What it takes to
    /// choose a key and to check a value is part of the latency.
    #[inline]
    pub(super) fn lap(&mut self) {
        let now = self.clock.now();
        self.latencies.saturating_record(self.clock.nanos_between(self.last, now));
        self.last = now;
    }

    /// The last operation ended.
    pub(super) fn end(&mut self) {
        self.ended = Instant::now();
    }

    /// Operations.
    pub(super) fn ops(&self) -> u64 {
        self.latencies.len()
    }

    /// Takes in what another thread counted.
    pub(super) fn add(&mut self, other: &Tally) {
        // Both have the same bounds, so that every value fits.
        let _ = self.latencies.add(&other.latencies);
        self.bytes += other.bytes;
        self.verified += other.verified;
    }
}
