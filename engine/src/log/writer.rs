//! Appends groups to the active segment. One thread at a time: the commit lock guards it.

use std::sync::Arc;

use super::segment::{LogPosition, PREPARED_STEP, Segment};
use crate::env::file::WriteMapping;
use crate::error::Result;
use crate::header::HEADER_BYTES;
use crate::options::Durability;
use crate::record::format::GroupType;
use crate::record::writer::{GroupWriter, NewEntry};
use crate::report::Report;

/// Unsynced, unacknowledged-by-the-kernel bytes that [`Durability::None`] may pile up.
const PENDING_BYTES_MAX: usize = 64 << 10;
/// From this length on a call is no slower than stores, each page of which is a fault: measured with values of 100 B (stores 1.2 times as
/// fast), 1 KiB (1.15), 3 KB (1.0) and 16 KiB (0.75).
const STORED_BYTES_MAX: usize = 2 << 10;
/// Scratch memory kept between groups; a larger one was for a rare large batch.
const PENDING_KEPT_BYTES: usize = 1 << 20;

/// The end of the log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    segment: Arc<Segment>,
    mapping: Option<WriteMapping>,
    /// Groups encoded and not yet handed to the operating system.
    pending: Vec<u8>,
    /// Where the first pending byte belongs.
    pending_offset: u64,
}

/// What an append did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    /// Where the group ends.
    pub(crate) end: LogPosition,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Whether it lies across the middle of the segment.
    pub(crate) passes_half: bool,
    /// Whether the segment wants more of the system's cache to be made ready.
    pub(crate) wants_cache: bool,
}

impl LogWriter {
    pub(crate) fn new(segment: Arc<Segment>) -> LogWriter {
        LogWriter {
            mapping: segment.take_mapping(),
            segment,
            pending: Vec::new(),
            pending_offset: HEADER_BYTES,
        }
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Whether the segment has no room for so many bytes more.
    pub(crate) fn is_full_for(&self, bytes: u64) -> bool {
        self.end().offset + bytes > self.segment.capacity
    }

    pub(crate) fn end(&self) -> LogPosition {
        let offset = self.pending_offset + self.pending.len() as u64;
        LogPosition { segment: self.segment.number, offset }
    }

    /// Appends one group of entries. The operating system has it when this returns, unless `durability` is none.
    ///
    /// # Errors
    /// Of the write. The group is then not part of the log: the next one takes its place.
    pub(crate) fn append<'a>(
        &mut self,
        entries: impl Iterator<Item = NewEntry<'a>>,
        durability: Durability,
        report: impl Report,
    ) -> Result<Appended> {
        let before = self.pending.len();
        let offset = self.end().offset;
        let mut group = GroupWriter::new(&mut self.pending, self.segment.id, offset);
        entries.for_each(|entry| group.entry(entry));
        let bytes = group.finish(GroupType::Commit, self.segment.synced());
        let wants_cache = self.keep_or_drop(before, durability, report)?;
        let (end, half) = (self.end(), self.segment.capacity / 2);
        let passes_half = (offset..end.offset).contains(&half);
        Ok(Appended { end, bytes, passes_half, wants_cache })
    }

    /// Writes the mark after which nothing follows in this segment, and returns the segment's final length.
    pub(crate) fn seal(&mut self) -> Result<u64> {
        let before = self.pending.len();
        let offset = self.end().offset;
        GroupWriter::new(&mut self.pending, self.segment.id, offset)
            .finish(GroupType::Seal, self.segment.synced());
        let segment = self.segment.clone();
        self.keep_or_drop(before, Durability::Os, segment.file.recorder())?;
        Ok(self.end().offset)
    }

    /// Hands all pending bytes to the operating system.
    pub(crate) fn hand_over(&mut self, report: impl Report) -> Result<()> {
        self.hand_over_for(Durability::Os, report).map(drop)
    }

    /// Returns whether bytes were stored and end one of the steps that the system's cache is prepared in.
    fn hand_over_for(&mut self, durability: Durability, report: impl Report) -> Result<bool> {
        if self.pending.is_empty() {
            return Ok(false);
        }
        // A page that was synced is write-protected, on all processors: storing into it again is a fault, and dearer than a call.
        let stores = self.pending.len() < STORED_BYTES_MAX && durability != Durability::Sync;
        let mapping = self.mapping.as_mut().filter(|_| stores);
        let stores = mapping.is_some();
        self.segment.file.append_at(self.pending_offset, &self.pending, mapping, report)?;
        let begin = self.pending_offset;
        self.pending_offset += self.pending.len() as u64;
        self.pending.clear();
        self.pending.shrink_to(PENDING_KEPT_BYTES);
        self.segment.set_written(self.pending_offset);
        let wants_cache = stores && begin / PREPARED_STEP != self.pending_offset / PREPARED_STEP;
        if wants_cache {
            self.segment.want_cache(self.pending_offset);
        }
        Ok(wants_cache)
    }

    fn keep_or_drop(&mut self, before: usize, durability: Durability, report: impl Report) -> Result<bool> {
        if durability == Durability::None && self.pending.len() < PENDING_BYTES_MAX {
            return Ok(false);
        }
        let handed = self.hand_over_for(durability, report);
        if handed.is_err() {
            self.pending.truncate(before);
        }
        handed
    }
}
