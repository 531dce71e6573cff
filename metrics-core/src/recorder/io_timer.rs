//! One call of the file system: counted, timed, seen while it is under way.

use super::live::Recorder;
use crate::catalog::{Counter, Histogram, HistogramCell, IoFile, IoOperation};
use crate::clock::Ticks;
use crate::events::Event;
use crate::io::IoTable;
use crate::stratum::draw_gap;
use std::sync::atomic::{AtomicU64, Ordering};

/// From this long on, a call counts as slow.
const SLOW_NANOS: u64 = 1_000_000_000;

/// Short calls per timed one, on average.
const SHORT_CALLS_PER_TIMED: u64 = 64;

impl Recorder {
    /// Begins a call of the file system. It is counted when the timer is dropped; until then it is in flight.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Counter, IoFile, IoOperation, Registry};
    ///
    /// let registry = Registry::new("orders");
    /// let recorder = registry.recorder();
    /// let mut timer = recorder.io(IoOperation::Read, IoFile::Table);
    /// timer.fail();
    /// timer.finish();
    /// let cell = |family: Counter| family.at2(IoOperation::Read.index(), IoFile::Table.index());
    /// assert_eq!(registry.snapshot().counter(cell(Counter::IoOperations)), 1);
    /// assert_eq!(registry.snapshot().counter(cell(Counter::IoErrors)), 1);
    /// ```
    pub fn io(&self, operation: IoOperation, file: IoFile) -> IoTimer<'_> {
        let began = self.now();
        let slot = self.registry().io().enter(operation, began);
        IoTimer { recorder: self, operation, file, slot, began, weight: 1, also: None, running: true }
    }

    /// As [`Recorder::io`], for calls that are over almost as soon as two time stamps: one in 64 is timed, and stands for the
    /// others; `None` says that this one is not, and is to be counted by the caller. `left` belongs to the file,
    /// and to one caller at a time. The gaps vary, so that no rhythm of the calls hides from them.
    #[inline]
    pub fn io_sampled(&self, operation: IoOperation, file: IoFile, left: &AtomicU64) -> Option<IoTimer<'_>> {
        match left.load(Ordering::Relaxed) {
            0 => Some(self.io_chosen(operation, file, left)),
            n => {
                left.store(n - 1, Ordering::Relaxed);
                None
            }
        }
    }

    #[cold]
    fn io_chosen(&self, operation: IoOperation, file: IoFile, left: &AtomicU64) -> IoTimer<'_> {
        let mut timer = self.io(operation, file);
        // The low bits of the clock are as good as drawn. The gap comes from the high bits, to which a product carries them.
        let mut random = timer.began.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        left.store(draw_gap(&mut random, SHORT_CALLS_PER_TIMED) - 1, Ordering::Relaxed);
        timer.weight = SHORT_CALLS_PER_TIMED;
        timer
    }
}

/// A call of the file system under way.
#[derive(Debug)]
#[must_use = "dropping the timer at once times nothing"]
pub struct IoTimer<'a> {
    recorder: &'a Recorder,
    operation: IoOperation,
    file: IoFile,
    slot: Option<&'a AtomicU64>,
    began: Ticks,
    /// Calls that this one stands for.
    weight: u64,
    /// A second histogram to record the call in.
    also: Option<HistogramCell>,
    running: bool,
}

impl IoTimer<'_> {
    /// Records the call in a histogram of its own, too.
    pub fn also(mut self, histogram: impl Into<HistogramCell>) -> Self {
        self.also = Some(histogram.into());
        self
    }

    /// Counts the call as one that failed.
    #[cold]
    pub fn fail(&mut self) {
        self.recorder.add(Counter::IoErrors.at2(self.operation.index(), self.file.index()), 1);
    }

    /// Ends the call and returns how long it took, in nanoseconds.
    pub fn finish(mut self) -> u64 {
        self.record()
    }

    fn record(&mut self) -> u64 {
        self.running = false;
        if let Some(slot) = self.slot {
            IoTable::leave(slot);
        }
        let nanos = self.recorder.nanos_since(self.began);
        let operation = self.operation.index();
        self.recorder.add(Counter::IoOperations.at2(operation, self.file.index()), 1);
        self.recorder.record_n(Histogram::IoLatency.at(operation), nanos, self.weight);
        if let Some(also) = self.also {
            self.recorder.record_n(also, nanos, self.weight);
        }
        if nanos >= SLOW_NANOS {
            self.recorder.add(Counter::IoSlowOperations.at(operation), 1);
            self.recorder.emit(Event::disk_slow(self.operation, self.file, nanos));
        }
        nanos
    }
}

impl Drop for IoTimer<'_> {
    fn drop(&mut self) {
        if self.running {
            self.record();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{EventKind, Gauge};
    use crate::registry::Registry;

    #[test]
    fn a_call_that_takes_a_second_is_seen_while_it_lasts_and_counted_as_slow() {
        let registry = Registry::new("test");
        let recorder = registry.recorder();
        let timer = recorder.io(IoOperation::Sync, IoFile::Wal);
        std::thread::sleep(std::time::Duration::from_millis(1_010));
        assert!(registry.snapshot().gauge(Gauge::IoOldestInFlightAge) > 1.0);
        assert!(timer.finish() > SLOW_NANOS);
        let snapshot = registry.snapshot();
        assert!(snapshot.gauge(Gauge::IoOldestInFlightAge) < 1e-9);
        let event = &registry.events()[0];
        assert_eq!((event.kind, event.cause, event.result), (EventKind::DiskSlow, Some("sync"), Some("wal")));
        assert_eq!(snapshot.counter(Counter::IoSlowOperations.at(IoOperation::Sync.index())), 1);
        assert_eq!(snapshot.histogram(Histogram::IoLatency.at(IoOperation::Sync.index())).count(), 1);
        drop(recorder.io(IoOperation::Sync, IoFile::Wal));
        assert_eq!(registry.snapshot().counter_total(Counter::IoOperations), 2);
        assert_eq!(registry.snapshot().counter_total(Counter::IoSlowOperations), 1);
    }

    /// One step of the generator does not carry the low bits of its seed to the high ones: with the clock as it is, gaps stayed the
    /// same for a tenth of a second.
    #[test]
    fn one_short_call_in_64_is_timed() {
        let registry = Registry::new("test");
        let recorder = registry.recorder();
        let left = AtomicU64::new(0);
        let mut gaps = std::collections::BTreeSet::new();
        let chosen = (0..64 * 400)
            .filter(|_| recorder.io_sampled(IoOperation::Write, IoFile::Wal, &left).is_some())
            .inspect(|_| {
                gaps.insert(left.load(Ordering::Relaxed));
            })
            .count();
        assert!((330..470).contains(&chosen), "{chosen} of 400");
        assert!(gaps.len() > 80, "{} different gaps", gaps.len());
    }
}
