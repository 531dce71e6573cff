//! Hints to the processor: what will be read soon, in no order that it could guess. Misses that are begun together take the time of one.

/// Bytes that come into the cache together.
pub(crate) const LINE_BYTES: usize = 64;

/// Fetches the line that byte `at` lies in, if there is one.
#[inline]
pub(crate) fn prefetch(bytes: &[u8], at: usize) {
    if let Some(byte) = bytes.get(at) {
        prefetch_at(byte);
    }
}

/// Fetches the line at an address, whatever is there.
#[inline]
pub(crate) fn prefetch_at(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which changes nothing and never faults, wherever it leads.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
