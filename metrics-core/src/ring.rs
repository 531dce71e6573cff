//! The newest few of a stream of immutable things.
//!
//! A writer takes the next place by counting and swaps its value in; a reader takes a reference to what it finds. Neither
//! waits for the other, nor for its like. A reader may find a place written twice while it walks: it then sees the newer
//! value, and both are true.
//!
//! Values are numbered from 0 in the order of their places. A reader who asks for what came since a number gets the values
//! without gaps, and hears how many were overwritten before it came: a value whose writer took its number and has not yet
//! put it in its place ends the answer, and the next one begins there.

use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The newest values of a stream.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    places: Box<[ArcSwapOption<Numbered<T>>]>,
    pushed: AtomicU64,
}

#[derive(Debug)]
struct Numbered<T> {
    number: u64,
    value: Arc<T>,
}

/// What came since a number.
#[derive(Debug)]
pub(crate) struct Since<T> {
    /// Without gaps, oldest first.
    pub(crate) values: Vec<Arc<T>>,
    /// How many were overwritten before they were read.
    pub(crate) lost: u64,
    /// The number to ask for next.
    pub(crate) next: u64,
}

impl<T> Ring<T> {
    /// A ring that keeps so many values.
    pub(crate) fn with_places(places: usize) -> Self {
        Self {
            places: std::iter::repeat_with(ArcSwapOption::empty).take(places.max(1)).collect(),
            pushed: AtomicU64::new(0),
        }
    }

    /// Puts a value in the place of the oldest one.
    pub(crate) fn push(&self, value: T) {
        self.push_with(|_| Arc::new(value));
    }

    /// Puts a value that knows its number in the place of the oldest one.
    pub(crate) fn push_with(&self, make: impl FnOnce(u64) -> Arc<T>) {
        // Relaxed: the swap publishes the value, the number only orders it.
        let number = self.pushed.fetch_add(1, Ordering::Relaxed);
        let new = Arc::new(Numbered { number, value: make(number) });
        if let Some(place) = self.places.get((number % self.capacity()) as usize) {
            // A writer that was overtaken by a whole round has nothing to add.
            place.rcu(|old| match old {
                Some(old) if old.number > number => Some(Arc::clone(old)),
                _ => Some(Arc::clone(&new)),
            });
        }
    }

    /// The values, oldest first.
    pub(crate) fn values(&self) -> Vec<Arc<T>> {
        self.found().into_iter().map(|numbered| Arc::clone(&numbered.value)).collect()
    }

    /// The values from this number on.
    pub(crate) fn since(&self, number: u64) -> Since<T> {
        let found = self.found();
        let overwritten = self.overwritten();
        let mut since = Since { values: Vec::new(), lost: 0, next: number };
        for numbered in found.into_iter().filter(|numbered| numbered.number >= number) {
            if numbered.number > since.next && !since.values.is_empty() {
                // The writers overtook this walk: what they overwrote is the loss of the next one.
                break;
            }
            let lost_up_to = numbered.number.min(overwritten.max(since.next));
            since.lost += lost_up_to - since.next;
            since.next = lost_up_to;
            if numbered.number > since.next {
                break;
            }
            since.values.push(Arc::clone(&numbered.value));
            since.next += 1;
        }
        since
    }

    /// Values ever pushed.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }

    /// Values that are no longer kept.
    pub(crate) fn overwritten(&self) -> u64 {
        self.pushed().saturating_sub(self.capacity())
    }

    fn capacity(&self) -> u64 {
        self.places.len() as u64
    }

    fn found(&self) -> Vec<Arc<Numbered<T>>> {
        let mut found: Vec<_> = self.places.iter().filter_map(ArcSwapOption::load_full).collect();
        found.sort_by_key(|numbered| numbered.number);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 128;

    #[test]
    fn the_newest_values_are_kept_in_order() {
        let ring = Ring::with_places(PLACES);
        assert!(ring.values().is_empty());
        (0..300).for_each(|n| ring.push(n));
        let values: Vec<_> = ring.values().iter().map(|value| **value).collect();
        assert_eq!(values, (300 - PLACES..300).collect::<Vec<_>>());
        assert_eq!((ring.pushed(), ring.overwritten()), (300, 172));
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped_and_knows_what_it_missed() {
        let ring = Ring::with_places(4);
        let read = |from| {
            let since = ring.since(from);
            (since.values.iter().map(|value| **value).collect::<Vec<u64>>(), since.lost, since.next)
        };
        assert_eq!(read(0), (vec![], 0, 0));
        (0..3).for_each(|n| ring.push(n));
        assert_eq!(read(0), (vec![0, 1, 2], 0, 3));
        assert_eq!(read(3), (vec![], 0, 3));
        (3..9).for_each(|n| ring.push(n));
        assert_eq!(read(3), (vec![5, 6, 7, 8], 2, 9));
        assert_eq!(read(7), (vec![7, 8], 0, 9));
    }

    #[test]
    fn a_value_that_is_not_yet_in_its_place_is_waited_for() {
        let ring = Ring::with_places(4);
        ring.push(0);
        ring.push_with(|number| {
            assert_eq!(number, 1);
            ring.push(2);
            let since = ring.since(0);
            assert_eq!((since.values.len(), since.lost, since.next), (1, 0, 1));
            Arc::new(1)
        });
        let since = ring.since(1);
        assert_eq!((since.values.len(), since.lost, since.next), (2, 0, 3));
    }

    #[test]
    fn many_threads_push_while_others_read() {
        let ring = Ring::with_places(PLACES);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..2_000).for_each(|_| ring.push_with(Arc::new));
                });
            }
            scope.spawn(|| {
                let (mut next, mut seen, mut lost) = (0, 0, 0);
                while next < 8_000 {
                    let since = ring.since(next);
                    assert!(since.values.len() <= PLACES);
                    let numbers: Vec<_> = since.values.iter().map(|number| **number).collect();
                    assert_eq!(numbers, (since.next - numbers.len() as u64..since.next).collect::<Vec<_>>());
                    (next, seen, lost) = (since.next, seen + numbers.len() as u64, lost + since.lost);
                    assert_eq!(seen + lost, next);
                }
            });
        });
        assert_eq!((ring.values().len(), ring.pushed()), (PLACES, 8_000));
    }
}
