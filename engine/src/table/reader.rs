//! Reads a table: a key, a block, or all of it.

mod get;
mod verify;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bettong_metrics::{Counter, Event, EventKind, Histogram, Recorder, Stage, Stopwatch, planted};

use super::block::{Block, BlockCursor, Damaged};
use super::fences::Fences;
use super::filter::Filter;
use super::format::{self, BLOCK_TRAILER_BYTES, BlockHandle, FOOTER_BYTES, Footer};
use super::index::Index;
use super::point_index::{Candidates, PointIndex};
use super::properties::Properties;
use crate::cache::BlockKey;
use crate::context::FileContext;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::env::{Bytes, DataFile, Part, SharedMapping};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::key::{InternalKey, Trailer};
use crate::metric::{FileLabel, LevelCells, ReadOrigin};
use crate::prefetch::prefetch;
use crate::report::Report;

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
    index: Part,
    fences: Fences,
    filter: Option<(Filter, Part)>,
    points: Option<(PointIndex, Part)>,
    properties: Properties,
    /// One bit for each block: its checksum was good when it was first touched in the mapping.
    verified: Box<[AtomicU64]>,
}

#[derive(Debug)]
enum Source {
    Mapped(SharedMapping),
    File(DataFile),
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
        let source = if context.mapped {
            Source::Mapped(SharedMapping::new(file.map(file_len)?))
        } else {
            Source::File(file)
        };
        let header = source.read(0, HEADER_BYTES)?;
        if FileHeader::decode(&header, FileKind::Table, number, path)?.id != id {
            return Err(fault(24, "another table under this name: the manifest knows a different id"));
        }
        let footer_bytes = source.read(file_len - FOOTER_BYTES, FOOTER_BYTES)?;
        let footer = Footer::decode(&footer_bytes, id, file_len, path)?;
        if let Source::Mapped(map) = &source {
            // They are read from front to end now, and the mapping is one for single pages.
            let sections = [footer.filter, footer.point_index, footer.index];
            let first = sections.iter().filter(|section| section.len > 0).map(|section| section.offset).min();
            map.will_need(first.unwrap_or(file_len) as usize..file_len as usize);
        }
        let section = |handle: BlockHandle, what| {
            let stored = source.read(handle.offset, handle.stored_len())?;
            let checked = format::check_block(&stored, id, handle.offset);
            let (bytes, _) =
                checked.filter(|(_, kind)| *kind == format::STORED).ok_or(fault(handle.offset, what))?;
            let len = bytes.len();
            Ok(stored.head(len))
        };
        let index = section(footer.index, "the index's checksum does not match")?;
        let parsed = Index::parse(&index).and_then(|parsed| Some((parsed.len(), Fences::of(parsed)?)));
        let (blocks, fences) = parsed.ok_or(fault(footer.index.offset, "the index contradicts itself"))?;
        let filter = if footer.filter.len == 0 {
            None
        } else {
            let bytes = section(footer.filter, "the filter's checksum does not match")?;
            let filter = Filter::decode(&bytes);
            Some((filter.ok_or(fault(footer.filter.offset, "the filter is of no known kind"))?, bytes))
        };
        // Searched in place, or not at all: in memory it would take much.
        let points = if footer.point_index.len == 0 || !context.mapped {
            None
        } else {
            let bytes = section(footer.point_index, "the point index's checksum does not match")?;
            let points = PointIndex::decode(&bytes).filter(|points| points.blocks() == blocks);
            let fault = fault(footer.point_index.offset, "the point index is of no known kind");
            Some((points.ok_or(fault)?, bytes))
        };
        let properties = section(footer.properties, "the properties' checksum does not match")?;
        let properties = Properties::decode(&properties)
            .ok_or(fault(footer.properties.offset, "the properties contradict themselves"))?;
        let verified = (0..blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let context = context.clone();
        let path = path.into();
        Ok(TableReader {
            context,
            path,
            identity,
            source,
            index,
            fences,
            filter,
            points,
            properties,
            verified,
        })
    }

    pub(crate) fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Whether a get is told beforehand that a key is not there: by a filter or a point index.
    #[inline]
    pub(crate) fn can_deny(&self) -> bool {
        self.points.is_some() || self.filter.is_some()
    }

    /// Bytes of memory held outside of mappings: fences, and filter and index of a table that is not mapped.
    pub(crate) fn memory_bytes(&self) -> usize {
        let filter = if self.is_mapped() { 0 } else { self.filter_bytes() };
        self.index_memory_bytes() + filter
    }

    fn is_mapped(&self) -> bool {
        matches!(self.source, Source::Mapped(_))
    }

    /// Bytes of the filter, in memory or mapped.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.filter.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    /// The part of [`TableReader::memory_bytes`] that is the index, and its fences.
    pub(crate) fn index_memory_bytes(&self) -> usize {
        let index = if self.is_mapped() { 0 } else { self.index.len() };
        self.fences.bytes() + index
    }

    /// Where a user key with this hash may be.
    #[inline]
    pub(crate) fn candidates(&self, hash: u64) -> Candidates {
        if planted("filter_misses_keys") && hash.is_multiple_of(61) {
            return Candidates::NOWHERE;
        }
        match (&self.points, &self.filter) {
            (Some((points, bytes)), _) => points.candidates(bytes, hash),
            (None, Some((filter, bytes))) if !filter.may_contain(bytes, hash) => Candidates::NOWHERE,
            (None, _) => Candidates::ANYWHERE,
        }
    }

    /// Has the processor fetch what [`candidates`](TableReader::candidates) will look at.
    #[inline]
    pub(crate) fn foresee(&self, hash: u64) {
        if let Some((points, bytes)) = &self.points {
            points.foresee(bytes, hash);
        }
    }

    /// A block that lies in the mapping as it is, checked.
    #[inline]
    fn mapped_block<'a, R: Report>(
        &self,
        map: &'a Mapping,
        at: usize,
        handle: BlockHandle,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<&'a [u8], R::Stop> {
        let stored =
            map.get(handle.offset as usize..).and_then(|rest| rest.get(..handle.stored_len() as usize));
        let stored = stored.ok_or_else(|| self.damaged_index())?;
        self.verify_mapped(stored, at, handle, context, report)?;
        Ok(stored.get(..handle.len as usize).unwrap_or_default())
    }

    /// Searches for an entry by its key.
    fn search<R: Report>(
        &self,
        key: InternalKey<'_>,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Bytes<'_>)>, R::Stop> {
        let index = self.index()?;
        let at = self.block_for(index, key)?;
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
    ) -> std::result::Result<Option<(Trailer, Bytes<'_>)>, R::Stop> {
        let bytes = self.block(index, at, context, report)?;
        let block = self.sound(Block::parse(&bytes), at)?;
        let mut cursor = BlockCursor::new();
        self.sound(cursor.seek(block, key), at)?;
        let found = cursor.current(block).filter(|(found, _)| found.user == key.user);
        let Some(((found, _), range)) = found.zip(cursor.value_range()) else {
            return Ok(None);
        };
        let trailer = found.trailer;
        Ok(Some((trailer, Bytes::part(bytes.cut(range)))))
    }

    /// The block that holds the first entry at or behind `key`, or how many blocks there are.
    pub(crate) fn block_for(&self, index: Index<'_>, key: InternalKey<'_>) -> Result<usize> {
        let blocks = self.fences.blocks(key.user, index);
        index.search(key, blocks).ok_or_else(|| self.damaged_index())
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
        result.map_err(|damaged| self.unsound(damaged, at))
    }

    #[cold]
    pub(crate) fn unsound(&self, Damaged: Damaged, at: usize) -> Error {
        let offset = self.index().ok().and_then(|index| index.get(at)).map_or(0, |(_, handle)| handle.offset);
        Error::corruption(&self.path, offset, "a block contradicts itself")
    }

    /// The bytes of data block `at`, checked and decompressed.
    pub(crate) fn block<R: Report>(
        &self,
        index: Index<'_>,
        at: usize,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Part, R::Stop> {
        self.block_at(self.handle(index, at)?, at, context, report)
    }

    /// Where data block `at` lies.
    pub(super) fn handle(&self, index: Index<'_>, at: usize) -> Result<BlockHandle> {
        let handle = index.handle(at).filter(|handle| handle.fits(self.identity.bytes));
        handle.ok_or_else(|| self.damaged_index())
    }

    /// The bytes of data block `at`, which lies at `handle`.
    pub(super) fn block_at<R: Report>(
        &self,
        handle: BlockHandle,
        at: usize,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Part, R::Stop> {
        match &self.source {
            Source::Mapped(_) => {
                let stored = self.source.read(handle.offset, handle.stored_len())?;
                prefetch_block(&stored);
                if stored.get(handle.len as usize) == Some(&format::STORED) {
                    self.verify_mapped(&stored, at, handle, context, report)?;
                    return Ok(stored.head(handle.len as usize));
                }
                self.cached(handle, context, report, || Ok(stored))
            }
            Source::File(_) => {
                self.cached(handle, context, report, || self.source.read(handle.offset, handle.stored_len()))
            }
        }
    }

    /// Whether block `at` was touched, and found good, since the table was opened.
    pub(super) fn is_verified(&self, at: usize) -> bool {
        self.verified.get(at / 64).is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (at % 64)) != 0)
    }

    /// Asks the system to read a part of the file, if it is mapped, up to where the blocks end. A hint.
    pub(super) fn will_need(&self, range: Range<u64>) {
        if let Source::Mapped(map) = &self.source {
            map.will_need(range.start as usize..range.end.min(self.identity.bytes) as usize);
        }
    }

    /// Verifies a block in the mapping when it is first touched. Two threads may both do it; that costs nothing but time.
    #[inline]
    fn verify_mapped<R: Report>(
        &self,
        stored: &[u8],
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
        self.verify_first(stored, at, handle, context, report)
    }

    #[cold]
    #[inline(never)]
    fn verify_first<R: Report>(
        &self,
        stored: &[u8],
        at: usize,
        handle: BlockHandle,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<(), R::Stop> {
        // The first touch of a mapped block is what reads it from the disk, if the page cache does not have it.
        let reading = Reading::begin(&self.context.recorder, context, report)?;
        let (_, compression) = self.check(stored, handle, context)?;
        if compression != format::STORED {
            return Err(self.damaged_index().into());
        }
        reading.end(Stage::Verify);
        if let Some(word) = self.verified.get(at / 64) {
            word.fetch_or(1 << (at % 64), Ordering::Relaxed);
        }
        Ok(())
    }

    #[expect(clippy::inline_always, reason = "as `get_at`")]
    #[inline(always)]
    fn cached<R: Report>(
        &self,
        handle: BlockHandle,
        context: ReadContext,
        report: R,
        stored: impl FnOnce() -> Result<Part>,
    ) -> std::result::Result<Part, R::Stop> {
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
            return Ok(Part::all(owner));
        }
        self.read_into_cache(handle, cells, context, report, stored)
    }

    /// Reads a block that is not in the cache, and puts it there if there are cells to count it in.
    #[cold]
    #[inline(never)]
    fn read_into_cache<R: Report>(
        &self,
        handle: BlockHandle,
        cells: Option<&LevelCells>,
        context: ReadContext,
        report: R,
        stored: impl FnOnce() -> Result<Part>,
    ) -> std::result::Result<Part, R::Stop> {
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
            let key = BlockKey { table: self.identity.number, offset: handle.offset };
            self.context.cache.insert(key, owner.clone());
        }
        Ok(Part::all(owner))
    }

    fn check<'a>(
        &self,
        stored: &'a [u8],
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
    fn read(&self, offset: u64, len: u64) -> Result<Part> {
        match self {
            Source::Mapped(map) => {
                let start = offset as usize;
                Ok(Part::new(Arc::clone(map), start..start.saturating_add(len as usize)))
            }
            Source::File(file) => {
                let mut bytes = vec![0; len as usize];
                file.read_at(offset, &mut bytes)?;
                Ok(Part::all(Arc::new(Mapping::owned(bytes))))
            }
        }
    }
}

/// Fetches what a search of a block comes to first: its end, and the entries in the middle of it and of its halves and quarters.
#[inline]
fn prefetch_block(stored: &[u8]) {
    prefetch(stored, stored.len().saturating_sub(BLOCK_TRAILER_BYTES as usize));
    for eighth in 1..8 {
        prefetch(stored, stored.len() / 8 * eighth);
    }
}

/// A table is not what was written.
#[cold]
fn count_damage(recorder: &Recorder, table: FileNumber, error: &Error) {
    recorder.add(Counter::ChecksumFailures.at(FileLabel::Table as usize), 1);
    recorder.emit(Event::new(EventKind::Corruption).file(table.0).message(error.sentence()));
}

const _: () = assert!(BLOCK_TRAILER_BYTES == 5);
