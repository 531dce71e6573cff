//! One allocation that is handed out piece by piece and freed as a whole.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::prefetch::{LINE_BYTES, prefetch_at};

/// Offsets are multiples of this, so that links of 31 bits reach 16 GiB.
pub(super) const UNIT_BYTES: usize = 8;

/// What links can point to: 31 bits of units.
const REACH_BYTES: usize = (i32::MAX as usize) * UNIT_BYTES;

/// From this size on an arena comes from the system itself: zeroed, as memory only once it is touched, and given back as a whole. (An
/// allocator would do so at first, and fill what it uses again with zeros later.)
const MAPPED_BYTES: usize = 64 << 10;

/// Memory is asked for in pieces of this size where it is used from front to back: a fault for each page costs several times as much.
const PIECE_BYTES: usize = 32 << 10;

/// Somebody else makes memory ahead of those who write, in steps of a huge page, as far ahead as was written, within these bounds. The
/// upper one is 160 ms at 100 MB a second: who makes memory has other things to do, too.
const STEP_BYTES: usize = 2 << 20;
const AHEAD_LEAST: usize = 2 * STEP_BYTES;
const AHEAD_MOST: usize = 8 * STEP_BYTES;

/// Zeroed bytes, reserved from the front.
#[derive(Debug)]
pub(super) struct Arena {
    start: *mut u8,
    /// What `start` leads to.
    bytes: Bytes,
    size: usize,
    used: AtomicUsize,
    /// Up to here it is memory.
    populated: AtomicUsize,
}

#[derive(Debug)]
enum Bytes {
    /// In words, for their alignment.
    Heap(#[expect(dead_code, reason = "held for its memory")] Vec<u64>),
    Mapped(memmap2::MmapMut),
}

// SAFETY: the arena owns its bytes; who may touch which of them is settled by the contracts of the unsafe methods below.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    pub(super) fn new(capacity: usize) -> Arena {
        let size = capacity.max(UNIT_BYTES).next_multiple_of(64);
        // Without a reservation: an arena is as large as it might have to be, and most of it is never used.
        // Whole steps: some systems put no other mapping where huge pages can begin.
        let whole = if size < STEP_BYTES { size } else { size.next_multiple_of(STEP_BYTES) };
        let map = || memmap2::MmapOptions::new().len(whole).no_reserve_swap().map_anon();
        let map = (size >= MAPPED_BYTES).then(map).and_then(Result::ok);
        let (start, bytes) = if let Some(mut map) = map {
            (map.as_mut_ptr(), Bytes::Mapped(map))
        } else {
            // Small, or the system has no mapping to give: the allocator may have room.
            let mut words = vec![0u64; size / UNIT_BYTES];
            (words.as_mut_ptr().cast(), Bytes::Heap(words))
        };
        Arena { start, bytes, size, used: AtomicUsize::new(0), populated: AtomicUsize::new(0) }
    }

    pub(super) fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn capacity(&self) -> usize {
        self.size.min(REACH_BYTES)
    }

    /// Takes `bytes` (a multiple of [`UNIT_BYTES`]) and returns where they start, or `None` if there are not as many left.
    pub(super) fn reserve(&self, bytes: usize) -> Option<usize> {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|end| *end <= self.size.min(REACH_BYTES))
        });
        taken.ok()
    }

    /// Asks for huge pages for what is not memory yet: where an arena is read here and there, half of what a miss costs is the walk through
    /// the page tables.
    pub(super) fn use_huge_pages(&self) {
        if let Bytes::Mapped(map) = &self.bytes {
            // A hint.
            map.advise(memmap2::Advice::HugePage).ok();
        }
    }

    /// Has the system make memory of the piece behind the one that a range of an arena written in order ends in, if it begins in another.
    #[inline]
    pub(super) fn populate_behind(&self, range: Range<usize>) {
        let piece = range.end / PIECE_BYTES;
        if range.start / PIECE_BYTES != piece {
            self.populate((piece + 1) * PIECE_BYTES);
        }
    }

    /// Whether a range that was reserved makes it time to [make memory ahead](Arena::populate_ahead).
    #[inline]
    pub(super) fn is_step(range: &Range<usize>) -> bool {
        range.start / STEP_BYTES != range.end / STEP_BYTES
    }

    /// Has the system make memory of what comes behind all that is reserved, up to `limit`. One thread at a time does so; those who write
    /// need not wait for it.
    pub(super) fn populate_ahead(&self, limit: usize) {
        let here = self.used_bytes() / STEP_BYTES * STEP_BYTES;
        let wanted = here + here.clamp(AHEAD_LEAST, AHEAD_MOST);
        let end = wanted.min(limit).min(self.size) / STEP_BYTES * STEP_BYTES;
        let start = self.populated.load(Ordering::Relaxed).max(here);
        for step in (start..end).step_by(STEP_BYTES) {
            self.make_memory(step, STEP_BYTES);
            self.populated.store(step + STEP_BYTES, Ordering::Relaxed);
        }
    }

    #[cold]
    fn populate(&self, start: usize) {
        if start + PIECE_BYTES > self.populated.load(Ordering::Relaxed) {
            self.make_memory(start, PIECE_BYTES);
        }
    }

    fn make_memory(&self, start: usize, len: usize) {
        if let Bytes::Mapped(map) = &self.bytes
            && start + len <= self.size
        {
            // Where the system cannot, pages come one by one, as they are touched.
            map.advise_range(memmap2::Advice::PopulateWrite, start, len).ok();
        }
    }

    /// # Safety
    /// The caller has reserved `offset .. offset + bytes.len()` and has not published it yet: nobody else touches it.
    #[inline]
    pub(super) unsafe fn write(&self, offset: usize, bytes: &[u8]) {
        debug_assert!(offset + bytes.len() <= self.size);
        // SAFETY: the range lies in the allocation and is the caller's alone.
        let target = unsafe { self.start.add(offset) };
        // SAFETY: as above; source and target are different allocations.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) }
    }

    /// # Safety
    /// The range was written by [`Arena::write`] and published to this thread, and is never written again.
    #[inline]
    pub(super) unsafe fn read(&self, offset: usize, len: usize) -> &[u8] {
        debug_assert!(offset + len <= self.size);
        // SAFETY: the range lies in the allocation.
        let start = unsafe { self.start.add(offset) };
        // SAFETY: its bytes are initialised (zeroed, then written) and constant from now on.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Fetches `lines` cache lines from `offset` on: a hint.
    #[inline]
    pub(super) fn prefetch(&self, offset: usize, lines: usize) {
        for line in 0..lines {
            // A hint leads nowhere, so the address need not lie in the arena.
            prefetch_at(self.start.wrapping_add(offset + line * LINE_BYTES));
        }
    }

    /// # Safety
    /// `offset` is a multiple of 4 within a reserved range, and these four bytes are only ever used through this method.
    #[inline]
    pub(super) unsafe fn atomic(&self, offset: usize) -> &AtomicU32 {
        debug_assert!(offset.is_multiple_of(4) && offset + 4 <= self.size);
        // SAFETY: the four bytes lie in the allocation.
        let place = unsafe { self.start.add(offset) };
        // SAFETY: aligned, zero-initialised, and atomic for everyone.
        unsafe { AtomicU32::from_ptr(place.cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of an arena of `size` is memory once `used` bytes are reserved and memory is made ahead, up to `limit`.
    fn populated(size: usize, used: usize, limit: usize) -> usize {
        let arena = Arena::new(size);
        assert_eq!(arena.reserve(used), Some(0));
        arena.populate_ahead(limit);
        arena.populate_ahead(limit);
        arena.populated.load(Ordering::Relaxed)
    }

    #[test]
    fn memory_is_made_as_far_ahead_as_was_written_within_bounds() {
        const STEP: usize = STEP_BYTES;
        let size = 64 << 20;
        assert_eq!(populated(size, 8, size), AHEAD_LEAST);
        assert_eq!(populated(size, 3 * STEP + 8, size), 6 * STEP);
        assert_eq!(populated(size, 20 * STEP, size), 20 * STEP + AHEAD_MOST);
        assert_eq!(populated(size, 31 * STEP, size), size);
        assert_eq!(populated(size, 20 * STEP, 22 * STEP - 8), 21 * STEP, "what will not be used is not made");
        assert_eq!(
            populated(5 * STEP - 64, 3 * STEP, size),
            4 * STEP,
            "the end of the arena is no whole step"
        );
        assert_eq!(populated(STEP - 64, 8, size), 0);
        assert_eq!(populated(MAPPED_BYTES / 2, 8, size), 0);
    }

    #[test]
    fn what_was_written_stays_when_memory_is_made() {
        let arena = Arena::new(3 * STEP_BYTES);
        let places: Vec<usize> = (0..8).map(|_| arena.reserve(STEP_BYTES / 4).expect("room")).collect();
        for place in &places {
            // SAFETY: reserved above, and read only below.
            unsafe { arena.write(*place, &place.to_le_bytes()) };
        }
        arena.populate_ahead(usize::MAX);
        for place in &places {
            // SAFETY: written above.
            assert_eq!(unsafe { arena.read(*place, 8) }, place.to_le_bytes());
        }
    }
}
