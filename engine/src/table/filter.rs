//! A blocked Bloom filter: all bits of a key lie in one cache line of 64 bytes.
//!
//! One line a look-up instead of one a bit, for a slightly higher rate of false positives (Putze, Sanders, Singler:
//! "Cache-, Hash- and Space-Efficient Bloom Filters", WEA 2007; the probing within a line is RocksDB's idea).
//!
//! ```text
//! 0   kind        1   1
//! 1   probes      1
//! 2   reserved    2   zero
//! 4   lines       4
//! 8   padding    56   zero
//! 64  lines    64 each
//! ```

use super::hashes::Hashes;
use crate::coding::Decoder;
use crate::pages::PageVec;
use crate::prefetch::prefetch;

const LINE_BYTES: usize = 64;
const LINE_BITS_LOG2: u32 = 9;
const HEADER: usize = 64;
const KIND_BLOCKED_BLOOM: u8 = 1;
const PROBES_MAX: u32 = 16;
/// Keys come to lines as chance wants it, each a miss: so many of them are fetched at once.
const BUILD_AHEAD: usize = 16;

/// Builds the filter of a table from the hashes of its user keys; empty when `bits_per_key` is 0.
pub(crate) fn build(hashes: &Hashes, bits_per_key: usize) -> PageVec {
    if hashes.is_empty() || bits_per_key == 0 {
        return PageVec::default();
    }
    let lines = (hashes.len() * bits_per_key).div_ceil(LINE_BYTES * 8);
    // Bits a key times ln 2 is best for a plain Bloom filter; a blocked one wants slightly fewer.
    let probes = (bits_per_key * 69 / 100).clamp(1, PROBES_MAX as usize);
    let mut bytes = PageVec::zeros(HEADER + lines * LINE_BYTES);
    let [a, b, c, d] = (lines as u32).to_le_bytes();
    if let Some(layout) = bytes.first_chunk_mut() {
        *layout = [KIND_BLOCKED_BLOOM, probes as u8, 0, 0, a, b, c, d];
    }
    let start_of = |hash: u64| HEADER + line_of(hash, lines as u32) * LINE_BYTES;
    for (at, hash) in hashes.iter().enumerate() {
        if let Some(soon) = hashes.get(at + BUILD_AHEAD) {
            // Where these lines are made they may lie across two of the processor's.
            prefetch(&bytes, start_of(soon));
            prefetch(&bytes, start_of(soon) + LINE_BYTES - 1);
        }
        let start = start_of(hash);
        if let Some(line) = bytes.get_mut(start..start + LINE_BYTES) {
            for bit in bits(hash, probes as u32) {
                if let Some(byte) = line.get_mut(bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
    }
    bytes
}

/// The share of absent keys that a filter with so many bits a key lets pass, by the formula for plain Bloom filters; a blocked
/// one lets pass slightly more. 1 without a filter.
pub(crate) fn target_false_positive_ratio(bits_per_key: usize) -> f64 {
    let bits = bits_per_key as f64;
    let probes = (bits * 0.69).floor().clamp(1.0, f64::from(PROBES_MAX));
    if bits_per_key == 0 { 1.0 } else { (1.0 - (-probes / bits).exp()).powf(probes) }
}

/// How a filter is laid out; read once when the table is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    lines: u32,
    probes: u32,
}

impl Filter {
    /// Reads the layout of the filter that `bytes` hold; `None` for damage or an unknown kind.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Filter> {
        let mut fields = Decoder::new(bytes);
        let known = fields.u8()? == KIND_BLOCKED_BLOOM;
        let probes = u32::from(fields.u8()?);
        fields.bytes(2)?;
        let lines = fields.u32()?;
        let sized = lines > 0 && bytes.len() == HEADER + lines as usize * LINE_BYTES;
        (known && sized && (1..=PROBES_MAX).contains(&probes)).then_some(Filter { lines, probes })
    }

    /// Whether the key with this hash may be in the table. `false` is certain.
    #[inline]
    pub(crate) fn may_contain(self, bytes: &[u8], hash: u64) -> bool {
        let start = HEADER + line_of(hash, self.lines) * LINE_BYTES;
        let Some(line) = bytes.get(start..).and_then(|rest| rest.first_chunk::<LINE_BYTES>()) else {
            return true;
        };
        bits(hash, self.probes).all(|bit| line.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1))
    }
}

/// The upper half of the hash picks the line.
#[inline]
fn line_of(hash: u64, lines: u32) -> usize {
    (((hash >> 32) * u64::from(lines)) >> 32) as usize
}

/// The lower half picks the bits: its top nine after each multiplication by an odd number.
#[inline]
fn bits(hash: u64, probes: u32) -> impl Iterator<Item = usize> {
    let mut state = hash as u32;
    (0..probes).map(move |_| {
        state = state.wrapping_mul(0x9e37_79b9);
        (state >> (32 - LINE_BITS_LOG2)) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_that_of_the_formula() {
        assert!((0.008..0.009).contains(&target_false_positive_ratio(10)));
        assert!((target_false_positive_ratio(0) - 1.0).abs() < 1e-12);
    }
    use crate::key;

    fn hashes(range: std::ops::Range<u64>) -> Hashes {
        range.map(|i| key::hash(&i.to_be_bytes())).collect()
    }

    #[test]
    fn no_key_is_ever_missed_and_few_others_are_found() {
        for n in [1, 2, 100, 10_000, 100_000] {
            let bytes = build(&hashes(0..n), 10);
            let filter = Filter::decode(&bytes).unwrap();
            assert!(hashes(0..n).iter().all(|hash| filter.may_contain(&bytes, hash)), "n = {n}");
        }
        let bytes = build(&hashes(0..100_000), 10);
        let filter = Filter::decode(&bytes).unwrap();
        let others = hashes(100_000..300_000);
        let found = others.iter().filter(|hash| filter.may_contain(&bytes, *hash)).count();
        let rate = found as f64 / others.len() as f64;
        assert!(rate < 0.013, "10 bits a key give about 1 % of false positives, not {rate}");
    }

    #[test]
    fn a_damaged_layout_is_refused() {
        let bytes = build(&hashes(0..100), 10);
        assert!(Filter::decode(&bytes[..bytes.len() - 1]).is_none());
        for (at, value) in [(0, 9), (1, 0), (1, 200), (4, 0), (7, 0x7f)] {
            let mut damaged = bytes.to_vec();
            damaged[at] = value;
            assert!(Filter::decode(&damaged).is_none(), "byte {at}");
        }
        assert!(build(&hashes(0..5), 0).is_empty());
    }
}
