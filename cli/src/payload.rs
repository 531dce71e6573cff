//! Values that prove themselves: whoever reads one can tell whether it is what was written under that key.
//!
//! ```text
//!   version (8 bytes, little-endian) │ words: base, base + STEP, base + 2·STEP, … │ the first bytes of one more word
//! ```
//! `base` is a hash of seed, key, version and length, so a value of another key, another version or another run differs in
//! every word, and a flipped, lost or moved byte shows. Values have at least [`LEAST_BYTES`].

use crate::random::mix;

/// Odd, with all bytes busy: no two words within a value are alike, so nothing compresses.
const STEP: u64 = 0xd6e8_feb8_6659_fd93;
const WORD: usize = 8;
/// The shortest value: its version, and nothing to prove it with.
pub(crate) const LEAST_BYTES: usize = WORD;

/// Writes the value of a key's version, `len` bytes, to `out`.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, seed: u64, key: u64, version: u64, len: usize) {
    out.clear();
    out.extend_from_slice(&version.to_le_bytes());
    // Room first: the loop then runs several words at a time, and a measured workload is not one of making values.
    out.resize(len.next_multiple_of(WORD).max(WORD), 0);
    let mut word = base(seed, key, version, len);
    let (words, _) = out.as_chunks_mut::<WORD>();
    for place in words.iter_mut().skip(1) {
        *place = word.to_le_bytes();
        word = word.wrapping_add(STEP);
    }
    out.truncate(len);
}

/// The version that a value names, if the value is one that was written for this key.
#[inline]
pub(crate) fn check(value: &[u8], seed: u64, key: u64) -> Option<u64> {
    let (version, rest) = value.split_first_chunk::<WORD>()?;
    let version = u64::from_le_bytes(*version);
    let mut word = base(seed, key, version, value.len());
    let (words, tail) = rest.as_chunks::<WORD>();
    // No early exit: the loop without one runs several words at a time.
    let mut difference = 0;
    for found in words {
        difference |= u64::from_le_bytes(*found) ^ word;
        word = word.wrapping_add(STEP);
    }
    let tail_fits = word.to_le_bytes().starts_with(tail);
    (difference == 0 && tail_fits).then_some(version)
}

#[inline]
fn base(seed: u64, key: u64, version: u64, len: usize) -> u64 {
    mix(seed ^ mix(key ^ mix(version ^ (len as u64).rotate_left(40))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_proves_itself_and_any_change_shows() {
        let mut value = Vec::new();
        for len in [8, 9, 16, 23, 100, 1000] {
            write(&mut value, 1, 7, 3, len);
            assert_eq!((value.len(), check(&value, 1, 7)), (len, Some(3)));
            assert!(len == 8 || (check(&value, 1, 8), check(&value, 2, 7)) == (None, None));
            for at in 8..len {
                let mut damaged = value.clone();
                damaged[at] ^= 1;
                assert_eq!(check(&damaged, 1, 7), None, "byte {at} of {len}");
            }
            assert_eq!(check(&value[..7], 1, 7), None);
            assert!(len < 16 || check(&value[..len - 1], 1, 7).is_none(), "cut by a byte of {len}");
        }
    }
}
