//! Encodes groups.

use super::format::{ENTRY_FIXED_BYTES, GROUP_HEADER_BYTES, GroupHeader, GroupType};
use crate::checksum;
use crate::coding::{put_varint, varint_len};
use crate::key::{Kind, SeqNo};

/// Encodes one group at the end of a buffer; dropped without [`GroupWriter::finish`], it leaves the buffer as it was.
pub(crate) struct GroupWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    file_id: u64,
    offset: u64,
    entries: u32,
    finished: bool,
}

/// One entry to encode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) kind: Kind,
    pub(crate) keyspace: u32,
    pub(crate) seq: SeqNo,
    pub(crate) key: &'a [u8],
    /// What the value begins with as it is stored: the time of an expiring one, or nothing.
    pub(crate) head: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl NewEntry<'_> {
    /// The bytes that the entry takes.
    pub(crate) fn len(&self) -> usize {
        let value_len = self.head.len() + self.value.len();
        let numbers = [u64::from(self.keyspace), self.key.len() as u64, value_len as u64, self.seq.0];
        let varints: usize = numbers.into_iter().map(varint_len).sum();
        ENTRY_FIXED_BYTES + varints + self.key.len() + value_len
    }
}

impl<'a> GroupWriter<'a> {
    /// Starts a group that will lie at `offset` of the file with unique id `file_id`.
    pub(crate) fn new(out: &'a mut Vec<u8>, file_id: u64, offset: u64) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; GROUP_HEADER_BYTES]);
        GroupWriter { out, start, file_id, offset, entries: 0, finished: false }
    }

    pub(crate) fn entry(&mut self, entry: NewEntry<'_>) {
        let offset = self.offset + (self.out.len() - self.start) as u64;
        put_entry(self.out, entry, self.file_id, offset);
        self.entries += 1;
    }

    /// Completes the group and returns its length in bytes.
    pub(crate) fn finish(mut self, kind: GroupType, promise: u64) -> u64 {
        let group = self.out.get_mut(self.start..).unwrap_or_default();
        let len = group.len() as u64;
        let bytes = len.saturating_sub(GROUP_HEADER_BYTES as u64) as u32;
        let header = GroupHeader { kind, entries: self.entries, bytes, promise };
        if let Some(room) = group.first_chunk_mut() {
            *room = header.encode(self.file_id, self.offset);
        }
        self.finished = true;
        len
    }
}

/// Appends an entry that will lie at `offset` of the file with unique id `file_id`.
fn put_entry(out: &mut Vec<u8>, entry: NewEntry<'_>, file_id: u64, offset: u64) {
    let start = out.len();
    put_head(out, entry);
    out.extend_from_slice(entry.value);
    debug_assert_eq!(out.len() - start, entry.len());
    if let Some((checksum, covered)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) {
        *checksum = checksum::salted(covered, file_id, offset).to_le_bytes();
    }
}

/// Appends what an entry that will lie at `offset` of the file with unique id `file_id` begins with: all but its value.
pub(crate) fn put_entry_head(out: &mut Vec<u8>, entry: NewEntry<'_>, file_id: u64, offset: u64) {
    let start = out.len();
    put_head(out, entry);
    if let Some((checksum, covered)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) {
        *checksum = checksum::salted_of([covered, entry.value], file_id, offset).to_le_bytes();
    }
}

/// Appends an entry up to its value, without its checksum.
fn put_head(out: &mut Vec<u8>, entry: NewEntry<'_>) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, entry.kind as u8]);
    debug_assert_eq!(out.len() - start, ENTRY_FIXED_BYTES);
    put_varint(out, u64::from(entry.keyspace));
    put_varint(out, entry.key.len() as u64);
    put_varint(out, (entry.head.len() + entry.value.len()) as u64);
    put_varint(out, entry.seq.0);
    out.extend_from_slice(entry.key);
    out.extend_from_slice(entry.head);
}

impl Drop for GroupWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}
