//! How one kind of operation was timed, and how far its latencies can be off.
//!
//! With Nf fast operations, of which n were sampled, and Ns slow ones, all of which were timed, the latencies reported are
//! the stratified estimate
//!
//! ```text
//!   F(x) = (Nf × Ff(x) + Ns × Fs(x)) / (Nf + Ns)
//! ```
//! Fs is exact. Ff is off by at most ε = √(ln(2 / 0.05) / 2n′) with 95 % confidence, wherever one looks (Dvoretzky,
//! Kiefer, Wolfowitz 1956, with Massart's constant, 1990), so F by at most ε × Nf / N. n′ ≤ n makes up for weights that
//! vary as the gaps do: n′ = n / (1 + (1 − 1/N̄) / 3) for gaps drawn uniformly from 1 to 2N̄ − 1 (Kish 1965).

use crate::cell;
use crate::stratum::OperationCells;

/// The probability that a rank is off by more than the rank error.
const DOUBT: f64 = 0.05;

/// How many operations of one kind were finished, and how they were timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strata {
    /// Operations that stayed on the fast path.
    pub fast: u64,
    /// Samples taken of them. Each stands for those until the next.
    pub samples: u64,
    /// Operations that left the fast path; each was timed.
    pub slow: u64,
    /// The sum of the samples, in nanoseconds, each counted once.
    pub sampled_nanos: u64,
    /// The sum of the slow operations, in nanoseconds.
    pub slow_nanos: u64,
}

impl Strata {
    /// Adds what `cells` hold beside the numbers of operations, which are read earlier.
    pub(crate) fn add_timing(&mut self, cells: &OperationCells) {
        self.samples += cell::read(&cells.samples);
        self.sampled_nanos = self.sampled_nanos.wrapping_add(cell::read(&cells.sampled_nanos));
        self.slow_nanos = self.slow_nanos.wrapping_add(cell::read(&cells.slow_nanos));
    }

    /// Operations finished.
    pub fn finished(&self) -> u64 {
        self.fast + self.slow
    }

    /// From this share of the operations on (0 to 1), counted from the fastest, every one was timed: quantiles from here on
    /// are exact but for the width of a bucket.
    pub fn exact_from(&self) -> f64 {
        if self.samples >= self.fast { 0.0 } else { float(self.fast) / float(self.finished().max(1)) }
    }

    /// How far the rank of a quantile can be off (0 to 1), with 95 % confidence: 0 if every operation was timed.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::Strata;
    /// let strata = Strata { fast: 1_000_000, samples: 10_000, ..Strata::default() };
    /// assert!((0.015..0.016).contains(&strata.rank_error()));
    /// ```
    pub fn rank_error(&self) -> f64 {
        if self.samples >= self.fast {
            return 0.0;
        }
        if self.samples == 0 {
            return 1.0;
        }
        let interval = float(self.fast) / float(self.samples);
        let effective = float(self.samples) / (1.0 + (1.0 - 1.0 / interval) / 3.0);
        ((2.0 / DOUBT).ln() / (2.0 * effective)).sqrt().min(1.0) * self.exact_from()
    }

    /// The mean of what was timed, in nanoseconds, the fast operations standing for those that were not; `None` if none was.
    pub fn mean_nanos(&self) -> Option<f64> {
        let fast = match self.samples {
            0 => 0.0,
            samples => float(self.sampled_nanos) / float(samples) * float(self.fast),
        };
        let known = self.slow + if self.samples > 0 { self.fast } else { 0 };
        (known > 0).then(|| (fast + float(self.slow_nanos)) / float(known))
    }

    /// The mean of the samples of fast operations, in nanoseconds.
    pub(crate) fn mean_fast_nanos(&self) -> Option<f64> {
        (self.samples > 0).then(|| float(self.sampled_nanos) / float(self.samples))
    }

    /// The same, with samples that took only this share of their time.
    #[must_use]
    pub(crate) fn shortened(&self, share: f64) -> Self {
        Self { sampled_nanos: (float(self.sampled_nanos) * share) as u64, ..*self }
    }

    /// What was finished after `previous`.
    #[must_use]
    pub fn since(&self, previous: &Self) -> Self {
        Self {
            fast: self.fast.saturating_sub(previous.fast),
            samples: self.samples.saturating_sub(previous.samples),
            slow: self.slow.saturating_sub(previous.slow),
            sampled_nanos: self.sampled_nanos.wrapping_sub(previous.sampled_nanos),
            slow_nanos: self.slow_nanos.wrapping_sub(previous.slow_nanos),
        }
    }
}
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact quotients")]
mod tests {
    use super::*;

    #[test]
    fn what_is_timed_entirely_has_no_rank_error() {
        assert_eq!(Strata::default().rank_error(), 0.0);
        let all = Strata { fast: 10, samples: 10, slow: 5, ..Strata::default() };
        assert_eq!((all.rank_error(), all.exact_from()), (0.0, 0.0));
        let none = Strata { fast: 10, ..Strata::default() };
        assert_eq!(none.rank_error(), 1.0);
    }

    #[test]
    fn slow_operations_lower_the_rank_error_and_are_exact() {
        let strata = Strata { fast: 900, samples: 100, slow: 100, ..Strata::default() };
        assert_eq!(strata.exact_from(), 0.9);
        let fast_alone = Strata { slow: 0, ..strata };
        assert!((strata.rank_error() - 0.9 * fast_alone.rank_error()).abs() < 1e-12);
    }

    #[test]
    fn the_mean_weighs_samples_by_what_they_stand_for() {
        let strata = Strata { fast: 900, samples: 9, slow: 100, sampled_nanos: 1_800, slow_nanos: 100_000 };
        assert_eq!(strata.mean_nanos(), Some((900.0 * 200.0 + 100_000.0) / 1_000.0));
        assert_eq!(strata.mean_fast_nanos(), Some(200.0));
        assert_eq!(Strata::default().mean_nanos(), None);
    }
}
