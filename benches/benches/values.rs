//! Scans over separated values: after a load in random order, and after everything was written anew in the order of the keys.
//!
//! `cargo bench -p bettong-benches --bench values [-- --test]`. Each scan is made three times; the fastest counts. What is compared
//! is one run's own: the values lie in the page cache in all of them.
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

use std::time::Instant;

use bettong::{Db, Options};
use bettong_metrics::Counter;

const ROUNDS: usize = 3;

/// How a scan went: values read, their bytes, and how fast.
#[derive(Clone, Copy, Debug)]
struct Scan {
    bytes: u64,
    seconds: f64,
}

impl Scan {
    fn megabytes_per_second(self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds
    }
}

/// A permutation of `0..n`: `n` is no multiple of the prime.
fn scattered(at: u64, n: u64) -> u64 {
    at * 1_000_003 % n
}

fn load(db: &Db, keys: u64, value_len: usize, in_order: bool) {
    let mut value = vec![0; value_len];
    for at in 0..keys {
        let n = if in_order { at } else { scattered(at, keys) };
        if let Some(head) = value.first_chunk_mut() {
            *head = n.to_le_bytes();
        }
        db.set(n.to_be_bytes(), &value).expect("set");
    }
    db.flush().expect("flush");
}

/// Every byte of every value, or no value at all.
fn scan(db: &Db, values: bool) -> Scan {
    let run = || {
        let began = Instant::now();
        let mut bytes = 0;
        let mut sum = 0u64;
        for item in db.scan(..) {
            let item = item.expect("an item");
            let read = if values { item.value().expect("a value") } else { item.key() };
            bytes += read.len() as u64;
            sum = read.iter().step_by(8).fold(sum, |sum, byte| sum ^ u64::from(*byte));
        }
        std::hint::black_box(sum);
        Scan { bytes, seconds: began.elapsed().as_secs_f64() }
    };
    let runs = std::iter::repeat_with(run).take(ROUNDS);
    runs.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("a round")
}

fn compare(keys: u64, value_len: usize) {
    let open =
        |dir: &std::path::Path| Db::open(dir, Options::default().separation_threshold(0)).expect("open");
    let (random, ordered) = (tempfile::tempdir().expect("a place"), tempfile::tempdir().expect("a place"));
    let db = open(random.path());
    load(&db, keys, value_len, false);
    let loaded = scan(&db, true);
    db.compact(..).expect("compact");
    let compacted = scan(&db, true);
    let before = db.metrics().snapshot().counter(Counter::VlogReads.at(1));
    let keys_alone = scan(&db, false);
    let read = db.metrics().snapshot().counter(Counter::VlogReads.at(1)) - before;
    db.close().expect("close");
    let db = open(ordered.path());
    load(&db, keys, value_len, true);
    let in_order = scan(&db, true);
    println!("{keys} values of {value_len} B");
    for (name, scan) in [
        ("loaded in random order", loaded),
        ("… and compacted", compacted),
        ("loaded in key order", in_order),
    ] {
        let share = scan.megabytes_per_second() / in_order.megabytes_per_second();
        println!("  {name:<24} {:>8.0} MB/s  {:>5.2}", scan.megabytes_per_second(), share);
    }
    println!(
        "  keys alone               {:>8.2} M keys/s, {read} values read",
        keys as f64 / keys_alone.seconds / 1e6
    );
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return compare(1_000, 1 << 10);
    }
    compare(1_000_000, 1 << 10);
    compare(100_000, 16 << 10);
}
