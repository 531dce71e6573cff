//! What merging an entry costs a compaction: processor time, by the number and the sizes of the runs that are merged.
//!
//! `cargo bench -p bettong-benches --bench compaction [-- --test]`. Each merge is made several times, of the same entries; the median counts.
//! Processor time is what the database itself has counted. Time on the clock holds the disk's, too.
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

use std::time::Instant;

use bettong::{Compression, Db, LEVELS, Options};
use bettong_benches::key;
use bettong_metrics::Counter;
use bettong_paired::median;

const ROUNDS: usize = 7;
const VALUE_BYTES: usize = 100;

/// The shapes that are merged: entries of each run, as shares of all of them.
const SHAPES: [(&str, &[u64]); 3] =
    [("one run", &[1]), ("a run and one of a tenth of it", &[10, 1]), ("twelve runs", &[1; 12])];

/// What a merge has cost.
struct Cost {
    cpu_nanos: f64,
    seconds: f64,
}

/// Merges runs of entries in random order; none of their keys is in two of them.
fn merge(entries: u64, shares: &[u64]) -> Cost {
    let dir = tempfile::tempdir().expect("a place");
    let options = Options::default()
        .memtable_bytes(256 << 20)
        .compression([Compression::None; LEVELS])
        .subcompactions(1)
        // Nothing is merged before it is asked for.
        .l0_compaction_tables(100)
        .l0_slowdown_tables(200)
        .l0_stop_tables(300);
    let db = Db::open(dir.path(), options).expect("open");
    let (all, mut at, mut due) = (shares.iter().sum::<u64>(), 0, 0);
    for share in shares {
        due += entries * share / all;
        while at < due {
            // A prime step that does not divide the number of entries visits each of them once.
            db.set(key(at * 7_919 % entries), [7; VALUE_BYTES]).expect("set");
            at += 1;
        }
        db.flush().expect("flush");
    }
    let began = Instant::now();
    db.compact(..).expect("compact");
    let seconds = began.elapsed().as_secs_f64();
    let figures = db.metrics().snapshot();
    assert_eq!(figures.counter(Counter::CompactionInputEntries), at, "not what was to be merged");
    let cpu_nanos = figures.counter(Counter::CompactionCpuNanos) as f64 / at as f64;
    Cost { cpu_nanos, seconds }
}

fn median_of(costs: &[Cost], figure: impl Fn(&Cost) -> f64) -> f64 {
    median(&mut costs.iter().map(figure).collect::<Vec<_>>()).expect("a round")
}

fn main() {
    let measures = !std::env::args().any(|argument| argument == "--test");
    let (entries, rounds) = if measures { (1_000_000, ROUNDS) } else { (1_000, 1) };
    println!("{:<32} {:>12} {:>12} {:>10}", "merged", "cpu ns/entry", "least", "MB/s");
    for (name, shares) in SHAPES {
        let costs: Vec<Cost> = (0..rounds).map(|_| merge(entries, shares)).collect();
        let least = costs.iter().map(|cost| cost.cpu_nanos).fold(f64::INFINITY, f64::min);
        let bytes = entries as f64 * (16 + VALUE_BYTES) as f64;
        println!(
            "{name:<32} {:>12.0} {least:>12.0} {:>10.0}",
            median_of(&costs, |cost| cost.cpu_nanos),
            median_of(&costs, |cost| bytes / 1e6 / cost.seconds),
        );
    }
}
