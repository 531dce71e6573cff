//! Which keys a workload asks for.

use crate::keys::Shuffle;
use crate::random::Random;

/// YCSB's constant.
const SKEW: f64 = 0.99;

/// Draws of a power law are made before the clock starts, and read again from the first when they are used up: one costs
/// 50 ns to make and one to read.
const RING: usize = 1 << 20;

/// The hot set is a hundredth of all keys.
const HOT_SHARE: u64 = 100;

/// Where numbers of keys come from.
#[derive(Debug)]
pub(crate) enum Draws {
    /// Any key, all alike.
    Uniform(u64),
    /// Draws made before.
    Ring { ring: Vec<u32>, at: usize },
    /// One of a few keys that lie scattered among all.
    Hot { keys: u64, shuffle: Shuffle },
}

impl Draws {
    /// Key numbers by Zipf's law; the frequent ones lie scattered.
    pub(crate) fn zipf(keys: u64, shuffle: &Shuffle, random: &mut Random) -> Draws {
        let zipf = Zipf::new(keys);
        let ring = (0..RING).map(|_| shuffle.at(zipf.rank(random)) as u32).collect();
        Draws::Ring { ring, at: 0 }
    }

    /// Ranks by Zipf's law, 0 the most frequent.
    pub(crate) fn ranks(keys: u64, random: &mut Random) -> Draws {
        let zipf = Zipf::new(keys);
        Draws::Ring { ring: (0..RING).map(|_| zipf.rank(random) as u32).collect(), at: 0 }
    }

    pub(crate) fn hot(keys: u64, shuffle: Shuffle) -> Draws {
        Draws::Hot { keys: (keys / HOT_SHARE).max(1), shuffle }
    }

    #[inline]
    pub(crate) fn next(&mut self, random: &mut Random) -> u64 {
        match self {
            Draws::Uniform(keys) => random.below(*keys),
            Draws::Ring { ring, at } => {
                *at = (*at + 1) & (RING - 1);
                u64::from(ring[*at])
            }
            Draws::Hot { keys, shuffle } => shuffle.at(random.below(*keys)),
        }
    }
}

/// Zipf's law (Gray et al., "Quickly generating billion-record synthetic databases", SIGMOD 1994, as YCSB has it).
#[derive(Clone, Copy, Debug)]
struct Zipf {
    keys: u64,
    zeta: f64,
    eta: f64,
    alpha: f64,
}

impl Zipf {
    fn new(keys: u64) -> Zipf {
        let zeta = zeta(keys);
        let alpha = 1.0 / (1.0 - SKEW);
        let eta = (1.0 - (2.0 / keys as f64).powf(1.0 - SKEW)) / (1.0 - zeta_of_two() / zeta);
        Zipf { keys, zeta, eta, alpha }
    }

    fn rank(&self, random: &mut Random) -> u64 {
        let unit = random.unit();
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < zeta_of_two() {
            return 1.min(self.keys - 1);
        }
        let rank = self.keys as f64 * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.keys - 1)
    }
}

fn zeta_of_two() -> f64 {
    1.0 + 0.5f64.powf(SKEW)
}

/// Sum of 1/i^SKEW for the first `keys` i: the head term by term, the tail by its integral (Euler and Maclaurin), which is exact
/// to ten digits.
fn zeta(keys: u64) -> f64 {
    let head = keys.min(10_000);
    let sum: f64 = (1..=head).map(|i| (i as f64).powf(-SKEW)).sum();
    if head == keys {
        return sum;
    }
    let (from, to) = (head as f64, keys as f64);
    let integral = (to.powf(1.0 - SKEW) - from.powf(1.0 - SKEW)) / (1.0 - SKEW);
    sum + integral + (to.powf(-SKEW) - from.powf(-SKEW)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_stays_in_range_and_is_skewed() {
        for keys in [2, 10, 1000, 50_000] {
            let (zipf, mut random) = (Zipf::new(keys), Random::new(3));
            let ranks: Vec<u64> = (0..20_000).map(|_| zipf.rank(&mut random)).collect();
            assert!(ranks.iter().all(|rank| *rank < keys));
            let first = ranks.iter().filter(|rank| **rank == 0).count() as f64 / 20_000.0;
            assert!((first - 1.0 / zeta(keys)).abs() < 0.02, "{first} of {keys}");
        }
    }

    #[test]
    fn the_tail_of_the_sum_is_as_good_as_the_sum() {
        let exact: f64 = (1..=200_000u64).map(|i| (i as f64).powf(-SKEW)).sum();
        assert!((zeta(200_000) - exact).abs() < 1e-6);
    }

    #[test]
    fn all_draws_are_numbers_of_keys() {
        let (shuffle, mut random) = (Shuffle::new(1234, 5), Random::new(5));
        let zipf = Draws::zipf(1234, &shuffle, &mut random);
        for mut draws in [Draws::Uniform(1234), zipf, Draws::hot(1234, shuffle)] {
            assert!((0..10_000).all(|_| draws.next(&mut random) < 1234));
        }
    }
}
