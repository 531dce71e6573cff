//! The upper edges (`le`) of classic histogram buckets.
//!
//! A histogram counts in more than four thousand buckets; a scrape asks for a few dozen. Every edge chosen here is the
//! upper edge of one of those buckets, so that the cumulative counts are exact. Such edges are all numbers below 256,
//! and 2ⁿ − 1 and 3 × 2ⁿ − 1 above: an edge at 1023 ns means "below 1024 ns". The
//! topmost bucket's edge is not among them, because that bucket also counts everything above it.

use super::profile::Profile;
use bettong_metrics::{Desc, Home, Unit};

/// The edges for a family's buckets in raw units, ascending, without the infinite one.
///
/// | family | standard and minimal | full |
/// | --- | --- | --- |
/// | latency of an operation | two in each power of two from 127 ns to 51 s: 58 | the same |
/// | other durations without labels | powers of two from 1 µs to 69 s: 27 | as latencies: 58 |
/// | with labels | powers of four from 1 µs to 18 min: 16 | as latencies: 58 |
/// | bytes | powers of four from 63 B to 1 TiB: 18 | powers of two from 63 B to 1 TiB: 35 |
/// | counts | 1, 2, 4 … 1023: 11 | the same, up to 2²⁰ − 1: 21 |
/// | thousandths | two in each power of two from 0.5 to 49: 14 | the same |
///
/// The profile `native` has none.
pub(super) fn of(desc: &Desc, profile: Profile) -> Vec<u64> {
    match (profile, desc.unit, desc.home) {
        (Profile::Native, ..) => Vec::new(),
        (_, Unit::Nanoseconds | Unit::Seconds, Home::Shard) => latencies(),
        (_, unit, _) => of_other(unit, !desc.labels.is_empty(), profile),
    }
}

/// The edges for a family that is no latency of an operation: custom ones too.
pub(super) fn of_other(unit: Unit, is_labelled: bool, profile: Profile) -> Vec<u64> {
    let full = profile == Profile::Full;
    match unit {
        _ if profile == Profile::Native => Vec::new(),
        Unit::Bytes | Unit::BytesPerSecond if full => powers_of_two(6..=40).collect(),
        Unit::Bytes | Unit::BytesPerSecond => powers_of_four(3..=20).collect(),
        Unit::Count | Unit::Ratio => {
            let last = if full { 20 } else { 10 };
            (0..8).map(|n| 1 << n).chain(powers_of_two(8..=last)).collect()
        }
        Unit::Thousandths => two_per_power_of_two(9..=15).collect(),
        Unit::Nanoseconds | Unit::Seconds if full => latencies(),
        Unit::Nanoseconds | Unit::Seconds if is_labelled => powers_of_four(5..=20).collect(),
        Unit::Nanoseconds | Unit::Seconds => powers_of_two(10..=36).collect(),
    }
}

fn latencies() -> Vec<u64> {
    two_per_power_of_two(7..=35).collect()
}

fn powers_of_two(exponents: std::ops::RangeInclusive<u32>) -> impl Iterator<Item = u64> {
    exponents.map(|n| (1 << n) - 1)
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
            (Histogram::GetLatency, 58, 58),
            (Histogram::FlushDuration, 27, 58),
            (Histogram::FsyncDuration, 16, 58),
            (Histogram::CommitGroupBytes, 18, 35),
            (Histogram::CommitGroupWriters, 11, 21),
            (Histogram::CompactionWriteAmplification, 14, 14),
        ];
        for (family, standard, full) in documented {
            for (profile, expected) in [
                (Profile::Standard, standard),
                (Profile::Minimal, standard),
                (Profile::Full, full),
                (Profile::Native, 0),
            ] {
                let edges = of(family.desc(), profile);
                assert_eq!(edges.len(), expected, "{family:?} {profile}");
                assert!(edges.is_sorted_by(|a, b| a < b), "{family:?} {profile}");
            }
        }
    }

    #[test]
    fn a_value_at_an_edge_is_below_it_and_the_next_value_is_not() {
        let registry = Registry::new("edges");
        let recorder = registry.recorder();
        for family in Histogram::ALL {
            for edge in
                of(family.desc(), Profile::Full).into_iter().chain(of(family.desc(), Profile::Standard))
            {
                let before = registry.snapshot();
                recorder.record(*family, edge);
                recorder.record(*family, edge + 1);
                let after = registry.snapshot().since(&before);
                assert_eq!(after.histogram(*family).cumulative(&[edge]), [1], "{family:?} at {edge}");
            }
        }
    }
}
