//! The number of operations begun, which follows from several cells.

use super::explore;
use crate::stratum::OperationCells;
use crate::sync::{Arc, AtomicU64, Ordering};
use loom::thread;

/// What the owner does.
#[derive(Clone, Copy)]
enum Step {
    /// An operation begins; if it is looked at, the next look is so many ahead.
    Begin(u64),
    /// The next operation is to be looked at.
    LookNext,
}

/// A block of cells, and beside it how many operations have begun in it at most.
#[derive(Default)]
struct Counted {
    cells: OperationCells,
    most: AtomicU64,
}

impl Counted {
    fn go(&self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Begin(gap) => {
                    // Relaxed: it orders nothing. Who has seen the operation has seen this before it.
                    self.most.fetch_add(1, Ordering::Relaxed);
                    if !self.cells.begin() {
                        self.cells.begin_looking(gap);
                    }
                }
                Step::LookNext => self.cells.look_next(),
            }
        }
    }

    /// Operations begun, which are at least so many, and not more than have begun.
    fn read(&self, least: u64) -> u64 {
        let begun = self.cells.begun();
        let most = self.most.load(Ordering::Relaxed);
        assert!((least..=most).contains(&begun), "{begun} begun, of {least} to {most}");
        begun
    }
}

/// An owner goes some steps, and others while a reader reads so many times: each is true at some time in between.
fn run(preemptions: usize, before: &'static [Step], meanwhile: &'static [Step], reads: usize) {
    explore(preemptions, move || {
        let counted = Arc::new(Counted::default());
        counted.go(before);
        let mut least = counted.read(0);
        let owner = thread::spawn({
            let counted = Arc::clone(&counted);
            move || counted.go(meanwhile)
        });
        (0..reads).for_each(|_| least = counted.read(least));
        owner.join().unwrap();
        assert_eq!(counted.read(least), counted.most.load(Ordering::Relaxed));
    });
}

/// Looks follow each other, at distances of one and of two.
///
/// Found: in `place_look` the second store to `turn` before the one to `position`, or either relaxed, no first store to `turn`,
/// and `looks` raised before that or after the one to `position`; in `begin` the store relaxed; in `begun` no second load.
pub fn begun_never_shrinks_nor_runs_ahead() {
    run(2, &[Step::Begin(2)], &[Step::Begin(1), Step::Begin(2), Step::Begin(1)], 2);
}

/// The next look is put forward, and then falls due when it would have been due at first.
///
/// Found: `turn` has the value that it had before, so a reader that compared `turn` alone took the position of the time in
/// between for one of either, and saw operations that had not begun.
pub fn a_look_that_is_put_forward_and_back_is_noticed() {
    run(3, &[Step::Begin(3)], &[Step::LookNext, Step::Begin(2)], 1);
}
