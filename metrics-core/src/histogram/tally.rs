//! The sum of several histograms, on the way to a snapshot.
//!
//! A tally remembers which few buckets may be other than zero, and looks at no others: neither to read them, nor to add them to
//! another tally, nor to clear them.

use super::buckets::{highest_of, lowest_of};
use super::few::{FEW, FewCounts, Filled, PLACES, bit_of, for_each_place, places};
use super::totals::Totals;

/// The sum of several histograms while a snapshot is being taken.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Box<[[u64; FEW]]>,
    /// Where `counts` may be other than zero.
    filled: Filled,
    pub(super) totals: Totals,
}

impl Tally {
    /// Bytes on the heap.
    pub(crate) const BYTES: usize = size_of::<[[u64; FEW]; PLACES]>();

    /// The sum of no histograms.
    pub(crate) fn new() -> Self {
        Self { counts: vec![[0; FEW]; PLACES].into(), filled: Filled::default(), totals: Totals::default() }
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        for_each_place(&self.filled, |place| {
            self.counts.get_mut(place).into_iter().for_each(|counts| *counts = [0; FEW]);
        });
        self.filled = Filled::default();
        self.totals = Totals::default();
    }

    /// Raises a few buckets.
    pub(super) fn add(&mut self, few: &FewCounts) {
        if let Some(counts) = self.counts.get_mut(few.place) {
            counts.iter_mut().zip(few.counts).for_each(|(count, more)| *count += more);
            set_bit(&mut self.filled, few.place);
        }
    }

    /// Raises one bucket.
    pub(crate) fn raise(&mut self, bucket: usize, n: u64) {
        let place = bucket / FEW;
        let count = self.counts.get_mut(place).and_then(|counts| counts.get_mut(bucket % FEW));
        if let Some(count) = count.filter(|_| n > 0) {
            *count += n;
            set_bit(&mut self.filled, place);
        }
    }

    /// Each few buckets of which one may be other than zero, by place.
    pub(super) fn filled(&self) -> Vec<FewCounts> {
        // There are too many lists to let each grow to its size.
        let mut filled = Vec::with_capacity(places(&self.filled));
        self.for_each_few(|few| {
            if few.total() > 0 {
                filled.push(few);
            }
        });
        filled
    }

    /// Makes the sum that of the buckets' midpoints, for buckets that were raised without it.
    pub(crate) fn derive_sum(&mut self) {
        let mut sum = 0_u64;
        self.for_each_few(|few| {
            for (bucket, count) in few.filled() {
                let lowest = lowest_of(bucket);
                let midpoint = lowest + (highest_of(bucket) - lowest).div_ceil(2);
                sum = sum.wrapping_add(midpoint.wrapping_mul(count));
            }
        });
        self.totals.sum = sum;
    }

    /// Adds what another tally holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.for_each_few(|few| self.add(&few));
        self.totals.merge(&other.totals);
    }

    fn for_each_few(&self, mut see: impl FnMut(FewCounts)) {
        for_each_place(&self.filled, |place| {
            if let Some(counts) = self.counts.get(place) {
                see(FewCounts { place, counts: *counts });
            }
        });
    }
}

fn set_bit(filled: &mut Filled, place: usize) {
    let (word, bit) = bit_of(place);
    if let Some(word) = filled.get_mut(word) {
        *word |= bit;
    }
}
