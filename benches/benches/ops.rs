//! The basic operations, by where the data lie, by value size, and (groups `… by keys`) by how much data there is.
//!
//! `cargo bench -p bettong-benches --bench ops`; with `-- --quick` for a first look. Times of two runs on a shared machine differ by far
//! more than most changes: compare within one run, or count instructions.
//!
//! Criterion times the operations with instrumentation at its default. After that each bench does a number of operations at level
//! `full`, and the registry's own histogram of them goes into `target/criterion/GROUP/hdr`.
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bettong::{Durability, Instrumentation, WriteBatch, WriteOptions};
use bettong_benches::{Bench, Place, hdr, key, missing_key, shuffled};
use bettong_metrics::{Histogram, Operation};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const VALUE_BYTES: [usize; 4] = [16, 100, 1024, 4096];
/// Sizes of databases whose values have `VALUE_BYTES_BY_KEYS`: 0.1 to 116 MB.
const KEYS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const VALUE_BYTES_BY_KEYS: usize = 100;
/// Members of a batch.
const BATCH: u64 = 100;
/// How much is done for a distribution: so many operations, or as many as fit in so much time.
const MOST_OPERATIONS: u64 = 1_000_000;
const MOST_TIME: Duration = Duration::from_secs(1);

/// Whether this measures; if not, it only looks whether everything works.
fn measures() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--bench") && !given("--test")
}

/// As many keys as make some 32 MiB, 100,000 at most.
fn keys(value_bytes: usize) -> u64 {
    let most = if measures() { 100_000 } else { 2_000 };
    ((32 << 20) / (16 + value_bytes as u64)).min(most)
}

fn database(value_bytes: usize, place: Place) -> Bench {
    Bench::new(keys(value_bytes), value_bytes, place).expect("a database")
}

/// Databases of growing size, each made when the one before is done with; without measuring only the small ones.
fn growing(place: Place) -> impl Iterator<Item = Bench> {
    let most = if measures() { u64::MAX } else { 10_000 };
    let sizes = KEYS.into_iter().filter(move |&keys| keys <= most);
    sizes.map(move |keys| Bench::new(keys, VALUE_BYTES_BY_KEYS, place).expect("a database"))
}

/// Where criterion has the files of a group.
fn hdr_dir(group: &str) -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).join("criterion").join(group).join("hdr")
}

/// A group of benches of one kind of operation.
struct Group<'a> {
    name: &'static str,
    operation: Operation,
    criterion: BenchmarkGroup<'a, WallTime>,
}

impl<'a> Group<'a> {
    fn new(c: &'a mut Criterion, name: &'static str, operation: Operation) -> Group<'a> {
        let mut criterion = c.benchmark_group(name);
        criterion
            .sample_size(30)
            .warm_up_time(Duration::from_secs(1))
            .measurement_time(Duration::from_secs(2));
        Group { name, operation, criterion }
    }

    /// Times `work`, which is told how often it was called before, and writes its distribution. `parameter` is what the
    /// group's benches differ by: bytes of a value, or keys.
    fn bench(&mut self, name: &str, parameter: u64, bench: &Bench, mut work: impl FnMut(u64)) {
        let mut n = 0;
        self.criterion.bench_function(BenchmarkId::new(name, parameter), |b| {
            b.iter(|| {
                n += 1;
                work(n);
            });
        });
        // A bench that a filter leaves out never calls it.
        if n > 0 && measures() {
            self.write_distribution(&format!("{name}-{parameter}"), bench, |at| work(n + at));
        }
    }

    fn write_distribution(&self, name: &str, bench: &Bench, mut work: impl FnMut(u64)) {
        let (registry, latency) = (bench.db.metrics(), Histogram::latency(self.operation));
        registry.set_level(Instrumentation::Full);
        let (before, began) = (registry.snapshot(), Instant::now());
        let mut at = 0;
        while at < MOST_OPERATIONS && (at % 128 > 0 || began.elapsed() < MOST_TIME) {
            at += 1;
            work(at);
        }
        let recorded = registry.snapshot().histogram(latency).since(before.histogram(latency));
        registry.set_level(Instrumentation::default());
        let name = name.replace([' ', ','], "-");
        hdr::write(&hdr_dir(self.name), &name, &recorded).expect("files of a distribution");
    }

    fn get(&mut self, name: &str, parameter: u64, bench: &Bench) {
        self.bench(name, parameter, bench, |n| {
            let value = bench.db.get(key(shuffled(n, bench.keys))).expect("a read").expect("a value");
            black_box(value.len());
        });
        self.bench(&format!("{name} missing"), parameter, bench, |n| {
            let absent = missing_key(shuffled(n, bench.keys));
            black_box(bench.db.get(absent).expect("a read").is_none());
        });
    }

    fn set(&mut self, name: &str, parameter: u64, bench: &Bench, value: &[u8], durability: Durability) {
        let options = WriteOptions::new().durability(durability);
        self.criterion.throughput(Throughput::Bytes(16 + value.len() as u64));
        self.bench(name, parameter, bench, |n| {
            bench.db.set_with(key(shuffled(n, bench.keys)), value, options).expect("a write");
        });
    }

    fn scan(&mut self, items: usize, parameter: u64, bench: &Bench) {
        self.criterion.throughput(Throughput::Elements(items as u64));
        self.bench(&format!("forward {items}"), parameter, bench, |n| {
            let from = key(shuffled(n, bench.keys - items as u64));
            let walked = bench.db.scan(from.as_slice()..).take(items);
            black_box(
                walked.map(|item| item.expect("a step").value().expect("a value").len()).sum::<usize>(),
            );
        });
        self.bench(&format!("backward {items}"), parameter, bench, |n| {
            let to = key(shuffled(n, bench.keys));
            let walked = bench.db.scan(..=to.as_slice()).rev().take(items);
            black_box(
                walked.map(|item| item.expect("a step").value().expect("a value").len()).sum::<usize>(),
            );
        });
    }
}

fn get(c: &mut Criterion) {
    let mut group = Group::new(c, "get", Operation::Get);
    for value_bytes in VALUE_BYTES {
        for (name, place) in [("memtable", Place::Memtable), ("level", Place::Tables)] {
            group.get(name, value_bytes as u64, &database(value_bytes, place));
        }
    }
}

fn set(c: &mut Criterion) {
    let mut group = Group::new(c, "set", Operation::Set);
    for value_bytes in VALUE_BYTES {
        let bench = database(value_bytes, Place::Memtable);
        let value = vec![7; value_bytes];
        for (name, durability) in [("os", Durability::Os), ("none", Durability::None)] {
            group.set(name, value_bytes as u64, &bench, &value, durability);
        }
    }
}

fn delete(c: &mut Criterion) {
    let mut group = Group::new(c, "delete", Operation::Delete);
    for value_bytes in VALUE_BYTES {
        let bench = database(value_bytes, Place::Memtable);
        group.bench("os", value_bytes as u64, &bench, |n| {
            bench.db.delete(key(shuffled(n, bench.keys))).expect("a write");
        });
    }
}

fn batch(c: &mut Criterion) {
    let mut group = Group::new(c, "batch", Operation::Batch);
    for value_bytes in VALUE_BYTES {
        let bench = database(value_bytes, Place::Memtable);
        let value = vec![7; value_bytes];
        group.criterion.throughput(Throughput::Elements(BATCH));
        group.bench("100 sets", value_bytes as u64, &bench, |n| {
            let mut batch = WriteBatch::new();
            for at in n * BATCH..(n + 1) * BATCH {
                batch.set(key(shuffled(at, bench.keys)), &value);
            }
            bench.db.write(batch).expect("a write");
        });
    }
}

fn scan(c: &mut Criterion) {
    let mut group = Group::new(c, "scan", Operation::Scan);
    for value_bytes in VALUE_BYTES {
        let bench = database(value_bytes, Place::Tables);
        for items in [10, 1000] {
            group.scan(items, value_bytes as u64, &bench);
        }
    }
}

fn get_by_keys(c: &mut Criterion) {
    let mut group = Group::new(c, "get by keys", Operation::Get);
    for bench in growing(Place::Tables) {
        group.get("level", bench.keys, &bench);
    }
}

/// Overwrites, in a memtable that holds all keys.
fn set_by_keys(c: &mut Criterion) {
    let mut group = Group::new(c, "set by keys", Operation::Set);
    for bench in growing(Place::Memtable) {
        group.set("os", bench.keys, &bench, &[7; VALUE_BYTES_BY_KEYS], Durability::Os);
    }
}

fn scan_by_keys(c: &mut Criterion) {
    let mut group = Group::new(c, "scan by keys", Operation::Scan);
    for bench in growing(Place::Tables) {
        group.scan(10, bench.keys, &bench);
    }
}

criterion_group!(by_value_size, get, set, delete, batch, scan);
criterion_group!(by_data_size, get_by_keys, set_by_keys, scan_by_keys);
criterion_main!(by_value_size, by_data_size);
