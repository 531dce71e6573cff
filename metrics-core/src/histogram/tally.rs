//! The sum of several histograms, on the way to a snapshot.
//!
//! A histogram has thousands of buckets and some hundred in use, which lie close together. A tally remembers which few may
//! be other than zero, and looks at no others: neither to read them, nor to add them to another tally, nor to clear them.

use super::buckets::{BUCKETS, BUCKETS_PER_OCTAVE, highest_of, lowest_of};

/// Buckets that are added and remembered together, in a bit. (The models have octaves of one.)
pub(super) const FEW: usize = if BUCKETS_PER_OCTAVE.is_multiple_of(8) { 8 } else { 1 };

/// A bit for each few buckets.
type Filled = [u64; (BUCKETS / FEW).div_ceil(u64::BITS as usize)];

/// The sum of several histograms while a snapshot is being taken.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(super) counts: Box<[u64]>,
    /// Where `counts` may be other than zero.
    filled: Filled,
    pub(super) sum: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) overflows: u64,
    pub(super) recent_max: Option<u64>,
}

impl Tally {
    /// The sum of no histograms.
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS].into(),
            filled: Filled::default(),
            sum: 0,
            min: u64::MAX,
            max: 0,
            overflows: 0,
            recent_max: None,
        }
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let few = self.counts.as_chunks_mut::<FEW>().0;
        for_each_place(&self.filled, |place| {
            few.get_mut(place).into_iter().for_each(|counts| counts.fill(0));
        });
        self.filled = Filled::default();
        (self.sum, self.min, self.max, self.overflows) = (0, u64::MAX, 0, 0);
        self.recent_max = None;
    }

    /// Raises a few buckets from `first` on, which is a multiple of [`FEW`].
    pub(super) fn add(&mut self, first: usize, more: [u64; FEW]) {
        if let Some(counts) = self.counts.as_chunks_mut::<FEW>().0.get_mut(first / FEW) {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            set_bit(&mut self.filled, first / FEW);
        }
    }

    /// Raises one bucket.
    pub(crate) fn raise(&mut self, bucket: usize, n: u64) {
        if let Some(count) = self.counts.get_mut(bucket).filter(|_| n > 0) {
            *count += n;
            set_bit(&mut self.filled, bucket / FEW);
        }
    }

    /// The most buckets that can have observations.
    pub(super) fn filled_at_most(&self) -> usize {
        self.filled.iter().map(|bits| bits.count_ones() as usize * FEW).sum()
    }

    /// Calls `see` with index and count of each bucket with observations, by index.
    pub(super) fn for_each_filled(&self, mut see: impl FnMut(usize, u64)) {
        let few = self.counts.as_chunks::<FEW>().0;
        for_each_place(&self.filled, |place| {
            let counts = few.get(place).into_iter().flatten().enumerate();
            counts.filter(|(_, count)| **count > 0).for_each(|(at, count)| see(place * FEW + at, *count));
        });
    }

    /// Makes the sum that of the buckets' midpoints, for buckets that were raised without it.
    pub(crate) fn derive_sum(&mut self) {
        let mut sum = 0_u64;
        self.for_each_filled(|bucket, count| {
            let lowest = lowest_of(bucket);
            let midpoint = lowest + (highest_of(bucket) - lowest).div_ceil(2);
            sum = sum.wrapping_add(midpoint.wrapping_mul(count));
        });
        self.sum = sum;
    }

    /// Adds what another tally holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        let few = other.counts.as_chunks::<FEW>().0;
        for_each_place(&other.filled, |place| {
            few.get(place).into_iter().for_each(|counts| self.add(place * FEW, *counts));
        });
        self.sum = self.sum.wrapping_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.recent_max = self.recent_max.max(other.recent_max);
        self.overflows += other.overflows;
    }
}

fn set_bit(filled: &mut Filled, place: usize) {
    if let Some(word) = filled.get_mut(place / u64::BITS as usize) {
        *word |= 1 << (place % u64::BITS as usize);
    }
}

/// Calls `see` with the place of each bit that is set, lowest first.
fn for_each_place(filled: &Filled, mut see: impl FnMut(usize)) {
    for (word, bits) in filled.iter().enumerate() {
        ones(*bits).for_each(|place| see(word * u64::BITS as usize + place));
    }
}

/// The places of the bits that are set, lowest first.
pub(super) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        let more = bits != 0;
        bits &= bits.wrapping_sub(1);
        more.then_some(place)
    })
}
