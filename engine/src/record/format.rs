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
