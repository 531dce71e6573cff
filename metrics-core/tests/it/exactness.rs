//! N operations counted are N operations reported, however many threads there were.

use bettong_metrics::{
    Counter, ErrorLabel, Gauge, GetSource, Histogram, Instrumentation, Lookup, Operation, Registry, TableHit,
};
use std::thread;

#[test]
fn concurrent_threads_lose_no_count() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 20_000;
    let registry = Registry::new("test");
    thread::scope(|scope| {
        for id in 0..THREADS {
            let recorder = registry.recorder();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let timer = recorder.start(Operation::Get);
                    timer.add(Counter::GetResults.at(usize::try_from(round % 3).unwrap()), 1);
                    timer.add(Counter::UserReadBytes, id);
                    timer.finish();
                    recorder.record(Histogram::CommitGroupWriters, round % 10);
                }
            });
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::GetOperations), THREADS * ROUNDS);
    assert_eq!(snapshot.counter_total(Counter::GetResults), THREADS * ROUNDS);
    assert_eq!(snapshot.counter(Counter::UserReadBytes), ROUNDS * (0..THREADS).sum::<u64>());
    assert_eq!(snapshot.histogram(Histogram::GetLatency).count(), THREADS * ROUNDS);
    let writers = snapshot.histogram(Histogram::CommitGroupWriters);
    assert_eq!((writers.count(), writers.sum()), (THREADS * ROUNDS, THREADS * ROUNDS / 10 * 45));
    assert_eq!((writers.min(), writers.max()), (Some(0), Some(9)));
    assert_eq!(snapshot.in_flight(Operation::Get), 0);
}

#[test]
fn a_get_that_ends_in_a_usual_way_is_in_all_families_that_want_to_know() {
    let registry = Registry::with_level("test", Instrumentation::Counters);
    let recorder = registry.recorder();
    // The first one of a thread is looked at.
    recorder.start(Operation::Get).finish();
    let before = registry.snapshot();
    let begin = || recorder.begin(Operation::Get).expect("the next look is far ahead");
    for level in 0..7 {
        (0..=level).for_each(|_| begin().end_in_table(TableHit::new(level), 10));
        (0..2).for_each(|_| begin().end_in_table(TableHit::counted(level), 10));
    }
    begin().end_missing();
    begin().end_in_memtable(Some(5));
    begin().end_in_memtable(None);
    let counted = registry.snapshot().since(&before);
    for level in 0..7 {
        let times = level as u64 + 1;
        let checks = [0, 1, 2].map(|result| counted.counter(Counter::FilterChecks.at2(level, result)));
        assert_eq!(checks, [0, times, 0], "level {level}");
        assert_eq!(counted.counter(Counter::LevelProbes.at(level)), times, "level {level}");
        let served = counted.counter(Counter::GetServed.at(GetSource::Level(level).index()));
        assert_eq!(served, times + 2, "level {level}");
    }
    assert_eq!(counted.counter(Counter::TableCacheRequests.at(0)), (1..=7).sum::<u64>());
    let elsewhere = [GetSource::Memtable, GetSource::Immutable, GetSource::Miss];
    assert_eq!(elsewhere.map(|source| counted.counter(Counter::GetServed.at(source.index()))), [2, 0, 1]);
    assert_eq!([0, 1, 2].map(|result| counted.counter(Counter::GetResults.at(result))), [43, 1, 1]);
    assert_eq!(counted.counter(Counter::UserReadBytes), 42 * 10 + 5);
    assert_eq!(counted.counter(Counter::GetOperations), 45);
    assert_eq!(registry.snapshot().in_flight(Operation::Get), 0);
}

#[test]
fn what_gets_learn_from_tables_is_what_three_families_count() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    for level in 0..7 {
        let timer = recorder.start(Operation::Get);
        // Two tables denied the key, one was looked into in vain, and the next one had it.
        for lookup in [Lookup::Denied, Lookup::Denied, Lookup::Absent, Lookup::into_table(true, true)] {
            (0..=level).for_each(|_| timer.looked_up(level, lookup));
        }
    }
    // What is counted apart comes to it, and a level that there is not is passed over.
    recorder.add(Counter::FilterChecks.at2(6, 0), 1);
    recorder.start(Operation::Get).looked_up(7, Lookup::Found);
    let snapshot = registry.snapshot();
    for level in 0..7 {
        let times = level as u64 + 1;
        let checks = [0, 1, 2].map(|result| snapshot.counter(Counter::FilterChecks.at2(level, result)));
        assert_eq!(checks, [2 * times + u64::from(level == 6), times, times], "level {level}");
        assert_eq!(snapshot.counter(Counter::LevelProbes.at(level)), times, "a get probes a level once");
    }
    assert_eq!(snapshot.counter(Counter::TableCacheRequests.at(0)), 4 * (1..=7).sum::<u64>());
}

#[test]
fn every_operation_feeds_its_own_families() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    for (times, operation) in Operation::ALL.into_iter().enumerate() {
        for _ in 0..=times {
            drop(recorder.start(operation));
        }
    }
    let snapshot = registry.snapshot();
    for (times, operation) in Operation::ALL.into_iter().enumerate() {
        let expected = times as u64 + 1;
        assert_eq!(snapshot.counter(Counter::operations(operation)), expected, "{operation:?}");
        assert_eq!(snapshot.histogram(Histogram::latency(operation)).count(), expected, "{operation:?}");
        assert_eq!((snapshot.entered(operation), snapshot.exited(operation)), (expected, expected));
    }
}

#[test]
fn members_of_a_batch_are_added_to_the_operations_that_were_timed() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    drop(recorder.start(Operation::Set));
    let batch = recorder.start(Operation::Batch);
    batch.add(Counter::SetOperations, 10);
    batch.finish();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::SetOperations), 11);
    assert_eq!(snapshot.counter(Counter::BatchOperations), 1);
    assert_eq!(snapshot.histogram(Histogram::SetLatency).count(), 1);
}

#[test]
fn failures_are_counted_by_operation_and_kind() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    recorder.fail(Operation::Get, ErrorLabel::Corruption);
    recorder.fail(Operation::Scan, ErrorLabel::Corruption);
    recorder.fail(Operation::Batch, ErrorLabel::NoSpace);
    recorder.fail(Operation::Delete, ErrorLabel::Other);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::GetErrors.at(ErrorLabel::Corruption.index())), 2);
    assert_eq!(snapshot.counter(Counter::SetErrors.at(ErrorLabel::NoSpace.index())), 1);
    assert_eq!(snapshot.counter(Counter::DeleteErrors.at(ErrorLabel::Other.index())), 1);
    assert_eq!(snapshot.counter_total(Counter::GetErrors), 2);
}

#[test]
fn gauges_hold_what_was_stored_last_and_refuse_what_is_no_number() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    recorder.set(Gauge::LevelBytes.at(3), 5e9);
    recorder.set(Gauge::LevelBytes.at(3), f64::NAN);
    recorder.set(Gauge::LevelBytes.at(3), f64::INFINITY);
    recorder.shift(Gauge::LevelBytes.at(3), f64::INFINITY);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| recorder.shift(Gauge::TablesOpen, 1.0)));
            scope.spawn(|| (0..900).for_each(|_| recorder.shift(Gauge::TablesOpen, -1.0)));
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.gauge(Gauge::LevelBytes.at(3)), 5e9);
    assert_eq!(snapshot.gauge(Gauge::LevelBytes.at(2)), 0.0);
    assert_eq!(snapshot.gauge(Gauge::TablesOpen), 400.0);
}

#[test]
fn a_stopwatch_records_once_whether_stopped_or_dropped_and_not_when_discarded() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    let nanos = recorder.timer(Histogram::FlushDuration).stop();
    assert_eq!(registry.snapshot().histogram(Histogram::FlushDuration).sum(), nanos);
    drop(recorder.timer(Histogram::FsyncDuration.at(1)));
    recorder.timer(Histogram::FsyncDuration.at(1)).discard();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.histogram(Histogram::FlushDuration).count(), 1);
    assert_eq!(snapshot.histogram(Histogram::FsyncDuration.at(1)).count(), 1);
    assert_eq!(snapshot.histogram(Histogram::FsyncDuration.at(0)).count(), 0);
}

#[test]
fn a_latency_is_at_least_the_time_slept() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    let started = recorder.now();
    let timer = recorder.start(Operation::Scan);
    thread::sleep(std::time::Duration::from_millis(5));
    timer.finish();
    let upper = recorder.nanos_since(started);
    let snapshot = registry.snapshot();
    let latency = snapshot.histogram(Histogram::ScanLatency);
    // The sleep and the stamp counter are two clocks: one part in a thousand is left for their disagreement.
    assert!(latency.min().unwrap() >= 4_995_000 && latency.max().unwrap() <= upper, "{latency:?}");
}
