//! Which steps of an iterator are timed.

use crate::stratum::draw_gap;

/// Steps per timed one, on average. A step takes 30 to 100 ns, timing it some 110 ns: 0.2 to 0.7 % of it.
const INTERVAL: u64 = 512;

/// Chooses the steps of one iterator that are timed, at random gaps. Many iterators are short, so the first gap is drawn as
/// if the iterator joined a long row of steps somewhere in the middle: every step has the same chance, the first one too.
#[derive(Debug)]
pub struct StepSampler {
    left: u64,
    interval: u64,
    random: u64,
}

impl StepSampler {
    /// Chooses one step in `interval`; none if that is 0. `seed` is different for every iterator.
    #[cfg_attr(feature = "off", expect(dead_code, reason = "the twin makes none that chooses"))]
    pub(crate) fn new(interval: u64, seed: u64) -> Self {
        let mut random = seed | 1;
        // The distance to the next event of a row of uniform gaps falls off linearly, as the smaller of two draws does.
        let left = match interval {
            0 => u64::MAX,
            _ => draw_gap(&mut random, interval).min(draw_gap(&mut random, interval)),
        };
        Self { left, interval, random }
    }

    /// The usual share of the steps.
    pub(crate) const fn interval(full: bool) -> u64 {
        if full { 1 } else { INTERVAL }
    }

    /// Chooses none.
    pub(crate) const fn never() -> Self {
        Self { left: u64::MAX, interval: 0, random: 1 }
    }

    /// Whether the step to be taken is to be timed.
    #[inline]
    pub fn is_turn(&mut self) -> bool {
        self.left = self.left.wrapping_sub(1);
        self.left == 0 && self.draw()
    }

    /// How many steps a timed one stands for.
    pub fn weight(&self) -> u64 {
        self.interval
    }

    #[cold]
    fn draw(&mut self) -> bool {
        self.left = draw_gap(&mut self.random, self.interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_the_same_chance_however_short_the_iterators_are() {
        for length in [1, 10, 1_000] {
            let iterators = 400_000 / length;
            let mut chosen = 0;
            for seed in 0..iterators as u64 {
                let mut sampler = StepSampler::new(64, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                chosen += (0..length).filter(|_| sampler.is_turn()).count();
            }
            assert!((5_600..6_900).contains(&chosen), "{length}: {chosen} of 6250");
        }
    }

    #[test]
    fn all_or_none_can_be_chosen() {
        let mut all = StepSampler::new(1, 7);
        let mut none = StepSampler::never();
        assert!((0..1_000).all(|_| all.is_turn() && !none.is_turn()));
    }
}
