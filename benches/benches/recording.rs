//! What recording and reading cost by themselves, without an engine around them.
//!
//! `cargo bench -p bettong-benches --bench recording`
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use bettong::Instrumentation;
use bettong_benches::paths::Path;
use bettong_benches::{Bench, Place};
use bettong_exporter::formats::{json, text};
use bettong_metrics::{Clock, Counter, Gauge, Histogram, Operation, Registry};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};

const KEYS: u64 = 2_000;

fn recording(c: &mut Criterion) {
    let mut group = c.benchmark_group("recording");
    let registry = Registry::new("bench");
    let (recorder, clock) = (registry.recorder(), Clock::global());
    let mut n = 0;
    group.bench_function("time stamp", |b| b.iter(|| clock.now()));
    group.bench_function("add", |b| b.iter(|| recorder.add(Counter::UserReadBytes, black_box(120))));
    group.bench_function("set gauge", |b| b.iter(|| recorder.set(Gauge::MemtableBytes, black_box(1.0))));
    group.bench_function("record shared histogram", |b| {
        b.iter(|| {
            n = (n + 977) % 1_000_000;
            recorder.record(Histogram::FlushDuration, black_box(n));
        });
    });
    group.bench_function("stopwatch", |b| b.iter(|| recorder.timer(Histogram::FlushDuration).stop()));
    for level in Instrumentation::ALL {
        registry.set_level(level);
        group.bench_function(BenchmarkId::new("start, finish", level), |b| {
            b.iter(|| recorder.start(Operation::Scan).finish());
        });
        group.bench_function(BenchmarkId::new("begin, end get", level), |b| {
            b.iter(|| match recorder.begin(Operation::Get) {
                Some(begun) => begun.end_in_memtable(Some(black_box(100))),
                None => recorder.start(Operation::Get).finish(),
            });
        });
    }
}

fn custom(c: &mut Criterion) {
    let mut group = c.benchmark_group("custom");
    let registry = Registry::new("bench");
    let counter = registry.counter("orders_total", "Orders", &[]).expect("a counter");
    group.bench_function("add by handle", |b| b.iter(|| counter.add(black_box(1))));
    group.bench_function("add by name", |b| {
        b.iter(|| registry.record_counter(black_box("orders_total"), 1, &[]));
    });
}

/// A registry with the shards of so many threads, in which every kind of operation was timed.
fn registry_of(threads: usize) -> Arc<Registry> {
    let registry = Registry::with_level("bench", Instrumentation::Full);
    // All are alive at once, so that none gets the shard of another.
    let alive = Barrier::new(threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let recorder = registry.recorder();
                for operation in Operation::ALL {
                    (0..100).for_each(|_| recorder.start(operation).finish());
                }
                alive.wait();
            });
        }
    });
    registry
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("reading");
    group.measurement_time(Duration::from_secs(2)).sample_size(30);
    for threads in [1, 8, 64] {
        let registry = registry_of(threads);
        let id = BenchmarkId::new("snapshot, threads", threads);
        bench_with_tail(&mut group, id, || (), || registry.snapshot());
    }
    let bench = full_database();
    let registry = bench.db.metrics();
    let id = BenchmarkId::from_parameter("snapshot of a database");
    bench_with_tail(&mut group, id, work_on(&bench), || registry.snapshot());
    let (before, after) = (registry.snapshot(), registry.snapshot());
    group.bench_function("difference of two snapshots", |b| b.iter(|| after.since(&before)));
    group.bench_function("text", |b| b.iter(|| text::render(&after)));
    group.bench_function("json", |b| b.iter(|| json::render(&after)));
    let mut renderer = text::Renderer::default();
    let id = BenchmarkId::from_parameter("snapshot and text");
    bench_with_tail(&mut group, id, work_on(&bench), || renderer.render(&registry.snapshot()));
}

/// Times each run by itself, `between` left out, and prints quantiles beside what criterion says.
fn bench_with_tail<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    mut between: impl FnMut(),
    mut run: impl FnMut() -> T,
) {
    let mut times = Vec::new();
    group.bench_function(id, |b| {
        b.iter_custom(|runs| {
            let timed = (0..runs).map(|_| {
                between();
                let began = Instant::now();
                drop(black_box(run()));
                began.elapsed()
            });
            let first = times.len();
            times.extend(timed);
            times.iter().skip(first).sum()
        });
    });
    times.sort_unstable();
    let quantile = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    if !times.is_empty() {
        println!("    p50 {:?}, p99 {:?} of {} runs", quantile(0.5), quantile(0.99), times.len());
    }
}

/// Some gets and sets, so that numbers change from scrape to scrape.
fn work_on(bench: &Bench) -> impl FnMut() {
    let mut from = 0;
    move || {
        for path in [Path::GetTable, Path::Set] {
            path.run(&bench.db, bench.keys, from, 50).expect("a path");
        }
        from += 50;
    }
}

/// A database that has done a bit of everything, each operation timed.
fn full_database() -> Bench {
    let bench = Bench::new(KEYS, 100, Place::Tables).expect("a database");
    bench.db.metrics().set_level(Instrumentation::Full);
    for path in Path::ALL {
        path.run(&bench.db, KEYS, 0, KEYS).expect("a path");
    }
    bench.db.flush().expect("a flush");
    bench.db.sync().expect("a sync");
    bench
}

criterion_group!(benches, recording, custom, reading);
criterion_main!(benches);
