//! The handle that records.
//!
//! An operation that is not looked at costs a dozen plain instructions on lines that the thread owns:
//!
//! 1. [`Recorder::start`] finds the thread's shard and counts the operation as begun;
//! 2. the operation counts its results through the timer, which remembers the shard;
//! 3. dropping the timer raises the number of operations finished.
//!
//! When it is the operation's turn, [`Recorder::start`] takes the way through [`Recorder::start_looking`], which reads the
//! level in force, takes a time stamp, and draws the next look. An operation that leaves the fast path says so
//! ([`OperationTimer::leave_fast_path`]) and is timed from there.
//!
//! The order of these stores is what a snapshot relies on when it promises finished ≤ results ≤ entered.

use super::untimed::{Begun, Counting, NeedsTimer};
use crate::catalog::{
    Counter, CounterCell, ErrorLabel, GaugeCell, GetSource, Histogram, HistogramCell, Lookup, Operation,
    Stage,
};
use crate::cell::Writers;
use crate::clock::{Clock, Ticks};
use crate::instrumentation::Instrumentation;
use crate::lease::Pool;
use crate::registry::Registry;
use crate::shard::Shard;
use crate::slow::SlowOperation;
use crate::step::StepSampler;
use crate::stratum::{NEVER, OperationCells};
use crate::trace::TRACED;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
        let cell = cell.into();
        if self.registry.level().counts() {
            self.pool.with(|shard| shard.add(cell, n));
        }
    }

    /// Counts several things, with one look for the calling thread's shard.
    #[inline]
    pub fn tell(&self, what: impl Fn(Counting<'_>)) {
        if self.registry.level().counts() {
            self.pool.with(|shard| what(Counting::new(shard)));
        }
    }

    /// Records one observation, in the raw unit of its family: nanoseconds, bytes, thousandths, or a plain number.
    #[inline]
    pub fn record(&self, cell: impl Into<HistogramCell>, value: u64) {
        self.record_n(cell, value, 1);
    }

    /// Records an observation that stands for `n`, as one of a sample does.
    pub fn record_n(&self, cell: impl Into<HistogramCell>, value: u64, n: u64) {
        if !self.registry.level().counts() {
            return;
        }
        let position = cell.into().position();
        match position.checked_sub(Histogram::SHARD_CELLS) {
            // The latency of an operation that no timer timed: for whoever replays a recorded trace.
            None => self.pool.with(|shard| shard.record_slow(position, value, n)),
            Some(shared) => {
                if let Some(histogram) = self.registry.histogram(shared) {
                    histogram.record_n(value, n, Writers::Many);
                }
            }
        }
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Stores a gauge. A value that is not a finite number is ignored.
    pub fn set(&self, cell: impl Into<GaugeCell>, value: f64) {
        self.registry.set(cell.into(), value);
    }

    /// Adds `difference`, which may be negative, to a gauge that several threads change.
    pub fn shift(&self, cell: impl Into<GaugeCell>, difference: f64) {
        self.registry.shift(cell.into(), difference);
    }

    /// Counts an operation as entered, and times it if it is its turn. It is finished when the timer is dropped.
    #[inline]
    pub fn start(&self, operation: Operation) -> OperationTimer<'_> {
        match self.start_uncounted(operation) {
            Some(shard) => self.resume_on(operation, shard, Ticks::NONE),
            None => self.start_looking(operation),
        }
    }

    /// The way of most operations: counts one as entered if it is not its turn to be looked at. For code that is so short that a
    /// timer, which lies in memory and is asked at every step, would be a burden: it ends with [`Begun::end`] or one of its kind, or
    /// goes on with a timer ([`Recorder::resume`]). If it does neither, the operation is under way for ever.
    ///
    /// `None` says that nothing was counted: use [`Recorder::start`].
    #[inline]
    pub fn begin(&self, operation: Operation) -> Option<Begun<'_>> {
        self.start_uncounted(operation).map(Begun::new)
    }

    /// A timer for an `operation` that began without one, and leaves the fast path here.
    #[cold]
    #[expect(clippy::needless_pass_by_value, reason = "what began is used up: its timer ends it")]
    pub fn resume<'a>(
        &'a self,
        begun: Begun<'a>,
        operation: Operation,
        _needs_timer: NeedsTimer,
    ) -> OperationTimer<'a> {
        let timer = self.resume_on(operation, begun.shard(), Ticks::NONE);
        timer.leave_fast_path();
        timer
    }

    /// Counts an operation as entered if it is not its turn.
    #[inline]
    fn start_uncounted(&self, operation: Operation) -> Option<&Shard> {
        let hit = |shard: &'_ Shard| shard.operation(operation).begin();
        self.pool.if_latest(|shard| hit(shard).then_some(shard), || None)
    }

    #[inline]
    fn resume_on<'a>(&'a self, operation: Operation, shard: &'a Shard, started: Ticks) -> OperationTimer<'a> {
        OperationTimer {
            recorder: self,
            shard,
            cells: shard.operation(operation),
            operation,
            started: Cell::new(started),
            slow: Cell::new(false),
            one_thread: PhantomData,
        }
    }

    /// Starts an operation whose turn it is, or whose thread has to look for its shard.
    #[cold]
    #[inline(never)]
    fn start_looking(&self, operation: Operation) -> OperationTimer<'_> {
        if let Some(shard) = self.pool.find(|| self.registry.level().counts()) {
            return self.resume_on(operation, shard, self.enter(shard, operation));
        }
        // The thread is ending. Its timer gives the shard back: see `OperationTimer::finish_timed`.
        let counting = self.registry.level().counts();
        let shard = self.pool.shards().list(counting).lease_for_one_operation();
        shard.obey(self.pool.id());
        shard.operation(operation).begin_looking(1);
        self.resume_on(operation, shard, self.clock.now())
    }

    /// Counts an operation as begun in `shard`, which belongs to the thread; takes a stamp if it is to be timed.
    fn enter(&self, shard: &Shard, operation: Operation) -> Ticks {
        let cells = shard.operation(operation);
        if cells.begin() {
            return Ticks::NONE;
        }
        let interval = self.registry.interval(operation);
        let level = self.registry.level();
        cells.begin_looking(match level {
            Instrumentation::Off | Instrumentation::Counters => NEVER,
            Instrumentation::Sampled => cells.draw_gap(interval),
            Instrumentation::Full => 1,
        });
        if !level.times() {
            cells.pause(shard.timed(operation).fast);
            return Ticks::NONE;
        }
        let now = self.clock.now();
        match level {
            Instrumentation::Full => shard.trace().begin(1, now),
            _ if cells.samples.load(Ordering::Relaxed).is_multiple_of(TRACED) => {
                shard.trace().begin(interval * TRACED, now);
            }
            _ => {}
        }
        now
    }

    /// Counts an iterator that is opened, and chooses those of its steps that are timed.
    #[inline]
    pub fn open_iterator(&self) -> StepSampler {
        let level = self.registry.level();
        if !level.counts() {
            return StepSampler::never();
        }
        self.pool.with(|shard| {
            shard.add(Counter::IteratorsCreated.at(0), 1);
            if !level.times() {
                return StepSampler::never();
            }
            let cells = shard.operation(Operation::Scan);
            // The draw is thrown away: it makes the seed another one.
            cells.draw_gap(1);
            StepSampler::new(StepSampler::interval(level == Instrumentation::Full), cells.random())
        })
    }

    /// The calling thread waits for its turn to write, until the guard is dropped.
    pub fn queue(&self) -> Queued<'_> {
        let shard = self.pool.if_latest(Some, || self.pool.find(|| self.registry.level().counts()));
        if let Some(shard) = shard {
            shard.set_queued(true);
        }
        Queued { shard, one_thread: PhantomData }
    }

    /// A handle for a loop on one thread that does nothing else: it has a shard of its own and looks for none.
    pub fn session(&self) -> Session<'_> {
        let shard = self.pool.shards().counting.lease();
        shard.obey(self.pool.id());
        Session { recorder: self, shard, one_thread: PhantomData }
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
}

/// A place in the queue of writers. The thread says so in its own shard: a writer whose turn has come holds the lock that the
/// others want, and must not wait for a line that they are writing.
#[derive(Debug)]
#[must_use = "dropping it at once leaves the queue"]
pub struct Queued<'a> {
    /// None if the thread is ending: it is not seen in the queue.
    shard: Option<&'a Shard>,
    one_thread: PhantomData<*const ()>,
}

impl Drop for Queued<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(shard) = self.shard {
            shard.set_queued(false);
        }
    }
}

/// An operation under way on this thread. Dropping it counts the operation as finished and, if it was timed, records its
/// latency.
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
    recorder: &'a Recorder,
    shard: &'a Shard,
    cells: &'a OperationCells,
    operation: Operation,
    /// [`Ticks::NONE`] if the operation is not timed, or not yet.
    started: Cell<Ticks>,
    slow: Cell<bool>,
    one_thread: PhantomData<*const ()>,
}

impl OperationTimer<'_> {
    /// Adds `n` to a counter, without looking for the shard again. The counts of an operation added here are in every
    /// snapshot that counts the operation as finished.
    #[inline]
    pub fn add(&self, cell: impl Into<CounterCell>, n: u64) {
        self.shard.add(cell.into(), n);
    }

    /// Counts where a get found its key, and whether it found a value or a tombstone there.
    #[inline]
    pub fn served(&self, source: GetSource, tombstone: bool) {
        self.shard.add_get(source, tombstone);
        if self.is_timed() {
            self.shard.trace().serve(source);
        }
    }

    /// Counts what a get learnt from a table of `level`, 0 to 6.
    #[inline]
    pub fn looked_up(&self, level: usize, lookup: Lookup) {
        self.shard.add_lookup(level, lookup);
    }

    /// The operation has to wait, or to read a file: from now on it is timed, and recorded for what it is.
    #[inline]
    pub fn leave_fast_path(&self) {
        if !self.slow.get() {
            self.become_slow();
        }
    }

    #[cold]
    fn become_slow(&self) {
        if !self.recorder.registry.level().times() {
            return;
        }
        self.slow.set(true);
        let trace = self.shard.trace();
        if !self.is_timed() {
            let now = self.recorder.clock.now();
            self.started.set(now);
            trace.begin(1, now);
        } else if trace.is_on() {
            trace.promote();
        } else {
            trace.begin(1, self.recorder.clock.now());
        }
    }

    /// Ends a stage of the operation, which began where the last one ended. Free if the operation is not traced.
    #[inline]
    pub fn mark(&self, stage: Stage) {
        if self.is_timed() {
            self.shard.trace().mark(stage, self.recorder.clock);
        }
    }

    /// A get looks into a table.
    #[inline]
    pub fn table_checked(&self) {
        if self.is_timed() {
            self.shard.trace().count_table();
        }
    }

    /// A get reads a block from a file.
    #[inline]
    pub fn block_read(&self) {
        if self.is_timed() {
            self.shard.trace().count_block();
        }
    }

    /// How many operations a value recorded of this one stands for; 0 if it is not traced.
    #[inline]
    pub fn traced_weight(&self) -> u64 {
        if self.is_timed() { self.shard.trace().weight() } else { 0 }
    }

    #[inline]
    fn is_timed(&self) -> bool {
        self.started.get() != Ticks::NONE
    }

    /// Finishes the operation; the same as dropping the timer.
    #[inline]
    pub fn finish(self) {}

    #[cold]
    #[inline(never)]
    fn finish_timed(recorder: &Recorder, shard: &Shard, operation: Operation, started: Ticks, slow: bool) {
        let nanos = recorder.clock.nanos_between(started, recorder.clock.now());
        let (registry, timed) = (&recorder.registry, shard.timed(operation));
        let traced = shard.trace().end();
        if registry.level().times() {
            if let Some(traced) = &traced {
                registry.record_trace(operation, nanos, traced);
            }
            if registry.is_slow(nanos) {
                shard.add(Counter::SlowOperations.at(operation.index()), 1);
                registry.remember_slow(SlowOperation::new(operation, nanos, traced.as_ref()));
            }
            if slow {
                timed.cells.finish_slow(timed.slow, nanos);
            } else {
                timed.cells.finish_sample(timed.fast, nanos);
            }
        } else {
            // The level changed meanwhile, or the thread is ending.
            timed.cells.finish_fast();
        }
        if shard.is_for_one_operation() {
            shard.give_back();
        }
    }
}

impl Drop for OperationTimer<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_timed() {
            let (started, slow) = (self.started.get(), self.slow.get());
            Self::finish_timed(self.recorder, self.shard, self.operation, started, slow);
        } else {
            self.cells.finish_fast();
        }
    }
}

/// A handle with a shard of its own, for one thread that does the same thing again and again. Its values stay when it is
/// dropped.
///
/// # Examples
/// ```
/// use bettong_metrics::{Counter, Operation, Registry};
///
/// let registry = Registry::new("orders");
/// let recorder = registry.recorder();
/// let session = recorder.session();
/// for _ in 0..1_000 {
///     let timer = session.start(Operation::Get);
///     timer.add(Counter::UserReadBytes, 100);
/// }
/// assert_eq!(registry.snapshot().counter(Counter::GetOperations), 1_000);
/// ```
#[derive(Debug)]
pub struct Session<'a> {
    recorder: &'a Recorder,
    shard: Arc<Shard>,
    one_thread: PhantomData<*const ()>,
}

impl Session<'_> {
    /// As [`Recorder::start`].
    #[inline]
    pub fn start(&self, operation: Operation) -> OperationTimer<'_> {
        let pool = self.recorder.pool.id();
        if self.shard.belongs_to(pool) && self.shard.operation(operation).begin() {
            return self.recorder.resume_on(operation, &self.shard, Ticks::NONE);
        }
        self.shard.obey(pool);
        if self.recorder.registry.level().counts() {
            let started = self.recorder.enter(&self.shard, operation);
            return self.recorder.resume_on(operation, &self.shard, started);
        }
        // Nothing is counted: the thread's own sink takes it.
        self.shard.look_again();
        self.recorder.start(operation)
    }

    /// As [`Recorder::add`].
    #[inline]
    pub fn add(&self, cell: impl Into<CounterCell>, n: u64) {
        if self.recorder.registry.level().counts() {
            self.shard.add(cell.into(), n);
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.shard.give_back();
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
