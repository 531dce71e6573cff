use std::path::Path;

use super::*;
use crate::env::sim::SimDisk;
use crate::env::{Dir, Env};
use crate::header::Birth;
use crate::log::segment::NewSegment;
use crate::sync::{AtomicU64, Ordering};

fn segments(n: u64) -> (SyncQueue, Vec<Arc<Segment>>) {
    let disk = SimDisk::new(1);
    let env = Env::sim(&disk);
    let dir =
        Dir::new(env.files.clone(), Path::new("/db"), &bettong_metrics::Registry::new("test").recorder());
    dir.create_all().unwrap();
    let queue = SyncQueue::new();
    let make = |number| {
        let new = NewSegment {
            number: FileNumber(number),
            capacity: 0,
            recycled: None,
            mapped: false,
            birth: Birth::default(),
        };
        let segment = Arc::new(Segment::prepare(&dir, new).unwrap());
        queue.push(segment.clone());
        segment
    };
    let segments = (1..=n).map(make).collect();
    (queue, segments)
}

fn at(segment: u64, offset: u64) -> LogPosition {
    LogPosition { segment: FileNumber(segment), offset }
}

#[test]
fn one_sync_serves_all_who_wait() {
    let (queue, segments) = segments(1);
    segments[0].set_written(1000);
    let syncs = AtomicU64::new(0);
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let sync = |_: &Segment| {
                    syncs.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                };
                queue.wait_durable(at(1, 1000), sync).unwrap();
            });
        }
    });
    assert_eq!(syncs.load(Ordering::SeqCst), 1, "the bytes were durable after the first sync");
    assert_eq!(segments[0].synced(), 1000);
}

#[test]
fn older_segments_are_synced_first_and_only_then_the_active_one_may_promise() {
    let (queue, segments) = segments(3);
    let order = Mutex::new(Vec::new());
    assert_eq!(segments[2].synced(), 0, "nothing is promised before the first sync");
    let sync = |segment: &Segment| {
        order.lock().push(segment.number.0);
        Ok(())
    };
    segments[2].set_written(500);
    queue.wait_durable(at(3, 500), sync).unwrap();
    assert_eq!(*order.lock(), [1, 2, 3]);
    assert_eq!(segments[2].synced(), 500);
}

/// F57, G6: after one failed sync nobody is told that anything is durable.
#[test]
fn g6_a_failed_sync_is_final() {
    let (queue, segments) = segments(1);
    segments[0].set_written(100);
    let failing = |segment: &Segment| {
        let path = Path::new("000001.log");
        assert_eq!(segment.number, FileNumber(1));
        Err(Error::io("sync", path, std::io::Error::from_raw_os_error(5)))
    };
    assert!(matches!(queue.wait_durable(at(1, 100), failing), Err(Error::ReadOnly(_))));
    let fine = |_: &Segment| panic!("a second sync must not be tried");
    assert!(matches!(queue.wait_durable(at(1, 100), fine), Err(Error::ReadOnly(_))));
    assert_eq!(segments[0].synced(), 0);
}

/// Whoever waited for a sync that panicked, and all who came after, waited for ever.
#[test]
fn g6_a_sync_that_panics_is_one_that_failed() {
    let (queue, segments) = segments(1);
    segments[0].set_written(100);
    let panics = |_: &Segment| {
        while queue.state.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        panic!("planted")
    };
    let fine = |_: &Segment| Ok(());
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| queue.wait_durable(at(1, 100), panics));
        while !queue.state.lock().leading {
            std::thread::yield_now();
        }
        assert!(matches!(queue.wait_durable(at(1, 100), fine), Err(Error::ReadOnly(_))));
        assert!(matches!(leader.join().unwrap(), Err(Error::ReadOnly(_))));
    });
    assert!(matches!(queue.wait_durable(at(1, 100), fine), Err(Error::ReadOnly(_))));
    assert_eq!(segments[0].synced(), 0);
}

#[test]
fn a_retired_segment_needs_no_sync() {
    let (queue, _segments) = segments(2);
    queue.retire(FileNumber(1));
    queue.wait_durable(at(1, 1 << 40), |_| panic!("nothing to sync")).unwrap();
}

/// Those who had been served, but had not woken up yet, were counted as writers of the next sync as well.
#[test]
fn every_writer_is_counted_with_one_sync() {
    let (queue, segments) = segments(1);
    let log = &segments[0];
    let served = Mutex::new(Vec::new());
    let writer = |from: u64, sync: &(dyn Fn() + Sync)| {
        let sync = |_: &Segment| {
            sync();
            Ok(())
        };
        let round = queue.wait_durable(at(1, from), sync).unwrap();
        served.lock().extend(round.map(|round| round.writers));
    };
    let until = |what: &dyn Fn(&State) -> bool| {
        while !what(&queue.state.lock()) {
            std::thread::yield_now();
        }
    };
    log.set_written(100);
    let syncing = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        // One leads alone, until two others wait.
        scope.spawn(|| {
            writer(100, &|| {
                syncing.wait();
                until(&|state| state.waiting.len() == 2);
            });
        });
        syncing.wait();
        log.set_written(300);
        for position in [200, 300] {
            scope.spawn(move || writer(position, &|| ()));
        }
    });
    // In the order in which the leaders came back, which is any.
    let mut served = served.into_inner();
    served.sort_unstable();
    assert_eq!(served, [1, 2]);
}
