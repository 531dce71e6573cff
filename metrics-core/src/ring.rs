//! The newest few of a stream of immutable things.
//!
//! A writer takes the next place by counting and swaps its value in; a reader takes a reference to what it finds. Neither
//! waits for the other, nor for its like. A reader may find a place written twice while it walks: it then sees the newer
//! value, and both are true.

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

impl<T> Ring<T> {
    /// A ring that keeps so many values.
    pub(crate) fn with_places(places: usize) -> Self {
        Self {
            places: std::iter::repeat_with(ArcSwapOption::empty).take(places.max(1)).collect(),
            pushed: AtomicU64::new(0),
        }
    }

    /// Puts a value in the place of the oldest one, and returns the value that is no longer kept.
    pub(crate) fn push(&self, value: Arc<T>) -> Option<Arc<T>> {
        // Relaxed: the swap publishes the value, the number only orders it.
        let number = self.pushed.fetch_add(1, Ordering::Relaxed);
        let new = Arc::new(Numbered { number, value });
        let place = self.places.get((number % self.capacity()) as usize)?;
        // A writer that was overtaken by a whole round has nothing to add.
        let is_newer = |old: &Arc<Numbered<T>>| old.number > number;
        let old = place.rcu(|old| match old {
            Some(old) if is_newer(old) => Some(Arc::clone(old)),
            _ => Some(Arc::clone(&new)),
        });
        let gone = old.map(|old| if is_newer(&old) { new } else { old });
        gone.map(|gone| Arc::clone(&gone.value))
    }

    /// The values, oldest first.
    pub(crate) fn values(&self) -> Vec<Arc<T>> {
        // A new ring is mostly empty, and a place costs its reader two locked instructions.
        let used = usize::try_from(self.pushed()).unwrap_or(usize::MAX);
        let mut found: Vec<_> = self.places.iter().take(used).filter_map(ArcSwapOption::load_full).collect();
        found.sort_by_key(|numbered| numbered.number);
        found.into_iter().map(|numbered| Arc::clone(&numbered.value)).collect()
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 128;

    #[test]
    fn the_newest_values_are_kept_in_order() {
        let ring = Ring::with_places(PLACES);
        assert!(ring.values().is_empty());
        (0..300).for_each(|n| drop(ring.push(Arc::new(n))));
        let values: Vec<_> = ring.values().iter().map(|value| **value).collect();
        assert_eq!(values, (300 - PLACES..300).collect::<Vec<_>>());
        assert_eq!((ring.pushed(), ring.overwritten()), (300, 172));
    }

    #[test]
    fn every_value_is_kept_or_given_back() {
        let ring = Ring::with_places(PLACES);
        let gone = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (ring, gone) = (&ring, &gone);
                scope.spawn(move || {
                    let pushed = (0..2_000).filter_map(|n| ring.push(Arc::new(4 * n + writer)));
                    gone.fetch_add(pushed.map(|value| *value).sum(), Ordering::Relaxed);
                });
            }
            scope.spawn(|| (0..200).for_each(|_| assert!(ring.values().len() <= PLACES)));
        });
        assert_eq!((ring.values().len(), ring.pushed()), (PLACES, 8_000));
        let kept: u64 = ring.values().iter().map(|value| **value).sum();
        assert_eq!(kept + gone.into_inner(), (0..8_000).sum());
    }
}
