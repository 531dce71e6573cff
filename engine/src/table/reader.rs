//! Reads a table: a key, a block, or all of it.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bettong_metrics::{Counter, Event, EventKind, Histogram, Recorder, Stage, Stopwatch};

use super::block::{self, Block, BlockCursor, Damaged};
use super::filter::Filter;
use super::format::{self, BLOCK_TRAILER_BYTES, BlockHandle, FOOTER_BYTES, Footer};
use super::index::Index;
use super::properties::Properties;
use crate::cache::BlockKey;
use crate::context::FileContext;
use crate::env::DataFile;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::key::{self, InternalKey, Trailer};
use crate::metric::{FileLabel, LevelCells, ReadOrigin};
use crate::report::Report;
use crate::value::Value;

/// Who a table must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableIdentity {
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    pub(crate) bytes: u64,
}

/// For whom a block is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadContext {
    pub(crate) level: usize,
    pub(crate) origin: ReadOrigin,
}

/// A table that is open for reading. It holds no file descriptor when mapped.
#[derive(Debug)]
pub(crate) struct TableReader {
    context: FileContext,
    path: PathBuf,
    identity: TableIdentity,
    source: Source,
    index: Section,
    filter: Option<(Filter, Section)>,
    properties: Properties,
    /// One bit for each block: its checksum was good when it was first touched in the mapping.
    verified: Box<[AtomicU64]>,
}

#[derive(Debug)]
enum Source {
    Mapped(Arc<Mapping>),
    File(DataFile),
}

/// A checked section: part of the mapping, or read into memory.
#[derive(Debug)]
struct Section {
    bytes: Arc<Mapping>,
    start: usize,
    len: usize,
}

impl Deref for Section {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }
}

/// A block's bytes: borrowed from the mapping, or an own (perhaps cached) copy.
#[derive(Clone, Debug)]
pub(crate) struct BlockBytes {
    owner: Arc<Mapping>,
    start: usize,
    len: usize,
}

impl BlockBytes {
    /// Part of the block as a handle that outlives it.
    pub(crate) fn lend(&self, range: std::ops::Range<usize>) -> Value {
        let bytes = self.get(range).unwrap_or_default();
        // SAFETY: the bytes lie in the mapping, which nobody changes and which the handle keeps.
        unsafe { Value::lent(bytes, || self.owner.clone()) }
    }
}

impl Deref for BlockBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.owner.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }
}

impl TableReader {
    /// Opens a table and checks header, footer, index, filter and properties.
    ///
    /// # Errors
    /// [`Error::Corruption`] if any of them does not hold, or the file is not the one that is expected.
    pub(crate) fn open(context: &FileContext, identity: TableIdentity) -> Result<TableReader> {
        let _timer = context.recorder.timer(Histogram::TableOpenDuration);
        let path = context.dir.path_of(FileName::Table(identity.number));
        let opened = Self::open_at(context, identity, &path);
        if let Err(error @ Error::Corruption { .. }) = &opened {
            count_damage(&context.recorder, identity.number, error);
        }
        opened
    }

    fn open_at(context: &FileContext, identity: TableIdentity, path: &Path) -> Result<TableReader> {
        let TableIdentity { number, id, bytes: file_len } = identity;
        let fault = |offset, what| Error::corruption(path, offset, what);
        let file = context.dir.open(FileName::Table(number), false)?;
        if file.len()? != file_len {
            return Err(fault(file_len, "the table's length is not what the manifest recorded"));
        }
        if file_len < HEADER_BYTES + FOOTER_BYTES {
            return Err(fault(file_len, "the table is shorter than header and footer"));
        }
        let source =
            if context.mapped { Source::Mapped(Arc::new(file.map(file_len)?)) } else { Source::File(file) };
        let header = source.read(0, HEADER_BYTES)?;
        if FileHeader::decode(&header, FileKind::Table, number, path)?.id != id {
            return Err(fault(24, "another table under this name: the manifest knows a different id"));
        }
        let footer_bytes = source.read(file_len - FOOTER_BYTES, FOOTER_BYTES)?;
        let footer = Footer::decode(&footer_bytes, id, file_len, path)?;
        let section = |handle: BlockHandle, what| {
            let stored = source.read(handle.offset, handle.stored_len())?;
            let checked = format::check_block(&stored, id, handle.offset);
            let (bytes, _) =
                checked.filter(|(_, kind)| *kind == format::STORED).ok_or(fault(handle.offset, what))?;
            let len = bytes.len();
            Ok(Section { bytes: stored.owner.clone(), start: stored.start, len })
        };
        let index = section(footer.index, "the index's checksum does not match")?;
        let blocks =
            Index::parse(&index).ok_or(fault(footer.index.offset, "the index contradicts itself"))?.len();
        let filter = if footer.filter.len == 0 {
            None
        } else {
            let bytes = section(footer.filter, "the filter's checksum does not match")?;
            let filter = Filter::decode(&bytes);
            Some((filter.ok_or(fault(footer.filter.offset, "the filter is of no known kind"))?, bytes))
        };
        let properties = section(footer.properties, "the properties' checksum does not match")?;
        let properties = Properties::decode(&properties)
            .ok_or(fault(footer.properties.offset, "the properties contradict themselves"))?;
        let verified = (0..blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let context = context.clone();
        Ok(TableReader { context, path: path.into(), identity, source, index, filter, properties, verified })
    }

    pub(crate) fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Whether a user key with this hash may be in the table; `None` if the table has no filter.
    #[inline]
    pub(crate) fn may_contain(&self, hash: u64) -> Option<bool> {
        self.filter.as_ref().map(|(filter, bytes)| filter.may_contain(bytes, hash))
    }

    /// Bytes of memory held outside of mappings: filter and index of a table that is not mapped.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self.source {
            Source::Mapped(_) => 0,
            Source::File(_) => self.index.len() + self.filter_bytes(),
        }
    }

    /// Bytes of the filter, in memory or mapped.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.filter.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    /// The part of [`TableReader::memory_bytes`] that is the index.
    pub(crate) fn index_memory_bytes(&self) -> usize {
        if matches!(self.source, Source::File(_)) { self.index.len() } else { 0 }
    }

    /// The first entry at or after `key`, if it has the same user key.
    pub(crate) fn get<R: Report>(
        &self,
        key: InternalKey<'_>,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Value)>, R::Stop> {
        let index = self.index()?;
        let at = index.search(key).ok_or_else(|| self.damaged_index())?;
        report.mark(Stage::Index);
        if at == index.len() {
            return Ok(None);
        }
        let found = self.find_in_block(index, at, key, context, report);
        report.mark(Stage::Data);
        found
    }

    fn find_in_block<R: Report>(
        &self,
        index: Index<'_>,
        at: usize,
        key: InternalKey<'_>,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Value)>, R::Stop> {
        let block = self.block(index, at, context, report)?;
        let mut cursor = BlockCursor::new();
        self.sound(cursor.seek(self.sound(Block::parse(&block), at)?, key), at)?;
        let found = cursor.key().filter(|found| found.user == key.user).map(|found| found.trailer);
        let Some((trailer, range)) = found.zip(cursor.value_range()) else {
            return Ok(None);
        };
        Ok(Some((trailer, block.lend(range))))
    }

    pub(crate) fn index(&self) -> Result<Index<'_>> {
        Index::parse(&self.index).ok_or_else(|| self.damaged_index())
    }

    /// Who is told of what is read here and belongs to no operation.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.context.recorder
    }

    pub(crate) fn damaged_index(&self) -> Error {
        Error::corruption(&self.path, 0, "the index contradicts itself")
    }

    /// Turns a block that contradicts itself into an error that says which.
    pub(crate) fn sound<T>(&self, result: std::result::Result<T, Damaged>, at: usize) -> Result<T> {
        result.map_err(|Damaged| {
            let offset =
                self.index().ok().and_then(|index| index.get(at)).map_or(0, |(_, handle)| handle.offset);
            Error::corruption(&self.path, offset, "a block contradicts itself")
        })
    }

    /// The bytes of data block `at`, checked and decompressed.
    pub(crate) fn block<R: Report>(
        &self,
        index: Index<'_>,
        at: usize,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<BlockBytes, R::Stop> {
        let (_, handle) = index.get(at).ok_or_else(|| self.damaged_index())?;
        if !handle.fits(self.identity.bytes) {
            return Err(self.damaged_index().into());
        }
        match &self.source {
            Source::Mapped(_) => {
                let stored = self.source.read(handle.offset, handle.stored_len())?;
                if stored.get(handle.len as usize) == Some(&format::STORED) {
                    self.verify_mapped(&stored, at, handle, context, report)?;
                    return Ok(BlockBytes { len: handle.len as usize, ..stored });
                }
                self.cached(handle, context, report, || Ok(stored))
            }
            Source::File(_) => {
                self.cached(handle, context, report, || self.source.read(handle.offset, handle.stored_len()))
            }
        }
    }

    /// Verifies a block in the mapping when it is first touched. Two threads may both do it; that costs nothing but time.
    #[inline]
    fn verify_mapped<R: Report>(
        &self,
        stored: &BlockBytes,
        at: usize,
        handle: BlockHandle,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<(), R::Stop> {
        let bit = 1 << (at % 64);
        let word = self.verified.get(at / 64);
        // Relaxed: the bit says only that the bytes, which never change, were once good.
        if !self.context.verify_always && word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0) {
            return Ok(());
        }
        // The first touch of a mapped block is what reads it from the disk, if the page cache does not have it.
        let reading = Reading::begin(&self.context.recorder, context, report)?;
        self.check(stored, handle, context)?;
        reading.end(Stage::Verify);
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }

    fn cached<R: Report>(
        &self,
        handle: BlockHandle,
        context: ReadContext,
        report: R,
        stored: impl FnOnce() -> Result<BlockBytes>,
    ) -> std::result::Result<BlockBytes, R::Stop> {
        let key = BlockKey { table: self.identity.number, offset: handle.offset };
        // Compaction and verification read every block once: what they read would only push out what others need.
        let cells = match context.origin {
            ReadOrigin::Get | ReadOrigin::Scan => Some(LevelCells::of_level(context.level)),
            _ => None,
        };
        if let Some(cells) = cells
            && let Some(owner) = self.context.cache.get(key)
        {
            report.add(cells.cache_hit, 1);
            return Ok(BlockBytes { start: 0, len: owner.len(), owner });
        }
        let reading = Reading::begin(&self.context.recorder, context, report)?;
        if let Some(cells) = cells {
            report.add(cells.cache_miss, 1);
        }
        let stored = stored()?;
        reading.end(Stage::Data);
        let (bytes, compression) = self.check(&stored, handle, context)?;
        report.mark(Stage::Verify);
        let plain = format::decompress(bytes, compression)
            .ok_or_else(|| Error::corruption(&self.path, handle.offset, "a block does not decompress"))?;
        report.mark(Stage::Decompress);
        let owner = Arc::new(Mapping::owned(plain));
        if cells.is_some() {
            self.context.cache.insert(key, owner.clone());
        }
        Ok(BlockBytes { start: 0, len: owner.len(), owner })
    }

    fn check<'a>(
        &self,
        stored: &'a BlockBytes,
        handle: BlockHandle,
        context: ReadContext,
    ) -> Result<(&'a [u8], u8)> {
        let recorder = &self.context.recorder;
        recorder.add(Counter::StorageReadBytes.at(context.origin as usize), stored.len() as u64);
        recorder.add(Counter::ChecksumVerifiedBytes.at(context.origin.verify_label()), stored.len() as u64);
        format::check_block(stored, self.identity.id, handle.offset).ok_or_else(|| {
            let error = Error::corruption(&self.path, handle.offset, "a block's checksum does not match");
            count_damage(recorder, self.identity.number, &error);
            error
        })
    }

    /// Reads everything and checks what a single read does not: order across blocks, counts, filter, bounds.
    pub(crate) fn verify(&self, level: usize) -> Result<u64> {
        let context = ReadContext { level, origin: ReadOrigin::Verify };
        let index = self.index()?;
        let mut entries = 0;
        let mut last: Option<(Vec<u8>, Trailer)> = None;
        for at in 0..index.len() {
            let (bound, handle) = index.get(at).ok_or_else(|| self.damaged_index())?;
            let fault = |what| Error::corruption(&self.path, handle.offset, what);
            if !handle.fits(self.identity.bytes) {
                return Err(self.damaged_index());
            }
            let stored = self.source.read(handle.offset, handle.stored_len())?;
            self.check(&stored, handle, context)?;
            let bytes = self.block(index, at, context, &self.context.recorder)?;
            let mut missed = false;
            let mut cursor = BlockCursor::new();
            let parsed = self.sound(Block::parse(&bytes), at)?;
            self.sound(cursor.seek_to_first(parsed), at)?;
            let before = last.as_ref().map(|(user, trailer)| InternalKey::new(user, *trailer));
            if before >= cursor.key() {
                return Err(fault("a block's keys do not follow those of the block before"));
            }
            let mut newest = None;
            entries += self.sound(
                block::check_order(parsed, |key| {
                    missed |= self.may_contain(key::hash(key.user)) == Some(false);
                    newest = Some((key.user.to_vec(), key.trailer));
                }),
                at,
            )?;
            if missed {
                return Err(fault("the filter denies a key that is there"));
            }
            last = newest;
            if last.as_ref().map(|(user, trailer)| InternalKey::new(user, *trailer)) != Some(bound) {
                return Err(fault("the index names another last key than the block has"));
            }
        }
        let largest = last.map(|(user, _)| user).unwrap_or_default();
        if entries != self.properties.entries || largest != self.properties.largest {
            return Err(Error::corruption(&self.path, 0, "the table does not hold what its properties say"));
        }
        Ok(entries)
    }
}

/// The read of a block from a file, timed for whom it matters.
struct Reading<'a, R> {
    report: R,
    stopwatch: Option<Stopwatch<'a>>,
}

impl<'a, R: Report> Reading<'a, R> {
    fn begin(
        recorder: &'a Recorder,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Reading<'a, R>, R::Stop> {
        report.leave_fast_path()?;
        report.block_read();
        // Compaction and verification read so many blocks that a time for each is of no use.
        let timed = matches!(context.origin, ReadOrigin::Get | ReadOrigin::Scan);
        let stopwatch = timed.then(|| recorder.timer(Histogram::LevelReadLatency.at(context.level)));
        Ok(Reading { report, stopwatch })
    }

    fn end(self, stage: Stage) {
        if let Some(stopwatch) = self.stopwatch {
            stopwatch.stop();
        }
        self.report.mark(stage);
    }
}

impl Source {
    fn read(&self, offset: u64, len: u64) -> Result<BlockBytes> {
        match self {
            Source::Mapped(bytes) => {
                Ok(BlockBytes { owner: bytes.clone(), start: offset as usize, len: len as usize })
            }
            Source::File(file) => {
                let mut bytes = vec![0; len as usize];
                file.read_at(offset, &mut bytes)?;
                Ok(BlockBytes { owner: Arc::new(Mapping::owned(bytes)), start: 0, len: len as usize })
            }
        }
    }
}

/// A table is not what was written.
#[cold]
fn count_damage(recorder: &Recorder, table: FileNumber, error: &Error) {
    recorder.add(Counter::ChecksumFailures.at(FileLabel::Table as usize), 1);
    recorder.emit(Event::new(EventKind::Corruption).file(table.0).message(error.to_string()));
}

const _: () = assert!(BLOCK_TRAILER_BYTES == 5);
