//! One allocation that is handed out piece by piece and freed as a whole.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Offsets are multiples of this, so that links of 31 bits reach 16 GiB.
pub(super) const UNIT_BYTES: usize = 8;

/// What links can point to: 31 bits of units.
const REACH_BYTES: usize = (i32::MAX as usize) * UNIT_BYTES;

/// Zeroed bytes, reserved from the front. Large arenas come zeroed from the operating system and cost memory only as
/// they are touched.
#[derive(Debug)]
pub(super) struct Arena {
    start: NonNull<u8>,
    layout: Layout,
    used: AtomicUsize,
}

// SAFETY: the arena owns its bytes; who may touch which of them is settled by the contracts of the unsafe methods below.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    pub(super) fn new(capacity: usize) -> Arena {
        let size = capacity.max(UNIT_BYTES).next_multiple_of(64);
        // No stricter alignment: beyond malloc's own, zeroed memory would be written instead of mapped, all of it, at once.
        let Ok(layout) = Layout::from_size_align(size, UNIT_BYTES) else {
            handle_alloc_error(Layout::new::<u8>());
        };
        // SAFETY: the layout has a size above zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Arena { start, layout, used: AtomicUsize::new(0) }
    }

    pub(super) fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn capacity(&self) -> usize {
        self.layout.size().min(REACH_BYTES)
    }

    /// Takes `bytes` (a multiple of [`UNIT_BYTES`]) and returns where they start, or `None` if there are not as many left.
    pub(super) fn reserve(&self, bytes: usize) -> Option<usize> {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|end| *end <= self.layout.size().min(REACH_BYTES))
        });
        taken.ok()
    }

    /// # Safety
    /// The caller has reserved `offset .. offset + bytes.len()` and has not published it yet: nobody else touches it.
    #[inline]
    pub(super) unsafe fn write(&self, offset: usize, bytes: &[u8]) {
        debug_assert!(offset + bytes.len() <= self.layout.size());
        // SAFETY: the range lies in the allocation and is the caller's alone.
        let target = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: as above; source and target are different allocations.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) }
    }

    /// # Safety
    /// The range was written by [`Arena::write`] and published to this thread, and is never written again.
    #[inline]
    pub(super) unsafe fn read(&self, offset: usize, len: usize) -> &[u8] {
        debug_assert!(offset + len <= self.layout.size());
        // SAFETY: the range lies in the allocation.
        let start = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: its bytes are initialised (zeroed, then written) and constant from now on.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// # Safety
    /// `offset` is a multiple of 4 within a reserved range, and these four bytes are only ever used through this method.
    #[inline]
    pub(super) unsafe fn atomic(&self, offset: usize) -> &AtomicU32 {
        debug_assert!(offset.is_multiple_of(4) && offset + 4 <= self.layout.size());
        // SAFETY: the four bytes lie in the allocation.
        let place = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: aligned, zero-initialised, and atomic for everyone.
        unsafe { AtomicU32::from_ptr(place.cast()) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}
