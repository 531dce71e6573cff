//! From log-linear buckets to native ones, which grow by a constant factor.
//!
//! ```text
//!   native bucket i    2^((i−1)/16) < x ≤ 2^(i/16)      in the unit that is shown: seconds, bytes
//!   spans              (buckets skipped since the last span, buckets), the first from index 0
//!   deltas             the first count, then differences to the count before
//! ```

use super::scaled;
use bettong_metrics::{Bucket, HistogramSnapshot};

/// The schema: buckets grow by 2^(2^−4), 16 to a power of two. The latencies of an operation fill some hundred.
pub const SCHEMA: i32 = 4;

/// Native buckets in each power of two.
const PER_OCTAVE: f64 = 16.0;

/// Values up to this are zero. No other value that is recorded is near it.
pub const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39; // 2⁻¹²⁸, as in Prometheus' own clients

/// How far any point of a native bucket is from an observation that is counted there, as a share of the observation:
/// the width of the native bucket, 2^(1/16) − 1 = 4.43 %, and, for what its own bucket reaches beyond it, half of that one's
/// width, 0.4 %.
pub const MAX_RELATIVE_ERROR: f64 = 0.049;

/// The longest gap that is bridged with empty buckets: each costs a byte, a span more.
const BRIDGED: i32 = 2;

/// The native buckets of one histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    pub(super) zeros: u64,
    /// Offset and length of each span.
    pub(super) spans: Vec<(i32, u32)>,
    pub(super) deltas: Vec<i64>,
}

impl Buckets {
    /// The buckets of `values`, of which `raw_per_unit` raw units make one that is shown.
    pub(super) fn of(values: &HistogramSnapshot, raw_per_unit: u64) -> Self {
        let mut native = Self::default();
        let mut open: Option<(i32, u64)> = None;
        let mut last = None;
        for bucket in values.buckets() {
            let Some(index) = index_of(&bucket, raw_per_unit) else {
                native.zeros += bucket.count;
                continue;
            };
            match &mut open {
                // Midpoints ascend, and so do indices.
                Some((at, count)) if *at == index => *count += bucket.count,
                open => {
                    native.close(open.replace((index, bucket.count)), &mut last);
                }
            }
        }
        native.close(open, &mut last);
        native
    }

    /// Appends a bucket. `last` is index and count of the one before.
    fn close(&mut self, bucket: Option<(i32, u64)>, last: &mut Option<(i32, i64)>) {
        let Some((index, count)) = bucket else { return };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let (next, before) = last.map_or((0, 0), |(at, before)| (at + 1, before));
        let gap = index - next;
        match self.spans.last_mut() {
            Some((_, length)) if gap <= BRIDGED => {
                let empty = u32::try_from(gap).unwrap_or_default();
                *length += empty + 1;
                if empty > 0 {
                    self.deltas.push(-before);
                    self.deltas.extend((1..empty).map(|_| 0));
                    self.deltas.push(count);
                } else {
                    self.deltas.push(count - before);
                }
            }
            _ => {
                self.spans.push((gap, 1));
                self.deltas.push(count - before);
            }
        }
        *last = Some((index, count));
    }
}

/// The native bucket of an HDR bucket; `None` for zero.
fn index_of(bucket: &Bucket, raw_per_unit: u64) -> Option<i32> {
    let midpoint = scaled(bucket.midpoint(), raw_per_unit);
    (bucket.midpoint() > 0).then(|| {
        // Between 2⁻³⁰ and 2⁴²: no index comes near the bounds of the type.
        let mut index = (midpoint.log2() * PER_OCTAVE).ceil() as i32;
        // A logarithm is rounded: at an edge it may be one off.
        while midpoint > upper_bound(index) {
            index += 1;
        }
        while midpoint <= upper_bound(index - 1) {
            index -= 1;
        }
        index
    })
}

/// The upper bound of the native bucket at `index`.
fn upper_bound(index: i32) -> f64 {
    (f64::from(index) / PER_OCTAVE).exp2()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "powers of two are exact")]
mod tests {
    use super::*;
    use bettong_metrics::{Histogram, Measure, Registry};
    use proptest::prelude::*;

    /// Index and count of each bucket, empty ones included, as a server reads them.
    fn read(native: &Buckets) -> Vec<(i32, u64)> {
        let (mut index, mut count, mut read) = (0_i32, 0_i64, Vec::new());
        let mut deltas = native.deltas.iter();
        for (offset, length) in &native.spans {
            index += offset;
            for _ in 0..*length {
                count += deltas.next().expect("a delta for each bucket");
                read.push((index, u64::try_from(count).expect("no count is negative")));
                index += 1;
            }
        }
        assert!(deltas.next().is_none(), "a bucket for each delta");
        read
    }

    fn recorded(values: &[u64]) -> HistogramSnapshot {
        let registry = Registry::new("native");
        let histogram = registry.histogram_of(Measure::Count, "app_values", "Values", &[]).unwrap();
        values.iter().for_each(|value| histogram.record(*value));
        match registry.snapshot().custom()[0].series()[0].value() {
            bettong_metrics::CustomValue::Histogram(values) => values.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_constants_are_what_they_say() {
        assert_eq!(ZERO_THRESHOLD, (-128.0_f64).exp2());
        assert_eq!(f64::from(1 << SCHEMA), PER_OCTAVE);
        let width = (1.0 / PER_OCTAVE).exp2();
        // A point at the far edge, an observation half an HDR bucket beyond the near one.
        assert!(width * (1.0 + 1.0 / 256.0) - 1.0 <= MAX_RELATIVE_ERROR);
    }

    #[test]
    fn powers_of_two_are_the_upper_bounds_of_their_buckets() {
        let registry = Registry::new("edges");
        registry.recorder().record(Histogram::CommitGroupBytes, 128);
        let values = registry.snapshot().histogram(Histogram::CommitGroupBytes).clone();
        assert_eq!(read(&Buckets::of(&values, 1)), [(7 * 16, 1)]);
        assert_eq!((upper_bound(0), upper_bound(16), upper_bound(-16)), (1.0, 2.0, 0.5));
    }

    #[test]
    fn nothing_and_zero_have_no_spans() {
        assert_eq!(Buckets::of(&HistogramSnapshot::EMPTY, 1), Buckets::default());
        assert_eq!(Buckets::of(&recorded(&[0, 0]), 1), Buckets { zeros: 2, ..Buckets::default() });
    }

    #[test]
    fn short_gaps_are_bridged_and_long_ones_are_not() {
        // Indices 0, 16, 26 (log2(3) × 16 = 25.4), 112.
        let native = Buckets::of(&recorded(&[1, 2, 3, 128]), 1);
        assert_eq!(native.spans, [(0, 1), (15, 1), (9, 1), (85, 1)]);
        // 100 and 108 are buckets 107 and 109 (106.3, 108.1), one apart.
        let native = Buckets::of(&recorded(&[100, 100, 108]), 1);
        assert_eq!((native.spans, native.deltas), (vec![(107, 3)], vec![2, -2, 1]));
    }

    proptest! {
        #[test]
        fn every_observation_is_within_the_bound_of_every_point_of_its_bucket(
            values in prop::collection::vec((0..42_u32, any::<u64>()).prop_map(|(bits, value)| value >> (63 - bits)), 1..60),
            nanos: bool,
        ) {
            let per_unit = if nanos { 1_000_000_000 } else { 1 };
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let native = Buckets::of(&recorded(&values), per_unit);
            let buckets = read(&native);
            prop_assert!(buckets.is_sorted_by(|a, b| a.0 < b.0));
            let zeros = sorted.iter().filter(|value| **value == 0).count();
            prop_assert_eq!(native.zeros, zeros as u64);
            // By rank: the order of observations and that of buckets is one.
            let mut places = buckets.iter().flat_map(|(index, count)| (0..*count).map(|_| *index));
            for value in sorted.into_iter().filter(|value| *value > 0) {
                let index = places.next().expect("as many places as observations");
                let shown = scaled(value, per_unit);
                for point in [upper_bound(index - 1), upper_bound(index)] {
                    prop_assert!((point - shown).abs() <= MAX_RELATIVE_ERROR * shown, "{} at {}", shown, point);
                }
            }
            prop_assert!(places.next().is_none());
        }
    }
}
