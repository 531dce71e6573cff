//! Where the time of one operation goes: kept in the thread's shard while the operation runs, if it is traced.
//!
//! Operations that left the fast path are traced from there on; of the samples of the others, one in [`TRACED`]. Stages are
//! chained: each ends where the next begins, so k stages take k + 1 time stamps.

use crate::catalog::{GetSource, Stage};
use crate::cell::{self, Writers};
use crate::clock::{Clock, Ticks};
use std::sync::atomic::{AtomicU64, Ordering};

/// Samples of fast operations per traced one: a trace costs several times as much as a sample.
pub(crate) const TRACED: u64 = 64;

/// The trace of the operation under way. Written and read by the shard's owner alone: nothing here is part of a snapshot.
#[derive(Debug)]
pub(crate) struct Trace {
    /// How many operations this one stands for; 0 if it is not traced.
    weight: AtomicU64,
    /// When the present stage began.
    since: AtomicU64,
    /// Nanoseconds in each stage.
    stages: [AtomicU64; Stage::ALL.len()],
    /// Where a get was served, from 1; 0 if that is not known.
    source: AtomicU64,
    tables: AtomicU64,
    blocks: AtomicU64,
}

/// What was traced of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traced {
    pub(crate) weight: u64,
    nanos: [u64; Stage::ALL.len()],
    /// The index of the source of a get.
    pub(crate) source: Option<usize>,
    pub(crate) tables: u64,
    pub(crate) blocks: u64,
}

impl Traced {
    /// The stages that took any time, and how much.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (Stage, u64)> {
        Stage::ALL.into_iter().zip(self.nanos).filter(|(_, nanos)| *nanos > 0)
    }
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            weight: AtomicU64::new(0),
            since: AtomicU64::new(0),
            stages: [const { AtomicU64::new(0) }; Stage::ALL.len()],
            source: AtomicU64::new(0),
            tables: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
        }
    }

    /// Begins the trace of an operation that stands for `weight` operations.
    pub(crate) fn begin(&self, weight: u64, now: Ticks) {
        self.weight.store(weight, Ordering::Relaxed);
        self.since.store(now.to_bits(), Ordering::Relaxed);
        for stage in &self.stages {
            stage.store(0, Ordering::Relaxed);
        }
        for cell in [&self.source, &self.tables, &self.blocks] {
            cell.store(0, Ordering::Relaxed);
        }
    }

    /// Lets the operation stand for itself alone from now on.
    pub(crate) fn promote(&self) {
        self.weight.store(1, Ordering::Relaxed);
    }

    /// How many operations the one under way stands for.
    #[inline]
    pub(crate) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.weight() > 0
    }

    /// Ends a stage and begins the next.
    pub(crate) fn mark(&self, stage: Stage, clock: Clock) {
        if !self.is_on() {
            return;
        }
        let now = clock.now();
        let since = Ticks::from_bits(self.since.load(Ordering::Relaxed));
        self.since.store(now.to_bits(), Ordering::Relaxed);
        if let Some(nanos) = self.stages.get(stage.index()) {
            cell::raise(nanos, clock.nanos_between(since, now), Writers::One);
        }
    }

    pub(crate) fn serve(&self, source: GetSource) {
        self.source.store(source.index() as u64 + 1, Ordering::Relaxed);
    }

    pub(crate) fn count_table(&self) {
        cell::raise(&self.tables, 1, Writers::One);
    }

    pub(crate) fn count_block(&self) {
        cell::raise(&self.blocks, 1, Writers::One);
    }

    /// Ends the trace; `None` if there was none.
    pub(crate) fn end(&self) -> Option<Traced> {
        let weight = self.weight.load(Ordering::Relaxed);
        self.weight.store(0, Ordering::Relaxed);
        let mut nanos = [0; Stage::ALL.len()];
        for (nanos, cell) in nanos.iter_mut().zip(&self.stages) {
            *nanos = cell.load(Ordering::Relaxed);
        }
        let source = usize::try_from(self.source.load(Ordering::Relaxed)).ok();
        (weight > 0).then(|| Traced {
            weight,
            nanos,
            source: source.and_then(|source| source.checked_sub(1)),
            tables: self.tables.load(Ordering::Relaxed),
            blocks: self.blocks.load(Ordering::Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_chained_and_a_trace_ends_once() {
        let (trace, clock) = (Trace::new(), Clock::global());
        trace.mark(Stage::Data, clock);
        assert_eq!(trace.end(), None);
        let begun = clock.now();
        trace.begin(64, begun);
        std::thread::sleep(std::time::Duration::from_millis(2));
        trace.mark(Stage::Filter, clock);
        trace.mark(Stage::Data, clock);
        trace.serve(GetSource::Level(3));
        trace.count_table();
        trace.count_block();
        let all = clock.nanos_between(begun, clock.now());
        let traced = trace.end().unwrap();
        let [filter, data] = [Stage::Filter, Stage::Data].map(|stage| traced.nanos[stage.index()]);
        assert_eq!(traced.stages().next(), Some((Stage::Filter, filter)));
        assert!(filter >= 1_900_000 && filter + data <= all, "{filter} {data} {all}");
        assert_eq!((traced.weight, traced.source, traced.tables, traced.blocks), (64, Some(5), 1, 1));
        assert_eq!(trace.end(), None);
        trace.begin(1, begun);
        assert_eq!(trace.end().unwrap().tables, 0);
    }
}
