//! Latencies of one second in few buckets: four to each power of two, from 128 ns to 14 s. A value in a bucket is within 9 % of the
//! bucket's middle.
//!
//! The edges are edges of the histograms' own buckets, so every count is exact.

use bettong_metrics::{Histogram, HistogramSnapshot, MetricsSnapshot, Operation};
use std::sync::LazyLock;

/// 2⁷ times the fourth roots of two to the powers 0 to 3.
const MANTISSAS: [u64; 4] = [128, 152, 181, 215];

/// Powers of two from 128 ns on.
const OCTAVES: usize = 27;

/// Buckets of one kind of operation: below the first edge, between the edges, above the last.
pub(super) const BUCKETS: usize = OCTAVES * MANTISSAS.len() + 1;

/// The most buckets of a row.
#[cfg(test)]
pub(super) const CELLS: usize = BUCKETS * Operation::ALL.len();

/// The upper edges of all buckets but the last, in nanoseconds, inclusive.
pub(super) static EDGES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let octave = |shift: usize| MANTISSAS.map(|mantissa| (mantissa << shift) - 1);
    (0..OCTAVES).flat_map(octave).collect()
});

const LATENCIES: [Histogram; Operation::ALL.len()] = [
    Histogram::GetLatency,
    Histogram::SetLatency,
    Histogram::DeleteLatency,
    Histogram::BatchLatency,
    Histogram::ScanLatency,
];

/// The histogram of an operation's latency.
pub(super) const fn latency(operation: Operation) -> Histogram {
    match operation {
        Operation::Get => Histogram::GetLatency,
        Operation::Set => Histogram::SetLatency,
        Operation::Delete => Histogram::DeleteLatency,
        Operation::Batch => Histogram::BatchLatency,
        Operation::Scan => Histogram::ScanLatency,
    }
}

/// The buckets of one row that anything fell into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heat {
    /// The operation's index times [`BUCKETS`], and the bucket; ascending.
    cells: Box<[u16]>,
    counts: Box<[u32]>,
}

impl Heat {
    /// What happened between two snapshots.
    pub(super) fn between(before: &MetricsSnapshot, now: &MetricsSnapshot) -> Self {
        let deltas = LATENCIES.map(|latency| now.histogram(latency).since(before.histogram(latency)));
        Self::of(&deltas)
    }

    pub(super) fn of(deltas: &[HistogramSnapshot; Operation::ALL.len()]) -> Self {
        let (mut cells, mut counts) = (Vec::new(), Vec::new());
        for (operation, delta) in deltas.iter().enumerate() {
            let mut below = 0;
            let cumulative = delta.cumulative(&EDGES).into_iter().chain([delta.count()]);
            for (bucket, upto) in cumulative.enumerate() {
                let count = upto - below;
                below = upto;
                if count > 0 {
                    cells.push((operation * BUCKETS + bucket) as u16);
                    counts.push(u32::try_from(count).unwrap_or(u32::MAX));
                }
            }
        }
        Self { cells: cells.into(), counts: counts.into() }
    }

    /// The cells and how many fell into each.
    pub(super) fn cells(&self) -> impl ExactSizeIterator<Item = (u16, u32)> + '_ {
        self.cells.iter().copied().zip(self.counts.iter().copied())
    }

    /// These cells.
    #[cfg(test)]
    pub(super) fn with(cells: impl IntoIterator<Item = (u16, u32)>) -> Self {
        let (cells, counts): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
        Self { cells: cells.into(), counts: counts.into() }
    }
}

/// Of these cells those of one kind of operation, as buckets with their counts.
pub(super) fn of_operation(
    cells: impl Iterator<Item = (u16, u32)>,
    operation: Operation,
) -> impl Iterator<Item = (usize, u32)> {
    let first = operation.index() * BUCKETS;
    cells.filter_map(move |(cell, count)| {
        let bucket = usize::from(cell).checked_sub(first)?;
        (bucket < BUCKETS).then_some((bucket, count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bettong_metrics::Registry;

    #[test]
    fn every_observation_falls_into_the_bucket_between_its_edges() {
        let registry = Registry::new("orders");
        let recorder = registry.recorder();
        let before = registry.snapshot();
        let values = [1, 127, 128, 151, 152, 1_000, 123_456, 5_000_000_000, 20_000_000_000];
        values.iter().for_each(|value| recorder.record(Histogram::GetLatency, *value));
        recorder.record(Histogram::ScanLatency, 300);
        let heat = Heat::between(&before, &registry.snapshot());
        let mut expected = vec![0; BUCKETS];
        for value in values {
            expected[EDGES.iter().position(|edge| value <= *edge).unwrap_or(BUCKETS - 1)] += 1;
        }
        let mut found = vec![0; BUCKETS];
        of_operation(heat.cells(), Operation::Get).for_each(|(bucket, count)| found[bucket] = count);
        assert_eq!(found, expected);
        assert_eq!(of_operation(heat.cells(), Operation::Scan).map(|(_, count)| count).sum::<u32>(), 1);
        assert_eq!(of_operation(heat.cells(), Operation::Set).count(), 0);
    }

    #[test]
    fn edges_ascend_by_a_fifth_from_127_ns_to_14_s() {
        assert_eq!((EDGES.len(), EDGES[0]), (BUCKETS - 1, 127));
        assert!(
            EDGES
                .windows(2)
                .all(|pair| (1.17..1.21).contains(&((pair[1] + 1) as f64 / (pair[0] + 1) as f64)))
        );
        assert!((14_000_000_000..18_000_000_000).contains(&EDGES[BUCKETS - 2]));
    }
}
