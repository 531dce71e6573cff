//! Repeatable randomness: a seed gives the same run every time.
//!
//! The generator is `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014). The
//! skewed choice is the one of YCSB, after Gray et al.: "Quickly generating billion-record synthetic databases", SIGMOD
//! 1994. The permutation is a four-round Feistel network that walks on until it is back in range (Black, Rogaway:
//! "Ciphers with arbitrary finite domains", 2002).

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scatters the bits of `x`: the finaliser of `SplitMix64`.
#[inline]
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of one thread of one run.
    pub(crate) fn new(seed: u64, stream: u64) -> Random {
        Random(mix(seed ^ mix(stream)))
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        let out = mix(self.0);
        self.0 = self.0.wrapping_add(GOLDEN);
        out
    }

    /// A number below `n` (0 if `n` is 0), each equally likely up to one part in 2⁶⁴ / n.
    #[inline]
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number from 0 up to, not including, 1.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Numbers below `n` of which the first is the most frequent: the k-th with a weight of 1 / k^0.99.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zipf {
    n: u64,
    zeta_n: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    const THETA: f64 = 0.99;
    /// Terms summed exactly; the tail of the sum is an integral, with an error far below one in a million.
    const EXACT: u64 = 100_000;

    /// A choice of `n` things, at least one.
    pub(crate) fn new(n: u64) -> Zipf {
        let n = n.max(1);
        let zeta_n = zeta(n, Self::THETA);
        let eta =
            (1.0 - (2.0 / n as f64).powf(1.0 - Self::THETA)) / (1.0 - zeta(n.min(2), Self::THETA) / zeta_n);
        Zipf { n, zeta_n, alpha: 1.0 / (1.0 - Self::THETA), eta }
    }

    /// A rank: 0 most often.
    pub(crate) fn pick(&self, random: &mut Random) -> u64 {
        let u = random.unit();
        let uz = u * self.zeta_n;
        if uz < 1.0 || self.n == 1 {
            return 0;
        }
        if uz < 1.0 + 0.5_f64.powf(Self::THETA) || self.n == 2 {
            return 1;
        }
        let rank = self.n as f64 * (self.eta * u - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.n - 1)
    }
}

fn zeta(n: u64, theta: f64) -> f64 {
    let exact = n.min(Zipf::EXACT);
    let sum: f64 = (1..=exact).map(|k| 1.0 / (k as f64).powf(theta)).sum();
    let integral = |x: f64| (x + 0.5).powf(1.0 - theta) / (1.0 - theta);
    sum + integral(n as f64) - integral(exact as f64)
}

/// Every number below `n`, once each, in a random order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    n: u64,
    half_bits: u32,
    seed: u64,
}

impl Permutation {
    pub(crate) fn new(n: u64, seed: u64) -> Permutation {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Permutation { n, half_bits: bits.div_ceil(2).max(1), seed: mix(seed) }
    }

    /// What stands at place `at`, which is below `n`.
    #[inline]
    pub(crate) fn at(&self, at: u64) -> u64 {
        if self.n < 2 {
            return 0;
        }
        let mut x = at;
        loop {
            x = self.scramble(x);
            if x < self.n {
                return x;
            }
        }
    }

    #[inline]
    fn scramble(&self, x: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let (mut left, mut right) = (x >> self.half_bits, x & mask);
        for round in 0..4 {
            let scattered = mix(right ^ self.seed.rotate_left(round * 16)) & mask;
            (left, right) = (right, left ^ scattered);
        }
        (left << self.half_bits) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_has_every_number_once() {
        for n in [1, 2, 3, 7, 64, 1000, 4097] {
            let order = Permutation::new(n, 42);
            let mut seen: Vec<u64> = (0..n).map(|at| order.at(at)).collect();
            if n >= 64 {
                assert!(seen.windows(2).filter(|pair| pair[1] == pair[0] + 1).count() < n as usize / 8);
            }
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..n), "{n}");
        }
    }

    #[test]
    fn the_first_ranks_are_the_frequent_ones() {
        let (zipf, mut random) = (Zipf::new(1000), Random::new(1, 0));
        let mut hits = [0_u32; 1000];
        for _ in 0..100_000 {
            hits[zipf.pick(&mut random) as usize] += 1;
        }
        // The first of a thousand has a weight of 1 / 7.7.
        assert!((11_000..15_000).contains(&hits[0]), "{}", hits[0]);
        assert!(hits[0] > hits[1] && hits[1] > hits[10] && hits[10] > hits[500]);
        for n in 1..5 {
            assert!((0..100).all(|_| Zipf::new(n).pick(&mut random) < n));
        }
    }

    #[test]
    fn the_sum_of_weights_is_right_beyond_the_exact_terms() {
        let exact: f64 = (1..=1_000_000_u64).map(|k| 1.0 / (k as f64).powf(0.99)).sum();
        assert!((zeta(1_000_000, 0.99) - exact).abs() < 1e-6);
    }

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let (mut a, mut b, mut c) = (Random::new(7, 0), Random::new(7, 0), Random::new(7, 1));
        let first: Vec<u64> = (0..8).map(|_| a.below(1000)).collect();
        assert!(first.iter().all(|&n| n < 1000));
        assert_eq!(first, (0..8).map(|_| b.below(1000)).collect::<Vec<_>>());
        assert_ne!(first, (0..8).map(|_| c.below(1000)).collect::<Vec<_>>());
    }
}
