//! Writes values that outlive their file to a new one, in the order of their keys.

use bettong_metrics::{Counter, Histogram};

use super::pointer::ValuePointer;
use super::usage::{Usage, ValueFileMeta};
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::Result;
use crate::header::{Birth, FileHeader, FileKind, HEADER_BYTES};
use crate::metric::WriteOrigin;
use crate::record::format::{GROUP_HEADER_BYTES, GroupType};
use crate::record::writer::{NewEntry, put_entry, put_group_header};

/// Bytes of entries gathered before they are handed to the operating system, as one group.
const WRITE_BYTES: usize = 1 << 20;

/// A value file in the making.
#[derive(Debug)]
pub(crate) struct ValueWriter {
    file: DataFile,
    number: FileNumber,
    id: u64,
    origin: WriteOrigin,
    /// The group being gathered, its header still empty, and how many entries it has.
    group: Vec<u8>,
    entries: u32,
    /// Where it will begin.
    offset: u64,
    born: Usage,
}

impl ValueWriter {
    pub(crate) fn create(
        dir: &Dir,
        number: FileNumber,
        birth: Birth,
        origin: WriteOrigin,
    ) -> Result<ValueWriter> {
        let file = dir.create(FileName::Value(number))?;
        let id = dir.unique_id();
        let header = FileHeader { kind: FileKind::Value, number, id, recycled: false, birth };
        file.write_at(0, &header.encode())?;
        Ok(ValueWriter {
            file,
            number,
            id,
            origin,
            group: vec![0; GROUP_HEADER_BYTES],
            entries: 0,
            offset: HEADER_BYTES,
            born: Usage::default(),
        })
    }

    /// No less than the bytes, beside entries, of a file of this length.
    pub(crate) fn framing_bytes(bytes: u64) -> u64 {
        let groups = bytes / WRITE_BYTES as u64 + 2;
        HEADER_BYTES + groups * GROUP_HEADER_BYTES as u64
    }

    /// Appends a value, and says where it lies.
    pub(crate) fn add(&mut self, entry: NewEntry<'_>) -> Result<ValuePointer> {
        let offset = self.bytes();
        put_entry(&mut self.group, entry, self.id, offset);
        self.entries += 1;
        let pointer = ValuePointer { file: self.number, offset, len: entry.len() as u32 };
        self.born.add(Usage { entries: 1, bytes: u64::from(pointer.len) });
        if self.group.len() >= WRITE_BYTES {
            self.end_group(GroupType::Commit)?;
        }
        Ok(pointer)
    }

    /// The bytes of the file so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.offset + self.group.len() as u64
    }

    /// Completes the file. It is durable when this returns; its name is once the directory is synced.
    pub(crate) fn finish(mut self) -> Result<ValueFileMeta> {
        if self.entries > 0 {
            self.end_group(GroupType::Commit)?;
        }
        self.end_group(GroupType::Seal)?;
        let recorder = self.file.recorder();
        let timer = recorder.timer(Histogram::VlogSyncDuration);
        self.file.sync()?;
        timer.stop();
        recorder.add(Counter::StorageWrittenBytes.at(self.origin as usize), self.offset);
        recorder.add(Counter::VlogWrites, self.born.entries);
        recorder.add(Counter::VlogWrittenBytes, self.born.bytes);
        Ok(ValueFileMeta { number: self.number, id: self.id, bytes: self.offset, born: self.born })
    }

    fn end_group(&mut self, kind: GroupType) -> Result<()> {
        put_group_header(&mut self.group, kind, self.entries, 0, (self.id, self.offset));
        self.file.write_at(self.offset, &self.group)?;
        // The disk may begin: so there is less to wait for in the end.
        self.file.start_write_back(self.offset, self.group.len() as u64);
        self.offset += self.group.len() as u64;
        self.group.truncate(GROUP_HEADER_BYTES);
        self.entries = 0;
        Ok(())
    }
}
