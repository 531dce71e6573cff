//! Encodes groups.

use super::format::{ENTRY_FIXED_BYTES, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupType};
use crate::checksum;
use crate::coding::put_varint;
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
    pub(crate) value: &'a [u8],
}

impl<'a> GroupWriter<'a> {
    /// Starts a group that will lie at `offset` of the file with unique id `file_id`.
    pub(crate) fn new(out: &'a mut Vec<u8>, file_id: u64, offset: u64) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; GROUP_HEADER_BYTES]);
        GroupWriter { out, start, file_id, offset, entries: 0, finished: false }
    }

    pub(crate) fn entry(&mut self, entry: NewEntry<'_>) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0, 0, 0, 0, entry.kind as u8]);
        debug_assert_eq!(self.out.len() - start, ENTRY_FIXED_BYTES);
        put_varint(self.out, u64::from(entry.keyspace));
        put_varint(self.out, entry.key.len() as u64);
        put_varint(self.out, entry.value.len() as u64);
        put_varint(self.out, entry.seq.0);
        self.out.extend_from_slice(entry.key);
        self.out.extend_from_slice(entry.value);
        let offset = self.offset + (start - self.start) as u64;
        self.stamp(start, self.out.len(), offset);
        self.entries += 1;
    }

    /// Completes the group and returns its length in bytes.
    pub(crate) fn finish(mut self, kind: GroupType, promise: u64) -> u64 {
        let end = self.out.len();
        let body = (end - self.start - GROUP_HEADER_BYTES) as u32;
        let mut header = Vec::with_capacity(GROUP_HEADER_BYTES);
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&GROUP_MAGIC);
        header.extend_from_slice(&[kind as u8, 0]);
        header.extend_from_slice(&self.entries.to_le_bytes());
        header.extend_from_slice(&body.to_le_bytes());
        header.extend_from_slice(&promise.to_le_bytes());
        let header_end = self.start + GROUP_HEADER_BYTES;
        if let Some(place) = self.out.get_mut(self.start..header_end) {
            place.copy_from_slice(&header);
        }
        self.stamp(self.start, header_end, self.offset);
        self.finished = true;
        (end - self.start) as u64
    }

    /// Fills in the checksum of the bytes `start + 4..end`, which will lie at `offset`.
    fn stamp(&mut self, start: usize, end: usize, offset: u64) {
        let covered = self.out.get(start + 4..end).unwrap_or_default();
        let checksum = checksum::salted(covered, self.file_id, offset).to_le_bytes();
        if let Some(place) = self.out.get_mut(start..start + 4) {
            place.copy_from_slice(&checksum);
        }
    }
}

impl Drop for GroupWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}
