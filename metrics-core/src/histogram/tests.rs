use super::buckets::{BUCKETS, highest_of, index_of, lowest_of};
use super::*;
use crate::cell::Writers;
use proptest::prelude::*;

fn reference() -> hdrhistogram::Histogram<u64> {
    hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_VALUE, 2).unwrap()
}

fn filled(values: impl IntoIterator<Item = u64>) -> HistogramSnapshot {
    let histogram = LazyHistogram::default();
    for value in values {
        histogram.record(value, Writers::One);
    }
    HistogramSnapshot::of(&histogram)
}

#[test]
fn there_are_as_many_buckets_as_in_hdrhistogram() {
    assert_eq!(BUCKETS, reference().distinct_values());
}

#[test]
fn buckets_follow_each_other_without_gap_or_overlap() {
    assert_eq!(lowest_of(0), 0);
    for index in 0..BUCKETS {
        assert!(lowest_of(index) <= highest_of(index));
        assert_eq!((index_of(lowest_of(index)), index_of(highest_of(index))), (index, index));
        if index + 1 < BUCKETS {
            assert_eq!(highest_of(index) + 1, lowest_of(index + 1));
        }
    }
    assert_eq!(highest_of(BUCKETS - 1), HIGHEST_VALUE);
}

#[test]
fn every_edge_is_an_edge_of_hdrhistogram() {
    let reference = reference();
    for index in 0..BUCKETS {
        let lowest = lowest_of(index);
        assert_eq!(reference.lowest_equivalent(lowest), lowest);
        assert_eq!(reference.highest_equivalent(lowest), highest_of(index));
    }
}

#[test]
fn a_value_above_the_range_is_counted_at_the_top_with_its_true_sum() {
    let histogram = filled([HIGHEST_VALUE + 1, u64::MAX / 2, 3]);
    assert_eq!((histogram.count(), histogram.overflows()), (3, 2));
    assert_eq!(histogram.sum(), HIGHEST_VALUE + 1 + u64::MAX / 2 + 3);
    assert_eq!(histogram.max(), Some(u64::MAX / 2));
    let top = histogram.buckets().last().unwrap();
    assert_eq!((top.highest, top.count), (HIGHEST_VALUE, 2));
}

#[test]
fn an_empty_histogram_has_no_quantile_and_no_extremes() {
    let empty = filled([]);
    assert_eq!(empty, HistogramSnapshot::EMPTY);
    assert_eq!((empty.quantile(0.5), empty.min(), empty.max(), empty.mean()), (None, None, None, None));
    assert_eq!(empty.to_hdr().len(), 0);
    assert_eq!(LazyHistogram::default().heap_bytes(), 0);
}

#[test]
fn small_values_have_exact_quantiles() {
    let histogram = filled(1..=100);
    assert_eq!(histogram.quantile(0.0), Some(1));
    assert_eq!(histogram.quantile(0.5), Some(50));
    assert_eq!(histogram.quantile(0.99), Some(99));
    assert_eq!(histogram.quantile(1.0), Some(100));
    assert_eq!(histogram.quantile(f64::NAN), Some(1));
    assert_eq!(histogram.mean(), Some(50.5));
}

#[test]
fn cumulative_counts_are_exact_at_upper_edges() {
    let histogram = filled([0, 1, 255, 256, 1_023, 1_024]);
    assert_eq!(histogram.cumulative(&[0, 1, 254, 255, 1_023, HIGHEST_VALUE]), [1, 2, 2, 3, 5, 6]);
}

#[test]
fn a_tally_that_was_cleared_remembers_nothing() {
    let (first, second) = (LazyHistogram::default(), LazyHistogram::default());
    first.record(1 << 30, Writers::Many);
    second.record(5, Writers::Many);
    let mut tally = Tally::new();
    first.add_to(&mut tally);
    tally.clear();
    second.add_to(&mut tally);
    assert_eq!(HistogramSnapshot::from_tally(&tally), filled([5]));
}

proptest! {
    #[test]
    fn quantiles_agree_with_hdrhistogram(
        values in prop::collection::vec((0..64_u32, any::<u64>()).prop_map(|(s, v)| v >> s), 1..300),
        q in 0.0..=1.0_f64,
    ) {
        let (ours, mut theirs) = (filled(values.iter().copied()), reference());
        for value in &values {
            theirs.saturating_record(*value);
        }
        let (found, expected) = (ours.quantile(q).unwrap(), theirs.value_at_quantile(q));
        prop_assert!(theirs.equivalent(found.min(HIGHEST_VALUE), expected), "{found} against {expected}");
        prop_assert_eq!(ours.to_hdr(), theirs);
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "42 bits fit")]
    fn a_quantile_is_within_the_published_error(value in 0..=HIGHEST_VALUE) {
        let two = filled([value, HIGHEST_VALUE]);
        let found = two.quantile(0.5).unwrap();
        prop_assert!(found.abs_diff(value) as f64 <= value as f64 * RELATIVE_ERROR);
    }

    #[test]
    fn cumulative_counts_are_those_of_the_buckets_that_begin_at_or_below_an_edge(
        values in prop::collection::vec((0..64_u32, any::<u64>()).prop_map(|(s, v)| v >> s), 0..200),
        mut edges in prop::collection::vec((22..64_u32, any::<u64>()).prop_map(|(s, v)| v >> s), 0..50),
    ) {
        edges.sort_unstable();
        let histogram = filled(values);
        let upto = |edge: &u64| {
            histogram.buckets().filter(|bucket| bucket.lowest <= *edge).map(|bucket| bucket.count).sum::<u64>()
        };
        prop_assert_eq!(histogram.cumulative(&edges), edges.iter().map(upto).collect::<Vec<_>>());
    }

    #[test]
    fn a_sum_of_histograms_is_the_histogram_of_all_observations(
        parts in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..50), 0..4),
    ) {
        let mut tally = Tally::new();
        for values in &parts {
            let histogram = LazyHistogram::default();
            values.iter().for_each(|value| histogram.record(*value, Writers::Many));
            histogram.add_to(&mut tally);
        }
        prop_assert_eq!(HistogramSnapshot::from_tally(&tally), filled(parts.into_iter().flatten()));
    }

    #[test]
    fn a_difference_is_what_was_recorded_in_between(
        early in prop::collection::vec(0..=HIGHEST_VALUE, 0..100),
        late in prop::collection::vec(0..=HIGHEST_VALUE, 0..100),
    ) {
        let before = filled(early.iter().copied());
        let after = filled(early.iter().chain(&late).copied());
        let (found, expected) = (after.since(&before), filled(late.iter().copied()));
        prop_assert_eq!(found.buckets().collect::<Vec<_>>(), expected.buckets().collect::<Vec<_>>());
        prop_assert_eq!((found.count(), found.sum()), (expected.count(), expected.sum()));
        for (found, exact) in [(found.min(), expected.min()), (found.max(), expected.max())] {
            prop_assert_eq!(found.map(index_of), exact.map(index_of));
        }
    }
}
