//! What recording costs on this machine, and how often it may be done for a budget.
//!
//! With `t` the mean time of an operation, `β` the budget (a share of `t`) and `N` the mean number of operations per sample:
//!
//! ```text
//!   overhead(t, N) = [ count + sample / N ] / t                  sample = 6 × (2 × clock + record)
//!   N(t)           = ⌈ sample / left ⌉, within 1 ..= 4096        left = β × t − count, within β × t / 4 ..= β × t / 2
//! ```
//! `count` is what every operation pays for its counters; `record` holds the draw of the next gap. The factor 6 is for code
//! and cells that are seldom used and no longer in the processor's caches: the costs are measured in a loop, where they are. By the
//! `overhead` bench a sampled get costs 230 to 510 ns beyond an unsampled one where the loop says 80, the most where it goes to a table.
//! Where the counters alone use up the budget, sampling gets a quarter of it, so that no operation is fast enough to go unseen.

use crate::cell::{self, Writers};
use crate::clock::Clock;
use crate::histogram::LazyHistogram;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

/// The interval before anything is known of the operations.
pub(crate) const FIRST_INTERVAL: u64 = 64;

/// The longest interval: a thousand operations a second still give a sample every four seconds.
pub(crate) const LONGEST_INTERVAL: u64 = 4096;

/// Cells that a typical operation raises: entered, exited, a result, a number of bytes, and the decision.
const CELLS_PER_OPERATION: f64 = 5.0;

/// The share of an operation's time that its instrumentation may take.
pub(crate) const BUDGET: f64 = 0.01;

/// How much dearer a sample is among other work than in a loop of samples.
const COLD: f64 = 6.0;

/// Times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Costs {
    /// One time stamp.
    pub(crate) clock: f64,
    /// One observation recorded, and the next gap drawn.
    pub(crate) record: f64,
    /// The counters of one operation.
    pub(crate) count: f64,
}

impl Costs {
    /// The costs on this machine, measured once per process (some 50 µs).
    pub(crate) fn of(clock: Clock) -> Self {
        static COSTS: OnceLock<Costs> = OnceLock::new();
        *COSTS.get_or_init(|| Self::measure(clock))
    }

    fn measure(clock: Clock) -> Self {
        let histogram = LazyHistogram::default();
        let cell = AtomicU64::new(0);
        let stamp = fastest(clock, || {
            std::hint::black_box(clock.now());
        });
        let record = fastest(clock, || histogram.record(std::hint::black_box(700), Writers::One));
        let raise = fastest(clock, || cell::raise(std::hint::black_box(&cell), 1, Writers::One));
        Self { clock: stamp, record: record * 2.0, count: raise * CELLS_PER_OPERATION }
    }

    /// The mean number of operations per sample, for operations that take `mean_nanos`.
    pub(crate) fn interval(&self, mean_nanos: f64) -> u64 {
        let budget = mean_nanos * BUDGET;
        let left = (budget - self.count).clamp(budget / 4.0, budget / 2.0);
        ((self.sample() / left).ceil() as u64).clamp(1, LONGEST_INTERVAL)
    }

    /// The share of an operation's time that its instrumentation takes, sampled at `interval`, if a share `slow` of the
    /// operations is timed because they left the fast path.
    pub(crate) fn overhead(&self, mean_nanos: f64, interval: u64, slow: f64) -> f64 {
        let sampling = self.sample() * (1.0 / float(interval.max(1)) + slow);
        if mean_nanos > 0.0 { (self.count + sampling) / mean_nanos } else { 0.0 }
    }

    fn sample(&self) -> f64 {
        COLD * (2.0 * self.clock + self.record)
    }
}
fn float(count: u64) -> f64 {
    count as f64
}

/// Nanoseconds per call, in the fastest of a few short runs: others were disturbed.
fn fastest(clock: Clock, mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 200;
    let mut run = || {
        let begun = clock.now();
        (0..CALLS).for_each(|_| call());
        clock.nanos_between(begun, clock.now())
    };
    let best = (0..8).map(|_| run()).min().unwrap_or_default();
    float(best) / f64::from(CALLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPICAL: Costs = Costs { clock: 15.0, record: 4.0, count: 2.0 };

    #[test]
    fn slow_operations_are_all_timed_and_fast_ones_seldom() {
        assert_eq!(TYPICAL.interval(50_000.0), 1);
        assert_eq!(TYPICAL.interval(1_000.0), 41);
        assert!((500..600).contains(&TYPICAL.interval(150.0)), "{}", TYPICAL.interval(150.0));
        assert_eq!(TYPICAL.interval(0.0), LONGEST_INTERVAL);
        assert_eq!(TYPICAL.interval(1e12), 1);
    }

    #[test]
    fn sampling_stays_within_the_budget_where_the_counters_leave_any() {
        for mean in [300.0, 400.0, 1_000.0, 3_000.0, 10_000.0] {
            let overhead = TYPICAL.overhead(mean, TYPICAL.interval(mean), 0.0);
            assert!(overhead <= BUDGET * 1.05, "{mean} ns: {overhead}");
        }
        // Here the counters alone cost more.
        let overhead = TYPICAL.overhead(150.0, TYPICAL.interval(150.0), 0.0);
        assert!(overhead < TYPICAL.count / 150.0 + BUDGET / 4.0 * 1.05, "{overhead}");
    }

    #[test]
    fn costs_are_measured_and_believable() {
        let costs = Costs::of(Clock::global());
        assert!(costs.clock > 0.0 && costs.clock < 50_000.0, "{costs:?}");
        assert!(costs.record > 0.0 && costs.count > 0.0, "{costs:?}");
        assert_eq!(Costs::of(Clock::global()), costs);
    }
}
