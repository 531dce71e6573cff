//! Which row of a page of counters the running thread writes.
//!
//! A thread's first count takes the lowest free one of 64 rows, and keeps it until the thread ends: nobody else writes
//! that row of any page, so an addition is a load and a store. The next thread goes on with the values it finds there.
//! Threads that find no row free, and threads that are tearing down their thread-local storage, share the last four
//! rows, which are written with locked instructions.
//!
//! The rows are numbered for the whole process: a number says nothing but who may write.

use crate::cell::Writers;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Rows with one writer each.
const OWNED: usize = u64::BITS as usize;

/// Rows with any number of writers.
const SHARED: usize = 4;

/// Rows of a page.
pub(super) const ROWS: usize = OWNED + SHARED;

/// Stands for a thread that has not counted yet.
const NONE: usize = usize::MAX;

/// One bit for each owned row, set while a thread has it.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The row of the running thread. Has no destructor, so it can be read at any time.
struct Row(Cell<usize>);

/// Gives the row back when the thread ends.
struct Lease(Cell<Option<usize>>);

thread_local! {
    static ROW: Row = const { Row(Cell::new(NONE)) };
    static LEASE: Lease = const { Lease(Cell::new(None)) };
}

/// The row that the running thread writes, and whether nobody else does.
#[inline]
pub(super) fn mine() -> (usize, Writers) {
    let row = ROW.with(|row| row.0.get());
    let row = if row == NONE { assign() } else { row };
    (row, if row < OWNED { Writers::One } else { Writers::Many })
}

#[cold]
fn assign() -> usize {
    // `Err` means that the thread is ending and its lease is gone already.
    let owned = LEASE.try_with(|lease| {
        let taken = take();
        lease.0.set(taken);
        taken
    });
    let row = owned.ok().flatten().unwrap_or_else(any_shared);
    ROW.with(|mine| mine.0.set(row));
    row
}

/// Takes the lowest free row, and acquires the stores of the thread that had it last.
fn take() -> Option<usize> {
    let lowest_free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
    let before = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, lowest_free).ok()?;
    Some(before.trailing_ones() as usize)
}

fn any_shared() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    OWNED + NEXT.fetch_add(1, Ordering::Relaxed) % SHARED
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(row) = self.0.take() {
            // First forget, then return: destructors that run after this one must not write a row that is someone else's.
            ROW.with(|mine| mine.0.set(any_shared()));
            // Releases the thread's last stores to the one that takes the row next.
            TAKEN.fetch_and(!(1 << row), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn threads_alive_at_once_own_different_rows_or_share() {
        let barrier = Barrier::new(100);
        let mut owned: Vec<usize> = std::thread::scope(|scope| {
            let row = || {
                let (row, writers) = mine();
                barrier.wait();
                assert_eq!(mine().0, row, "a thread keeps its row");
                (writers == Writers::One).then_some(row)
            };
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(row)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        let count = owned.len();
        owned.sort_unstable();
        owned.dedup();
        assert_eq!(owned.len(), count);
        assert!(owned.iter().all(|row| *row < OWNED));
        // Tests on other threads may hold some rows; one of them runs here and now.
        assert!((32..=OWNED).contains(&count), "{count}");
    }

    #[test]
    fn a_row_is_returned_when_its_thread_ends() {
        // More threads than rows, one after the other: each must find a free one.
        for _ in 0..2 * OWNED {
            // Another test may hold all rows for a moment.
            let owns = || std::thread::spawn(|| mine().1 == Writers::One).join().unwrap();
            assert!((0..1_000).any(|_| owns() || {
                std::thread::yield_now();
                false
            }));
        }
    }
}
