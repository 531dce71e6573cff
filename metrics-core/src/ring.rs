//! The newest few of a stream of immutable things.
//!
//! A writer takes the next place by counting and swaps its value in; a reader takes a reference to what it finds. Neither
//! waits for the other, nor for its like. A reader may find a place written twice while it walks: it then sees the newer
//! value, and both are true.

use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places in a ring.
const PLACES: usize = 128;

/// The newest 128 values of a stream.
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

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            places: std::iter::repeat_with(ArcSwapOption::empty).take(PLACES).collect(),
            pushed: AtomicU64::new(0),
        }
    }
}

impl<T> Ring<T> {
    /// Puts a value in the place of the oldest one.
    pub(crate) fn push(&self, value: T) {
        // Relaxed: the swap publishes the value, the number only orders it.
        let number = self.pushed.fetch_add(1, Ordering::Relaxed);
        if let Some(place) = usize::try_from(number).ok().and_then(|at| self.places.get(at % PLACES)) {
            place.store(Some(Arc::new(Numbered { number, value: Arc::new(value) })));
        }
    }

    /// The values, oldest first.
    pub(crate) fn values(&self) -> Vec<Arc<T>> {
        let mut found: Vec<_> = self.places.iter().filter_map(ArcSwapOption::load_full).collect();
        found.sort_by_key(|numbered| numbered.number);
        found.into_iter().map(|numbered| Arc::clone(&numbered.value)).collect()
    }

    /// Values ever pushed.
    #[cfg(test)]
    fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_values_are_kept_in_order() {
        let ring = Ring::default();
        assert!(ring.values().is_empty());
        (0..300).for_each(|n| ring.push(n));
        let values: Vec<_> = ring.values().iter().map(|value| **value).collect();
        assert_eq!(values, (300 - PLACES..300).collect::<Vec<_>>());
        assert_eq!(ring.pushed(), 300);
    }

    #[test]
    fn many_threads_push_while_others_read() {
        let ring = Ring::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_000_u64).for_each(|n| ring.push(n)));
            }
            scope.spawn(|| (0..200).for_each(|_| assert!(ring.values().len() <= PLACES)));
        });
        assert_eq!((ring.values().len(), ring.pushed()), (PLACES, 8_000));
    }
}
