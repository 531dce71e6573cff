use super::*;
use crate::histogram::HistogramSnapshot;
use crate::strata::Strata;

fn read(cells: &OperationCells, fast: &LazyHistogram) -> HistogramSnapshot {
    let mut tally = Tally::new();
    cells.add_fast_to(fast, cells.finished_fast(), &mut tally);
    HistogramSnapshot::from_tally(&tally)
}

#[test]
fn a_sample_stands_for_the_operations_until_the_next_one() {
    let (cells, fast) = (OperationCells::default(), LazyHistogram::default());
    cells.finish_sample(&fast, 100);
    (0..4).for_each(|_| cells.finish_fast());
    assert_eq!(read(&cells, &fast).cumulative(&[100]), [5]);
    cells.finish_sample(&fast, 200);
    cells.finish_fast();
    let snapshot = read(&cells, &fast);
    assert_eq!((snapshot.count(), snapshot.cumulative(&[100, 200])), (7, vec![5, 7]));
    assert_eq!((snapshot.min(), snapshot.max()), (Some(100), Some(200)));
}

#[test]
fn operations_that_end_while_timing_is_paused_have_no_latency() {
    let (cells, fast) = (OperationCells::default(), LazyHistogram::default());
    cells.finish_fast();
    assert_eq!(read(&cells, &fast).count(), 0);
    cells.finish_sample(&fast, 100);
    cells.pause(&fast);
    (0..10).for_each(|_| cells.finish_fast());
    assert_eq!(read(&cells, &fast).count(), 1);
    cells.finish_sample(&fast, 300);
    cells.finish_fast();
    assert_eq!(read(&cells, &fast).cumulative(&[100, 300]), [1, 3]);
    assert_eq!(cells.finished_fast(), 14);
}

#[test]
fn gaps_are_uniform_between_one_and_twice_the_interval() {
    let cells = OperationCells::default();
    for interval in [1, 2, 64, 4096] {
        let gaps: Vec<_> = (0..40_000).map(|_| cells.draw_gap(interval)).collect();
        assert!(gaps.iter().all(|gap| (1..2 * interval).contains(gap)));
        let mean = gaps.iter().sum::<u64>() as f64 / 40_000.0;
        assert!((mean - interval as f64).abs() < 0.02 * interval as f64, "{interval}: {mean}");
        let low = gaps.iter().filter(|gap| **gap <= interval / 2).count();
        assert!(interval < 64 || (9_500..10_500).contains(&low), "{interval}: {low}");
    }
}

#[test]
fn a_slow_first_operation_does_not_leave_the_fast_ones_without_a_sample() {
    let (cells, slow) = (OperationCells::default(), LazyHistogram::default());
    cells.begin_looking(500);
    cells.finish_slow(&slow, 9_000);
    assert!(!cells.begin());
}

#[test]
fn every_gap_th_operation_is_looked_at_and_all_are_counted() {
    let cells = OperationCells::default();
    let mut looks = Vec::new();
    for operation in 1..=30 {
        if !cells.begin() {
            looks.push(operation);
            cells.begin_looking(7);
        }
        assert_eq!(cells.begun(), operation);
    }
    assert_eq!(looks, [1, 8, 15, 22, 29]);
    cells.look_next();
    assert_eq!((cells.begun(), cells.begin()), (30, false));
    cells.begin_looking(NEVER);
    assert!((0..1_000).all(|_| cells.begin()));
    assert_eq!(cells.begun(), 1_031);
}

#[test]
fn the_number_begun_never_shrinks_nor_runs_ahead_for_a_reader() {
    let cells = OperationCells::default();
    let started = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for operation in 1..=300_000 {
                started.store(operation, Ordering::SeqCst);
                if !cells.begin() {
                    cells.begin_looking(1 + operation % 3);
                }
            }
        });
        let mut last = 0;
        while last < 300_000 {
            let begun = cells.begun();
            assert!(last <= begun && begun <= started.load(Ordering::SeqCst), "{last} {begun}");
            last = begun;
        }
    });
}

#[test]
fn the_word_of_the_newest_sample_holds_every_bucket() {
    for bucket in [None, Some(0), Some(bucket_of(u64::MAX))] {
        let latest = Latest { bucket, settled: Latest::SETTLED };
        assert_eq!(Latest::unpack(latest.pack()), latest);
    }
}

/// The latencies of one kind of operation: sampled as a shard does it, and all of them.
struct Replay {
    sampled: HistogramSnapshot,
    full: HistogramSnapshot,
    strata: Strata,
}

impl Replay {
    /// Replays a recorded trace: latencies, and whether each operation left the fast path.
    fn of(trace: impl Iterator<Item = (u64, bool)>, interval: u64) -> Self {
        let cells = OperationCells::default();
        let [fast, slow, all] = <[LazyHistogram; 3]>::default();
        for (nanos, is_slow) in trace {
            let chosen = !cells.begin();
            if chosen {
                cells.begin_looking(cells.draw_gap(interval));
            }
            match (is_slow, chosen) {
                (true, _) => cells.finish_slow(&slow, nanos),
                (false, true) => cells.finish_sample(&fast, nanos),
                (false, false) => cells.finish_fast(),
            }
            all.record(nanos, Writers::One);
        }
        let mut strata =
            Strata { fast: cells.finished_fast(), slow: cells.finished_slow(), ..Strata::default() };
        strata.add_timing(&cells);
        let [mut sampled, mut full] = [Tally::new(), Tally::new()];
        cells.add_fast_to(&fast, strata.fast, &mut sampled);
        slow.add_to(&mut sampled);
        all.add_to(&mut full);
        let [sampled, full] = [sampled, full].map(|tally| HistogramSnapshot::from_tally(&tally));
        assert_eq!(sampled.count(), full.count());
        Self { sampled, full, strata }
    }

    /// The largest difference between the two distributions, as a share of the operations.
    fn distance(&self) -> f64 {
        let edges: Vec<u64> = self.full.buckets().map(|bucket| bucket.highest).collect();
        let below = self.sampled.cumulative(&edges).into_iter().zip(self.full.cumulative(&edges));
        let apart = below.map(|(sampled, full)| sampled.abs_diff(full)).max().unwrap_or_default();
        apart as f64 / self.full.count() as f64
    }
}

/// A trace with a bimodal fast part and a tail of `slow` in 1000 that leave the fast path.
fn trace(length: u64, slow: u64, seed: u64) -> impl Iterator<Item = (u64, bool)> {
    let mut random = seed | 1;
    (0..length).map(move |_| {
        draw_gap(&mut random, 1);
        let (choice, spread) = (random % 1_000, random >> 32);
        match choice {
            _ if choice < slow => (20_000 + spread % 3_000_000, true),
            0..400 => (900 + spread % 200, false),
            _ => (300 + spread % 100, false),
        }
    })
}

#[test]
fn sampled_traces_are_within_their_rank_error_of_the_full_ones() {
    for (interval, slow) in [(64, 20), (64, 0), (16, 200), (300, 5)] {
        let mut misses = 0;
        for round in 0..60 {
            let replay = Replay::of(trace(100_000, slow, round * 7_919 + 3), interval);
            assert!(replay.strata.samples > 100 && replay.strata.samples < replay.strata.fast / 8);
            misses += u32::from(replay.distance() > replay.strata.rank_error());
        }
        // A round misses with a probability below 5 %: more than 10 of 60 would happen once in 2,000 runs.
        assert!(misses <= 10, "{misses} of 60 at an interval of {interval}, {slow} in 1000 slow");
    }
}

#[test]
fn from_the_share_of_slow_operations_on_quantiles_are_exact() {
    let replay = Replay::of(trace(200_000, 20, 5), 64);
    let from = replay.strata.exact_from();
    assert!((0.975..0.985).contains(&from), "{from}");
    for q in [from + 1e-4, 0.99, 0.999, 0.9999, 1.0] {
        assert_eq!(replay.sampled.quantile(q), replay.full.quantile(q), "{q}");
    }
    assert_eq!(replay.sampled.max(), replay.full.max());
}

#[test]
fn a_workload_with_a_rhythm_does_not_hide_from_the_sampler() {
    // Every 64th operation is long. A mask of the counter sees these alone, or none of them.
    let rhythm = || (0..400_000_u64).map(|n| (if n % 64 == 0 { 8_000 } else { 200 }, false));
    let long_by_mask = rhythm().step_by(64).filter(|(nanos, _)| *nanos > 1_000).count();
    assert_eq!(long_by_mask, 6_250, "all that the mask sees is long");
    for interval in [64, 32, 128] {
        let replay = Replay::of(rhythm(), interval);
        let [below] = replay.sampled.cumulative(&[1_000])[..] else { panic!("one edge") };
        let long = 1.0 - below as f64 / replay.sampled.count() as f64;
        // 1 in 64 is 0.0156.
        assert!((0.008..0.025).contains(&long), "{long} at an interval of {interval}");
    }
}
