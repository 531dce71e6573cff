//! Groups and entries as bytes.
//!
//! A *group* is what is committed at once: it is on disk whole or it does not exist.
//!
//! ```text
//! group                                    entry
//! 0   checksum   4  of bytes 4..24         0   checksum   4  of the entry's other bytes
//! 4   magic      2  0xB7 0x67              4   kind       1
//! 6   type       1  1 commit, 2 seal,      5   keyspace      varint
//!                   3 edit                     key length    varint
//! 7   reserved   1  zero                       value length  varint
//! 8   entries    4                             sequence number varint
//! 12  length     4  of the entries, bytes      key
//! 16  promise    8                             value
//! 24  entries
//! ```
//!
//! Both checksums are salted with the file's id and the offset of the group or entry. Each entry is complete in itself, so a
//! value can be read, and proved to be the value of its key, by a pointer to its entry alone.
//!
//! The *promise* is the offset up to which the file was durable before the group was written. A bad byte below any later
//! promise is corruption, above all of them it is the torn tail of an interrupted write. In a log a promise other than 0 also
//! says that every earlier log is sealed and durable.

use crate::checksum;
use crate::coding::Decoder;

/// The bytes of a group before its entries.
pub(crate) const GROUP_HEADER_BYTES: usize = 24;
/// The bytes that mark a group, so that one can be found behind damage.
pub(crate) const GROUP_MAGIC: [u8; 2] = [0xb7, 0x67];
/// The bytes of an entry before its varints.
pub(crate) const ENTRY_FIXED_BYTES: usize = 5;

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum GroupType {
    /// Writes that became visible together.
    Commit = 1,
    /// Nothing follows: the file ends here, on purpose.
    Seal = 2,
    /// A version edit, in a manifest.
    Edit = 3,
}

impl GroupType {
    pub(crate) fn from_u8(byte: u8) -> Option<GroupType> {
        match byte {
            1 => Some(GroupType::Commit),
            2 => Some(GroupType::Seal),
            3 => Some(GroupType::Edit),
            _ => None,
        }
    }
}

/// What a group begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupHeader {
    pub(crate) kind: GroupType,
    pub(crate) entries: u32,
    /// Of the entries.
    pub(crate) bytes: u32,
    pub(crate) promise: u64,
}

impl GroupHeader {
    /// For a group that will lie at `offset` of the file with unique id `file_id`.
    pub(crate) fn encode(self, file_id: u64, offset: u64) -> [u8; GROUP_HEADER_BYTES] {
        let mut header = [0; GROUP_HEADER_BYTES];
        header[4..6].copy_from_slice(&GROUP_MAGIC);
        header[6] = self.kind as u8;
        header[8..12].copy_from_slice(&self.entries.to_le_bytes());
        header[12..16].copy_from_slice(&self.bytes.to_le_bytes());
        header[16..].copy_from_slice(&self.promise.to_le_bytes());
        let checksum = checksum::salted(&header[4..], file_id, offset);
        header[..4].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// The header at the front of `bytes`, which lie at `offset` of the file with `file_id`; `None` if there is none, or it is damaged.
    pub(crate) fn decode(bytes: &[u8], file_id: u64, offset: u64) -> Option<GroupHeader> {
        let (stored, covered) = bytes.get(..GROUP_HEADER_BYTES)?.split_first_chunk::<4>()?;
        let mut fields = Decoder::new(covered);
        if fields.bytes(2)? != GROUP_MAGIC {
            return None;
        }
        if u32::from_le_bytes(*stored) != checksum::salted(covered, file_id, offset) {
            return None;
        }
        let kind = GroupType::from_u8(fields.u8()?)?;
        if fields.u8()? != 0 {
            return None;
        }
        Some(GroupHeader { kind, entries: fields.u32()?, bytes: fields.u32()?, promise: fields.u64()? })
    }
}
