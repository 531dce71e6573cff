//! Log-linear histograms with the bucket edges of `hdrhistogram` at two significant digits.
//!
//! Values below 256 have a bucket each. Above, every power of two is cut into 128 buckets, so a bucket is at most
//! 1/128 (0.78 %) as wide as its values are large, and its midpoint is within 0.4 % of any of them.

mod buckets;
mod epoch;
mod few;
mod totals;
mod tally;
mod recording;
mod reading;
mod export;

pub(crate) use buckets::index_of as bucket_of;
pub use buckets::{Bucket, HIGHEST_VALUE};
pub use epoch::EPOCH_SECONDS;
pub(crate) use epoch::advance as advance_epoch;
pub use export::INTERVAL_LOG_HEADER;
pub use reading::{HistogramSnapshot, RELATIVE_ERROR};
pub(crate) use recording::LazyHistogram;
pub(crate) use tally::Tally;

#[cfg(test)]
mod tests;
