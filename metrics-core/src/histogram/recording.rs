//! The recording side of a histogram: an array of atomic cells, allocated by the first observation.

use super::buckets::{BUCKETS, BUCKETS_PER_OCTAVE, HIGHEST_VALUE, index_of};
use super::epoch::EpochMaxima;
use super::tally::{FEW, Tally, ones};
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
        for octave in ones(octaves) {
            let first = octave * BUCKETS_PER_OCTAVE;
            let cells = self.counts.get(first..first + BUCKETS_PER_OCTAVE).unwrap_or_default();
            for (cells, first) in cells.as_chunks::<FEW>().0.iter().zip((first..).step_by(FEW)) {
                let counts = cells.each_ref().map(cell::read);
                // Even in octaves in use most are empty, and a few together are looked at in the time of one.
                if counts.iter().fold(0, |any, count| any | count) == 0 {
                    continue;
                }
                tally.add(first, counts);
                seen.total += counts.iter().sum::<u64>();
                if let Some(count) = watched.and_then(|bucket| counts.get(bucket.wrapping_sub(first))) {
                    seen.watched = *count;
                }
            }
        }
        tally.sum = tally.sum.wrapping_add(cell::read(&self.sum));
        tally.min = tally.min.min(cell::read(&self.min));
        tally.max = tally.max.max(cell::read(&self.max));
        tally.recent_max = tally.recent_max.max(self.maxima.recent());
        tally.overflows += cell::read(&self.overflows);
        seen
    }
}
