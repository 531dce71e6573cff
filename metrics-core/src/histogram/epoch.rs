//! The largest value of the last seconds.
//!
//! A maximum since open says little after a day, and readers may not reset it: there are several. Time is cut into epochs
//! (the watcher begins one every [`EPOCH_SECONDS`]); a slot holds the number of its epoch above the largest value of it, so
//! a value of a later epoch replaces that of an earlier one by being the larger word, and nobody has to clear anything.

use super::buckets::HIGHEST_VALUE;
use crate::cell::{self, Writers};
use std::sync::atomic::{AtomicU64, Ordering};

/// How long an epoch lasts.
pub const EPOCH_SECONDS: u64 = 5;

/// Epochs that a recent maximum covers: the present one, which has just begun perhaps, and two full ones.
const RECENT: u64 = 3;

/// Bits of a word that hold the value.
const VALUE_BITS: u32 = HIGHEST_VALUE.count_ones();

/// The epoch of the process, from 0. It has 22 bits: 242 days, then recent maxima are those since open.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Begins the next epoch.
pub(crate) fn advance() {
    // Relaxed: a value counted into the epoch before is as good.
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

fn current() -> u64 {
    EPOCH.load(Ordering::Relaxed).min((1 << (u64::BITS - VALUE_BITS)) - 1)
}

/// The largest values of the last four epochs.
#[derive(Debug, Default)]
pub(crate) struct EpochMaxima([AtomicU64; 4]);

impl EpochMaxima {
    #[inline]
    pub(crate) fn raise_to(&self, value: u64, writers: Writers) {
        self.raise_in(current(), value, writers);
    }

    #[inline]
    fn raise_in(&self, epoch: u64, value: u64, writers: Writers) {
        let [a, b, c, d] = &self.0;
        let slot = match epoch as usize % 4 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        // One is added, so that an empty slot differs from one that saw a zero.
        let word = epoch << VALUE_BITS | (value.min(HIGHEST_VALUE - 1) + 1);
        cell::raise_to(slot, word, writers);
    }

    /// The largest value of the last 10 to 15 seconds, at most [`HIGHEST_VALUE`] − 1.
    pub(crate) fn recent(&self) -> Option<u64> {
        self.recent_in(current())
    }

    fn recent_in(&self, epoch: u64) -> Option<u64> {
        let words = self.0.iter().map(cell::read);
        let recent = words.filter(|word| (word >> VALUE_BITS) + RECENT > epoch);
        recent.filter_map(|word| (word & HIGHEST_VALUE).checked_sub(1)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recent_maximum_forgets_old_epochs() {
        for writers in [Writers::One, Writers::Many] {
            let maxima = EpochMaxima::default();
            assert_eq!(maxima.recent_in(7), None);
            maxima.raise_in(7, 900, writers);
            maxima.raise_in(7, 100, writers);
            maxima.raise_in(9, 0, writers);
            assert_eq!(maxima.recent_in(9), Some(900));
            assert_eq!(maxima.recent_in(10), Some(0));
            maxima.raise_in(11, 50, writers);
            assert_eq!((maxima.recent_in(11), maxima.recent_in(14)), (Some(50), None));
            maxima.raise_in(15, u64::MAX, writers);
            assert_eq!(maxima.recent_in(15), Some(HIGHEST_VALUE - 1));
        }
    }
}
