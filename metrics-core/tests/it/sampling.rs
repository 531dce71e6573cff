//! Sampled latencies tell the truth: against full recording of the same trace, against a workload with a rhythm, and whatever
//! the level of instrumentation does meanwhile.

use bettong_metrics::{
    Counter, Gauge, GetSource, Histogram, HistogramSnapshot, Instrumentation, Operation, Recorder, Registry,
    Stage,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Runs for about `nanos`, by the recorder's clock.
fn spin(recorder: &Recorder, nanos: u64) {
    let began = recorder.now();
    while recorder.nanos_since(began) < nanos {}
}

/// The largest difference between two distributions, as shares of their counts.
fn kolmogorov_distance(a: &HistogramSnapshot, b: &HistogramSnapshot) -> f64 {
    let mut edges: Vec<u64> = a.buckets().chain(b.buckets()).map(|bucket| bucket.highest).collect();
    edges.sort_unstable();
    edges.dedup();
    let share = |histogram: &HistogramSnapshot| {
        let count = histogram.count() as f64;
        histogram.cumulative(&edges).into_iter().map(move |below| below as f64 / count).collect::<Vec<_>>()
    };
    share(a).into_iter().zip(share(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The latencies of a trace, in nanoseconds, and whether each left the fast path: a bimodal fast part, and a slow tail of 2 %.
fn trace(length: u64) -> impl Iterator<Item = (u64, bool)> {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    (0..length).map(move |_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match random % 100 {
            0..2 => (20_000 + random % 30_000, true),
            2..40 => (900 + random % 200, false),
            _ => (300 + random % 100, false),
        }
    })
}

#[test]
fn a_sampled_distribution_is_within_its_rank_error_of_the_full_one() {
    let sampled = Registry::new("sampled");
    let full = Registry::with_level("full", Instrumentation::Full);
    let (one, all) = (sampled.recorder(), full.recorder());
    for (nanos, slow) in trace(60_000) {
        // One operation, timed by both: what differs is the sampling alone, and what the timers cost.
        let (outer, inner) = (all.start(Operation::Get), one.start(Operation::Get));
        if slow {
            inner.leave_fast_path();
            outer.leave_fast_path();
        }
        spin(&one, nanos);
        inner.finish();
        outer.finish();
    }
    let (sampled, full) = (sampled.snapshot(), full.snapshot());
    let strata = sampled.strata(Operation::Get);
    assert!(strata.samples < strata.fast / 40 && strata.samples > strata.fast / 100, "{strata:?}");
    let (estimate, truth) = (sampled.histogram(Histogram::GetLatency), full.histogram(Histogram::GetLatency));
    assert_eq!((estimate.count(), truth.count()), (60_000, 60_000));
    assert_eq!(strata.slow, full.strata(Operation::Get).slow);
    // The outer timer also sees the inner one, some tens of nanoseconds: compare the distributions above that blur.
    let coarse = |histogram: &HistogramSnapshot| {
        let counts = histogram.cumulative(&[767, 8_191, u64::MAX]);
        counts.into_iter().map(|below| below as f64 / histogram.count() as f64).collect::<Vec<_>>()
    };
    let error = strata.rank_error();
    assert!((0.01..0.08).contains(&error), "{error}");
    for (a, b) in coarse(estimate).into_iter().zip(coarse(truth)) {
        assert!((a - b).abs() <= error, "{a} {b}, allowed {error}");
    }
    // From the slow share on, every operation was timed: the quantiles differ by the timers alone.
    for q in [0.985, 0.99, 0.999, 1.0] {
        let (a, b) = (estimate.quantile(q).unwrap() as f64, truth.quantile(q).unwrap() as f64);
        assert!(q > strata.exact_from(), "{strata:?}");
        assert!(b - a < 0.02 * b + 20_000.0 * f64::from(u8::from(q > 0.9995)), "{q}: {a} {b}");
    }
}

/// A recorded trace of values, sampled as the shards do it, against all of it.
#[test]
fn samples_of_a_recorded_trace_are_within_the_bound_of_dvoretzky_kiefer_and_wolfowitz() {
    // The steps of iterators are sampled by the same draw, and can be fed with values instead of time.
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    let mut misses = 0;
    for _ in 0..40 {
        let before = registry.snapshot();
        let mut sampler = recorder.step_sampler();
        let mut samples = 0.0_f64;
        for (nanos, _) in trace(200_000) {
            recorder.record(Histogram::FlushDuration, nanos);
            if sampler.is_turn() {
                samples += 1.0;
                recorder.record_n(Histogram::IteratorStepLatency, nanos, sampler.weight());
            }
        }
        let round = registry.snapshot().since(&before);
        let bound = ((2.0_f64 / 0.05).ln() / (2.0 * samples)).sqrt();
        let (full, sampled) =
            (round.histogram(Histogram::FlushDuration), round.histogram(Histogram::IteratorStepLatency));
        misses += u32::from(kolmogorov_distance(full, sampled) > bound);
        let off = sampled.count() as f64 / full.count() as f64 - 1.0;
        assert!(off.abs() < 0.06, "the weights add up to {} of {}", sampled.count(), full.count());
    }
    // Each round misses with a probability of 5 %: more than 8 of 40 would happen once in a thousand runs.
    assert!(misses <= 8, "{misses} of 40");
}

#[test]
fn a_workload_with_a_rhythm_does_not_hide_from_the_sampler() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    // Every 64th operation is long: a mask of the counter (n & 63) would see only these, or none of them.
    for n in 0..40_000_u64 {
        let timer = recorder.start(Operation::Set);
        if n % 64 == 0 {
            spin(&recorder, 8_000);
        }
        timer.finish();
    }
    let snapshot = registry.snapshot();
    let (strata, latency) = (snapshot.strata(Operation::Set), snapshot.histogram(Histogram::SetLatency));
    assert!((450..850).contains(&strata.samples), "{strata:?}");
    let [below] = latency.cumulative(&[7_900])[..] else { panic!("one edge") };
    let long = 1.0 - below as f64 / latency.count() as f64;
    // 1 in 64 is 0.0156; with some 600 samples, three standard errors are 0.018.
    assert!(long < 0.04, "{long} of the operations seem to be long");
}

#[test]
fn slow_operations_are_all_timed_with_their_stages() {
    let registry = Registry::new("test");
    registry.set_slow_threshold(Duration::from_millis(1));
    let recorder = registry.recorder();
    for n in 0..1_000_u64 {
        let timer = recorder.start(Operation::Get);
        if n % 100 == 7 {
            timer.leave_fast_path();
            timer.table_checked();
            timer.block_read();
            thread::sleep(Duration::from_millis(2));
            timer.mark(Stage::Data);
            timer.served(GetSource::Level(2), false);
        } else {
            timer.served(GetSource::Memtable, false);
        }
    }
    let snapshot = registry.snapshot();
    let strata = snapshot.strata(Operation::Get);
    assert_eq!((strata.slow, strata.fast), (10, 990));
    assert_eq!(snapshot.counter(Counter::SlowOperations.at(Operation::Get.index())), 10);
    assert_eq!(snapshot.counter(Counter::LatencySamples.at2(Operation::Get.index(), 1)), 10);
    assert_eq!(snapshot.counter(Counter::GetServed.at(GetSource::Level(2).index())), 10);
    assert_eq!(snapshot.histogram(Histogram::GetServedLatency.at(4)).count(), 10);
    assert_eq!(snapshot.histogram(Histogram::GetStageDuration.at(3)).count(), 10);
    assert_eq!(snapshot.histogram(Histogram::GetBlocksRead).sum(), 10);
    // 99 % is where the exact stratum begins.
    assert!(snapshot.histogram(Histogram::GetLatency).quantile(0.995).unwrap() >= 1_990_000);
    let slow = registry.slow_operations();
    assert_eq!(slow.len(), 10);
    let first = slow.first().unwrap();
    assert_eq!((first.operation, first.source, first.tables_checked), (Operation::Get, Some("2"), 1));
    let [(Stage::Data, nanos)] = first.stages[..] else { panic!("{first:?}") };
    assert!(nanos <= first.nanos && nanos >= 1_990_000, "{first:?}");
}

#[test]
fn levels_change_at_the_next_operation_of_every_thread() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    let mut before = registry.snapshot();
    let mut run = |level: Instrumentation| {
        registry.set_level(level);
        for _ in 0..1_000 {
            let timer = recorder.start(Operation::Set);
            timer.add(Counter::UserWrittenBytes, 1);
            timer.finish();
            recorder.add(Counter::WalRecords, 1);
        }
        let now = registry.snapshot();
        let strata = now.since(&before).strata(Operation::Set);
        let counted = now.since(&before).counter(Counter::UserWrittenBytes);
        let recorded = now.since(&before).histogram(Histogram::SetLatency).count();
        before = now;
        (counted, strata.fast, strata.samples, recorded)
    };
    assert_eq!(run(Instrumentation::Full), (1_000, 1_000, 1_000, 1_000));
    assert_eq!(run(Instrumentation::Counters), (1_000, 1_000, 0, 0));
    assert_eq!(run(Instrumentation::Off), (0, 0, 0, 0));
    assert_eq!(run(Instrumentation::Full), (1_000, 1_000, 1_000, 1_000));
    let (counted, fast, samples, recorded) = run(Instrumentation::Sampled);
    assert_eq!((counted, fast, recorded), (1_000, 1_000, 1_000));
    assert!((5..60).contains(&samples), "{samples}");
    assert_eq!(registry.snapshot().counter(Counter::WalRecords), 4_000);
    assert_eq!(registry.snapshot().gauge(Gauge::InstrumentationLevel.at(2)), 1.0);
}

#[test]
fn counts_stay_exact_and_nothing_shrinks_while_levels_change() {
    let registry = Registry::new("test");
    let stop = AtomicBool::new(false);
    let done: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let recorder = registry.recorder();
                let stop = &stop;
                scope.spawn(move || {
                    let mut done = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let timer = recorder.start(Operation::Get);
                        if done % 50 == 0 {
                            timer.leave_fast_path();
                        }
                        timer.served(GetSource::Memtable, false);
                        timer.finish();
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let levels = [Instrumentation::Sampled, Instrumentation::Full, Instrumentation::Counters];
        let mut previous = registry.snapshot();
        for round in 0..600 {
            registry.set_level(levels[round % 3]);
            thread::sleep(Duration::from_micros(200));
            let next = registry.snapshot();
            assert_grew(&previous, &next);
            previous = next;
        }
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let last = registry.snapshot();
    assert_eq!(last.counter(Counter::GetOperations), done);
    assert_eq!(last.counter(Counter::GetResults.at(0)), done);
    assert_eq!((last.entered(Operation::Get), last.exited(Operation::Get)), (done, done));
    assert!(last.histogram(Histogram::GetLatency).count() <= done);
}

/// No count, and no bucket, is smaller than it was.
fn assert_grew(previous: &bettong_metrics::MetricsSnapshot, next: &bettong_metrics::MetricsSnapshot) {
    let entered = next.entered(Operation::Get);
    let results = next.counter_total(Counter::GetResults);
    assert!(next.exited(Operation::Get) <= results && results <= entered);
    assert!(previous.exited(Operation::Get) <= next.exited(Operation::Get));
    assert!(previous.entered(Operation::Get) <= entered);
    let (old, new) = (previous.histogram(Histogram::GetLatency), next.histogram(Histogram::GetLatency));
    let edges: Vec<u64> =
        old.buckets().flat_map(|bucket| [bucket.lowest.saturating_sub(1), bucket.highest]).collect();
    let (before, after) = (old.cumulative(&edges), new.cumulative(&edges));
    let in_bucket = |counts: &[u64]| counts.chunks(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
    for (bucket, (before, after)) in in_bucket(&before).into_iter().zip(in_bucket(&after)).enumerate() {
        assert!(before <= after, "bucket {bucket} shrank from {before} to {after}");
    }
    assert!(old.sum() <= new.sum() && old.count() <= new.count());
}

#[test]
fn twenty_thousand_short_threads_leave_exact_totals_and_bounded_memory() {
    const THREADS: u64 = 20_000;
    const AT_ONCE: u64 = 8;
    let registry = Registry::new("test");
    let run = |registry: &Arc<Registry>, batches: u64| {
        for _ in 0..batches {
            let spawn = |_| {
                let recorder = registry.recorder();
                thread::spawn(move || {
                    for _ in 0..3 {
                        recorder.start(Operation::Set).finish();
                    }
                    recorder.add(Counter::UserWrittenBytes, 100);
                })
            };
            let threads: Vec<_> = (0..AT_ONCE).map(spawn).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    };
    run(&registry, 200);
    let bytes = |registry: &Registry| registry.snapshot().gauge(Gauge::InstrumentationBytes);
    let (after_some, resident) = (bytes(&registry), resident_bytes());
    run(&registry, THREADS / AT_ONCE - 200);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::SetOperations), THREADS * 3);
    assert_eq!(snapshot.counter(Counter::UserWrittenBytes), THREADS * 100);
    assert_eq!(snapshot.histogram(Histogram::SetLatency).count(), THREADS * 3);
    let shards: f64 = Gauge::InstrumentationShards.cells().map(|cell| snapshot.gauge(cell)).sum();
    assert!(shards <= AT_ONCE as f64, "{shards} shards");
    // A shard made for a thread that was alive beside the others may come late; each has one histogram.
    assert!(bytes(&registry) <= after_some + AT_ONCE as f64 * 60_000.0);
    if let (Some(before), Some(after)) = (resident, resident_bytes()) {
        // The other tests of this binary run beside this one.
        assert!(after < before + (64 << 20), "grew from {before} to {after} bytes");
    }
}

/// Bytes of memory the process holds, where the system tells.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

#[test]
fn a_session_counts_like_any_thread_and_its_values_stay() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    thread::scope(|scope| {
        for _ in 0..4 {
            let recorder = &recorder;
            scope.spawn(move || {
                let session = recorder.session();
                for _ in 0..5_000 {
                    let timer = session.start(Operation::Get);
                    timer.served(GetSource::Immutable, true);
                    timer.finish();
                    session.add(Counter::UserReadBytes, 2);
                }
            });
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::GetOperations), 20_000);
    assert_eq!(snapshot.counter(Counter::GetResults.at(1)), 20_000);
    assert_eq!(snapshot.counter(Counter::UserReadBytes), 40_000);
    assert_eq!(snapshot.histogram(Histogram::GetLatency).count(), 20_000);
    assert_eq!(snapshot.gauge(Gauge::InstrumentationShards.at(0)), 0.0);

    registry.set_level(Instrumentation::Off);
    let session = recorder.session();
    (0..100).for_each(|_| session.start(Operation::Get).finish());
    assert_eq!(registry.snapshot().counter(Counter::GetOperations), 20_000);
    registry.set_level(Instrumentation::Counters);
    (0..100).for_each(|_| session.start(Operation::Get).finish());
    assert_eq!(registry.snapshot().counter(Counter::GetOperations), 20_100);
}
