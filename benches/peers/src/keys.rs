//! Keys of 16 bytes: `user` and twelve digits, as YCSB has them.
//!
//! Key number n has the digits of 2n. The odd numbers between them are the keys that are missing: they lie among those that are
//! there, so that no engine can tell by the smallest and largest key of a file.

pub(crate) const KEY_BYTES: usize = 16;

pub(crate) type Key = [u8; KEY_BYTES];

/// Numbers of keys must stay below this, for their digits to fit.
pub(crate) const KEYS_MAX: u64 = 100_000_000_000;

const PAIRS: [u8; 200] = pairs();

const fn pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut at = 0;
    while at < 100 {
        pairs[2 * at] = b'0' + (at / 10) as u8;
        pairs[2 * at + 1] = b'0' + (at % 10) as u8;
        at += 1;
    }
    pairs
}

/// The key with this number, which a fill sets.
#[inline]
pub(crate) fn present(number: u64) -> Key {
    key(2 * number)
}

/// A key just after the one with this number, which nobody sets.
#[inline]
pub(crate) fn missing(number: u64) -> Key {
    key(2 * number + 1)
}

#[inline]
fn key(number: u64) -> Key {
    let mut key = *b"user000000000000";
    // Three groups that do not wait for each other.
    let (high, middle, low) = (number / 100_000_000, number / 10_000 % 10_000, number % 10_000);
    for (group, digits) in key[4..].chunks_exact_mut(4).zip([high, middle, low]) {
        let (first, last) = (2 * (digits / 100) as usize, 2 * (digits % 100) as usize);
        group[..2].copy_from_slice(&PAIRS[first..first + 2]);
        group[2..].copy_from_slice(&PAIRS[last..last + 2]);
    }
    key
}

/// Key as a number, for comparing.
#[inline]
pub(crate) fn as_number(key: &[u8]) -> Option<u128> {
    key.try_into().ok().map(u128::from_be_bytes)
}

/// The numbers below `end` in an order that looks random, each once: a bijection of the next power of two, walked until it
/// comes back below `end` (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle {
    end: u64,
    mask: u64,
    shift: u32,
    salt: u64,
}

impl Shuffle {
    pub(crate) fn new(end: u64, seed: u64) -> Shuffle {
        let bits = (64 - end.saturating_sub(1).leading_zeros()).max(2);
        Shuffle { end, mask: u64::MAX >> (64 - bits), shift: bits / 2, salt: crate::random::mix(seed) }
    }

    /// The number at this place, which is below the end, too.
    #[inline]
    pub(crate) fn at(&self, place: u64) -> u64 {
        let mut number = place;
        loop {
            number = self.round(number);
            if number < self.end {
                return number;
            }
        }
    }

    /// Additions, multiplications by odd numbers, and shifts to the right can all be undone within the bits of the mask.
    #[inline]
    fn round(&self, number: u64) -> u64 {
        let mut x = number.wrapping_add(self.salt) & self.mask;
        for factor in [0x9e37_79b9_7f4a_7c15_u64, 0xd6e8_feb8_6659_fd93, 0xbf58_476d_1ce4_e5b9] {
            x = x.wrapping_mul(factor) & self.mask;
            x ^= x >> self.shift;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_numbers_with_the_missing_ones_between() {
        assert_eq!(&present(0), b"user000000000000");
        assert_eq!(&present(617_283_945_061 / 2), b"user617283945060");
        for number in [0, 1, 49, 50, 4_999, 5_000, 49_999_999, 50_000_000, KEYS_MAX - 1] {
            assert!(present(number) < missing(number) && missing(number) < present(number + 1), "{number}");
            assert!(as_number(&present(number)) < as_number(&missing(number)));
        }
    }

    #[test]
    fn a_shuffle_has_every_number_once() {
        for end in [1, 2, 3, 1000, 4096, 100_003] {
            let shuffle = Shuffle::new(end, 7);
            let mut seen = vec![false; end as usize];
            for place in 0..end {
                assert!(!std::mem::replace(&mut seen[shuffle.at(place) as usize], true), "{place} of {end}");
            }
        }
    }

    #[test]
    fn a_shuffle_leaves_no_runs() {
        let shuffle = Shuffle::new(100_000, 1);
        let neighbours =
            (0..99_999).filter(|&place| shuffle.at(place).abs_diff(shuffle.at(place + 1)) < 100).count();
        assert!(neighbours < 1_000, "{neighbours} of 100,000 are near the last, 200 by chance");
    }
}
