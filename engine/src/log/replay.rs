//! Reads a log segment back.

use std::sync::Arc;

use crate::context::FileContext;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::record::format::GroupType;
use crate::record::reader::{self, End, Group, GroupReader};
use crate::values::file::ValueFile;

/// A segment's bytes, and who it is.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: std::path::PathBuf,
    file: DataFile,
    bytes: Mapping,
    id: u64,
    /// When it was made, in nanoseconds since 1970.
    pub(crate) born_at: u64,
    recycled: bool,
    /// Whether the header is what it was.
    header_reads: bool,
}

/// How a segment's replay ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replayed {
    pub(crate) end: End,
    /// The offset behind the last group.
    pub(crate) length: u64,
    /// Up to here the segment is known to have been synced.
    pub(crate) promised: u64,
}

impl LogFile {
    /// Reads the segment with `number` and checks that it is the one with `id`.
    pub(crate) fn open(dir: &Dir, number: FileNumber, id: u64, mapped: bool) -> Result<LogFile> {
        let name = FileName::Log(number);
        let path = dir.path_of(name);
        let file = dir.open(name, false)?;
        let len = file.len()?;
        if len < HEADER_BYTES {
            return Err(Error::corruption(
                &path,
                len,
                "the log is shorter than its header, which was durable",
            ));
        }
        let bytes = file.contents(len, mapped)?;
        // It is read from front to end now, and the mapping is one for single pages.
        bytes.will_need(0..len as usize);
        let header = FileHeader::decode(&bytes, FileKind::Log, number, &path)?;
        if header.id != id {
            return Err(Error::corruption(
                &path,
                24,
                "another log under this name: the manifest knows a different id",
            ));
        }
        let born_at = header.birth.at_nanos;
        Ok(LogFile { path, file, bytes, id, born_at, recycled: header.recycled, header_reads: true })
    }

    /// The segment with `number` and these bytes, whatever its header says. Its id is the one that is given, or that of the header.
    ///
    /// # Errors
    /// If there is no way to tell who it is.
    pub(crate) fn of_damaged(
        file: DataFile,
        bytes: Vec<u8>,
        number: FileNumber,
        id: Option<u64>,
    ) -> Result<LogFile> {
        let path = file.path().to_path_buf();
        let header = FileHeader::decode(&bytes, FileKind::Log, number, &path);
        let born_at = header.as_ref().map_or(0, |header| header.birth.at_nanos);
        let recycled = header.as_ref().is_ok_and(|header| header.recycled);
        let header_reads = header.is_ok();
        let id = id.map_or_else(|| header.map(|header| header.id), Ok)?;
        Ok(LogFile { path, file, bytes: Mapping::owned(bytes), id, born_at, recycled, header_reads })
    }

    /// Hands each group that can be made out to `apply`, with its offset and length.
    pub(crate) fn salvage(&self, mut apply: impl FnMut(&Group<'_>, u64, u64) -> Result<()>) -> Result<()> {
        self.reader(0).every_group().try_for_each(|(offset, len, group)| apply(&group, offset, len))
    }

    /// Whether nothing says that the end was cut off or overwritten: header and seal, or room behind the last record.
    pub(crate) fn is_whole_before_end(&self) -> bool {
        let groups = self.reader(0);
        let last = groups.every_group().last();
        let sealed = last.as_ref().is_some_and(|(_, _, group)| group.kind == GroupType::Seal);
        let end = last.map_or(HEADER_BYTES, |(offset, len, _)| offset + len);
        self.header_reads && (sealed || self.bytes.len() as u64 > end)
    }

    /// The bytes up to the last one that is not zero; 0 if they may be remains of an earlier life.
    pub(crate) fn used_bytes(&self) -> u64 {
        if self.recycled {
            return 0;
        }
        reader::used_bytes(&self.bytes) as u64
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The file that separated values are read from.
    pub(crate) fn values(&self, number: FileNumber, context: &FileContext) -> Arc<ValueFile> {
        Arc::new(ValueFile::of_log(number, self.id, &self.file, context))
    }

    /// Whether any group in this segment promises anything, and so that every earlier segment is complete.
    pub(crate) fn promises(&self) -> bool {
        self.reader(0).promise_anywhere() > 0
    }

    /// Hands each group to `apply`, in order. `clean_length` is the length a clean close recorded.
    pub(crate) fn replay(
        &self,
        clean_length: Option<u64>,
        mut apply: impl FnMut(&Group<'_>, u64) -> Result<()>,
    ) -> Result<Replayed> {
        let mut reader = self.reader(clean_length.unwrap_or(0));
        loop {
            let offset = reader.position();
            match reader.next()? {
                Some(group) => apply(&group, offset)?,
                None => break,
            }
        }
        let length = reader.position();
        if clean_length.is_some_and(|clean| clean != length) {
            return Err(Error::corruption(
                &self.path,
                length,
                "the log does not end where the clean close left it",
            ));
        }
        Ok(Replayed { end: reader.end().unwrap_or(End::Sealed), length, promised: reader.promised() })
    }

    /// Reads every record up to `length`, which is known to have been written.
    ///
    /// # Errors
    /// [`Error::Corruption`] at the first that does not read.
    pub(crate) fn check(&self, length: u64) -> Result<()> {
        let missing = || {
            Error::corruption(&self.path, self.bytes.len() as u64, "the log is shorter than what was written")
        };
        let bytes = self.bytes.get(..length as usize).ok_or_else(missing)?;
        let mut reader = GroupReader::new(bytes, &self.path, self.id, length).recycled(self.recycled);
        while reader.next()?.is_some() {}
        Ok(())
    }

    fn reader(&self, promised: u64) -> GroupReader<'_> {
        GroupReader::new(&self.bytes, &self.path, self.id, promised).recycled(self.recycled)
    }
}
