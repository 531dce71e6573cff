//! Where a separated value lies.

use std::ops::Range;

use crate::coding::{Decoder, put_varint};
use crate::env::names::FileNumber;

/// The entry of a log or value file that holds a value. The bytes of an entry of kind
/// [`Pointer`](crate::key::Kind::Pointer) in memtables and tables are one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValuePointer {
    /// The file.
    pub(crate) file: FileNumber,
    /// Where the entry (not the value) begins.
    pub(crate) offset: u64,
    /// The entry's length in bytes.
    pub(crate) len: u32,
}

impl ValuePointer {
    /// The most bytes that [`ValuePointer::encode`] appends.
    pub(crate) const BYTES_MAX: usize = 10 + 10 + 5;

    /// Three varints: file, offset, length.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        put_varint(out, self.file.0);
        put_varint(out, self.offset);
        put_varint(out, u64::from(self.len));
    }

    /// The bytes of the entry in a file that is in memory.
    pub(crate) fn range(self) -> Option<Range<usize>> {
        let start = usize::try_from(self.offset).ok()?;
        Some(start..start.checked_add(self.len as usize)?)
    }

    /// Whether the entry lies within the first `bytes` of its file.
    pub(crate) fn fits(self, bytes: u64) -> bool {
        self.offset.checked_add(u64::from(self.len)).is_some_and(|end| end <= bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<ValuePointer> {
        let mut fields = Decoder::new(bytes);
        let pointer = ValuePointer {
            file: FileNumber(fields.varint()?),
            offset: fields.varint()?,
            len: u32::try_from(fields.varint()?).ok()?,
        };
        fields.is_empty().then_some(pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reads_back_and_a_damaged_one_does_not() {
        let pointer = ValuePointer { file: FileNumber(12), offset: 1 << 33, len: u32::MAX };
        let mut bytes = Vec::new();
        pointer.encode(&mut bytes);
        assert_eq!(ValuePointer::decode(&bytes), Some(pointer));
        for len in 0..bytes.len() {
            assert_eq!(ValuePointer::decode(&bytes[..len]), None);
        }
        bytes.push(0);
        assert_eq!(ValuePointer::decode(&bytes), None);
    }
}
