//! One file of the commit log.

use std::ops::Range;

use bettong_metrics::Ticks;

use crate::env::file::WriteMapping;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::Result;
use crate::header::{Birth, FileHeader, FileKind, HEADER_BYTES};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// How many bytes of log are written between two looks at whether the system's cache is ready for the next.
pub(super) const PREPARED_STEP: u64 = 8 << 20;
/// Parts of the cache begin at pages.
const PAGE_BYTES: u64 = 4 << 10;

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
    /// Up to here the system's cache is wanted for what is to be stored; 0 where nothing is.
    wanted: AtomicU64,
    /// Up to here it was made ready.
    prepared: AtomicU64,
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
            wanted: AtomicU64::new(0),
            prepared: AtomicU64::new(0),
            written: AtomicU64::new(HEADER_BYTES),
            synced: AtomicU64::new(0),
            unsynced_since: AtomicU64::new(0),
            sync_began: AtomicU64::new(0),
        })
    }

    /// Says that bytes were stored up to `end`, or are about to be: the system's cache is wanted for two steps more.
    pub(crate) fn want_cache(&self, end: u64) {
        self.wanted.fetch_max((end + 2 * PREPARED_STEP).min(self.capacity), Ordering::Relaxed);
    }

    /// Makes the system's cache ready for what is stored next: it takes a page that it does not have from the disk, or zeroes it, which
    /// nobody who stores should wait for. Who hands over whole pages by a call needs none of it.
    pub(crate) fn prepare_cache(&self) {
        let range = self.take_unprepared();
        if !range.is_empty() {
            self.file.prepare_cache(range.start, range.end - range.start);
        }
    }

    /// What is wanted, not written yet, and was not taken before.
    fn take_unprepared(&self) -> Range<u64> {
        let end = self.wanted.load(Ordering::Relaxed).next_multiple_of(PAGE_BYTES);
        let written = self.written() / PAGE_BYTES * PAGE_BYTES;
        self.prepared.fetch_max(end, Ordering::Relaxed).max(written)..end
    }

    /// The file as memory; there is one at most, and it is taken once.
    pub(crate) fn take_mapping(&self) -> Option<WriteMapping> {
        self.mapping.lock().take()
    }

    /// Whether small groups can be stored in it, and nobody appends yet.
    pub(crate) fn is_mapped(&self) -> bool {
        self.mapping.lock().is_some()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::env::Env;
    use crate::env::sim::SimDisk;

    fn segment(capacity: u64) -> Segment {
        let env = Env::sim(&SimDisk::new(1));
        let recorder = bettong_metrics::Registry::new("test").recorder();
        let dir = Dir::new(env.files, Path::new("/db"), &recorder);
        dir.create_all().unwrap();
        let new = NewSegment {
            number: FileNumber(1),
            capacity,
            recycled: None,
            mapped: true,
            birth: Birth::default(),
        };
        Segment::prepare(&dir, new).unwrap()
    }

    #[test]
    fn the_cache_is_prepared_ahead_of_what_is_written_each_part_once() {
        let segment = segment(5 * PREPARED_STEP + 1);
        segment.set_written(PREPARED_STEP);
        assert!(segment.take_unprepared().is_empty(), "nobody stores");
        let mut prepared = PREPARED_STEP;
        for written in (PREPARED_STEP..segment.capacity).step_by(PREPARED_STEP as usize / 3) {
            segment.set_written(written);
            segment.want_cache(written);
            let range = segment.take_unprepared();
            assert!(range.is_empty() || range.start == prepared, "{range:?} after {prepared}");
            assert_eq!(range.end % PAGE_BYTES, 0);
            prepared = range.end;
            assert!(prepared >= (written + 2 * PREPARED_STEP).min(segment.capacity));
        }
        assert_eq!(prepared, segment.capacity.next_multiple_of(PAGE_BYTES));
    }
}
