//! The real recording side on three buckets, without extremes of epochs.

mod buckets;
mod epoch;
#[path = "../../../src/histogram/few.rs"]
mod few;
#[path = "../../../src/histogram/recording.rs"]
mod recording;
#[path = "../../../src/histogram/tally.rs"]
mod tally;
#[path = "../../../src/histogram/totals.rs"]
mod totals;

pub(crate) use buckets::index_of as bucket_of;
pub(crate) use recording::LazyHistogram;
pub(crate) use tally::Tally;

impl Tally {
    /// Observations in each bucket.
    pub(crate) fn buckets(&self) -> [u64; buckets::BUCKETS] {
        let mut counts = [0; buckets::BUCKETS];
        self.filled().iter().for_each(|few| counts[few.place] = few.total());
        counts
    }
}
