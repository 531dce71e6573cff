//! CRC-32 (IEEE, by crc32fast), salted with where the bytes belong.
//!
//! A plain checksum accepts any block that was once valid: the same block at another offset (a misdirected write), of
//! another file (a swap), or of the file's earlier life (a recycled log segment). The salt is a hash of the file's unique
//! id and the offset, added to the CRC, so each of those fails like a flipped bit.

/// The checksum of `bytes` that lie at `offset` of the file with unique id `file_id`.
pub(crate) fn salted(bytes: &[u8], file_id: u64, offset: u64) -> u32 {
    crc32fast::hash(bytes).wrapping_add(salt(file_id, offset))
}

/// The same, of bytes that do not lie together.
pub(crate) fn salted_of(parts: [&[u8]; 2], file_id: u64, offset: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().wrapping_add(salt(file_id, offset))
}

/// How many of `bytes` are followed by their checksum, if any are: for what lies at `offset` and has lost its length.
pub(crate) fn find_end(bytes: &[u8], file_id: u64, offset: u64) -> Option<usize> {
    let salt = salt(file_id, offset);
    let mut hasher = crc32fast::Hasher::new();
    bytes.iter().enumerate().find_map(|(at, byte)| {
        hasher.update(&[*byte]);
        let stored = bytes.get(at + 1..)?.first_chunk::<4>()?;
        let matches = u32::from_le_bytes(*stored) == hasher.clone().finalize().wrapping_add(salt);
        matches.then_some(at + 1)
    })
}

/// Mixes id and offset into 32 bits (the finaliser of `SplitMix64`, Steele et al., OOPSLA 2014).
fn salt(file_id: u64, offset: u64) -> u32 {
    (mix(file_id ^ mix(offset)) >> 32) as u32
}

/// The `SplitMix64` finaliser: a bijection of `u64` in which every input bit moves half of the output bits.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F29: a block that was written to the wrong place.
    #[test]
    fn f29_the_same_bytes_elsewhere_have_another_checksum() {
        let here = salted(b"block", 7, 4096);
        assert_ne!(here, salted(b"block", 7, 8192), "another offset");
        assert_ne!(here, salted(b"block", 8, 4096), "another file");
        assert_ne!(here, salted(b"blocl", 7, 4096), "other bytes");
        assert_eq!(here, salted(b"block", 7, 4096));
        assert_eq!(here, salted_of([b"blo", b"ck"], 7, 4096));
    }
}
