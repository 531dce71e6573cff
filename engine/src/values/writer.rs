//! Writes values that outlive their file to a new one, in the order of their keys.

use bettong_metrics::{Counter, Histogram};

use super::pointer::ValuePointer;
use super::usage::{Usage, ValueFileMeta};
use crate::env::Dir;
use crate::env::names::{FileName, FileNumber};
use crate::error::Result;
use crate::header::{Birth, FileHeader, FileKind, HEADER_BYTES};
use crate::metric::WriteOrigin;
use crate::pieces::PieceWriter;
use crate::record::format::{GROUP_HEADER_BYTES, GroupHeader, GroupType};
use crate::record::writer::{NewEntry, put_entry_head};

/// Bytes that are handed to the operating system together. (Twice as many, as in tables, so that one huge page of its cache takes them,
/// make nobody faster who reads values.)
const PIECE_BYTES: usize = 1 << 20;

/// A value file in the making. A group ends with the entry that fills the piece in which it began: its header can be completed for as
/// long as that waits.
#[derive(Debug)]
pub(crate) struct ValueWriter {
    bytes: PieceWriter,
    number: FileNumber,
    id: u64,
    origin: WriteOrigin,
    /// Where the group begins that more entries can come to, and how many it has.
    group: Option<(u64, u32)>,
    /// The head of the entry being added.
    head: Vec<u8>,
    born: Usage,
}

impl ValueWriter {
    pub(crate) fn create(
        dir: &Dir,
        number: FileNumber,
        birth: Birth,
        origin: WriteOrigin,
    ) -> Result<ValueWriter> {
        let mut bytes = PieceWriter::new(dir.create(FileName::Value(number))?, PIECE_BYTES);
        let id = dir.unique_id();
        let header = FileHeader { kind: FileKind::Value, number, id, recycled: false, birth };
        bytes.put(&header.encode())?;
        let (group, head, born) = (None, Vec::new(), Usage::default());
        Ok(ValueWriter { bytes, number, id, origin, group, head, born })
    }

    /// No less than the bytes, beside entries, of a file of this length.
    pub(crate) fn framing_bytes(bytes: u64) -> u64 {
        // Each group but the open one and the seal fills a piece.
        let groups = bytes / PIECE_BYTES as u64 + 2;
        HEADER_BYTES + groups * GROUP_HEADER_BYTES as u64
    }

    /// Appends a value, and says where it lies.
    pub(crate) fn add(&mut self, entry: NewEntry<'_>) -> Result<ValuePointer> {
        let len = entry.len();
        if let Some((_, entries)) = &mut self.group {
            *entries += 1;
            if len >= self.bytes.room() {
                self.end_group(len);
            }
        } else if GROUP_HEADER_BYTES + len < self.bytes.room() {
            self.group = Some((self.bytes.offset(), 1));
            self.bytes.put(&[0; GROUP_HEADER_BYTES])?;
        } else {
            self.put_header(GroupType::Commit, 1, len)?;
        }
        let offset = self.bytes.offset();
        self.head.clear();
        put_entry_head(&mut self.head, entry, self.id, offset);
        self.bytes.put(&self.head)?;
        self.bytes.put(entry.value)?;
        let pointer = ValuePointer { file: self.number, offset, len: len as u32 };
        self.born.add(Usage { entries: 1, bytes: u64::from(pointer.len) });
        Ok(pointer)
    }

    /// The bytes of the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.offset()
    }

    /// Completes the file. It is durable when this returns; its name is once the directory is synced.
    pub(crate) fn finish(mut self) -> Result<ValueFileMeta> {
        self.end_group(0);
        self.put_header(GroupType::Seal, 0, 0)?;
        self.bytes.hand_over()?;
        let (file, bytes) = (self.bytes.file(), self.bytes());
        let recorder = file.recorder();
        let timer = recorder.timer(Histogram::VlogSyncDuration);
        file.sync()?;
        timer.stop();
        recorder.add(Counter::StorageWrittenBytes.at(self.origin as usize), bytes);
        recorder.add(Counter::VlogWrites, self.born.entries);
        recorder.add(Counter::VlogWrittenBytes, self.born.bytes);
        Ok(ValueFileMeta { number: self.number, id: self.id, bytes, born: self.born })
    }

    /// Completes the open group, to which so many bytes come yet.
    fn end_group(&mut self, rest: usize) {
        let Some((start, entries)) = self.group.take() else { return };
        let waiting = self.bytes.waiting_mut(start);
        let bytes = (waiting.len() + rest).saturating_sub(GROUP_HEADER_BYTES) as u32;
        if let Some(header) = waiting.first_chunk_mut() {
            *header =
                GroupHeader { kind: GroupType::Commit, entries, bytes, promise: 0 }.encode(self.id, start);
        }
    }

    fn put_header(&mut self, kind: GroupType, entries: u32, bytes: usize) -> Result<()> {
        let header = GroupHeader { kind, entries, bytes: bytes as u32, promise: 0 };
        self.bytes.put(&header.encode(self.id, self.bytes.offset()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bettong_metrics::Registry;

    use super::*;
    use crate::env::Env;
    use crate::env::sim::SimDisk;
    use crate::key::{Kind, SeqNo};
    use crate::record::reader::{End, Entry, GroupReader};
    use crate::values::stored::EXPIRY_BYTES;

    /// Writes values of these lengths, and hands the entries that read back to `check`, with the pointers that were returned.
    fn written(lens: &[usize], check: impl Fn(&[ValuePointer], &[Entry<'_>])) -> ValueFileMeta {
        let disk = SimDisk::new(1);
        let recorder = Registry::new("test").recorder();
        let dir = Dir::new(Env::sim(&disk).files, Path::new("/db"), &recorder);
        dir.create_all().unwrap();
        let (number, origin) = (FileNumber(1), WriteOrigin::Flush);
        let mut writer = ValueWriter::create(&dir, number, Birth::default(), origin).unwrap();
        let add = |(at, len): (usize, &usize)| {
            let (bytes, seq) = (vec![at as u8; *len], SeqNo(1));
            // Every other one has its time in front.
            let (head, value) = bytes.split_at(if at % 2 == 1 { EXPIRY_BYTES.min(*len) } else { 0 });
            let kind = if head.is_empty() { Kind::Value } else { Kind::ExpiringValue };
            writer.add(NewEntry { kind, keyspace: 0, seq, key: b"key", head, value }).unwrap()
        };
        let pointers: Vec<ValuePointer> = lens.iter().enumerate().map(add).collect();
        let meta = writer.finish().unwrap();
        let bytes = disk.read(&Path::new("/db").join(FileName::Value(number).to_string())).unwrap();
        assert_eq!(bytes.len() as u64, meta.bytes);
        let mut reader = GroupReader::new(&bytes, Path::new("1.val"), meta.id, 0);
        let mut entries = Vec::new();
        while let Some(group) = reader.next().unwrap() {
            assert_eq!(group.kind == GroupType::Seal, group.entries.is_empty());
            entries.extend(group.entries);
        }
        assert_eq!(reader.end(), Some(End::Sealed));
        check(&pointers, &entries);
        meta
    }

    /// The header of a group is completed when its last entry is known, and a piece that is full waits for nobody: whatever is left of a
    /// piece, less than a header or nothing, every group reads back.
    #[test]
    fn every_group_reads_back_wherever_pieces_end() {
        // The first entry, which has fourteen bytes beside its value, and its group are to end so many bytes before a piece does.
        const LONG: usize = PIECE_BYTES - HEADER_BYTES as usize - GROUP_HEADER_BYTES - 14;
        for left in (0..90).chain([PIECE_BYTES]) {
            for lens in
                [[LONG - left.min(LONG), 10, 40, 3], [LONG + PIECE_BYTES - left, 0, 2 * PIECE_BYTES, 1]]
            {
                let meta = written(&lens, |pointers, entries| {
                    let found = entries.iter().map(|entry| (entry.offset, entry.len, entry.value.len()));
                    let expected = pointers.iter().zip(lens).map(|(at, len)| (at.offset, at.len, len));
                    assert!(found.eq(expected), "{left} bytes left");
                    let values = entries.iter().enumerate();
                    let same =
                        |(at, entry): (usize, &Entry<'_>)| entry.value.iter().all(|byte| *byte == at as u8);
                    assert!({ values }.all(same), "{left} bytes left");
                });
                let framing = meta.bytes - meta.born.bytes;
                assert!(framing <= ValueWriter::framing_bytes(meta.bytes), "{framing} bytes of framing");
            }
        }
    }
}
