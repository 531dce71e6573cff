//! A few buckets that lie side by side, in one line of the cache: histograms are read, added and subtracted by so many.
//!
//! A histogram has thousands of buckets and some hundred in use, which lie close together. A bit for each few says where.

use super::buckets::{BUCKETS, BUCKETS_PER_OCTAVE};

/// How many are a few. (The models have octaves of one.)
pub(super) const FEW: usize = if BUCKETS_PER_OCTAVE.is_multiple_of(8) { 8 } else { 1 };

/// Places of a few buckets each.
pub(super) const PLACES: usize = BUCKETS / FEW;

const _: () = assert!(BUCKETS.is_multiple_of(FEW), "every bucket has a place");

/// Words that have a bit for each place.
pub(super) const WORDS: usize = PLACES.div_ceil(u64::BITS as usize);

/// A bit for each place.
pub(super) type Filled = [u64; WORDS];

/// The counts of a few buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FewCounts {
    pub(super) place: usize,
    pub(super) counts: [u64; FEW],
}

impl FewCounts {
    /// Observations in all of them.
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// One more than the index of the last of them.
    pub(super) fn end(&self) -> usize {
        (self.place + 1) * FEW
    }

    /// Observations in the buckets below the index `end`.
    pub(super) fn total_before(&self, end: usize) -> u64 {
        self.counts.iter().take(end.saturating_sub(self.place * FEW)).sum()
    }

    /// Observations in the bucket with this index: none if it is another place's.
    pub(super) fn count_of(&self, bucket: usize) -> u64 {
        if bucket / FEW == self.place {
            self.counts.get(bucket % FEW).copied().unwrap_or_default()
        } else {
            0
        }
    }

    /// Index and count of each that is not empty, by index.
    pub(super) fn filled(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> + use<> {
        let first = self.place * FEW;
        let counts = self.counts.into_iter().enumerate().map(move |(at, count)| (first + at, count));
        counts.filter(|(_, count)| *count > 0)
    }

    /// What was added since `old` was read at the same place.
    pub(super) fn since(&self, old: &Self) -> Self {
        let mut counts = self.counts;
        counts.iter_mut().zip(old.counts).for_each(|(count, old)| *count = count.saturating_sub(old));
        Self { counts, ..*self }
    }
}

/// The word and the bit of a place.
#[inline]
pub(super) fn bit_of(place: usize) -> (usize, u64) {
    (place / u64::BITS as usize, 1 << (place % u64::BITS as usize))
}

/// Calls `see` with each place whose bit is set, lowest first.
pub(super) fn for_each_place(filled: &Filled, mut see: impl FnMut(usize)) {
    for (word, bits) in filled.iter().enumerate() {
        let mut bits = *bits;
        while bits != 0 {
            see(word * u64::BITS as usize + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
}

/// Places whose bit is set.
pub(super) fn places(filled: &Filled) -> usize {
    filled.iter().map(|bits| bits.count_ones() as usize).sum()
}
