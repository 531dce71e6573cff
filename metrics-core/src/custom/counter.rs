//! A counter of the embedding application.
//!
//! ```text
//!   page      16 counters: one column each
//!   row 0     │ 8 B │ 8 B │ … │   128 bytes: two cache lines, since processors fetch lines in pairs
//!   row 1     │     │     │   │   written by one thread alone
//!   …
//!   row 67    │     │     │   │   shared by the threads that have no row
//! ```
//! The value of a counter is the sum of its column. A thread writes the same row of every page, so threads never share
//! a line. 544 bytes for each counter.

use super::slots::{self, ROWS};
use crate::cell::{self, Writers};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one page.
const COLUMNS: usize = 16;

/// What one thread writes of a page.
#[repr(align(128))]
struct Row([AtomicU64; COLUMNS]);

type Page = [Row; ROWS];

/// Hands out the columns of pages.
#[derive(Default)]
pub(super) struct Columns {
    page: Option<Arc<Page>>,
    used: usize,
}

/// A counter of the embedding application, from [`Registry::counter`](crate::Registry::counter).
///
/// A clone counts into the same series; so does every handle of the same name and labels. Adding takes no lock and no
/// locked instruction: about three nanoseconds, however many threads count.
#[derive(Clone)]
pub struct CustomCounter {
    page: Arc<Page>,
    column: usize,
}

impl Columns {
    /// A counter at zero.
    pub(super) fn next(&mut self) -> CustomCounter {
        let free = self.page.clone().filter(|_| self.used < COLUMNS);
        let page = free.unwrap_or_else(|| {
            self.used = 0;
            let page: Arc<Page> = Arc::new([const { Row([const { AtomicU64::new(0) }; COLUMNS]) }; ROWS]);
            self.page = Some(Arc::clone(&page));
            page
        });
        let column = self.used;
        self.used += 1;
        CustomCounter { page, column }
    }
}

impl CustomCounter {
    /// Bytes of memory for each counter: its share of a page.
    pub(super) const BYTES: usize = size_of::<Page>() / COLUMNS;

    /// Adds `n`. A counter stops at 2⁶⁴ − 1.
    #[inline]
    pub fn add(&self, n: u64) {
        let (row, writers) = slots::mine();
        if let Some(cell) = self.page.get(row).and_then(|row| row.0.get(self.column)) {
            raise(cell, n, writers);
        }
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// The sum of all threads' additions. For snapshots and tests: it reads a cache line of every thread.
    pub fn value(&self) -> u64 {
        let cells = self.page.iter().filter_map(|row| row.0.get(self.column));
        cells.fold(0, |sum, cell| sum.saturating_add(cell::read(cell)))
    }
}

/// Adds to a cell of a counter, without going past the top.
#[inline]
fn raise(cell: &AtomicU64, n: u64, writers: Writers) {
    match writers {
        Writers::One => cell.store(cell.load(Ordering::Relaxed).saturating_add(n), Ordering::Release),
        Writers::Many => {
            if cell.fetch_add(n, Ordering::Release).checked_add(n).is_none() {
                cell.store(u64::MAX, Ordering::Release);
            }
        }
    }
}

impl fmt::Debug for CustomCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomCounter").field(&self.value()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_a_page_do_not_mix_and_pages_follow_each_other() {
        let mut columns = Columns::default();
        let counters: Vec<_> = (0..=3 * COLUMNS as u64).map(|n| (n, columns.next())).collect();
        for (n, counter) in &counters {
            counter.add(*n);
            counter.inc();
        }
        for (n, counter) in &counters {
            assert_eq!(counter.value(), n + 1);
        }
        assert_eq!(size_of::<Row>(), 128);
    }

    #[test]
    fn no_addition_is_lost_with_more_threads_than_rows() {
        let counter = Columns::default().next();
        std::thread::scope(|scope| {
            for _ in 0..150 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.inc()));
            }
        });
        assert_eq!(counter.value(), 150_000);
    }

    #[test]
    fn a_counter_stops_at_the_top() {
        let counter = Columns::default().next();
        counter.add(u64::MAX - 1);
        counter.add(5);
        assert_eq!(counter.value(), u64::MAX);
        std::thread::scope(|scope| {
            scope.spawn(|| counter.add(7));
        });
        assert_eq!(counter.value(), u64::MAX);
        let cell = AtomicU64::new(u64::MAX - 1);
        raise(&cell, 5, Writers::Many);
        assert_eq!(cell.into_inner(), u64::MAX);
    }

    #[test]
    fn a_thread_that_is_ending_still_counts() {
        struct Late(CustomCounter);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.inc();
            }
        }
        thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
        let counter = Columns::default().next();
        for count_first in [true, false] {
            let counter = counter.clone();
            let late = move || {
                if count_first {
                    counter.inc();
                }
                LATE.with(|late| *late.borrow_mut() = Some(Late(counter.clone())));
                counter.inc();
            };
            std::thread::spawn(late).join().unwrap();
        }
        assert_eq!(counter.value(), 5);
    }
}
