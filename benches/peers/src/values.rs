//! Values that name their key, and the check that they do.
//!
//! ```text
//! | stamp of key and length, 8 | bytes from a pool that do not compress | stamp, inverted, 8 |
//! ```
//! A value is not made but chosen: a place in a pool of random bytes, whose first and last eight are overwritten. That takes a
//! few nanoseconds for any length, where filling 16 KiB would take as long as some engine's whole set.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::keys::KEY_BYTES;
use crate::random::Random;
use crate::units;

/// A stamp at each end.
pub(crate) const VALUE_BYTES_MIN: usize = 16;

const POOL_BYTES: usize = 1 << 20;
/// Values begin at multiples of this in the pool.
const STRIDE: usize = 64;

/// Mixed sizes: so many of a hundred values have so many bytes.
const MIXED: [(u64, usize); 3] = [(60, 100), (30, 1 << 10), (10, 16 << 10)];

/// How long values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sizes {
    All(usize),
    /// 60 % of 100 B, 30 % of 1 KiB, 10 % of 16 KiB; each new value of a key draws again.
    Mixed,
}

impl Sizes {
    #[inline]
    fn pick(self, draw: u64) -> usize {
        let Sizes::All(bytes) = self else { return Sizes::pick_mixed(draw) };
        bytes
    }

    fn pick_mixed(draw: u64) -> usize {
        let mut hundredth = draw % 100;
        for (share, bytes) in MIXED {
            if hundredth < share {
                return bytes;
            }
            hundredth -= share;
        }
        MIXED[0].1
    }

    pub(crate) fn mean(self) -> u64 {
        match self {
            Sizes::All(bytes) => bytes as u64,
            Sizes::Mixed => MIXED.iter().map(|(share, bytes)| share * *bytes as u64).sum::<u64>() / 100,
        }
    }

    fn largest(self) -> usize {
        match self {
            Sizes::All(bytes) => bytes,
            Sizes::Mixed => MIXED.iter().map(|(_, bytes)| *bytes).max().unwrap_or(VALUE_BYTES_MIN),
        }
    }

    fn has(self, bytes: usize) -> bool {
        match self {
            Sizes::All(all) => all == bytes,
            Sizes::Mixed => MIXED.iter().any(|(_, one)| *one == bytes),
        }
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Sizes, String> {
        if text == "mixed" {
            return Ok(Sizes::Mixed);
        }
        let bytes = units::bytes(text)? as usize;
        if !(VALUE_BYTES_MIN..=64 << 20).contains(&bytes) {
            return Err(format!("a value has from {VALUE_BYTES_MIN} bytes to 64 MiB"));
        }
        Ok(Sizes::All(bytes))
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sizes::All(bytes) => write!(f, "{bytes} B"),
            Sizes::Mixed => f.write_str("100 B (60 %), 1 KiB (30 %) and 16 KiB (10 %)"),
        }
    }
}

/// Makes values, for one thread.
#[derive(Debug)]
pub(crate) struct Values {
    pool: Vec<u8>,
    sizes: Sizes,
}

impl Values {
    /// `compressible` is the share of a value that is zeros, in a run at the end of each 128 bytes.
    pub(crate) fn new(sizes: Sizes, compressible: f64, random: &mut Random) -> Values {
        let mut pool = vec![0; POOL_BYTES + sizes.largest().next_multiple_of(STRIDE)];
        let dense = 128 - (128.0 * compressible) as usize;
        for (at, word) in pool.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            if at * 8 % 128 < dense {
                *word = random.next().to_le_bytes();
            }
        }
        Values { pool, sizes }
    }

    /// A value for a key; the draw chooses its bytes and, of mixed sizes, its length.
    #[inline]
    pub(crate) fn make(&mut self, key: &[u8; KEY_BYTES], draw: u64) -> &[u8] {
        let bytes = self.sizes.pick(draw);
        let offset = (draw >> 32) as usize % (POOL_BYTES / STRIDE) * STRIDE;
        let value = &mut self.pool[offset..offset + bytes];
        let stamp = stamp(key, bytes);
        value[..8].copy_from_slice(&stamp.to_le_bytes());
        value[bytes - 8..].copy_from_slice(&(!stamp).to_le_bytes());
        value
    }
}

/// Checks what is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) sizes: Sizes,
    /// Whether every cache line of the value is touched.
    pub(crate) consume: bool,
}

impl Check {
    /// Whether this can be the value of this key.
    #[inline]
    pub(crate) fn is_good(self, key: &[u8], value: &[u8]) -> bool {
        let (Ok(key), true) = (key.try_into(), self.sizes.has(value.len())) else { return false };
        if self.consume {
            let sum = value.iter().step_by(64).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            std::hint::black_box(sum);
        }
        let stamp = stamp(key, value.len());
        value.first_chunk() == Some(&stamp.to_le_bytes())
            && value.last_chunk() == Some(&(!stamp).to_le_bytes())
    }
}

/// Two multiplications: no hash, but no two keys of a run share it by chance.
#[inline]
fn stamp(key: &[u8; KEY_BYTES], bytes: usize) -> u64 {
    let (head, tail) = key.split_at(8);
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let head = (word(head) ^ bytes as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (head ^ word(tail)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    #[test]
    fn a_value_is_good_for_its_own_key_only() {
        for sizes in [Sizes::All(16), Sizes::All(100), Sizes::All(16 << 10), Sizes::Mixed] {
            let mut random = Random::new(9);
            let mut values = Values::new(sizes, 0.0, &mut random);
            let check = Check { sizes, consume: true };
            for number in 0..100 {
                let key = keys::present(number);
                let value = values.make(&key, random.next()).to_vec();
                assert!(check.is_good(&key, &value));
                assert!(!check.is_good(&keys::present(number + 1), &value));
                assert!(!check.is_good(&key, &value[..value.len() - 1]));
            }
        }
    }

    #[test]
    fn damage_at_either_end_is_seen() {
        let sizes = Sizes::All(100);
        let mut values = Values::new(sizes, 0.5, &mut Random::new(1));
        let key = keys::present(5);
        let value = values.make(&key, 77).to_vec();
        for at in (0..8).chain(92..100) {
            let mut damaged = value.clone();
            damaged[at] ^= 1;
            assert!(!Check { sizes, consume: false }.is_good(&key, &damaged), "byte {at}");
        }
    }

    #[test]
    fn sizes_are_read_and_mixed_as_said() {
        assert_eq!("1KiB".parse(), Ok(Sizes::All(1024)));
        assert!("15".parse::<Sizes>().is_err());
        let picked: Vec<usize> = (0..100).map(|draw| Sizes::Mixed.pick(draw)).collect();
        assert_eq!(picked.iter().filter(|bytes| **bytes == 100).count(), 60);
        assert_eq!(picked.iter().sum::<usize>() as u64 / 100, Sizes::Mixed.mean());
    }
}
