//! What is live: the bytes of the value that each key has now, as the writers know them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::keys::KEY_BYTES;

/// The size of each key's value, and the sum of all keys and values.
///
/// Nothing is published with these figures, so all of it is relaxed. Where two threads set the same key at once, the size
/// that is kept may be that of the value which lost: one value, for as long as the key is not set again.
#[derive(Debug)]
pub(super) struct LiveBytes {
    /// 0 while a key was never set.
    sizes: Box<[AtomicU32]>,
    total: AtomicU64,
}

impl LiveBytes {
    pub(super) fn new(keys: u64) -> LiveBytes {
        LiveBytes { sizes: (0..keys).map(|_| AtomicU32::new(0)).collect(), total: AtomicU64::new(0) }
    }

    /// The n-th key has a value of so many bytes now.
    #[inline]
    pub(super) fn set(&self, n: u64, bytes: usize) {
        let Some(size) = self.sizes.get(n as usize) else { return };
        let gone = match u64::from(size.swap(bytes as u32, Ordering::Relaxed)) {
            0 => 0,
            old => KEY_BYTES as u64 + old,
        };
        let change = ((KEY_BYTES + bytes) as u64).wrapping_sub(gone);
        self.total.fetch_add(change, Ordering::Relaxed);
    }

    /// Bytes of all keys and their present values.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_the_place_of_the_one_before() {
        let live = LiveBytes::new(2);
        let totals = [(0, 100), (1, 10), (0, 50), (0, 60), (7, 9)].map(|(n, bytes)| {
            live.set(n, bytes);
            live.total()
        });
        assert_eq!(totals, [116, 142, 92, 102, 102]);
    }
}
