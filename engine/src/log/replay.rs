//! Reads a log segment back.

use std::sync::Arc;

use crate::context::FileContext;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::record::reader::{End, Group, GroupReader};
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
        let header = FileHeader::decode(&bytes, FileKind::Log, number, &path)?;
        if header.id != id {
            return Err(Error::corruption(
                &path,
                24,
                "another log under this name: the manifest knows a different id",
            ));
        }
        let born_at = header.birth.at_nanos;
        Ok(LogFile { path, file, bytes, id, born_at, recycled: header.recycled })
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

    fn reader(&self, promised: u64) -> GroupReader<'_> {
        GroupReader::new(&self.bytes, &self.path, self.id, promised).recycled(self.recycled)
    }
}
