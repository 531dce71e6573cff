//! Threads and registries come and go in any order; counts stay exact and memory bounded.

use bettong_metrics::{Counter, Gauge, Operation, Recorder, Registry};
use std::cell::RefCell;
use std::sync::{Arc, mpsc};
use std::thread;

#[test]
fn two_thousand_short_threads_leave_exact_totals_and_few_shards() {
    const THREADS: u64 = 2_000;
    const AT_ONCE: u64 = 4;
    let registry = Registry::new("test");
    for _ in 0..THREADS / AT_ONCE {
        let spawn = |_| {
            let recorder = registry.recorder();
            thread::spawn(move || {
                for _ in 0..5 {
                    drop(recorder.start(Operation::Set));
                }
                recorder.add(Counter::UserWrittenBytes, 100);
            })
        };
        let threads: Vec<_> = (0..AT_ONCE).map(spawn).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::SetOperations), THREADS * 5);
    assert_eq!(snapshot.counter(Counter::UserWrittenBytes), THREADS * 100);
    let leased = snapshot.gauge(Gauge::InstrumentationShards.at(0));
    let free = snapshot.gauge(Gauge::InstrumentationShards.at(1));
    assert_eq!(leased, 0.0);
    assert!((1.0..=4.0).contains(&free), "{free} shards");
    assert!(snapshot.gauge(Gauge::InstrumentationBytes) < 400_000.0);
}

#[test]
fn one_thread_serves_several_registries_without_mixing_them() {
    let registries: Vec<_> = (0..5).map(|i| Registry::new(format!("db{i}"))).collect();
    let recorders: Vec<_> = registries.iter().map(Registry::recorder).collect();
    for _ in 0..1_000 {
        for (i, recorder) in recorders.iter().enumerate() {
            recorder.add(Counter::WalRecords, i as u64);
            drop(recorder.start(Operation::Get));
        }
    }
    for (i, registry) in registries.iter().enumerate() {
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.database(), format!("db{i}"));
        assert_eq!(snapshot.counter(Counter::WalRecords), 1_000 * i as u64);
        assert_eq!(snapshot.counter(Counter::GetOperations), 1_000);
    }
}

#[test]
fn timers_of_two_registries_may_overlap() {
    let (first, second) = (Registry::new("a"), Registry::new("b"));
    let (one, two) = (first.recorder(), second.recorder());
    let outer = one.start(Operation::Get);
    let inner = two.start(Operation::Set);
    outer.add(Counter::UserReadBytes, 3);
    inner.add(Counter::UserWrittenBytes, 4);
    drop(outer);
    assert_eq!(
        (first.snapshot().in_flight(Operation::Get), second.snapshot().in_flight(Operation::Set)),
        (0, 1)
    );
    drop(inner);
    assert_eq!(first.snapshot().counter(Counter::UserReadBytes), 3);
    assert_eq!(second.snapshot().counter(Counter::UserWrittenBytes), 4);
}

#[test]
fn a_thread_may_outlive_a_registry_it_recorded_into() {
    let (to_thread, from_main) = mpsc::channel::<Recorder>();
    let (to_main, from_thread) = mpsc::channel();
    let thread = thread::spawn(move || {
        for recorder in from_main {
            recorder.add(Counter::ManifestEdits, 2);
            drop(recorder);
            to_main.send(()).unwrap();
        }
    });
    for _ in 0..50 {
        let registry = Registry::new("short-lived");
        to_thread.send(registry.recorder()).unwrap();
        from_thread.recv().unwrap();
        assert_eq!(registry.snapshot().counter(Counter::ManifestEdits), 2);
        assert_eq!(Arc::strong_count(&registry), 1);
    }
    drop(to_thread);
    thread.join().unwrap();
}

#[test]
fn counting_while_a_thread_is_torn_down_is_safe_and_exact() {
    struct CountsWhenDropped(Recorder);
    impl Drop for CountsWhenDropped {
        fn drop(&mut self) {
            self.0.add(Counter::FileDeletions.at(0), 1);
            drop(self.0.start(Operation::Delete));
        }
    }
    thread_local!(static LATE: RefCell<Option<CountsWhenDropped>> = const { RefCell::new(None) });

    let registry = Registry::new("test");
    for _ in 0..20 {
        let recorder = registry.recorder();
        thread::spawn(move || {
            LATE.with(|late| *late.borrow_mut() = Some(CountsWhenDropped(recorder.clone())));
            recorder.add(Counter::FileDeletions.at(0), 1);
        })
        .join()
        .unwrap();
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter(Counter::FileDeletions.at(0)), 40);
    assert_eq!(snapshot.counter(Counter::DeleteOperations), 20);
}
