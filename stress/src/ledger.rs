//! What a writer began and what was acknowledged to it, in a file that outlives it: a few counters in shared memory.
//!
//! A row for each thread, of [`COUNTERS`] little-endian 64-bit numbers: commits begun; commits acknowledged that must survive the death of the
//! process; commits acknowledged that must survive a power cut; writes refused; reads refused. Storing one is no system call, so the
//! ledger neither slows the writer nor is in the way of faults that are injected into system calls. It belongs on another file system
//! than the database when that one loses power.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// Counters in a row.
pub(crate) const COUNTERS: usize = 5;
/// Threads that a ledger has rows for.
pub(crate) const THREADS: usize = 64;

/// A counter of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Started = 0,
    Handed = 1,
    Synced = 2,
    RefusedWrites = 3,
    RefusedReads = 4,
}

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    map: MmapRaw,
}

impl Ledger {
    /// Opens the ledger, or makes one that says nothing was begun.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn open(path: &Path) -> io::Result<Ledger> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = (THREADS * COUNTERS * 8) as u64;
        if file.metadata()?.len() < length {
            file.set_len(length)?;
        }
        Ok(Ledger { map: MmapOptions::new().len(length as usize).map_raw(&file)? })
    }

    #[expect(
        clippy::cast_ptr_alignment,
        reason = "a mapping begins at a page, and the cells in it lie at multiples of their size"
    )]
    fn cell(&self, thread: usize, count: Count) -> &AtomicU64 {
        assert!(thread < THREADS, "a ledger has {THREADS} rows");
        let at = (thread * COUNTERS + count as usize) * 8;
        let cell = self.map.as_mut_ptr().wrapping_add(at).cast::<u64>();
        // SAFETY: the mapping is writable and long enough for every row, and nobody shortens a ledger, so the cell is aligned and inside of
        // it for as long as `self` lives; everybody accesses it through atomics.
        unsafe { AtomicU64::from_ptr(cell) }
    }

    pub(crate) fn get(&self, thread: usize, count: Count) -> u64 {
        u64::from_le(self.cell(thread, count).load(Ordering::SeqCst))
    }

    pub(crate) fn set(&self, thread: usize, count: Count, value: u64) {
        self.cell(thread, count).store(value.to_le(), Ordering::SeqCst);
    }

    pub(crate) fn add(&self, thread: usize, count: Count) {
        self.set(thread, count, self.get(thread, count) + 1);
    }

    /// The state after `number` commits was found to be there, and safe.
    pub(crate) fn settle(&self, thread: usize, number: u64) {
        [Count::Synced, Count::Handed, Count::Started]
            .into_iter()
            .for_each(|count| self.set(thread, count, number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_read_by_another_mapping() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let writer = Ledger::open(&path).unwrap();
        writer.set(THREADS - 1, Count::Synced, 7);
        writer.add(THREADS - 1, Count::RefusedReads);
        let reader = Ledger::open(&path).unwrap();
        assert_eq!(reader.get(THREADS - 1, Count::Synced), 7);
        assert_eq!(reader.get(THREADS - 1, Count::RefusedReads), 1);
        assert_eq!(reader.get(0, Count::Started), 0);
    }
}
