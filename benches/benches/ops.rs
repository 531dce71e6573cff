//! The basic operations, by where the data lie and by value size.
//!
//! `cargo bench -p bettong-benches --bench ops`; with `-- --quick` for a first look. Times of two runs on a shared machine differ by far
//! more than most changes: compare within one run, or count instructions.
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use std::hint::black_box;

use bettong::{Durability, WriteBatch, WriteOptions};
use bettong_benches::{Bench, Place, key, shuffled};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const KEYS: u64 = 100_000;
const VALUE_BYTES: [usize; 2] = [100, 1024];

fn get(c: &mut Criterion) {
    let mut group = c.benchmark_group("get");
    for value_bytes in VALUE_BYTES {
        for (name, place) in [("memtable", Place::Memtable), ("tables", Place::Tables)] {
            let bench = Bench::new(KEYS, value_bytes, place).expect("a database");
            let mut n = 0;
            group.bench_function(BenchmarkId::new(name, value_bytes), |b| {
                b.iter(|| {
                    n += 1;
                    let value = bench.db.get(key(shuffled(n, KEYS))).expect("a read").expect("a value");
                    black_box(value.len())
                });
            });
            group.bench_function(BenchmarkId::new(format!("{name}, missing"), value_bytes), |b| {
                b.iter(|| {
                    n += 1;
                    let mut absent = key(shuffled(n, KEYS));
                    absent[4] = b'x';
                    black_box(bench.db.get(absent).expect("a read").is_none())
                });
            });
        }
    }
}

fn set(c: &mut Criterion) {
    let mut group = c.benchmark_group("set");
    for value_bytes in VALUE_BYTES {
        let bench = Bench::new(1, 1, Place::Memtable).expect("a database");
        let value = vec![7; value_bytes];
        let mut n = 0;
        group.throughput(Throughput::Bytes(16 + value_bytes as u64));
        for (name, durability) in [("os", Durability::Os), ("none", Durability::None)] {
            group.bench_function(BenchmarkId::new(name, value_bytes), |b| {
                b.iter(|| {
                    n += 1;
                    let options = WriteOptions::new().durability(durability);
                    bench.db.set_with(key(shuffled(n, KEYS)), &value, options).expect("a write");
                });
            });
        }
        group.bench_function(BenchmarkId::new("batch of 100", value_bytes), |b| {
            b.iter(|| {
                let mut batch = WriteBatch::new();
                for _ in 0..100 {
                    n += 1;
                    batch.set(key(shuffled(n, KEYS)), &value);
                }
                bench.db.write(batch).expect("a write");
            });
        });
    }
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    let bench = Bench::new(KEYS, 100, Place::Tables).expect("a database");
    let mut n = 0;
    for items in [10, 1000] {
        group.throughput(Throughput::Elements(items as u64));
        group.bench_function(BenchmarkId::new("forward", items), |b| {
            b.iter(|| {
                n += 1;
                let from = key(shuffled(n, KEYS - items as u64));
                let walked = bench.db.scan(from.as_slice()..).take(items);
                walked.map(|item| item.expect("a step").value().expect("a value").len()).sum::<usize>()
            });
        });
        group.bench_function(BenchmarkId::new("backward", items), |b| {
            b.iter(|| {
                n += 1;
                let to = key(shuffled(n, KEYS));
                let walked = bench.db.scan(..=to.as_slice()).rev().take(items);
                walked.map(|item| item.expect("a step").value().expect("a value").len()).sum::<usize>()
            });
        });
    }
}

criterion_group!(benches, get, set, scan);
criterion_main!(benches);
