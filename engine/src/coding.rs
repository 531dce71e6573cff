//! Numbers as bytes: little-endian fixed widths and LEB128 varints, and a cursor that never reads past its end.

/// Appends `value` as a varint: seven bits a byte, lowest first, the high bit says that more follow.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes that [`put_varint`] appends for `value`.
pub(crate) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a length and the bytes themselves.
pub(crate) fn put_slice(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The length of a varint of up to eight bytes at the front of these.
#[inline]
pub(crate) fn short_varint_len(bytes: [u8; 8]) -> Option<usize> {
    let ends = !u64::from_le_bytes(bytes) & 0x8080_8080_8080_8080;
    (ends != 0).then_some(ends.trailing_zeros() as usize / 8 + 1)
}

/// A varint of up to eight bytes at the front of these, and its length, without a loop. `None` says that it may be a longer one, or is
/// none: whoever asks then asks a [`Decoder`].
#[inline]
pub(crate) fn short_varint(bytes: [u8; 8]) -> Option<(u64, usize)> {
    let word = u64::from_le_bytes(bytes);
    // The high bits that say that nothing follows; the first of them ends the number.
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        return None;
    }
    let len = ends.trailing_zeros() as usize / 8 + 1;
    // Sevens of bits, then pairs of them, then fours, are moved together.
    let sevens = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    // It is no longer than it need be, if there is something in its last byte, or only one.
    let last_byte = (ends & ends.wrapping_neg()) >> 7;
    if sevens | 1 < last_byte {
        return None;
    }
    let pairs = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let value = (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4;
    Some((value, len))
}

/// Reads numbers and slices from the front of a byte slice; every reader answers `None` past the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Decoder { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*head))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*head))
    }

    /// Reads a varint; one that does not fit a `u64` or is longer than it need be is refused, so that every number has
    /// one encoding.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.rest.split_first()?;
        if *first < 0x80 {
            self.rest = rest;
            return Some(u64::from(*first));
        }
        if let Some((value, len)) = self.rest.first_chunk().and_then(|bytes| short_varint(*bytes)) {
            self.rest = self.rest.get(len..)?;
            return Some(value);
        }
        self.rest = rest;
        self.long_varint(*first)
    }

    /// Passes over a varint.
    #[inline]
    pub(crate) fn skip_varint(&mut self) -> Option<()> {
        match self.rest.first_chunk().and_then(|bytes| short_varint_len(*bytes)) {
            Some(len) => self.rest = self.rest.get(len..)?,
            None => {
                self.varint()?;
            }
        }
        Some(())
    }

    #[inline(never)]
    fn long_varint(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || byte == 0 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Takes `len` bytes; a length larger than what is there allocates nothing and answers `None`.
    #[inline]
    pub(crate) fn bytes(&mut self, len: u64) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(head)
    }

    /// Takes a slice written by [`put_slice`].
    #[inline]
    pub(crate) fn slice(&mut self) -> Option<&'a [u8]> {
        let len = self.varint()?;
        self.bytes(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_every_width() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges.chain([u64::MAX]) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert!(bytes.len() <= 10);
            let mut decoder = Decoder::new(&bytes);
            assert_eq!(decoder.varint(), Some(value));
            assert!(decoder.is_empty());
        }
    }

    #[test]
    fn short_varints_are_read_as_by_the_decoder() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let len = bytes.len();
            bytes.resize(8.max(len), 0xff);
            let read = short_varint(*bytes.first_chunk().unwrap());
            assert_eq!(read, (len <= 8).then_some((value, len)));
        }
        for bytes in [[0x80, 0, 0, 0, 0, 0, 0, 0], [0xff; 8], [0x81, 0x80, 0x80, 0, 1, 1, 1, 1]] {
            assert_eq!(short_varint(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_varint_with_padding_overflow_or_no_end_is_refused() {
        for bytes in [&[0x80u8, 0x00][..], &[0xff; 10], &[0x80], &[0xff; 20], &[]] {
            assert_eq!(Decoder::new(bytes).varint(), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_none() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(Decoder::new(&bytes).slice(), None);
        assert_eq!(Decoder::new(&[1, 2]).u32(), None);
    }
}
