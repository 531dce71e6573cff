//! What is sampled is counted exactly, whatever the level of instrumentation does meanwhile. (That samples tell the truth is
//! tested where they are taken, in `stratum`.)

use bettong_metrics::{Counter, Gauge, GetSource, Histogram, Instrumentation, Operation, Registry, Stage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

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
fn iterators_and_what_is_told_obey_the_level() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    // How many of 10,000 steps are timed, and what is counted meanwhile.
    let run = |level: Instrumentation| {
        registry.set_level(level);
        let before = registry.snapshot();
        let mut sampler = recorder.open_iterator();
        let timed = (0..10_000).filter(|_| sampler.is_turn()).count();
        recorder.tell(|to| {
            to.add(Counter::IteratorSteps.at(0), 10_000);
            to.add(Counter::UserReadBytes, 7);
        });
        let counted = registry.snapshot().since(&before);
        let cells =
            [Counter::IteratorsCreated.at(0), Counter::IteratorSteps.at(0), Counter::UserReadBytes.at(0)];
        (timed, cells.map(|cell| counted.counter(cell)))
    };
    assert_eq!(run(Instrumentation::Full), (10_000, [1, 10_000, 7]));
    assert_eq!(run(Instrumentation::Counters), (0, [1, 10_000, 7]));
    assert_eq!(run(Instrumentation::Off), (0, [0, 0, 0]));
    let (timed, counted) = run(Instrumentation::Sampled);
    assert_eq!(counted, [1, 10_000, 7]);
    assert!((5..50).contains(&timed), "{timed} of 10,000: one in 512 is");
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
    for bucket in old.buckets() {
        let edges = [bucket.lowest.saturating_sub(1), bucket.highest];
        let after = new.cumulative(&edges);
        let [below, upto] = after[..] else { panic!("two edges") };
        assert!(bucket.lowest == 0 || bucket.count <= upto - below, "{bucket:?} shrank to {}", upto - below);
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
