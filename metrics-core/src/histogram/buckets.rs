//! From a value to its bucket and back.
//!
//! ```text
//!   value          256 ≤ v < 512        512 ≤ v < 1024           …   2⁴¹ ≤ v < 2⁴²
//!   width    1     2                    4                            2³⁴
//!   index  0..256  256..384             384..512                     4480..4608
//! ```
//! A value keeps its highest eight bits: with `shift` the number of bits dropped, its index is
//! `shift × 128 + (value >> shift)`. These are the edges of `hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_VALUE,
//! 2)` (Gil Tene's HdrHistogram), which the tests check against that crate.

/// The highest value with a bucket of its own, 2⁴² − 1: 73 minutes in nanoseconds, 4 TiB in bytes. Larger values are
/// counted in the last bucket.
pub const HIGHEST_VALUE: u64 = (1 << 42) - 1;

/// Decimal digits that `hdrhistogram` calls significant for these buckets.
pub(super) const SIGNIFICANT_DIGITS: u8 = 2;

/// Bits of a value that choose its bucket.
const KEPT_BITS: u32 = 8;

/// Buckets in each power of two.
pub(super) const BUCKETS_PER_OCTAVE: usize = 1 << (KEPT_BITS - 1);

/// Number of buckets: 36 × 128.
pub(super) const BUCKETS: usize =
    (HIGHEST_VALUE.ilog2() as usize + 3 - KEPT_BITS as usize) * BUCKETS_PER_OCTAVE;

/// The bucket of `value`, below [`BUCKETS`]; the last one for values above [`HIGHEST_VALUE`].
#[inline]
pub(crate) fn index_of(value: u64) -> usize {
    let value = value.min(HIGHEST_VALUE);
    let smallest_shifted = BUCKETS_PER_OCTAVE as u64;
    let shift = (value | smallest_shifted).ilog2() + 1 - KEPT_BITS;
    shift as usize * BUCKETS_PER_OCTAVE + low_bits(value >> shift)
}

/// A number below 256 as an index.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the value has at most eight bits")]
fn low_bits(value: u64) -> usize {
    value as usize
}

/// Number of low bits that the values of a bucket differ in.
fn shift_of(index: usize) -> u32 {
    let octave = index / BUCKETS_PER_OCTAVE;
    u32::try_from(octave.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// The smallest value of the bucket at `index`.
pub(super) fn lowest_of(index: usize) -> u64 {
    let shift = shift_of(index);
    let kept = index - shift as usize * BUCKETS_PER_OCTAVE;
    (kept as u64) << shift
}

/// The largest value of the bucket at `index`.
pub(super) fn highest_of(index: usize) -> u64 {
    lowest_of(index) + ((1 << shift_of(index)) - 1)
}

/// One non-empty bucket of a histogram, in raw units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The smallest value that falls into the bucket.
    pub lowest: u64,
    /// The largest value that falls into the bucket.
    pub highest: u64,
    /// Observations in the bucket; at least 1.
    pub count: u64,
}

impl Bucket {
    /// The value halfway between the edges: within 0.4 % of every value of the bucket.
    pub const fn midpoint(&self) -> u64 {
        self.lowest + (self.highest - self.lowest).div_ceil(2)
    }
}
