//! One file of the commit log.

use bettong_metrics::Ticks;

use crate::env::file::WriteMapping;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::Result;
use crate::header::{Birth, FileHeader, FileKind, HEADER_BYTES};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// A log segment that is open for appending.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    pub(crate) file: DataFile,
    /// The room that was reserved: the segment is closed before a write would need more.
    pub(crate) capacity: u64,
    /// The file as memory, for whoever appends first, where that is wanted and safe.
    mapping: Mutex<Option<WriteMapping>>,
    /// Bytes handed to the operating system. Stored after the write, so whoever syncs after loading it syncs them all.
    written: AtomicU64,
    /// Bytes that are durable, provided that every earlier segment is: the promise of groups to come. 0 until the first sync.
    synced: AtomicU64,
    /// When the first of the bytes that are not durable was written, as a time stamp of the recorder; 0 while there is none.
    unsynced_since: AtomicU64,
    /// When the last sync began.
    sync_began: AtomicU64,
}

/// How a segment comes to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSegment {
    pub(crate) number: FileNumber,
    /// The room to reserve, in bytes.
    pub(crate) capacity: u64,
    /// A segment nobody needs any more, whose blocks are used again: overwriting them is cheaper than growing a file.
    pub(crate) recycled: Option<FileNumber>,
    /// Whether it is to be written through memory.
    pub(crate) mapped: bool,
    pub(crate) birth: Birth,
}

impl Segment {
    /// Makes a segment whose name, header and reserved room are durable when this returns.
    pub(crate) fn prepare(dir: &Dir, new: NewSegment) -> Result<Segment> {
        let NewSegment { number, capacity, recycled, mapped, birth } = new;
        let name = FileName::Log(number);
        let file = match recycled {
            Some(old) => {
                dir.rename(FileName::Log(old), name)?;
                dir.open(name, true)?
            }
            None => dir.create(name)?,
        };
        file.preallocate(capacity)?;
        let id = dir.unique_id();
        file.write_at(
            0,
            &FileHeader { kind: FileKind::Log, number, id, recycled: recycled.is_some(), birth }.encode(),
        )?;
        file.sync()?;
        dir.sync()?;
        let mapping = if mapped { file.map_for_writing(capacity) } else { None };
        Ok(Segment {
            number,
            id,
            file,
            capacity,
            mapping: Mutex::new(mapping),
            written: AtomicU64::new(HEADER_BYTES),
            synced: AtomicU64::new(0),
            unsynced_since: AtomicU64::new(0),
            sync_began: AtomicU64::new(0),
        })
    }

    /// The file as memory; there is one at most, and it is taken once.
    pub(crate) fn take_mapping(&self) -> Option<WriteMapping> {
        self.mapping.lock().take()
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(crate) fn set_written(&self, offset: u64) {
        self.written.store(offset, Ordering::Release);
        // A stamp for the first write after a sync alone: the others are younger.
        if self.unsynced_since.load(Ordering::Relaxed) == 0 {
            self.unsynced_since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.file.recorder().now().to_bits()
    }

    /// A sync begins, of what was written so far.
    pub(crate) fn begin_sync(&self) {
        self.sync_began.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes written and not durable, and since when the oldest of them waits, or has waited at most.
    pub(crate) fn unsynced(&self) -> Option<(u64, Ticks)> {
        let bytes = self.written().saturating_sub(self.synced().max(HEADER_BYTES));
        let since = match self.unsynced_since.load(Ordering::Relaxed) {
            // A write that came as a sync ended may have found the stamp before, which is gone now.
            0 => self.sync_began.load(Ordering::Relaxed),
            since => since,
        };
        (bytes > 0).then(|| (bytes, Ticks::from_bits(since)))
    }

    /// What a group written now may promise.
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    pub(crate) fn set_synced(&self, offset: u64) {
        self.synced.fetch_max(offset, Ordering::AcqRel);
        self.unsynced_since.store(0, Ordering::Relaxed);
        if self.written() > offset {
            self.unsynced_since.store(self.sync_began.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// A place in the log: segments are numbered in the order they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    pub(crate) segment: FileNumber,
    pub(crate) offset: u64,
}
