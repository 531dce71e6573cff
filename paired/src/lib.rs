//! How much slower is one variant than another, if the difference is smaller than the noise between two runs?
//!
//! 1. The same work is done in short slices, now with one variant, now with the other, in the order A B B A: what drifts
//!    slowly (the machine's clock rate, neighbours, caches, a growing database) meets both alike. [`interleave`] does that.
//! 2. Two neighbouring slices are a [`Pair`]; what counts is its relative difference, time of B / time of A − 1.
//! 3. The result is the median of the differences: a slice that was interrupted spoils one pair, not the result.
//! 4. Its 95 % interval comes from the bootstrap (Efron: "Bootstrap methods: another look at the jackknife", Annals of
//!    Statistics 1979): the median of as many pairs, drawn again and again from those measured. Where pairs came in several
//!    rounds, each with processes of its own, rounds are drawn first and then pairs in them: pairs of one round share the
//!    luck of its memory layout, and are no independent witnesses of each other (Davison, Hinkley: "Bootstrap methods and
//!    their application", 1997, section 3.8).
//! 5. The same with A in both places is the noise floor: differences below it mean nothing.
//!
//! The draws are seeded: the same pairs always give the same interval.
//!
//! # Examples
//! ```
//! use bettong_paired::{Estimate, Pair, Side, interleave};
//!
//! let slice = |side| Ok::<_, ()>(if side == Side::A { 100.0 } else { 103.0 });
//! let pairs = interleave(200, slice).unwrap();
//! let estimate = Estimate::of(&[pairs.iter().map(Pair::difference).collect()]);
//! assert!((estimate.median - 0.03).abs() < 1e-9 && estimate.low <= estimate.high);
//! ```

/// Which of the two variants a slice runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    A,
    /// What is compared.
    B,
}

/// The times of two neighbouring slices that did the same work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Time of variant A, in any unit.
    pub a: f64,
    /// Time of variant B, in the same unit.
    pub b: f64,
}

impl Pair {
    /// By how much B took longer, as a share of what A took; 0 if A took no time.
    pub fn difference(&self) -> f64 {
        if self.a > 0.0 { self.b / self.a - 1.0 } else { 0.0 }
    }
}

/// Runs `pairs` pairs of slices in the order A B B A A B B A …; `slice` returns the time a slice took.
///
/// # Errors
/// The first that `slice` returns.
pub fn interleave<E>(pairs: usize, mut slice: impl FnMut(Side) -> Result<f64, E>) -> Result<Vec<Pair>, E> {
    let mut pair = |at: usize| {
        if at.is_multiple_of(2) {
            let a = slice(Side::A)?;
            Ok(Pair { a, b: slice(Side::B)? })
        } else {
            let b = slice(Side::B)?;
            Ok(Pair { a: slice(Side::A)?, b })
        }
    };
    (0..pairs).map(&mut pair).collect()
}

/// A median, and where it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The median of all values; 0 if there are none.
    pub median: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// How often values are drawn anew.
    const RESAMPLES: usize = 2_000;
    /// What is cut off at each end of the resampled medians.
    const TAIL: f64 = 0.025;

    /// The estimate from values that came in `rounds`.
    pub fn of(rounds: &[Vec<f64>]) -> Estimate {
        let rounds: Vec<&[f64]> =
            rounds.iter().map(Vec::as_slice).filter(|round| !round.is_empty()).collect();
        let Some(median) = median(&mut rounds.concat()) else { return Estimate::default() };
        let mut random = Random(0x5eed);
        let mut medians: Vec<f64> =
            (0..Self::RESAMPLES).filter_map(|_| resampled_median(&rounds, &mut random)).collect();
        medians.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (share * (Self::RESAMPLES - 1) as f64).round() as usize;
            medians.get(place).copied().unwrap_or(median)
        };
        Estimate { median, low: at(Self::TAIL), high: at(1.0 - Self::TAIL) }
    }

    /// The distance from 0 of the end of the interval that is farther away: what a difference must exceed, if this is
    /// the estimate of no difference.
    pub fn reach(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }
}

/// The median of one draw: as many rounds as there are, and as many values of each as it has.
fn resampled_median(rounds: &[&[f64]], random: &mut Random) -> Option<f64> {
    let mut drawn = Vec::new();
    for _ in rounds {
        let round = random.pick(rounds)?;
        drawn.extend(round.iter().filter_map(|_| random.pick(round)));
    }
    median(&mut drawn)
}

/// The middle value, or the mean of the two in the middle; `None` of nothing. Orders `values` on the way.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp);
    match lower {
        Some(lower) if !odd => Some(f64::midpoint(lower, *upper)),
        _ => Some(*upper),
    }
}

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = (u128::from(self.next()) * from.len() as u128) >> 64;
        from.get(at as usize).copied()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "zero is exactly zero")]
mod tests {
    use super::*;

    /// Noise with a mean of 0, and now and then a large disturbance.
    fn noisy(n: usize, seed: u64, shift: f64) -> Vec<f64> {
        let mut random = Random(seed);
        let mut unit = || (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (0..n).map(|at| shift + (unit() - 0.5) * 0.1 + if at % 17 == 0 { 3.0 } else { 0.0 }).collect()
    }

    #[test]
    fn slices_come_in_the_order_a_b_b_a() {
        let mut order = Vec::new();
        let slice = |side| {
            order.push(side);
            Ok::<_, ()>(order.len() as f64)
        };
        let pairs = interleave(3, slice).unwrap();
        assert_eq!(order, [Side::A, Side::B, Side::B, Side::A, Side::A, Side::B]);
        assert_eq!(pairs[1], Pair { a: 4.0, b: 3.0 });
        assert_eq!(interleave(3, |_| Err::<f64, _>("no")), Err("no"));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&mut [9.0, 1.0, 4.0, 2.0]), Some(3.0));
    }

    #[test]
    fn a_small_difference_is_found_behind_disturbances() {
        let estimate = Estimate::of(&[noisy(400, 1, 0.02)]);
        assert!(estimate.low > 0.0 && estimate.low < estimate.median && estimate.median < estimate.high);
        assert!((0.012..0.035).contains(&estimate.median), "{estimate:?}");
        assert_eq!(estimate, Estimate::of(&[noisy(400, 1, 0.02)]));
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let covers = |seed| {
            let values: Vec<f64> = noisy(101, seed, 0.0).into_iter().filter(|value| *value < 1.0).collect();
            let estimate = Estimate::of(&[values]);
            estimate.low <= 0.0 && 0.0 <= estimate.high
        };
        let covered = (1..=100).filter(|seed| covers(seed * 7_919)).count();
        assert!((85..=100).contains(&covered), "{covered} of 100");
    }

    #[test]
    fn rounds_that_disagree_widen_the_interval() {
        let agreeing = Estimate::of(&[noisy(40, 1, 0.0), noisy(40, 2, 0.0), noisy(40, 3, 0.0)]);
        let rounds = [noisy(40, 1, -0.05), noisy(40, 2, 0.0), noisy(40, 3, 0.05)];
        let disagreeing = Estimate::of(&rounds);
        assert!(disagreeing.high - disagreeing.low > 2.0 * (agreeing.high - agreeing.low));
        assert!(disagreeing.reach() > 0.04, "{disagreeing:?}");
    }

    #[test]
    fn nothing_measured_is_no_difference() {
        assert_eq!(Estimate::of(&[]), Estimate::default());
        assert_eq!(Estimate::of(&[Vec::new()]).reach(), 0.0);
        assert_eq!(Pair { a: 0.0, b: 1.0 }.difference(), 0.0);
    }
}
