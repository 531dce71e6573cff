//! One database's cells, and the walk that reads them.
//!
//! A registry belongs to a database, never to the process: two databases in one process do not mix their numbers.
//! [`Registry::snapshot`] loads every cell with plain loads. It takes no lock, so neither an engine thread that records
//! nor one that leases its first shard can make it wait, nor the other way round.
//!
//! Memory: 36 KiB for each shared histogram in use, and the shards of the threads (4 KiB each, and 36 KiB for each kind
//! of operation the thread has finished). The gauges `db_instrumentation_bytes` and `_shards` say how much it is.

use crate::catalog::{Counter, Gauge, GaugeCell, Histogram, Operation};
use crate::cell;
use crate::clock::{Clock, Ticks};
use crate::histogram::{HistogramSnapshot, LazyHistogram, Tally};
use crate::io::IoTable;
use crate::lease::Pool;
use crate::published::PublishedState;
use crate::shard::Shard;
use crate::snapshot::{Flow, MetricsSnapshot, Window, derive_amplifications, store};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything one database counts, times and announces.
pub struct Registry {
    name: Arc<str>,
    clock: Clock,
    created: Ticks,
    pool: Pool,
    /// The bits of an `f64` each.
    gauges: [AtomicU64; Gauge::CELLS],
    /// The histograms that live once per database.
    histograms: [LazyHistogram; Histogram::SHARED_CELLS],
    published: ArcSwap<PublishedState>,
    io: IoTable,
}

impl Registry {
    /// A registry for the database called `name`, which becomes the value of the label `db`.
    ///
    /// The first registry of a process calibrates the clock, which takes about 4 ms.
    pub fn new(name: impl Into<String>) -> Arc<Self> {
        let clock = Clock::global();
        Arc::new(Self {
            name: name.into().into(),
            clock,
            created: clock.now(),
            pool: Pool::new(),
            gauges: [const { AtomicU64::new(0) }; Gauge::CELLS],
            histograms: std::array::from_fn(|_| LazyHistogram::default()),
            published: ArcSwap::default(),
            io: IoTable::default(),
        })
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
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

    /// Reads every value. Takes no lock; the time grows with the number of shards, some 10 µs each.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let wall_start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let begun = self.clock.now();
        let mut sums = Sums::default();
        for shard in self.pool.shards().shards() {
            sums.add(shard);
        }
        let shared = self.histograms.iter().map(|histogram| {
            sums.scratch.clear();
            histogram.add_to(&mut sums.scratch);
            HistogramSnapshot::from_tally(&sums.scratch)
        });
        let latencies = sums.latencies.iter().map(HistogramSnapshot::from_tally);
        let histograms = latencies.chain(shared).collect();
        let mut counters = sums.counters;
        count_finished(&mut counters, &sums.flows);
        let mut gauges = self.read_gauges();
        let ended = self.clock.now();
        let span_nanos = self.clock.nanos_between(self.created, ended);
        store(&mut gauges, Gauge::UptimeSeconds, seconds(span_nanos));
        for (flow, cell) in sums.flows.iter().zip(Gauge::OperationsInFlight.cells()) {
            store(&mut gauges, cell, number(flow.entered.saturating_sub(flow.exited)));
        }
        derive_amplifications(&counters, &mut gauges);
        self.describe_instrumentation(&mut gauges);
        self.io.describe(self.clock, &mut gauges);
        MetricsSnapshot {
            database: Arc::clone(&self.name),
            window: Window {
                start: wall_start,
                end: wall_start + seconds(self.clock.nanos_between(begun, ended)),
            },
            span_nanos,
            flows: sums.flows,
            counters,
            gauges,
            histograms,
            published: self.published(),
            clock: self.clock,
            clock_frequency: self.clock.frequency_hz().to_string(),
        }
    }

    /// The database's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The database's shards.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
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

    /// Stores a gauge. What is not a finite number is not stored: formats have no place for it.
    pub(crate) fn set(&self, gauge: GaugeCell, value: f64) {
        if let Some(cell) = self.gauges.get(gauge.position()).filter(|_| value.is_finite()) {
            // A gauge publishes nothing but itself, hence relaxed.
            cell.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// Adds to a gauge, atomically. A sum that is not finite is not stored.
    pub(crate) fn shift(&self, gauge: GaugeCell, difference: f64) {
        if let Some(cell) = self.gauges.get(gauge.position()) {
            let sum = |bits| Some(f64::from_bits(bits) + difference).filter(|sum| sum.is_finite());
            // `Err` means that the sum was not finite, and the gauge is as it was.
            let _ =
                cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| sum(bits).map(f64::to_bits));
        }
    }

    fn read_gauges(&self) -> Vec<f64> {
        self.gauges.iter().map(|cell| f64::from_bits(cell.load(Ordering::Relaxed))).collect()
    }

    /// The gauges about the build, the clock and the instrumentation itself.
    fn describe_instrumentation(&self, gauges: &mut [f64]) {
        store(gauges, Gauge::BuildInfo, 1.0);
        store(gauges, Gauge::ClockInfo, 1.0);
        let pool = self.pool.shards();
        let shard_bytes: usize = pool.shards().map(Shard::bytes).sum();
        let histogram_bytes: usize = self.histograms.iter().map(LazyHistogram::heap_bytes).sum();
        let bytes = size_of::<Self>() + shard_bytes + histogram_bytes;
        store(gauges, Gauge::InstrumentationBytes, number(bytes as u64));
        let (leased, free): (Vec<_>, Vec<_>) = pool.leasable().partition(|shard| shard.is_leased());
        store(gauges, Gauge::InstrumentationShards.at(0), number(leased.len() as u64));
        store(gauges, Gauge::InstrumentationShards.at(1), number(free.len() as u64));
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("name", &self.name)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// The sums over the shards while a snapshot is being taken.
struct Sums {
    flows: [Flow; Operation::ALL.len()],
    counters: Vec<u64>,
    latencies: [Tally; Histogram::SHARD_CELLS],
    scratch: Tally,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            flows: Default::default(),
            counters: vec![0; Counter::CELLS],
            latencies: std::array::from_fn(|_| Tally::new()),
            scratch: Tally::new(),
        }
    }
}

impl Sums {
    /// Adds one shard. An operation stores `entered`, then its results, then its latency, then `exited`; loading them
    /// the other way round makes exited ≤ latencies ≤ results ≤ entered hold in every shard, and so in the sum.
    fn add(&mut self, shard: &Shard) {
        for (operation, flow) in Operation::ALL.into_iter().zip(&mut self.flows) {
            flow.exited = flow.exited.wrapping_add(cell::read(&shard.operation(operation).exited));
        }
        for (position, tally) in self.latencies.iter_mut().enumerate() {
            if let Some(histogram) = shard.histogram(position) {
                histogram.add_to(tally);
            }
        }
        for (counter, sum) in shard.counters().iter().zip(&mut self.counters) {
            *sum = sum.wrapping_add(cell::read(counter));
        }
        for (operation, flow) in Operation::ALL.into_iter().zip(&mut self.flows) {
            flow.entered = flow.entered.wrapping_add(cell::read(&shard.operation(operation).entered));
        }
    }
}

/// Adds the finished operations to the counters of operations, whose own cells hold only what the engine added itself:
/// the members of batches.
fn count_finished(counters: &mut [u64], flows: &[Flow]) {
    for (operation, flow) in Operation::ALL.into_iter().zip(flows) {
        if let Some(counter) = counters.get_mut(Counter::operations(operation).at(0).position()) {
            *counter = counter.wrapping_add(flow.exited);
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    number(nanos) / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
fn number(count: u64) -> f64 {
    count as f64
}
