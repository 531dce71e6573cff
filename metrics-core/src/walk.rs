//! The walk that reads a registry.
//!
//! Every cell is loaded with plain loads: the walk waits for no lock, so neither a thread that records nor one that leases its
//! first shard can make it wait, nor the other way round.
//!
//! An operation stores `entered`, then its results, then its latency, then that it is finished. The walk loads them the other
//! way round, for all shards before it goes on to the next: finished ≤ latencies ≤ results ≤ entered then holds in every
//! shard, and so in the sum. Time grows with the number of shards, some microseconds each.

use crate::catalog::{Counter, CounterCell, Gauge, GetSource, Lookup, Operation};
use crate::cell;
use crate::histogram::{HistogramSnapshot, LazyHistogram, RELATIVE_ERROR, Tally};
use crate::instrumentation::Instrumentation;
use crate::quick::QuickEnd;
use crate::registry::Registry;
use crate::shard::Shard;
use crate::snapshot::{Flow, MetricsSnapshot, Window, derive_amplifications, store};
use crate::strata::Strata;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Operations finished in one shard, by kind: fast and slow.
type Finished = [(u64, u64); Operation::ALL.len()];

impl Registry {
    /// Reads every value.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let wall_start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let clock = self.clock();
        let begun = clock.now();
        let shards = || self.pool().shards().counting.iter();
        let finished: Vec<Finished> = shards().map(read_finished).collect();
        let mut strata = sum_finished(&finished);
        let mut tallies = self.take_tallies();
        let latencies: Vec<_> = Operation::ALL
            .into_iter()
            .zip(&mut strata)
            .map(|(operation, strata)| {
                read_latencies(operation, shards().zip(&finished), strata, &mut tallies)
            })
            .collect();
        self.give_back_tallies(tallies);
        let mut counters = vec![0; Counter::CELLS];
        shards().for_each(|shard| add_counters(shard, &mut counters));
        let mut flows = strata.map(|strata| Flow { entered: 0, exited: strata.finished() });
        for shard in shards() {
            for (operation, flow) in Operation::ALL.into_iter().zip(&mut flows) {
                flow.entered = flow.entered.wrapping_add(shard.operation(operation).begun());
            }
        }
        count_operations(&mut counters, &strata);
        self.custom().count_rejections(&mut counters);
        self.event_log().count(&mut counters);
        let shared = self.histograms().iter().map(HistogramSnapshot::of);
        let histograms = latencies.into_iter().chain(shared).collect();
        let ended = clock.now();
        let span_nanos = clock.nanos_between(self.created(), ended);
        let mut gauges = self.gauges();
        store(&mut gauges, Gauge::UptimeSeconds, seconds(span_nanos));
        for (flow, cell) in flows.iter().zip(Gauge::OperationsInFlight.cells()) {
            store(&mut gauges, cell, number(flow.entered.saturating_sub(flow.exited)));
        }
        let queued = shards().map(Shard::queued).sum();
        store(&mut gauges, Gauge::WriteQueueDepth, number(queued));
        let activity = self.activity();
        activity.holders.describe(&mut gauges);
        derive_amplifications(&counters, &mut gauges);
        self.describe_instrumentation(&strata, &mut gauges);
        self.io().describe(clock, &mut gauges);
        MetricsSnapshot {
            database: Arc::clone(self.shared_name()),
            window: Window {
                start: wall_start,
                end: wall_start + seconds(clock.nanos_between(begun, ended)),
            },
            span_nanos,
            flows,
            strata,
            counters,
            gauges,
            histograms,
            published: self.published(),
            activity: Arc::new(activity),
            custom: self.custom().read(),
            clock,
            clock_frequency: clock.frequency_hz().to_string(),
        }
    }

    /// The gauges about the build, the clock and the instrumentation itself.
    fn describe_instrumentation(&self, strata: &[Strata; Operation::ALL.len()], gauges: &mut [f64]) {
        store(gauges, Gauge::BuildInfo, 1.0);
        store(gauges, Gauge::ClockInfo, 1.0);
        store(gauges, Gauge::LatencyValueErrorRatio, RELATIVE_ERROR);
        for level in Instrumentation::ALL {
            let in_force = f64::from(u8::from(level == self.level()));
            store(gauges, Gauge::InstrumentationLevel.at(level.index()), in_force);
        }
        for (operation, strata) in Operation::ALL.into_iter().zip(strata) {
            let at = operation.index();
            store(gauges, Gauge::LatencySamplingInterval.at(at), number(self.sampling_interval(operation)));
            store(gauges, Gauge::LatencyRankErrorRatio.at(at), strata.rank_error());
        }
        let shards = self.pool().shards();
        let shard_bytes: usize = shards.all().map(Shard::bytes).sum();
        let histogram_bytes: usize = self.histograms().iter().map(LazyHistogram::heap_bytes).sum();
        let bytes = size_of::<Self>()
            + 2 * Tally::BYTES
            + shard_bytes
            + histogram_bytes
            + self.custom().heap_bytes()
            + self.holder_table().heap_bytes();
        store(gauges, Gauge::InstrumentationBytes, number(bytes as u64));
        let (leased, free): (Vec<_>, Vec<_>) = shards.counting.iter().partition(|shard| shard.is_leased());
        store(gauges, Gauge::InstrumentationShards.at(0), number(leased.len() as u64));
        store(gauges, Gauge::InstrumentationShards.at(1), number(free.len() as u64));
    }
}

fn read_finished(shard: &Shard) -> Finished {
    Operation::ALL.map(|operation| {
        let cells = shard.operation(operation);
        (cells.finished_fast(), cells.finished_slow())
    })
}

fn sum_finished(finished: &[Finished]) -> [Strata; Operation::ALL.len()] {
    let mut strata = [Strata::default(); Operation::ALL.len()];
    for shard in finished {
        for ((fast, slow), strata) in shard.iter().zip(&mut strata) {
            strata.fast = strata.fast.wrapping_add(*fast);
            strata.slow = strata.slow.wrapping_add(*slow);
        }
    }
    strata
}

/// Both strata of one kind of operation as one histogram. Shards that are younger than the walk are left out.
fn read_latencies<'a>(
    operation: Operation,
    shards: impl Iterator<Item = (&'a Shard, &'a Finished)>,
    strata: &mut Strata,
    tallies: &mut [Tally; 2],
) -> HistogramSnapshot {
    let [fast, slow] = tallies;
    fast.clear();
    slow.clear();
    for (shard, finished) in shards {
        let timed = shard.timed(operation);
        let (fast_finished, _) = finished.get(operation.index()).copied().unwrap_or_default();
        timed.cells.add_fast_to(timed.fast, fast_finished, fast);
        timed.slow.add_to(slow);
        strata.add_timing(timed.cells);
    }
    fast.derive_sum();
    fast.merge(slow);
    HistogramSnapshot::from_tally(fast)
}

/// Adds the counters of a shard, how its gets ended, and what they learnt from tables.
fn add_counters(shard: &Shard, counters: &mut [u64]) {
    for (counter, sum) in shard.counters().iter().zip(counters.iter_mut()) {
        *sum = sum.wrapping_add(cell::read(counter));
    }
    let mut sums = Sums(counters);
    let quick = shard.operation(Operation::Get).quick();
    for end in QuickEnd::all() {
        let n = quick.ended(end);
        match end {
            QuickEnd::MemtableValue => sums.add_gets(GetSource::Memtable.index(), false, n),
            QuickEnd::MemtableTombstone => sums.add_gets(GetSource::Memtable.index(), true, n),
            QuickEnd::Missing => sums.add_gets(GetSource::Miss.index(), false, n),
            QuickEnd::TableValue(hit) => {
                sums.add_gets(GetSource::Level(hit.level()).index(), false, n);
                sums.add_lookups(hit.level(), Lookup::Found, if hit.is_counted() { 0 } else { n });
            }
        }
    }
    sums.add(Counter::UserReadBytes, quick.bytes());
    for (source, ends) in shard.gets().chunks(2).enumerate() {
        for (is_tombstone, end) in [false, true].into_iter().zip(ends) {
            sums.add_gets(source, is_tombstone, cell::read(end));
        }
    }
    for (level, cells) in shard.lookups().chunks(Lookup::ALL.len()).enumerate() {
        for (lookup, cell) in Lookup::ALL.into_iter().zip(cells) {
            sums.add_lookups(level, lookup, cell::read(cell));
        }
    }
}

/// Counters, summed over shards.
struct Sums<'a>(&'a mut [u64]);

impl Sums<'_> {
    fn add(&mut self, counter: impl Into<CounterCell>, n: u64) {
        if let Some(sum) = self.0.get_mut(counter.into().position()) {
            *sum = sum.wrapping_add(n);
        }
    }

    /// Gets that ended at the source with this index, with a tombstone or not.
    fn add_gets(&mut self, source: usize, is_tombstone: bool, n: u64) {
        let result = match is_tombstone {
            true => 1,
            false if source == GetSource::Miss.index() => 2,
            false => 0,
        };
        self.add(Counter::GetServed.at(source), n);
        self.add(Counter::GetResults.at(result), n);
    }

    /// What gets learnt from tables of a level.
    fn add_lookups(&mut self, level: usize, lookup: Lookup, n: u64) {
        self.add(Counter::FilterChecks.at2(level, lookup.filter_result()), n);
        self.add(Counter::LevelProbes.at(level), if lookup.is_first_probe() { n } else { 0 });
        self.add(Counter::TableCacheRequests.at(0), n);
    }
}

/// Adds what is known of the operations that were finished to the counters. Those of operations hold only what the engine
/// added itself: the members of batches.
fn count_operations(counters: &mut [u64], strata: &[Strata; Operation::ALL.len()]) {
    for (operation, strata) in Operation::ALL.into_iter().zip(strata) {
        let samples = Counter::LatencySamples;
        let sums = [
            (Counter::operations(operation).at(0), strata.finished()),
            (samples.at2(operation.index(), 0), strata.samples),
            (samples.at2(operation.index(), 1), strata.slow),
        ];
        for (counter, n) in sums {
            if let Some(sum) = counters.get_mut(counter.position()) {
                *sum = sum.wrapping_add(n);
            }
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    number(nanos) / 1e9
}
fn number(count: u64) -> f64 {
    count as f64
}
