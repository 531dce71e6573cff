//! A histogram at one moment: its non-empty buckets, and what can be asked of them.

use super::buckets::{
    BUCKETS_PER_OCTAVE, Bucket, HIGHEST_VALUE, SIGNIFICANT_DIGITS, highest_of, index_of, lowest_of,
};
use super::few::FewCounts;
use super::recording::LazyHistogram;
use super::tally::Tally;
use super::totals::Totals;

/// The largest relative difference between a reported quantile and the observation it stands for: half a bucket.
#[expect(clippy::cast_precision_loss, reason = "128 is a floating-point number")]
pub const RELATIVE_ERROR: f64 = 0.5 / BUCKETS_PER_OCTAVE as f64;

/// What a histogram counted, in raw units (nanoseconds, bytes, thousandths, or plain numbers).
///
/// The counts are exact: every observation is in exactly one bucket. While other threads record, `sum` may be ahead of
/// the buckets by the observations under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// Each few buckets of which one is not empty, by place.
    counts: Vec<FewCounts>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    overflows: u64,
    recent_max: Option<u64>,
}

impl HistogramSnapshot {
    /// A histogram without observations.
    pub const EMPTY: Self =
        Self { counts: Vec::new(), count: 0, sum: 0, min: 0, max: 0, overflows: 0, recent_max: None };

    pub(crate) fn of(histogram: &LazyHistogram) -> Self {
        let (counts, totals) = histogram.read();
        Self::new(counts, totals)
    }

    pub(crate) fn from_tally(tally: &Tally) -> Self {
        Self::new(tally.filled(), tally.totals)
    }

    fn new(counts: Vec<FewCounts>, totals: Totals) -> Self {
        let Totals { sum, min, max, overflows, recent_max } = totals;
        // Until its first observation has stored a minimum, a histogram has none.
        let min = if min == u64::MAX { 0 } else { min };
        Self {
            count: counts.iter().map(FewCounts::total).sum(),
            sum,
            min,
            max,
            overflows,
            recent_max,
            counts,
        }
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all observed values, those above [`HIGHEST_VALUE`] with their true value; wraps at 2⁶⁴.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest observation, exactly. In a difference ([`HistogramSnapshot::since`]) it is the lower edge of the
    /// lowest bucket that grew, unless the smallest value ever was observed in between.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest observation, exactly. In a difference it is the upper edge of the highest bucket that grew, unless
    /// the largest value ever was observed in between.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The largest observation of the last 10 to 15 seconds, exactly (but at most [`HIGHEST_VALUE`] − 1); where nothing is
    /// watched, the largest ever. The same in a difference.
    pub fn recent_max(&self) -> Option<u64> {
        self.recent_max
    }

    /// Observations above [`HIGHEST_VALUE`]. They are counted in the last bucket as well.
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// The mean of all observations: [`sum`](Self::sum) / [`count`](Self::count).
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 52 bits")]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The value below or at which a share `q` (0 to 1) of the observations lies: the smallest one for `q` = 0, the
    /// largest for 1. The rank is exact, the value is the midpoint of its bucket and thus within [`RELATIVE_ERROR`].
    /// `None` without observations.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = rank_of(q, self.count)?;
        let mut seen = 0;
        for bucket in self.buckets() {
            seen += bucket.count;
            if seen >= rank {
                return Some(bucket.midpoint().clamp(self.min.min(self.max), self.max));
            }
        }
        self.max()
    }

    /// The non-empty buckets, lowest first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.counts.iter().flat_map(FewCounts::filled).map(|(index, count)| Bucket {
            lowest: lowest_of(index),
            highest: highest_of(index),
            count,
        })
    }

    /// Number of observations at or below each of `edges`, which ascend. Exact where an edge is the upper edge of a
    /// bucket: every value below 256, and every `m × 2ⁿ − 1` with m from 128 to 256. At other edges a bucket counts
    /// as soon as its lower edge does. At [`HIGHEST_VALUE`] everything counts, overflows too.
    pub fn cumulative(&self, edges: &[u64]) -> Vec<u64> {
        let mut counts = self.counts.iter().peekable();
        let mut seen = 0;
        let mut upto = |edge: u64| {
            let end = index_of(edge) + 1;
            while let Some(few) = counts.next_if(|few| few.end() <= end) {
                seen += few.total();
            }
            seen + counts.peek().map_or(0, |few| few.total_before(end))
        };
        edges.iter().map(|edge| upto(*edge)).collect()
    }

    /// What was observed after `previous` was taken from the same histogram. Counts that went backwards (they cannot,
    /// of one histogram) count as zero.
    #[must_use]
    pub fn since(&self, previous: &Self) -> Self {
        let mut old = previous.counts.iter().peekable();
        let mut counts = Vec::new();
        for few in &self.counts {
            while old.next_if(|old| old.place < few.place).is_some() {}
            let more = old.next_if(|old| old.place == few.place).map_or(*few, |old| few.since(old));
            if more.total() > 0 {
                counts.push(more);
            }
        }
        let first = counts.first().and_then(|few| few.filled().next());
        let last = counts.last().and_then(|few| few.filled().next_back());
        let lowest = first.map_or(0, |(index, _)| lowest_of(index));
        let highest = last.map_or(0, |(index, _)| highest_of(index));
        let fell = previous.count == 0 || self.min < previous.min;
        let rose = previous.count == 0 || self.max > previous.max;
        Self {
            count: counts.iter().map(FewCounts::total).sum(),
            sum: self.sum.wrapping_sub(previous.sum),
            min: if fell { self.min } else { lowest.max(self.min) },
            max: if rose { self.max } else { highest.min(self.max) },
            overflows: self.overflows.saturating_sub(previous.overflows),
            recent_max: self.recent_max,
            counts,
        }
    }

    /// The same counts as an `hdrhistogram`: nothing is lost but the exact sum, minimum and maximum, for which that
    /// crate keeps no place.
    #[expect(clippy::missing_panics_doc, reason = "the bounds are constants that every test passes through")]
    pub fn to_hdr(&self) -> hdrhistogram::Histogram<u64> {
        #[expect(
            clippy::expect_used,
            reason = "1 < HIGHEST_VALUE / 2 and two digits are what the crate asks for"
        )]
        let mut histogram = hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_VALUE, SIGNIFICANT_DIGITS)
            .expect("constant bounds are valid");
        for bucket in self.buckets() {
            histogram.saturating_record_n(bucket.lowest, bucket.count);
        }
        histogram
    }
}

/// The rank of quantile `q` among `count` observations, from 1.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the product lies between 0 and count; above 2^53 observations the rank is good to 16 digits"
)]
fn rank_of(q: f64, count: u64) -> Option<u64> {
    let share = if q.is_nan() { 0.0 } else { q.clamp(0.0, 1.0) };
    (count > 0).then(|| ((share * count as f64).ceil() as u64).clamp(1, count))
}
