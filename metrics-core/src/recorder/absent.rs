//! The handle that records nothing, and what it hands out: the size-zero twins of [those that
//! record](https://docs.rs/bettong-metrics), method by method.

use crate::catalog::{
    CounterCell, ErrorLabel, GaugeCell, GetSource, HistogramCell, IoFile, IoOperation, Lookup, Operation,
    Stage,
};
use crate::clock::Ticks;
use crate::events::Event;
use crate::holders::HolderKind;
use crate::jobs::{JobPlan, JobResult};
use crate::registry::Registry;
use crate::step::StepSampler;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Records nothing, in no time.
#[derive(Clone, Debug)]
pub struct Recorder;

impl Registry {
    /// A handle that records nothing.
    pub fn recorder(self: &Arc<Self>) -> Recorder {
        Recorder
    }
}

impl Recorder {
    /// Nothing.
    #[inline]
    pub fn add(&self, _cell: impl Into<CounterCell>, _n: u64) {}

    /// Nothing.
    #[inline]
    pub fn record(&self, _cell: impl Into<HistogramCell>, _value: u64) {}

    /// Nothing.
    #[inline]
    pub fn record_n(&self, _cell: impl Into<HistogramCell>, _value: u64, _n: u64) {}

    /// Nothing.
    #[inline]
    pub fn set(&self, _cell: impl Into<GaugeCell>, _value: f64) {}

    /// Nothing.
    #[inline]
    pub fn shift(&self, _cell: impl Into<GaugeCell>, _difference: f64) {}

    /// A timer that times nothing.
    #[inline]
    pub fn start(&self, _operation: Operation) -> OperationTimer<'_> {
        OperationTimer(PhantomData)
    }

    /// Nothing begun.
    #[inline]
    pub fn begin(&self, _operation: Operation) -> Option<Begun<'_>> {
        Some(Begun(PhantomData))
    }

    /// Never called: nothing needs a timer.
    #[inline]
    pub fn resume<'a>(
        &'a self,
        _begun: Begun<'a>,
        _operation: Operation,
        needs_timer: NeedsTimer,
    ) -> OperationTimer<'a> {
        match needs_timer {}
    }

    /// A timer that times nothing.
    #[inline]
    pub fn io(&self, _operation: IoOperation, _file: IoFile) -> IoTimer<'_> {
        IoTimer(PhantomData)
    }

    /// Not chosen.
    #[inline]
    pub fn io_sampled(
        &self,
        _operation: IoOperation,
        _file: IoFile,
        _left: &AtomicU64,
    ) -> Option<IoTimer<'_>> {
        None
    }

    /// Nothing.
    #[inline]
    pub fn tell(&self, _what: impl Fn(Counting<'_>)) {}

    /// Chooses none.
    #[inline]
    pub fn open_iterator(&self) -> StepSampler {
        StepSampler::never()
    }

    /// No place.
    #[inline]
    pub fn queue(&self) -> Queued<'_> {
        Queued(PhantomData)
    }

    /// A handle that records nothing.
    #[inline]
    pub fn session(&self) -> Session<'_> {
        Session(PhantomData)
    }

    /// Nothing.
    #[inline]
    pub fn fail(&self, _operation: Operation, _kind: ErrorLabel) {}

    /// Nothing.
    #[inline]
    pub fn emit(&self, _event: Event) {}

    /// A job that nobody sees.
    #[inline]
    pub fn job(&self, _plan: JobPlan) -> RunningJob {
        RunningJob(())
    }

    /// A holder that nobody sees.
    #[inline]
    pub fn hold(&self, _kind: HolderKind, _sequence: u64) -> Hold {
        Hold(())
    }

    /// A holder that nobody sees.
    #[inline]
    pub fn take_hold(&self, _kind: HolderKind, _sequence: u64) -> Held {
        Held(())
    }

    /// Nothing.
    #[inline]
    pub fn let_go(&self, _held: &Held) {}

    /// A stopwatch that stands still.
    #[inline]
    pub fn timer(&self, _cell: impl Into<HistogramCell>) -> Stopwatch<'_> {
        Stopwatch(PhantomData)
    }

    /// No time stamp.
    #[inline]
    pub fn now(&self) -> Ticks {
        Ticks::NONE
    }

    /// 0.
    #[inline]
    pub fn nanos_since(&self, _earlier: Ticks) -> u64 {
        0
    }
}

/// Holds nothing.
#[derive(Debug)]
#[must_use = "as what is really held"]
pub struct Hold(());

/// Holds nothing.
#[derive(Debug)]
#[must_use = "as what is really held"]
pub struct Held(());

/// A job that nobody sees.
#[derive(Debug)]
#[must_use = "as a job that is seen"]
pub struct RunningJob(());

impl RunningJob {
    /// Nothing.
    #[inline]
    pub fn set_bytes_done(&self, _bytes: u64) {}

    /// Nothing.
    #[inline]
    pub fn end(self, _result: JobResult) {}
}

/// Nothing.
#[derive(Debug)]
#[must_use = "as what really began"]
pub struct Begun<'a>(PhantomData<(&'a (), *const ())>);

impl Begun<'_> {
    /// Nothing.
    #[inline]
    pub fn counting(&self) -> Counting<'_> {
        Counting(PhantomData)
    }

    /// Nothing.
    #[inline]
    pub fn end(self, _operation: Operation) {}

    /// Nothing.
    #[inline]
    pub fn end_in_memtable(self, _value_bytes: Option<u64>) {}

    /// Nothing.
    #[inline]
    pub fn end_in_table(self, _hit: TableHit, _value_bytes: u64) {}

    /// Nothing.
    #[inline]
    pub fn end_missing(self) {}
}

/// A table, nobody knows of which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHit(());

impl TableHit {
    /// A hit that is not to be counted.
    #[inline]
    pub fn new(_level: usize) -> TableHit {
        TableHit(())
    }

    /// The same.
    #[inline]
    pub fn counted(_level: usize) -> TableHit {
        TableHit(())
    }

    /// 0.
    #[inline]
    pub fn level(self) -> usize {
        0
    }

    /// Yes: nothing is to be counted.
    #[inline]
    pub fn is_counted(self) -> bool {
        true
    }
}

/// Nothing.
#[derive(Clone, Copy, Debug)]
pub struct Counting<'a>(PhantomData<(&'a (), *const ())>);

impl Counting<'_> {
    /// It goes everywhere as it is.
    ///
    /// # Errors
    /// None.
    #[inline]
    pub fn leave_fast_path(self) -> Result<(), NeedsTimer> {
        Ok(())
    }

    /// Nothing.
    #[inline]
    pub fn add(self, _cell: impl Into<CounterCell>, _n: u64) {}

    /// Nothing.
    #[inline]
    pub fn served(self, _source: GetSource, _tombstone: bool) {}

    /// Nothing.
    #[inline]
    pub fn looked_up(self, _level: usize, _lookup: Lookup) {}
}

/// What there is none of.
#[derive(Clone, Copy, Debug)]
pub enum NeedsTimer {}

/// No place in a queue.
#[derive(Debug)]
#[must_use = "as a place that is seen"]
pub struct Queued<'a>(PhantomData<(&'a (), *const ())>);

impl Drop for Queued<'_> {
    #[inline]
    fn drop(&mut self) {}
}

/// Times nothing.
#[derive(Debug)]
#[must_use = "as the timer that times something"]
pub struct OperationTimer<'a>(PhantomData<(&'a (), *const ())>);

impl OperationTimer<'_> {
    /// Nothing.
    #[inline]
    pub fn add(&self, _cell: impl Into<CounterCell>, _n: u64) {}

    /// Nothing.
    #[inline]
    pub fn served(&self, _source: GetSource, _tombstone: bool) {}

    /// Nothing.
    #[inline]
    pub fn looked_up(&self, _level: usize, _lookup: Lookup) {}

    /// Nothing.
    #[inline]
    pub fn leave_fast_path(&self) {}

    /// Nothing.
    #[inline]
    pub fn mark(&self, _stage: Stage) {}

    /// Nothing.
    #[inline]
    pub fn table_checked(&self) {}

    /// Nothing.
    #[inline]
    pub fn block_read(&self) {}

    /// 0.
    #[inline]
    pub fn traced_weight(&self) -> u64 {
        0
    }

    /// Nothing.
    #[inline]
    pub fn finish(self) {}
}

/// Records nothing.
#[derive(Debug)]
pub struct Session<'a>(PhantomData<(&'a (), *const ())>);

impl Session<'_> {
    /// A timer that times nothing.
    #[inline]
    pub fn start(&self, _operation: Operation) -> OperationTimer<'_> {
        OperationTimer(PhantomData)
    }

    /// Nothing.
    #[inline]
    pub fn add(&self, _cell: impl Into<CounterCell>, _n: u64) {}
}

/// Times nothing.
#[derive(Debug)]
#[must_use = "as the timer that times something"]
pub struct IoTimer<'a>(PhantomData<&'a ()>);

impl IoTimer<'_> {
    /// Itself.
    #[inline]
    pub fn also(self, _histogram: impl Into<HistogramCell>) -> Self {
        self
    }

    /// Nothing.
    #[inline]
    pub fn fail(&mut self) {}

    /// 0.
    #[inline]
    pub fn finish(self) -> u64 {
        0
    }
}

/// Stands still.
#[derive(Debug)]
#[must_use = "as the stopwatch that runs"]
pub struct Stopwatch<'a>(PhantomData<&'a ()>);

impl Stopwatch<'_> {
    /// 0.
    #[inline]
    pub fn stop(self) -> u64 {
        0
    }

    /// Nothing.
    #[inline]
    pub fn discard(self) {}
}
