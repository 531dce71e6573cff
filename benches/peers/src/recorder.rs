//! Latencies of some operations, chosen at random gaps.
//!
//! Reading the clock twice takes 50 ns, a quarter of the shortest operations. One operation in sixteen on average is timed where
//! they are short, and the throughput comes from the time of all. The gaps are random, so that they do not keep step with
//! anything periodic. Percentiles of a random sixteenth are those of all but for chance; the maximum is not, and is reported as
//! what was seen.

use hdrhistogram::Histogram;

use crate::failed::Done;
use crate::random::Random;

/// Longer ones count as this long.
const NANOS_MAX: u64 = 3_600_000_000_000;

/// For nanoseconds, to a tenth of a percent.
pub(crate) fn histogram() -> Done<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, NANOS_MAX, 3)?)
}

#[derive(Debug)]
pub(crate) struct Recorder {
    histogram: Histogram<u64>,
    /// One in so many on average.
    one_in: u64,
    /// Operations until the next one to be timed.
    gap: u64,
    random: Random,
}

impl Recorder {
    pub(crate) fn new(one_in: u64, random: Random) -> Done<Recorder> {
        Ok(Recorder { histogram: histogram()?, one_in, gap: 0, random })
    }

    /// Whether the next operation is to be timed. Asked once for each.
    #[inline]
    pub(crate) fn is_due(&mut self) -> bool {
        if self.gap > 0 {
            self.gap -= 1;
            return false;
        }
        // Gaps from 0 to 2 · (n − 1) have the mean n − 1.
        self.gap = self.random.below(2 * self.one_in - 1);
        true
    }

    #[inline]
    pub(crate) fn add(&mut self, took: std::time::Duration) {
        self.histogram.saturating_record((took.as_nanos() as u64).max(1));
    }

    pub(crate) fn into_histogram(self) -> Histogram<u64> {
        self.histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_timed_and_of_one_all_are() {
        let mut recorder = Recorder::new(16, Random::new(2)).unwrap();
        let timed = (0..160_000).filter(|_| recorder.is_due()).count();
        assert!((9_500..10_500).contains(&timed), "{timed}");
        let mut recorder = Recorder::new(1, Random::new(2)).unwrap();
        assert!((0..100).all(|_| recorder.is_due()));
    }
}
