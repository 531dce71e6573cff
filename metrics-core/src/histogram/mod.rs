//! Log-linear histograms with the bucket edges of `hdrhistogram` at two significant digits.
//!
//! Values below 256 have a bucket each. Above, every power of two is cut into 128 buckets, so a bucket is at most
//! 1/128 (0.78 %) as wide as its values are large, and its midpoint is within 0.4 % of any of them.

mod buckets;
mod recording;
mod reading;

pub use buckets::{Bucket, HIGHEST_VALUE};
pub use reading::{HistogramSnapshot, RELATIVE_ERROR};
pub(crate) use recording::{LazyHistogram, Tally};

#[cfg(test)]
mod tests;
