//! What goes on: events, jobs and holders, seen while they come and go.

use bettong_metrics::{
    Event, EventKind, Gauge, HolderKind, Instrumentation, JobKind, JobPlan, JobReport, JobResult, Registry,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn flush() -> JobPlan {
    JobPlan {
        kind: JobKind::Flush,
        reason: 1,
        memtables: 1,
        inputs: Vec::new(),
        output_level: 0,
        bytes_total: 10,
    }
}

#[test]
fn a_change_of_level_is_an_event_and_setting_the_same_again_is_none() {
    let registry = Registry::new("test");
    registry.set_level(Instrumentation::Sampled);
    registry.set_level(Instrumentation::Full);
    registry.set_level(Instrumentation::Full);
    let events = registry.events();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind, events[0].result), (EventKind::LevelChanged, Some("full")));
}

#[test]
fn holders_appear_in_the_gauges_with_a_growing_age_and_vanish() {
    let registry = Registry::new("test");
    let recorder = registry.recorder();
    let scan = recorder.hold(HolderKind::Iterator, 7);
    let held = recorder.hold(HolderKind::Snapshot, 8);
    let age = || registry.snapshot().gauge(Gauge::IteratorOldestAge);
    let before = age();
    thread::sleep(std::time::Duration::from_millis(5));
    assert!(age() >= before + 0.005);
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.gauge(Gauge::IteratorsOpen), snapshot.gauge(Gauge::SnapshotsOpen)), (1.0, 1.0));
    assert!(snapshot.activity().holders.known[0].since > 1e9);
    thread::spawn(move || drop((scan, held))).join().unwrap();
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.gauge(Gauge::IteratorsOpen), snapshot.gauge(Gauge::SnapshotOldestAge)), (0.0, 0.0));
}

#[test]
fn a_job_that_is_dropped_without_a_result_was_cancelled() {
    let registry = Registry::new("test");
    drop(registry.recorder().job(flush()));
    assert_eq!(registry.jobs().recent[0].result(), Some(&JobResult::Cancelled));
    let last = registry.events().pop().unwrap();
    assert_eq!(
        (last.kind, last.cause, last.result),
        (EventKind::FlushEnd, Some("manual"), Some("cancelled"))
    );
}

#[test]
fn readers_under_load_miss_nothing_and_see_numbers_and_jobs_in_order() {
    const JOBS: u64 = 3_000;
    let registry = Registry::new("test");
    let running = AtomicBool::new(true);
    let read_events = || {
        let (mut next, mut seen, mut lost) = (0, 0, 0);
        loop {
            let last = !running.load(Ordering::Acquire);
            let since = registry.events_since(next);
            let numbers: Vec<_> = since.events.iter().map(|event| event.number).collect();
            // Not contiguous: who took a number first need not be first to take a place, so one may be lost whose followers are kept.
            assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
            assert!(numbers.iter().all(|number| (next..since.next).contains(number)), "{numbers:?}");
            assert_eq!(since.next, next + since.lost + numbers.len() as u64);
            (next, seen, lost) = (since.next, seen + numbers.len() as u64, lost + since.lost);
            let jobs = registry.jobs();
            assert!(jobs.running.len() <= 4 && jobs.running.is_sorted_by_key(|job| job.id()));
            assert!(jobs.recent.iter().all(|job| job.result().is_some()));
            if last {
                return seen + lost;
            }
        }
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(read_events)).collect();
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let recorder = registry.recorder();
                    for _ in 0..JOBS {
                        let job = recorder.job(flush());
                        recorder.emit(Event::new(EventKind::TableCreated).file(1));
                        job.end(JobResult::Ok(JobReport::default()));
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        running.store(false, Ordering::Release);
        readers.into_iter().for_each(|reader| assert_eq!(reader.join().unwrap(), 3 * 3 * JOBS));
    });
    assert!(registry.jobs().running.is_empty());
    assert!(registry.events().len() <= 512 && registry.jobs().recent.len() <= 64);
}
