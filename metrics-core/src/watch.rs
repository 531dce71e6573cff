//! What is only seen by looking again and again: operations that hang, the mean latency by Little's law, and how often to
//! sample.
//!
//! Every tick looks at the cells of all shards; no operation takes a stamp or a lock for it.
//!
//! - *Stuck*: a shard in which nothing began and nothing ended for [`STUCK_AFTER`], though something is under way.
//! - *Little's law*: the mean number in flight divided by the rate is the mean latency (Little, "A Proof for the Queuing
//!   Formula L = λW", 1961). It checks the histograms without sharing a clock or a sample with them.
//! - *Interval*: the mean latency and the costs on this machine give the number of operations per sample that stays within
//!   the budget, once a second. A sample takes a way of its own through the program, which is not in the processor's caches, and so
//!   longer than the operations it stands for: all together they cannot have taken longer than the threads were there.

use crate::catalog::{EventKind, Gauge, Operation};
use crate::clock::ClockSource;
use crate::events::Event;
use crate::registry::Registry;
use crate::shard::Shard;
use crate::strata::Strata;
use std::time::{Duration, Instant};

/// How long an operation may be under way, alone on its thread, before it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// How often intervals are set anew.
const PERIOD: Duration = Duration::from_secs(1);

const KINDS: usize = Operation::ALL.len();

/// What one shard was like when it last changed.
#[derive(Clone, Copy, Debug)]
struct Seen {
    entered: u64,
    exited: u64,
    since: Instant,
}

/// What was seen of one registry.
#[derive(Debug)]
pub(crate) struct Watch {
    shards: Vec<[Seen; KINDS]>,
    /// Shards in which something ended in the period, by their place: at least as many threads as worked at a time.
    worked: Vec<bool>,
    /// The sum over the ticks of the period, by kind of operation.
    in_flight: [u64; KINDS],
    ticks: u32,
    period_began: Instant,
    at_period: [Strata; KINDS],
    clock_source: ClockSource,
}

impl Watch {
    pub(crate) fn new(registry: &Registry, now: Instant) -> Self {
        Self {
            shards: Vec::new(),
            worked: Vec::new(),
            in_flight: [0; KINDS],
            ticks: 0,
            period_began: now,
            at_period: read_strata(registry),
            clock_source: registry.clock().source(),
        }
    }

    /// Looks once; `true` at the end of a period.
    pub(crate) fn look(&mut self, registry: &Registry, now: Instant) -> bool {
        self.look_at_shards(registry, now);
        let elapsed = now.duration_since(self.period_began);
        if elapsed < PERIOD {
            return false;
        }
        self.end_period(registry, elapsed);
        let source = registry.clock().source();
        if std::mem::replace(&mut self.clock_source, source) != source {
            let message = "the time-stamp counter ran unevenly: the monotonic clock takes its place";
            registry.emit(Event::new(EventKind::ClockDistrusted).message(message));
        }
        self.period_began = now;
        true
    }

    fn look_at_shards(&mut self, registry: &Registry, now: Instant) {
        let mut stuck = [0_u32; KINDS];
        for (at, shard) in registry.pool().shards().counting.iter().enumerate() {
            let read = Operation::ALL.map(|operation| look_at(shard, operation, now));
            let (Some(seen), Some(worked)) = (self.shards.get_mut(at), self.worked.get_mut(at)) else {
                self.worked.push(read.iter().any(|read| read.exited > 0));
                self.shards.push(read);
                continue;
            };
            *worked |= read.iter().zip(&*seen).any(|(read, seen)| read.exited != seen.exited);
            let looks = seen.iter_mut().zip(read).zip(self.in_flight.iter_mut().zip(&mut stuck));
            for ((seen, read), (in_flight, stuck)) in looks {
                let under_way = read.entered.saturating_sub(read.exited);
                *in_flight += under_way;
                if (read.entered, read.exited) != (seen.entered, seen.exited) {
                    *seen = read;
                } else if under_way > 0 && now.duration_since(seen.since) >= STUCK_AFTER {
                    *stuck += 1;
                }
            }
        }
        self.ticks += 1;
        for (stuck, gauge) in stuck.into_iter().zip(Gauge::OperationsStuck.cells()) {
            registry.set(gauge, f64::from(stuck));
        }
    }

    fn end_period(&mut self, registry: &Registry, elapsed: Duration) {
        let strata = read_strata(registry);
        let ticks = f64::from(self.ticks.max(1));
        let mut look_again = false;
        let mut periods = strata;
        periods.iter_mut().zip(&self.at_period).for_each(|(period, before)| *period = period.since(before));
        let threads = self.worked.iter().filter(|worked| **worked).count().max(1);
        let share = believable(&periods, elapsed.as_nanos() as f64 * threads as f64);
        for ((operation, period), in_flight) in Operation::ALL.into_iter().zip(periods).zip(self.in_flight) {
            let rate = float(period.finished()) / elapsed.as_secs_f64();
            let latency = if rate > 0.0 { float(in_flight) / ticks / rate } else { 0.0 };
            registry.set(Gauge::LatencyLittlesLaw.at(operation.index()), latency);
            look_again |= set_interval(registry, operation, &period.shortened(share));
        }
        if look_again {
            registry.look_again();
        }
        self.at_period = strata;
        self.worked.fill(false);
        self.in_flight = [0; KINDS];
        self.ticks = 0;
    }
}

/// The share of what the samples say all fast operations took that fits into the time of the threads that did them.
fn believable(periods: &[Strata], nanos_of_threads: f64) -> f64 {
    let said: f64 =
        periods.iter().filter_map(|period| Some(period.mean_fast_nanos()? * float(period.fast))).sum();
    if said > nanos_of_threads { nanos_of_threads / said } else { 1.0 }
}

/// Sets how often an operation is sampled; `true` if threads that go by the old interval would be late.
fn set_interval(registry: &Registry, operation: Operation, period: &Strata) -> bool {
    let costs = registry.costs();
    let before = registry.interval(operation);
    let interval = match period.mean_fast_nanos() {
        Some(mean) => costs.interval(mean),
        None => before,
    };
    registry.set_interval(operation, interval);
    if let Some(mean) = period.mean_nanos() {
        let slow = float(period.slow) / float(period.finished().max(1));
        let overhead = costs.overhead(mean, registry.sampling_interval(operation), slow);
        registry.set(Gauge::InstrumentationOverheadRatio.at(operation.index()), overhead);
    }
    interval < before / 2
}

fn look_at(shard: &Shard, operation: Operation, now: Instant) -> Seen {
    let cells = shard.operation(operation);
    let exited = cells.finished_fast() + cells.finished_slow();
    Seen { entered: cells.begun(), exited, since: now }
}

fn read_strata(registry: &Registry) -> [Strata; KINDS] {
    let mut strata = [Strata::default(); KINDS];
    for shard in registry.pool().shards().counting.iter() {
        for (operation, strata) in Operation::ALL.into_iter().zip(&mut strata) {
            let cells = shard.operation(operation);
            strata.fast += cells.finished_fast();
            strata.slow += cells.finished_slow();
            strata.add_timing(cells);
        }
    }
    strata
}
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(all(test, not(feature = "off")))]
#[expect(clippy::float_cmp, reason = "small integers, and what is stored is read back")]
mod tests {
    use super::*;
    use crate::instrumentation::Instrumentation;

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn an_operation_that_does_not_end_is_stuck_until_it_does() {
        let registry = Registry::new("test");
        let recorder = registry.recorder();
        let start = Instant::now();
        let mut watch = Watch::new(&registry, start);
        let stuck = || registry.stored_gauge(Gauge::OperationsStuck.at(Operation::Set.index()));
        let timer = recorder.start(Operation::Set);
        for tick in 1..=100 {
            watch.look(&registry, start + tick * TICK);
            assert_eq!(stuck(), 0.0, "tick {tick}");
        }
        watch.look(&registry, start + 101 * TICK);
        assert_eq!(stuck(), 1.0);
        timer.finish();
        watch.look(&registry, start + 102 * TICK);
        assert_eq!(stuck(), 0.0);
    }

    #[test]
    fn a_thread_that_goes_on_working_is_never_stuck() {
        let registry = Registry::new("test");
        let recorder = registry.recorder();
        let start = Instant::now();
        let mut watch = Watch::new(&registry, start);
        for tick in 1..=300 {
            let timer = recorder.start(Operation::Get);
            watch.look(&registry, start + tick * TICK);
            timer.finish();
            assert_eq!(registry.stored_gauge(Gauge::OperationsStuck.at(0)), 0.0);
        }
    }

    #[test]
    fn littles_law_gives_the_mean_latency_without_a_clock() {
        let registry = Registry::with_level("test", Instrumentation::Counters);
        let recorder = registry.recorder();
        let start = Instant::now();
        let mut watch = Watch::new(&registry, start);
        // 50 operations in a second, each under way for two ticks of 10 ms.
        for pair in 0..50 {
            let timer = recorder.start(Operation::Get);
            watch.look(&registry, start + (2 * pair + 1) * TICK);
            watch.look(&registry, start + (2 * pair + 2) * TICK);
            timer.finish();
        }
        // The last look came before the last operation ended, and the first one made the shard known.
        let latency = registry.stored_gauge(Gauge::LatencyLittlesLaw.at(0));
        assert!((0.019..0.0205).contains(&latency), "{latency}");
    }

    /// Gets of 73 ns were sampled every 290th time and not every 800th, since a sample took the cold way through the program, which
    /// made it four times as long as what it stood for: sampling cost 1.8 % and not half a percent.
    #[test]
    fn samples_that_say_more_than_there_was_time_for_are_not_believed() {
        let registry = Registry::new("test");
        let start = Instant::now();
        let mut watch = Watch::new(&registry, start);
        let shards = [(); 2].map(|()| registry.pool().shards().counting.lease());
        for shard in &shards {
            let cells = shard.operation(Operation::Get);
            for at in 0..500_000 {
                if at % 1_000 == 0 {
                    cells.finish_sample(shard.timed(Operation::Get).fast, 4_000);
                } else {
                    cells.finish_fast();
                }
            }
        }
        assert!(watch.look(&registry, start + PERIOD));
        // Two threads did a million gets in a second: 2 µs each, whatever the samples say.
        let interval = registry.sampling_interval(Operation::Get);
        assert_eq!(interval, registry.costs().interval(2_000.0));
        assert!(interval > registry.costs().interval(4_000.0));
        // What they say is believed where the threads had the time.
        shards.iter().for_each(|shard| {
            shard.operation(Operation::Get).finish_sample(shard.timed(Operation::Get).fast, 4_000);
        });
        assert!(watch.look(&registry, start + 2 * PERIOD));
        assert_eq!(registry.sampling_interval(Operation::Get), registry.costs().interval(4_000.0));
        shards.iter().for_each(|shard| shard.give_back());
    }

    #[test]
    fn the_interval_follows_the_latency() {
        let registry = Registry::new("test");
        let recorder = registry.recorder();
        let start = Instant::now();
        let mut watch = Watch::new(&registry, start);
        for _ in 0..200_000 {
            recorder.start(Operation::Get).finish();
        }
        assert!(watch.look(&registry, start + PERIOD));
        let fast = registry.sampling_interval(Operation::Get);
        assert!(fast > 64, "{fast}");
        for _ in 0..20_000 {
            let timer = recorder.start(Operation::Get);
            let began = recorder.now();
            while recorder.nanos_since(began) < 20_000 {}
            timer.finish();
        }
        assert!(watch.look(&registry, start + 2 * PERIOD));
        assert!(
            registry.sampling_interval(Operation::Get) < 8,
            "{}",
            registry.sampling_interval(Operation::Get)
        );
        assert!(registry.stored_gauge(Gauge::InstrumentationOverheadRatio.at(0)) < 0.05);
        registry.set_level(Instrumentation::Full);
        assert_eq!(registry.sampling_interval(Operation::Get), 1);
    }
}
