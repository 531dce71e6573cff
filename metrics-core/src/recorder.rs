//! The engine's handle on its registry, and the timers it hands out.
//!
//! An operation costs two time stamps and a dozen plain stores into lines that the thread owns:
//!
//! 1. [`Recorder::start`] finds the thread's shard, raises `entered` and takes a stamp;
//! 2. the operation adds its results through the timer, which remembers the shard;
//! 3. dropping the timer takes the second stamp, records the latency and raises `exited`.
//!
//! The order of these stores is what a snapshot relies on when it promises finished ≤ results ≤ entered.

pub mod io_timer;

use crate::catalog::{Counter, CounterCell, ErrorLabel, GaugeCell, Histogram, HistogramCell, Operation};
use crate::cell::{self, Writers};
use crate::clock::{Clock, Ticks};
use crate::lease::{Lent, Pool};
use crate::registry::Registry;
use std::marker::PhantomData;
use std::sync::Arc;

/// Records what one database does. Cloning it is cheap; every part of the engine keeps its own.
#[derive(Clone, Debug)]
pub struct Recorder {
    pool: Pool,
    clock: Clock,
    registry: Arc<Registry>,
}

impl Registry {
    /// A handle that records into this registry.
    pub fn recorder(self: &Arc<Self>) -> Recorder {
        Recorder { pool: self.pool().clone(), clock: self.clock(), registry: Arc::clone(self) }
    }
}

impl Recorder {
    /// Adds `n` to a counter, in the calling thread's shard.
    #[inline]
    pub fn add(&self, cell: impl Into<CounterCell>, n: u64) {
        let mine = self.pool.mine();
        mine.shard.add(cell.into(), n, mine.writers);
    }

    /// Records one observation, in the raw unit of its family: nanoseconds, bytes, thousandths, or a plain number.
    #[inline]
    pub fn record(&self, cell: impl Into<HistogramCell>, value: u64) {
        let position = cell.into().position();
        if let Some(shared) = position.checked_sub(Histogram::SHARD_CELLS) {
            if let Some(histogram) = self.registry.histogram(shared) {
                histogram.record(value, Writers::Many);
            }
        } else {
            record_in(self.pool.mine(), position, value);
        }
    }

    /// Stores a gauge. A value that is not a finite number is ignored.
    pub fn set(&self, cell: impl Into<GaugeCell>, value: f64) {
        self.registry.set(cell.into(), value);
    }

    /// Adds `difference`, which may be negative, to a gauge that several threads change.
    pub fn shift(&self, cell: impl Into<GaugeCell>, difference: f64) {
        self.registry.shift(cell.into(), difference);
    }

    /// Counts an operation as entered and starts to time it. It is finished when the timer is dropped.
    #[inline]
    pub fn start(&self, operation: Operation) -> OperationTimer<'_> {
        let mine = self.pool.mine();
        cell::raise(&mine.shard.operation(operation).entered, 1, mine.writers);
        OperationTimer {
            mine,
            operation,
            clock: &self.clock,
            started: self.clock.now(),
            one_thread: PhantomData,
        }
    }

    /// Counts an operation that failed. It is timed and counted as finished all the same, by its timer. Scans are
    /// counted among the errors of gets, batches among those of sets.
    #[cold]
    pub fn fail(&self, operation: Operation, kind: ErrorLabel) {
        self.add(Counter::errors(operation).at(kind.index()), 1);
    }

    /// Starts to time something that is recorded in nanoseconds when the stopwatch is stopped or dropped.
    #[inline]
    pub fn timer(&self, cell: impl Into<HistogramCell>) -> Stopwatch<'_> {
        Stopwatch { recorder: self, cell: cell.into(), started: self.clock.now(), running: true }
    }

    /// A time stamp.
    #[inline]
    pub fn now(&self) -> Ticks {
        self.clock.now()
    }

    /// Nanoseconds from `earlier` until now; never negative.
    #[inline]
    pub fn nanos_since(&self, earlier: Ticks) -> u64 {
        self.clock.nanos_between(earlier, self.clock.now())
    }

    /// The registry recorded into.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

/// Records a value into one of a shard's histograms.
#[inline]
fn record_in(lent: Lent<'_>, position: usize, value: u64) {
    if let Some(histogram) = lent.shard.histogram(position) {
        histogram.record(value, lent.writers);
    }
}

/// An operation under way on this thread. Dropping it counts the operation as finished and records its latency.
///
/// It stays on its thread, because it writes the thread's shard:
/// ```compile_fail
/// let registry = bettong_metrics::Registry::new("orders");
/// let recorder = registry.recorder();
/// let timer = recorder.start(bettong_metrics::Operation::Get);
/// std::thread::scope(|scope| { scope.spawn(move || timer.finish()); });
/// ```
#[derive(Debug)]
#[must_use = "dropping the timer at once times nothing"]
pub struct OperationTimer<'a> {
    mine: Lent<'a>,
    operation: Operation,
    clock: &'a Clock,
    started: Ticks,
    one_thread: PhantomData<*const ()>,
}

impl OperationTimer<'_> {
    /// Adds `n` to a counter, without looking for the shard again. The counts of an operation added here are in every
    /// snapshot that counts the operation as finished.
    #[inline]
    pub fn add(&self, cell: impl Into<CounterCell>, n: u64) {
        self.mine.shard.add(cell.into(), n, self.mine.writers);
    }

    /// When the operation began.
    #[inline]
    pub fn started(&self) -> Ticks {
        self.started
    }

    /// Finishes the operation; the same as dropping the timer.
    #[inline]
    pub fn finish(self) {}
}

impl Drop for OperationTimer<'_> {
    #[inline]
    fn drop(&mut self) {
        let nanos = self.clock.nanos_between(self.started, self.clock.now());
        record_in(self.mine, Histogram::latency(self.operation).at(0).position(), nanos);
        cell::raise(&self.mine.shard.operation(self.operation).exited, 1, self.mine.writers);
    }
}

/// Times something that is no operation: a sync, a flush, a stall. Records nanoseconds when stopped or dropped, on
/// whichever thread that happens.
#[derive(Debug)]
#[must_use = "dropping the stopwatch at once times nothing"]
pub struct Stopwatch<'a> {
    recorder: &'a Recorder,
    cell: HistogramCell,
    started: Ticks,
    running: bool,
}

impl Stopwatch<'_> {
    /// Records the time since the start and returns it, in nanoseconds.
    pub fn stop(mut self) -> u64 {
        self.record()
    }

    /// Records nothing.
    pub fn discard(mut self) {
        self.running = false;
    }

    fn record(&mut self) -> u64 {
        let nanos = self.recorder.nanos_since(self.started);
        self.recorder.record(self.cell, nanos);
        self.running = false;
        nanos
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        if self.running {
            self.record();
        }
    }
}
