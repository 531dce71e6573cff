//! The upper edges (`le`) of classic histogram buckets.
//!
//! A histogram counts in more than four thousand buckets; a scrape asks for a few dozen. Every edge chosen here is the
//! upper edge of one of those buckets, so that the cumulative counts are exact. Such edges are all numbers below 256,
//! and 2ⁿ − 1 and 3 × 2ⁿ − 1 above: an edge at 1023 ns means "below 1024 ns". The
//! topmost bucket's edge is not among them, because that bucket also counts everything above it.

use bettong_metrics::{Desc, Home, Unit};

/// The edges for a family's buckets in raw units, ascending, without the infinite one.
///
/// | family | edges |
/// | --- | --- |
/// | latency of an operation | two in each power of two from 127 ns to 51 s: 58 |
/// | other durations without labels | powers of two from 1 µs to 69 s: 27 |
/// | with labels | powers of four from 1 µs to 18 min: 16 |
/// | bytes | powers of four from 63 B to 1 TiB: 18 |
/// | counts | 1, 2, 4 … 1023: 11 |
/// | thousandths | two in each power of two from 0.5 to 49: 14 |
pub(super) fn of(desc: &Desc) -> Vec<u64> {
    match (desc.unit, desc.home) {
        (Unit::Nanoseconds | Unit::Seconds, Home::Shard) => two_per_power_of_two(7..=35).collect(),
        (unit, _) => of_other(unit, !desc.labels.is_empty()),
    }
}

/// The edges for a family that is no latency of an operation: custom ones too.
pub(super) fn of_other(unit: Unit, is_labelled: bool) -> Vec<u64> {
    match unit {
        Unit::Bytes | Unit::BytesPerSecond => powers_of_four(3..=20).collect(),
        Unit::Count | Unit::Ratio => (0..8).map(|n| 1 << n).chain([255, 511, 1_023]).collect(),
        Unit::Thousandths => two_per_power_of_two(9..=15).collect(),
        Unit::Nanoseconds | Unit::Seconds if is_labelled => powers_of_four(5..=20).collect(),
        Unit::Nanoseconds | Unit::Seconds => (10..=36).map(|n| (1 << n) - 1).collect(),
    }
}

fn powers_of_four(exponents: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = u64> {
    exponents.map(|n| (1 << (2 * n)) - 1)
}

fn two_per_power_of_two(exponents: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = u64> {
    exponents.flat_map(|n| [(1 << n) - 1, (3 << (n - 1)) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bettong_metrics::{Histogram, Registry};

    #[test]
    fn edges_ascend_and_are_as_many_as_documented() {
        let documented = [
            (Histogram::GetLatency, 58),
            (Histogram::FlushDuration, 27),
            (Histogram::FsyncDuration, 16),
            (Histogram::CommitGroupBytes, 18),
            (Histogram::CommitGroupWriters, 11),
            (Histogram::CompactionWriteAmplification, 14),
        ];
        for (family, expected) in documented {
            let edges = of(family.desc());
            assert_eq!(edges.len(), expected, "{family:?}");
            assert!(edges.is_sorted_by(|a, b| a < b), "{family:?}");
        }
    }

    #[test]
    fn a_value_at_an_edge_is_below_it_and_the_next_value_is_not() {
        let registry = Registry::new("edges");
        let recorder = registry.recorder();
        for family in Histogram::ALL {
            for edge in of(family.desc()) {
                let before = registry.snapshot();
                recorder.record(*family, edge);
                recorder.record(*family, edge + 1);
                let after = registry.snapshot().since(&before);
                assert_eq!(after.histogram(*family).cumulative(&[edge]), [1], "{family:?} at {edge}");
            }
        }
    }
}
