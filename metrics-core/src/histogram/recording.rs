//! The recording side of a histogram: an array of atomic cells, allocated by the first observation.

use super::buckets::{BUCKETS, BUCKETS_PER_OCTAVE, HIGHEST_VALUE, index_of};
use crate::cell::{self, Writers};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

/// The cells of one histogram: 36 KiB.
#[derive(Debug)]
struct Cells {
    counts: Box<[AtomicU64]>,
    /// One bit per octave with a non-empty bucket. Set before the count it announces, so that a reader which loads the
    /// map after an `exited` counter misses none of the observations that counter stands for.
    octaves: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    /// Values above [`HIGHEST_VALUE`], which the last bucket counts too.
    overflows: AtomicU64,
}

/// A histogram that takes no memory until something is recorded. The first observation allocates; two threads making
/// the first observation of a shared histogram at once wait for one of them.
#[derive(Debug, Default)]
pub(crate) struct LazyHistogram(OnceLock<Cells>);

impl LazyHistogram {
    /// Counts one observation of `value`.
    #[inline]
    pub(crate) fn record(&self, value: u64, writers: Writers) {
        match self.0.get() {
            Some(cells) => cells.record(value, writers),
            None => self.record_first(value, writers),
        }
    }

    #[cold]
    fn record_first(&self, value: u64, writers: Writers) {
        self.0.get_or_init(Cells::new).record(value, writers);
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.get().map_or(0, |cells| size_of_val::<[AtomicU64]>(&cells.counts))
    }

    /// Adds what was recorded to `tally`.
    pub(crate) fn add_to(&self, tally: &mut Tally) {
        if let Some(cells) = self.0.get() {
            cells.add_to(tally);
        }
    }
}

impl Cells {
    fn new() -> Self {
        Self {
            counts: std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect(),
            octaves: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
        }
    }

    #[inline]
    fn record(&self, value: u64, writers: Writers) {
        let index = index_of(value);
        cell::set_bits(&self.octaves, 1 << (index / BUCKETS_PER_OCTAVE), writers);
        if let Some(count) = self.counts.get(index) {
            cell::raise(count, 1, writers);
        }
        cell::raise(&self.sum, value, writers);
        cell::lower_to(&self.min, value, writers);
        cell::raise_to(&self.max, value, writers);
        if value > HIGHEST_VALUE {
            cell::raise(&self.overflows, 1, writers);
        }
    }

    fn add_to(&self, tally: &mut Tally) {
        let octaves = cell::read(&self.octaves);
        let sources = self.counts.chunks(BUCKETS_PER_OCTAVE);
        let targets = tally.counts.chunks_mut(BUCKETS_PER_OCTAVE);
        for (octave, (source, target)) in sources.zip(targets).enumerate() {
            if octaves & (1 << octave) != 0 {
                for (count, total) in source.iter().zip(target) {
                    *total += cell::read(count);
                }
            }
        }
        tally.octaves |= octaves;
        tally.sum = tally.sum.wrapping_add(cell::read(&self.sum));
        tally.min = tally.min.min(cell::read(&self.min));
        tally.max = tally.max.max(cell::read(&self.max));
        tally.overflows += cell::read(&self.overflows);
    }
}

/// The sum of several histograms while a snapshot is being taken.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(super) counts: Box<[u64]>,
    pub(super) octaves: u64,
    pub(super) sum: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) overflows: u64,
}

impl Tally {
    /// The sum of no histograms.
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into(), octaves: 0, sum: 0, min: u64::MAX, max: 0, overflows: 0 }
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        for (octave, counts) in self.counts.chunks_mut(BUCKETS_PER_OCTAVE).enumerate() {
            if self.octaves & (1 << octave) != 0 {
                counts.fill(0);
            }
        }
        (self.octaves, self.sum, self.min, self.max, self.overflows) = (0, 0, u64::MAX, 0, 0);
    }
}
