//! The weight of the newest sample, and the order in which a walk reads.

use super::explore;
use crate::histogram::{LazyHistogram, Tally};
use crate::quick::{QuickEnd, TableHit};
use crate::stratum::OperationCells;
use crate::sync::Arc;
use loom::thread;

#[derive(Default)]
struct Cells {
    operation: OperationCells,
    fast: LazyHistogram,
    slow: LazyHistogram,
}

impl Cells {
    /// Fast operations finished, and the buckets, read in the order of a walk.
    fn read(&self) -> (u64, [u64; 3]) {
        let finished = self.operation.finished_fast();
        let mut tally = Tally::new();
        self.operation.add_fast_to(&self.fast, finished, &mut tally);
        (finished, tally.buckets())
    }
}

/// An owner does `before` and `meanwhile`; a reader reads at least what is finished and never that a bucket has shrunk.
/// `unsampled` operations have no latency.
fn run(before: fn(&Cells), meanwhile: fn(&Cells), unsampled: u64, in_the_end: [u64; 3]) {
    explore(2, move || {
        let cells = Arc::new(Cells::default());
        before(&cells);
        let owner = thread::spawn({
            let cells = Arc::clone(&cells);
            move || meanwhile(&cells)
        });
        let (finished, first) = cells.read();
        let total: u64 = first.iter().sum();
        assert!(total + unsampled >= finished, "{first:?} where {finished} are finished");
        let (_, second) = cells.read();
        for (first, second) in first.iter().zip(&second) {
            assert!(first <= second, "a bucket shrank from {first} to {second}");
        }
        for (second, end) in second.iter().zip(&in_the_end) {
            assert!(second <= end, "a bucket of {second} that ends at {end}");
        }
        owner.join().unwrap();
        assert_eq!(cells.read().1, in_the_end);
    });
}

/// A sample is settled while it is read.
///
/// Found: `latest` stored before the bucket is raised, or relaxed; the weight added whatever the sum of the buckets says.
pub fn a_sample_is_counted_once_while_it_is_settled() {
    let before = |cells: &Cells| {
        cells.operation.finish_sample(&cells.fast, 0);
        cells.operation.finish_fast();
    };
    let meanwhile = |cells: &Cells| {
        cells.operation.finish_sample(&cells.fast, 1);
        cells.operation.finish_quick(QuickEnd::MemtableValue, Some(5));
    };
    run(before, meanwhile, 0, [2, 2, 0]);
}

/// Two samples of one bucket follow each other.
///
/// Found: as above.
pub fn two_samples_of_one_bucket_add_up() {
    let before = |cells: &Cells| cells.operation.finish_sample(&cells.fast, 0);
    let meanwhile = |cells: &Cells| {
        cells.operation.finish_sample(&cells.fast, 0);
        cells.operation.finish_sample(&cells.fast, 1);
    };
    run(before, meanwhile, 0, [2, 1, 0]);
}

/// A walk comes by one bucket before its sample is settled, and by the next one after the next sample is, too.
///
/// Found: the bucket not loaded again when the sum says that its sample was settled.
pub fn a_bucket_that_was_passed_too_early_is_loaded_again() {
    let before = |cells: &Cells| {
        cells.operation.finish_sample(&cells.fast, 1);
        cells.operation.finish_sample(&cells.fast, 0);
    };
    let meanwhile = |cells: &Cells| {
        cells.operation.finish_sample(&cells.fast, 1);
        cells.operation.finish_sample(&cells.fast, 0);
    };
    run(before, meanwhile, 0, [2, 2, 0]);
}

/// Timing is paused and goes on.
///
/// Found: `settled` loaded after the buckets; the store to `latest` relaxed in `pause`.
pub fn a_pause_leaves_its_operations_out() {
    let before = |cells: &Cells| cells.operation.finish_sample(&cells.fast, 0);
    let meanwhile = |cells: &Cells| {
        cells.operation.pause(&cells.fast);
        cells.operation.finish_fast();
        cells.operation.finish_sample(&cells.fast, 1);
    };
    run(before, meanwhile, 1, [1, 1, 0]);
}

/// What is finished is among the latencies, those are among the results, and those among what was begun.
///
/// Found: `slow` raised before the histogram; the values before their bytes; the store of `raise` relaxed, the load of `read`
/// relaxed.
pub fn finished_is_at_most_results_is_at_most_begun() {
    explore(2, || {
        let cells = Arc::new(Cells::default());
        let owner = thread::spawn({
            let cells = Arc::clone(&cells);
            move || {
                cells.operation.begin_looking(2);
                // Not looked at: it ends in a table, with 7 bytes.
                assert!(cells.operation.begin());
                cells.operation.finish_quick(QuickEnd::TableValue(TableHit::new(0)), Some(7));
                cells.operation.finish_slow(&cells.slow, 2);
            }
        });
        let (fast, slow) = (cells.operation.finished_fast(), cells.operation.finished_slow());
        let mut tally = Tally::new();
        cells.slow.add_to(&mut tally);
        let timed = tally.buckets().iter().sum();
        let quick = cells.operation.quick();
        let (values, bytes) = (quick.ended(QuickEnd::TableValue(TableHit::new(0))), quick.bytes());
        let begun = cells.operation.begun();
        assert!(slow <= timed, "{slow} slow operations are finished, {timed} timed");
        assert!(fast <= values, "{fast} operations are finished, {values} with results");
        assert!(7 * values <= bytes, "{values} values of {bytes} bytes");
        assert!(timed.max(slow) + values <= begun, "{timed} and {values} of {begun}");
        owner.join().unwrap();
        assert_eq!((cells.operation.begun(), cells.operation.finished_fast()), (2, 1));
    });
}
