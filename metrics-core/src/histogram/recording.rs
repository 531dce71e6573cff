//! The recording side of a histogram: an array of atomic cells, allocated by the first observation.

use super::buckets::{HIGHEST_VALUE, index_of};
use super::epoch::EpochMaxima;
use super::few::{FEW, FewCounts, Filled, PLACES, WORDS, bit_of, for_each_place, places};
use super::tally::Tally;
use super::totals::Totals;
use crate::cell::{self, Writers};
use crate::sync::{AtomicU64, OnceLock};

/// A few buckets that lie in one line of the cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Few([AtomicU64; FEW]);

/// The cells of one histogram: 36 KiB.
#[derive(Debug)]
struct Cells {
    counts: Box<[Few]>,
    /// One bit for each few buckets of which one may be other than zero: a reader fetches no other lines, which are far away from it
    /// in the caches of those who write them. Set before the count it announces, so that a reader which loads the
    /// map after an `exited` counter misses none of the observations that counter stands for.
    filled: [AtomicU64; WORDS],
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
        self.0.get().and_then(|cells| cells.count(bucket)).map_or(0, cell::read)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.get().map_or(0, |cells| size_of_val::<[Few]>(&cells.counts))
    }

    /// Adds what was recorded to `tally`.
    pub(crate) fn add_to(&self, tally: &mut Tally) {
        self.add_to_watching(tally, None);
    }

    /// Adds what was recorded to `tally`, and says how much that was, in all and in one bucket.
    pub(crate) fn add_to_watching(&self, tally: &mut Tally, bucket: Option<usize>) -> Seen {
        let mut seen = Seen::default();
        let Some(cells) = self.0.get() else { return seen };
        cells.for_each_few(&cells.filled(), |few| {
            tally.add(&few);
            seen.total += few.total();
            seen.watched += bucket.map_or(0, |bucket| few.count_of(bucket));
        });
        tally.totals.merge(&cells.totals());
        seen
    }

    /// What was recorded: each few buckets of which one is not empty, by place, and the rest.
    pub(super) fn read(&self) -> (Vec<FewCounts>, Totals) {
        let Some(cells) = self.0.get() else { return Default::default() };
        let filled = cells.filled();
        // There are too many lists to let each grow to its size.
        let mut counts = Vec::with_capacity(places(&filled));
        cells.for_each_few(&filled, |few| {
            // The bit of a place is set a moment before its first count.
            if few.total() > 0 {
                counts.push(few);
            }
        });
        (counts, cells.totals())
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
            counts: std::iter::repeat_with(Few::default).take(PLACES).collect(),
            filled: Default::default(),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            maxima: EpochMaxima::default(),
        }
    }

    fn count(&self, bucket: usize) -> Option<&AtomicU64> {
        self.counts.get(bucket / FEW).and_then(|few| few.0.get(bucket % FEW))
    }

    #[inline]
    fn raise(&self, bucket: usize, n: u64, writers: Writers) {
        let (word, bit) = bit_of(bucket / FEW);
        if let Some(word) = self.filled.get(word) {
            cell::set_bits(word, bit, writers);
        }
        if let Some(count) = self.count(bucket) {
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

    /// Each few buckets of which one may be other than zero, by place.
    fn for_each_few(&self, filled: &Filled, mut see: impl FnMut(FewCounts)) {
        for_each_place(filled, |place| {
            if let Some(Few(few)) = self.counts.get(place) {
                see(FewCounts { place, counts: few.each_ref().map(cell::read) });
            }
        });
    }

    fn filled(&self) -> Filled {
        self.filled.each_ref().map(cell::read)
    }

    fn totals(&self) -> Totals {
        Totals {
            sum: cell::read(&self.sum),
            min: cell::read(&self.min),
            max: cell::read(&self.max),
            overflows: cell::read(&self.overflows),
            recent_max: self.maxima.recent(),
        }
    }
}
