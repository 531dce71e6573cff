//! Keys: numbers, written as 16 hexadecimal digits, so that their order is the numbers' order.

use crate::random::mix;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 16;

/// A key's bytes.
pub(super) type Key = [u8; KEY_BYTES];

/// Which numbers the keys of a run stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeySpace {
    /// The n-th key stands for 2·n: in order, with room for a missing key behind each.
    Ordered,
    /// The n-th key stands for a hash of n: scattered.
    Scattered,
}

impl KeySpace {
    /// The number of the n-th key.
    #[inline]
    pub(super) fn number(self, n: u64) -> u64 {
        match self {
            KeySpace::Ordered => 2 * n,
            KeySpace::Scattered => mix(n),
        }
    }

    /// The number of a key that is not there, but would be next to the n-th.
    #[inline]
    pub(super) fn missing(n: u64) -> u64 {
        2 * n + 1
    }
}

/// The key of a number.
#[inline]
pub(super) fn encode(number: u64) -> Key {
    let mut key = [0; KEY_BYTES];
    for (digit, shift) in key.iter_mut().rev().zip((0..).step_by(4)) {
        let nibble = (number >> shift) as u8 & 15;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
    key
}

/// The number of a key, if it is one of ours.
#[inline]
pub(super) fn decode(key: &[u8]) -> Option<u64> {
    let key: &Key = key.try_into().ok()?;
    let mut number = 0;
    for digit in key {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        number = number << 4 | u64::from(nibble);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_numbers_and_come_back() {
        let numbers = [0, 1, 9, 10, 15, 16, 0xabc_def0, u64::MAX];
        assert_eq!(&encode(0xabc_def0), b"000000000abcdef0");
        assert!(numbers.windows(2).all(|pair| encode(pair[0]) < encode(pair[1])));
        assert!(numbers.iter().all(|&number| decode(&encode(number)) == Some(number)));
        assert_eq!((decode(b"short"), decode(b"000000000ABCDEF0")), (None, None));
    }
}
