//! One database's cells, and how much is recorded in them.
//!
//! A registry belongs to a database, never to the process: two databases in one process do not mix their numbers.
//!
//! Memory: 36 KiB for each shared histogram in use, and the shards of the threads (7.5 KiB each, and 36 KiB for each kind
//! of operation the thread has timed, twice that if some were slow), and 72 KiB that snapshots are put together in. The gauges `db_instrumentation_bytes` and `_shards`
//! say how much it is.

use crate::activity::Activity;
use crate::catalog::{Gauge, GaugeCell, GetSource, Histogram, HistogramCell, Operation};
use crate::cell::Writers;
use crate::clock::{Clock, Ticks};
use crate::cost::{Costs, FIRST_INTERVAL};
use crate::custom::CustomTable;
use crate::event_log::EventLog;
use crate::events::{Event, EventsSince};
use crate::histogram::{LazyHistogram, Tally};
use crate::holders::{HolderTable, Holders};
use crate::instrumentation::Instrumentation;
use crate::io::IoTable;
use crate::jobs::{JobBoard, Jobs};
use crate::lease::Pool;
use crate::probe::{self, Probe};
use crate::published::PublishedState;
use crate::ring::Ring;
use crate::slow::SlowOperation;
use crate::trace::Traced;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// From how long on an operation counts as slow, unless it is set.
const SLOW_THRESHOLD: Duration = Duration::from_millis(10);

/// Slow operations that are kept.
const SLOW_OPERATIONS: usize = 128;

/// Everything one database counts, times and announces.
pub struct Registry {
    name: Arc<str>,
    clock: Clock,
    created: Ticks,
    pool: Pool,
    /// The index of the [`Instrumentation`] in force.
    level: AtomicU64,
    /// The mean number of operations per sample, for each kind of operation.
    intervals: [AtomicU64; Operation::ALL.len()],
    slow_threshold_nanos: AtomicU64,
    /// The bits of an `f64` each.
    gauges: [AtomicU64; Gauge::CELLS],
    /// The histograms that live once per database.
    histograms: [LazyHistogram; Histogram::SHARED_CELLS],
    /// Memory of one reader after the other. Nobody waits for it: who finds it in use makes its own.
    tallies: Mutex<Option<[Tally; 2]>>,
    published: ArcSwap<PublishedState>,
    /// Locked to take it out or to put it in, never while it is asked.
    probe: Mutex<Option<Arc<dyn Probe>>>,
    slow: Ring<SlowOperation>,
    events: EventLog,
    jobs: JobBoard,
    holders: HolderTable,
    costs: Costs,
    custom: CustomTable,
    io: IoTable,
}

impl Registry {
    /// A registry for the database called `name`, which becomes the value of the label `db`.
    ///
    /// The first registry of a process calibrates the clock, which takes about 4 ms.
    pub fn new(name: impl Into<String>) -> Arc<Self> {
        Self::with_level(name, Instrumentation::default())
    }

    /// A registry that records as much as `level` says.
    pub fn with_level(name: impl Into<String>, level: Instrumentation) -> Arc<Self> {
        let clock = Clock::global();
        Arc::new(Self {
            name: name.into().into(),
            clock,
            created: clock.now(),
            pool: Pool::new(),
            level: AtomicU64::new(level as u64),
            intervals: [const { AtomicU64::new(FIRST_INTERVAL) }; Operation::ALL.len()],
            slow_threshold_nanos: AtomicU64::new(nanos(SLOW_THRESHOLD)),
            gauges: [const { AtomicU64::new(0) }; Gauge::CELLS],
            histograms: std::array::from_fn(|_| LazyHistogram::default()),
            tallies: Mutex::new(None),
            published: ArcSwap::default(),
            probe: Mutex::new(None),
            slow: Ring::with_places(SLOW_OPERATIONS),
            events: EventLog::default(),
            jobs: JobBoard::default(),
            holders: HolderTable::default(),
            costs: Costs::of(clock),
            custom: CustomTable::default(),
            io: IoTable::default(),
        })
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    /// How much is recorded.
    #[inline]
    pub fn level(&self) -> Instrumentation {
        // Relaxed: what makes sure that no change is missed are the fences of `lending`.
        Instrumentation::at(self.level.load(Ordering::Relaxed))
    }

    /// Where the level is stored: whoever changes it makes everybody look again.
    pub(crate) fn level_cell(&self) -> &AtomicU64 {
        &self.level
    }

    /// Two tallies, to be given back.
    pub(crate) fn take_tallies(&self) -> [Tally; 2] {
        let spare = self.tallies.try_lock().ok().and_then(|mut spare| spare.take());
        spare.unwrap_or_else(|| [Tally::new(), Tally::new()])
    }

    /// Keeps them for the next reader.
    pub(crate) fn give_back_tallies(&self, tallies: [Tally; 2]) {
        if let Ok(mut spare) = self.tallies.try_lock() {
            *spare = Some(tallies);
        }
    }

    /// Makes every thread look at level and intervals at its next operation.
    pub(crate) fn look_again(&self) {
        self.pool.shards().look_again();
    }

    /// The mean number of operations of this kind per timed one, as long as they stay on the fast path.
    pub fn sampling_interval(&self, operation: Operation) -> u64 {
        match self.level() {
            Instrumentation::Full => 1,
            _ => self.interval(operation),
        }
    }

    #[inline]
    pub(crate) fn interval(&self, operation: Operation) -> u64 {
        self.intervals.get(operation.index()).map_or(1, |interval| interval.load(Ordering::Relaxed))
    }

    /// Sets the mean number of operations per sample.
    pub(crate) fn set_interval(&self, operation: Operation, interval: u64) {
        if let Some(cell) = self.intervals.get(operation.index()) {
            cell.store(interval, Ordering::Relaxed);
        }
    }

    /// From how long on an operation is counted and kept as slow. 10 ms unless it is set.
    pub fn slow_threshold(&self) -> Duration {
        Duration::from_nanos(self.slow_threshold_nanos.load(Ordering::Relaxed))
    }

    /// Sets from how long on an operation is slow.
    pub fn set_slow_threshold(&self, threshold: Duration) {
        self.slow_threshold_nanos.store(nanos(threshold), Ordering::Relaxed);
    }

    pub(crate) fn is_slow(&self, nanos: u64) -> bool {
        nanos >= self.slow_threshold_nanos.load(Ordering::Relaxed)
    }

    /// The newest operations over the slow threshold (128 at most), oldest first. `db_slow_operations_total` counts all.
    pub fn slow_operations(&self) -> Vec<Arc<SlowOperation>> {
        self.slow.values()
    }

    pub(crate) fn remember_slow(&self, operation: SlowOperation) {
        self.slow.push(Arc::new(operation));
    }

    /// The newest events, oldest first: of flushes, compactions and files 512 at most; of stalls and other warnings 256, of failed
    /// jobs 128, of damage, slow calls and the like 128, of openings and the like 64, however many of the former there are.
    /// `db_events_total` counts all.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Event, EventKind, Registry};
    ///
    /// let registry = Registry::new("orders");
    /// registry.recorder().emit(Event::new(EventKind::TableCreated).file(7).bytes(4096));
    /// # if cfg!(feature = "off") { return }
    /// let events = registry.events();
    /// assert_eq!((events[0].kind.as_str(), events[0].file), ("table_created", Some(7)));
    /// ```
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.events.values().to_vec()
    }

    /// The events from a number on, for a reader who comes again and again: it begins with 0, and goes on with
    /// [`EventsSince::next`].
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Event, EventKind, Registry};
    ///
    /// let registry = Registry::new("orders");
    /// let seen = registry.events_since(0).next;
    /// registry.recorder().emit(Event::new(EventKind::Open));
    /// # if cfg!(feature = "off") { return }
    /// let new = registry.events_since(seen);
    /// assert_eq!((new.events.len(), new.lost), (1, 0));
    /// ```
    pub fn events_since(&self, number: u64) -> EventsSince {
        self.events.since(number)
    }

    /// The flushes and compactions that run, and the newest that ended (64 at most).
    ///
    /// # Examples
    /// ```
    /// # let registry = bettong_metrics::Registry::new("orders");
    /// for job in registry.jobs().recent {
    ///     let read = job.report().map_or(0, |report| report.bytes_read);
    ///     println!("{} for {}: {read} bytes in {} ns", job.kind().as_str(), job.reason(), job.nanos());
    /// }
    /// ```
    pub fn jobs(&self) -> Jobs {
        self.jobs.read()
    }

    /// The iterators and snapshots that are held, oldest first.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{HolderKind, Registry};
    ///
    /// let registry = Registry::new("orders");
    /// let hold = registry.recorder().hold(HolderKind::Snapshot, 42);
    /// # if cfg!(feature = "off") { return }
    /// assert_eq!(registry.holders().known[0].sequence, 42);
    /// drop(hold);
    /// assert!(registry.holders().known.is_empty());
    /// ```
    pub fn holders(&self) -> Holders {
        self.holders.read(self.clock)
    }

    /// What goes on.
    pub(crate) fn activity(&self) -> Activity {
        Activity {
            jobs: self.jobs(),
            holders: self.holders(),
            slow_operations: self.slow_operations(),
            events: self.events.values(),
        }
    }

    pub(crate) fn emit(&self, event: Event) {
        self.events.emit(event);
    }

    pub(crate) fn event_log(&self) -> &EventLog {
        &self.events
    }

    pub(crate) fn job_board(&self) -> &JobBoard {
        &self.jobs
    }

    pub(crate) fn holder_table(&self) -> &HolderTable {
        &self.holders
    }

    /// Announces the state of the tree: it takes the place of what was announced before. Readers that still look at
    /// the old value keep it; none of them can make the caller wait.
    pub fn publish(&self, state: PublishedState) {
        self.published.store(Arc::new(state));
    }

    /// The state of the tree as announced last; empty before the first announcement.
    pub fn published(&self) -> Arc<PublishedState> {
        self.published.load_full()
    }

    /// Registers what tries the database out. It takes the place of an earlier one.
    ///
    /// The registry may live longer than the database: a probe must not keep anything of it alive.
    pub fn set_probe(&self, probe: Arc<dyn Probe>) {
        self.replace_probe(probe);
    }

    /// The database is closed: its probe is let go, and whoever asks is told [`ProbeFault::Closed`](crate::ProbeFault::Closed).
    pub fn close_probe(&self) {
        self.replace_probe(Arc::new(probe::Closed));
    }

    /// What tries the database out; `None` before it is open.
    pub fn probe(&self) -> Option<Arc<dyn Probe>> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace_probe(&self, probe: Arc<dyn Probe>) {
        let before = self.probe.lock().unwrap_or_else(PoisonError::into_inner).replace(probe);
        // Not under the lock: what its end does is not known here.
        drop(before);
    }

    /// The database's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// When the registry was made.
    pub(crate) fn created(&self) -> Ticks {
        self.created
    }

    /// The database's shards.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What recording costs here.
    pub(crate) fn costs(&self) -> Costs {
        self.costs
    }

    /// The histograms that live once per database.
    pub(crate) fn histograms(&self) -> &[LazyHistogram] {
        &self.histograms
    }

    /// The metrics of the embedding application.
    pub(crate) fn custom(&self) -> &CustomTable {
        &self.custom
    }

    /// The calls of the file system under way.
    pub(crate) fn io(&self) -> &IoTable {
        &self.io
    }

    /// The histogram at `position` among those that live once per database.
    #[inline]
    pub(crate) fn histogram(&self, position: usize) -> Option<&LazyHistogram> {
        self.histograms.get(position)
    }

    /// Records what was traced of one operation.
    pub(crate) fn record_trace(&self, operation: Operation, nanos: u64, traced: &Traced) {
        let record = |cell: HistogramCell, value| {
            let shared = cell.position().checked_sub(Histogram::SHARD_CELLS);
            if let Some(histogram) = shared.and_then(|shared| self.histogram(shared)) {
                histogram.record_n(value, traced.weight, Writers::Many);
            }
        };
        for (stage, nanos) in traced.stages() {
            stage.histogram(operation).into_iter().for_each(|cell| record(cell, nanos));
        }
        if let (Operation::Get, Some(source)) = (operation, traced.source) {
            record(Histogram::GetServedLatency.series(source), nanos);
            if source >= GetSource::Level(0).index() {
                record(Histogram::GetTablesChecked.at(0), traced.tables);
                record(Histogram::GetBlocksRead.at(0), traced.blocks);
            }
        }
    }

    /// Stores a gauge. What is not a finite number is not stored: formats have no place for it.
    pub(crate) fn set(&self, gauge: impl Into<GaugeCell>, value: f64) {
        if let Some(cell) = self.gauges.get(gauge.into().position()).filter(|_| value.is_finite()) {
            // A gauge publishes nothing but itself, hence relaxed.
            cell.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// Adds to a gauge, atomically. A sum that is not finite is not stored.
    pub(crate) fn shift(&self, gauge: impl Into<GaugeCell>, difference: f64) {
        if let Some(cell) = self.gauges.get(gauge.into().position()) {
            let sum = |bits| Some(f64::from_bits(bits) + difference).filter(|sum| sum.is_finite());
            // `Err` means that the sum was not finite, and the gauge is as it was.
            let _ =
                cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| sum(bits).map(f64::to_bits));
        }
    }

    #[cfg(test)]
    pub(crate) fn stored_gauge(&self, gauge: impl Into<GaugeCell>) -> f64 {
        let cell = self.gauges.get(gauge.into().position());
        cell.map_or(0.0, |cell| f64::from_bits(cell.load(Ordering::Relaxed)))
    }

    pub(crate) fn gauges(&self) -> Vec<f64> {
        self.gauges.iter().map(|cell| f64::from_bits(cell.load(Ordering::Relaxed))).collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("name", &self.name)
            .field("level", &self.level())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
