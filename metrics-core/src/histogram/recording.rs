//! The recording side of a histogram: an array of atomic cells, allocated by the first observation.

use super::buckets::{BUCKETS, BUCKETS_PER_OCTAVE, HIGHEST_VALUE, highest_of, index_of, lowest_of};
use super::epoch::EpochMaxima;
use crate::cell::{self, Writers};
use crate::sync::{AtomicU64, OnceLock};

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
    /// The largest value of each of the last epochs.
    maxima: EpochMaxima,
}

/// A histogram that takes no memory until something is recorded. The first observation allocates; two threads making
/// the first observation of a shared histogram at once wait for one of them.
#[derive(Debug, Default)]
pub(crate) struct LazyHistogram(OnceLock<Cells>);

/// What a reader saw of one histogram.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Observations in all buckets.
    pub(crate) total: u64,
    /// Observations in the bucket that was watched.
    pub(crate) watched: u64,
}

impl LazyHistogram {
    /// Counts one observation of `value`.
    #[inline]
    pub(crate) fn record(&self, value: u64, writers: Writers) {
        self.record_n(value, 1, writers);
    }

    /// Counts `n` observations of `value`.
    #[inline]
    pub(crate) fn record_n(&self, value: u64, n: u64, writers: Writers) {
        let cells = self.cells();
        cells.raise(index_of(value), n, writers);
        cell::raise(&cells.sum, value.wrapping_mul(n), writers);
        cells.note(value, writers);
    }

    /// Raises one bucket, for a thread that is the only writer. The sum is left alone: it follows from the buckets.
    pub(crate) fn raise(&self, bucket: usize, n: u64) {
        self.cells().raise(bucket, n, Writers::One);
    }

    /// Remembers `value` among the extremes, for a thread that is the only writer.
    pub(crate) fn note(&self, value: u64) {
        self.cells().note(value, Writers::One);
    }

    /// Observations in one bucket.
    pub(crate) fn count(&self, bucket: usize) -> u64 {
        self.0.get().and_then(|cells| cells.counts.get(bucket)).map_or(0, cell::read)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.get().map_or(0, |cells| size_of_val::<[AtomicU64]>(&cells.counts))
    }

    /// Adds what was recorded to `tally`.
    pub(crate) fn add_to(&self, tally: &mut Tally) {
        self.add_to_watching(tally, None);
    }

    /// Adds what was recorded to `tally`, and says how much that was, in all and in one bucket.
    pub(crate) fn add_to_watching(&self, tally: &mut Tally, bucket: Option<usize>) -> Seen {
        self.0.get().map(|cells| cells.add_to(tally, bucket)).unwrap_or_default()
    }

    #[inline]
    fn cells(&self) -> &Cells {
        match self.0.get() {
            Some(cells) => cells,
            None => self.first(),
        }
    }

    #[cold]
    fn first(&self) -> &Cells {
        self.0.get_or_init(Cells::new)
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
            maxima: EpochMaxima::default(),
        }
    }

    #[inline]
    fn raise(&self, bucket: usize, n: u64, writers: Writers) {
        cell::set_bits(&self.octaves, 1 << (bucket / BUCKETS_PER_OCTAVE), writers);
        if let Some(count) = self.counts.get(bucket) {
            cell::raise(count, n, writers);
        }
    }

    #[inline]
    fn note(&self, value: u64, writers: Writers) {
        cell::lower_to(&self.min, value, writers);
        cell::raise_to(&self.max, value, writers);
        self.maxima.raise_to(value, writers);
        if value > HIGHEST_VALUE {
            cell::raise(&self.overflows, 1, writers);
        }
    }

    fn add_to(&self, tally: &mut Tally, watched: Option<usize>) -> Seen {
        let octaves = cell::read(&self.octaves);
        let mut seen = Seen::default();
        let sources = self.counts.chunks(BUCKETS_PER_OCTAVE);
        let targets = tally.counts.chunks_mut(BUCKETS_PER_OCTAVE);
        for (octave, (source, target)) in sources.zip(targets).enumerate() {
            if octaves & (1 << octave) == 0 {
                continue;
            }
            for (offset, (count, total)) in source.iter().zip(target).enumerate() {
                let count = cell::read(count);
                *total += count;
                seen.total += count;
                if watched == Some(octave * BUCKETS_PER_OCTAVE + offset) {
                    seen.watched = count;
                }
            }
        }
        tally.octaves |= octaves;
        tally.sum = tally.sum.wrapping_add(cell::read(&self.sum));
        tally.min = tally.min.min(cell::read(&self.min));
        tally.max = tally.max.max(cell::read(&self.max));
        tally.recent_max = tally.recent_max.max(self.maxima.recent());
        tally.overflows += cell::read(&self.overflows);
        seen
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
    pub(super) recent_max: Option<u64>,
}

impl Tally {
    /// The sum of no histograms.
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS].into(),
            octaves: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            overflows: 0,
            recent_max: None,
        }
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        for (octave, counts) in self.counts.chunks_mut(BUCKETS_PER_OCTAVE).enumerate() {
            if self.octaves & (1 << octave) != 0 {
                counts.fill(0);
            }
        }
        (self.octaves, self.sum, self.min, self.max, self.overflows) = (0, 0, u64::MAX, 0, 0);
        self.recent_max = None;
    }

    /// Raises one bucket.
    pub(crate) fn raise(&mut self, bucket: usize, n: u64) {
        if let Some(count) = self.counts.get_mut(bucket).filter(|_| n > 0) {
            *count += n;
            self.octaves |= 1 << (bucket / BUCKETS_PER_OCTAVE);
        }
    }

    /// Makes the sum that of the buckets' midpoints, for buckets that were raised without it.
    pub(crate) fn derive_sum(&mut self) {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        self.sum = filled.fold(0, |sum, (bucket, count)| {
            let lowest = lowest_of(bucket);
            let midpoint = lowest + (highest_of(bucket) - lowest).div_ceil(2);
            sum.wrapping_add(midpoint.wrapping_mul(*count))
        });
    }

    /// Adds what another tally holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.octaves |= other.octaves;
        self.sum = self.sum.wrapping_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.recent_max = self.recent_max.max(other.recent_max);
        self.overflows += other.overflows;
    }
}
