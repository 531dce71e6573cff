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

/// Arenas of this size and more are worth huge pages.
const HUGE_FROM_BYTES: usize = 4 << 20;

/// Somebody else makes memory ahead of those who write, in steps of a huge page, and so far ahead: at 100 MB a second that is 80 ms.
const STEP_BYTES: usize = 2 << 20;
const AHEAD_BYTES: usize = 4 * STEP_BYTES;

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
        let map = || memmap2::MmapOptions::new().len(size).no_reserve_swap().map_anon();
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
        if let Bytes::Mapped(map) = &self.bytes
            && self.size >= HUGE_FROM_BYTES
        {
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

    /// Has the system make memory of what comes behind all that is reserved. One thread at a time does so; those who write need not
    /// wait for it.
    pub(super) fn populate_ahead(&self) {
        let here = self.used_bytes() / STEP_BYTES * STEP_BYTES;
        let end = (here + AHEAD_BYTES).min(self.size / STEP_BYTES * STEP_BYTES);
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
