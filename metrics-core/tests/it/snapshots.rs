//! What a snapshot says, alone, compared with an earlier one, and while everybody is writing.

use bettong_metrics::{
    Counter, Family, Gauge, Histogram, LevelState, MetricsSnapshot, Operation, PublishedState, Registry,
    TableState, Value,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn under_load_snapshots_grow_and_exited_never_exceeds_entered() {
    let registry = Registry::new("test");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            let recorder = registry.recorder();
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let timer = recorder.start(Operation::Get);
                    timer.add(Counter::GetResults.at(0), 1);
                    timer.finish();
                }
            });
        }
        let mut previous = registry.snapshot();
        for _ in 0..300 {
            let next = registry.snapshot();
            check_order(&next);
            check_growth(&previous, &next);
            previous = next;
        }
        stop.store(true, Ordering::Relaxed);
    });
    let last = registry.snapshot();
    assert_eq!(last.entered(Operation::Get), last.counter(Counter::GetOperations));
    assert_eq!(last.histogram(Histogram::GetLatency).count(), last.counter(Counter::GetResults));
}

fn check_order(snapshot: &MetricsSnapshot) {
    let (entered, exited) = (snapshot.entered(Operation::Get), snapshot.exited(Operation::Get));
    let results = snapshot.counter_total(Counter::GetResults);
    let timed = snapshot.histogram(Histogram::GetLatency).count();
    assert!(
        exited <= timed && timed <= results && results <= entered,
        "{exited} {timed} {results} {entered}"
    );
    // Three threads, one operation each; the rest began while the snapshot was being taken.
    assert_eq!(snapshot.in_flight(Operation::Get), entered - exited);
}

fn check_growth(previous: &MetricsSnapshot, next: &MetricsSnapshot) {
    assert!(next.counter(Counter::GetOperations) >= previous.counter(Counter::GetOperations));
    assert!(
        next.histogram(Histogram::GetLatency).count() >= previous.histogram(Histogram::GetLatency).count()
    );
    let delta = next.since(previous);
    assert_eq!(
        delta.counter(Counter::GetResults) + previous.counter(Counter::GetResults),
        next.counter(Counter::GetResults)
    );
    assert!(delta.window().start <= delta.window().end && next.window().start <= next.window().end);
}

#[test]
fn a_difference_holds_what_happened_in_between() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    recorder.add(Counter::UserWrittenBytes, 1_000);
    recorder.add(Counter::StorageWrittenBytes.at(0), 1_000);
    recorder.record(Histogram::FlushDuration, 500);
    recorder.set(Gauge::MemtableBytes, 7.0);
    let before = registry.snapshot();
    recorder.add(Counter::UserWrittenBytes, 100);
    recorder.add(Counter::StorageWrittenBytes.at(2), 400);
    recorder.record(Histogram::FlushDuration, 90_000);
    recorder.set(Gauge::MemtableBytes, 9.0);
    let delta = registry.snapshot().since(&before);

    assert_eq!(delta.counter(Counter::UserWrittenBytes), 100);
    assert_eq!(delta.gauge(Gauge::MemtableBytes), 9.0);
    assert_eq!(delta.gauge(Gauge::WriteAmplification), 4.0);
    let flushes = delta.histogram(Histogram::FlushDuration);
    assert_eq!((flushes.count(), flushes.sum(), flushes.max()), (1, 90_000, Some(90_000)));
    assert!(flushes.quantile(0.5).unwrap().abs_diff(90_000) <= 400);
    assert!(delta.span_nanos() < registry.snapshot().span_nanos());
}

#[test]
fn an_operation_under_way_is_in_flight() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    let timer = recorder.start(Operation::Batch);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.in_flight(Operation::Batch), 1);
    assert_eq!(snapshot.gauge(Gauge::OperationsInFlight.at(Operation::Batch.index())), 1.0);
    assert_eq!(snapshot.counter(Counter::BatchOperations), 0);
    timer.finish();
    assert_eq!(registry.snapshot().in_flight(Operation::Batch), 0);
}

#[test]
fn published_state_is_replaced_as_a_whole_and_readers_keep_what_they_hold() {
    let registry = Registry::new("test");
    assert_eq!(*registry.published(), PublishedState::default());
    let table = TableState { number: 7, bytes: 4_096, entries: 10, ..TableState::default() };
    let first = PublishedState {
        levels: vec![LevelState { level: 0, tables: vec![table] }],
        ..PublishedState::default()
    };
    registry.publish(first.clone());
    let held = registry.snapshot();
    registry.publish(PublishedState::default());
    assert_eq!(**held.published(), first);
    assert!(registry.published().levels.is_empty());
}

#[test]
fn families_list_every_series_with_its_labels() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    recorder.add(Counter::CacheRequests.at3(1, 2, 0), 3);
    drop(recorder.start(Operation::Get));
    let snapshot = registry.snapshot();
    for family in Family::all() {
        assert_eq!(snapshot.samples(family).count(), family.desc().series(), "{}", family.desc().name);
    }
    let filled: Vec<_> = snapshot
        .samples(Family::Counter(Counter::CacheRequests))
        .filter(|sample| matches!(sample.value, Value::Counter(n) if n > 0))
        .map(|sample| sample.labels.iter().collect::<Vec<_>>())
        .collect();
    assert_eq!(filled, [[("level", "1"), ("block_type", "filter"), ("result", "hit")]]);
}

#[test]
fn the_clock_and_the_instrumentation_describe_themselves() {
    let registry = Registry::new("test");
    registry.recorder().add(Counter::WalRecords, 1);
    let snapshot = registry.snapshot();
    let clock = snapshot.samples(Family::Gauge(Gauge::ClockInfo)).next().unwrap();
    assert_eq!(clock.labels.get("source"), Some(snapshot.clock().source().as_str()));
    assert_eq!(clock.labels.get("frequency_hz"), Some(snapshot.clock().frequency_hz().to_string().as_str()));
    assert!(matches!(clock.value, Value::Gauge(1.0)));
    assert_eq!(snapshot.gauge(Gauge::InstrumentationShards.at(0)), 1.0);
    assert!(snapshot.gauge(Gauge::InstrumentationBytes) > 4_096.0);
    assert!(snapshot.gauge(Gauge::UptimeSeconds) > 0.0);
}
