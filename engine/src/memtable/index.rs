//! From the hash of a key to its newest entry: a get asks this, and walks the tree only where it is told to.
//!
//! Open addressing over slots of four bytes: a link to an entry, and in the bits that links of this memtable do not need, bits of the
//! hash. A slot is filled once and from then on leads to the same key, to ever newer versions of it. Since no slot becomes free again, a key
//! lies before the first free slot of its row or not in the memtable, whoever inserts meanwhile. Rows end after [`ROW`] slots: a key
//! that finds no place is not in the index, and whoever sees a full row walks the tree. So a memtable of unusually small entries
//! becomes slower, and nothing else.

use std::sync::atomic::Ordering;

use super::arena::{Arena, UNIT_BYTES};
use super::tree::EntryRef;

/// Bytes of a memtable for each slot: entries of a hundred bytes fill a third of the slots, and the smallest there are nearly all.
const BYTES_PER_SLOT: usize = 48;
/// Slots that are looked at for a key: two cache lines.
const ROW: usize = 32;
const SLOT_BYTES: usize = 4;

/// The index.
#[derive(Debug)]
pub(super) struct HashIndex {
    slots: Arena,
    len: usize,
    link_bits: u32,
}

/// What an entry is to the one that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// It has another key.
    Key,
    /// It is an older version.
    Older,
    /// It is a newer version.
    Newer,
}

/// What the index knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// This is its newest version.
    Newest(EntryRef),
    /// It is not in the memtable.
    Absent,
    /// Nothing.
    Unsure,
}

impl HashIndex {
    /// An index for entries in the first `capacity` bytes of an arena.
    pub(super) fn new(capacity: usize) -> HashIndex {
        let len = (capacity / BYTES_PER_SLOT).max(1);
        let link_bits = (capacity / UNIT_BYTES + 1).next_power_of_two().ilog2();
        HashIndex { slots: Arena::new(len * SLOT_BYTES), len, link_bits }
    }

    pub(super) fn bytes(&self) -> usize {
        self.len * SLOT_BYTES
    }

    /// There will be many keys.
    pub(super) fn use_huge_pages(&self) {
        self.slots.use_huge_pages();
    }

    /// Leads the key with this hash to `entry`, unless it leads to a newer version. `compare` says what an entry is to this one. The entry is complete.
    pub(super) fn put(&self, hash: u64, entry: EntryRef, compare: impl Fn(EntryRef) -> Other) {
        let wanted = self.slot_of(hash, entry);
        for at in self.row(hash) {
            let slot = self.slot(at);
            let mut found = slot.load(Ordering::Acquire);
            loop {
                let other = if found == 0 { Other::Older } else { self.compare(found, wanted, &compare) };
                match other {
                    Other::Key => break,
                    Other::Newer => return,
                    Other::Older => {}
                }
                // Release: whoever meets the link sees the entry.
                match slot.compare_exchange(found, wanted, Ordering::Release, Ordering::Acquire) {
                    Ok(_) => return,
                    Err(now) => found = now,
                }
            }
        }
    }

    fn compare(&self, found: u32, wanted: u32, compare: impl Fn(EntryRef) -> Other) -> Other {
        if self.tag(found) == self.tag(wanted) { compare(self.link(found)) } else { Other::Key }
    }

    /// The newest version of the key with this hash; `is_it` says whether an entry has this key.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(EntryRef) -> bool) -> Known {
        let tag = self.tag_of(hash);
        for at in self.row(hash) {
            let found = self.slot(at).load(Ordering::Acquire);
            if found == 0 {
                return Known::Absent;
            }
            if self.tag(found) == tag && is_it(self.link(found)) {
                return Known::Newest(self.link(found));
            }
        }
        Known::Unsure
    }

    /// Fetches the slot that a key with this hash is looked for in first.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        self.slots.prefetch(self.first_of(hash) * SLOT_BYTES, 1);
    }

    /// The upper half of the hash picks where the row begins.
    #[inline]
    fn first_of(&self, hash: u64) -> usize {
        (((hash >> 32) * self.len as u64) >> 32) as usize
    }

    #[inline]
    fn row(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (len, first) = (self.len, self.first_of(hash));
        (first..first + ROW).map(move |at| if at < len { at } else { at % len })
    }

    #[inline]
    fn slot(&self, at: usize) -> &std::sync::atomic::AtomicU32 {
        // SAFETY: there are `len` slots of four bytes, which are touched as atomics only.
        unsafe { self.slots.atomic(at * SLOT_BYTES) }
    }

    fn slot_of(&self, hash: u64, entry: EntryRef) -> u32 {
        (u64::from(self.tag_of(hash)) << self.link_bits) as u32 | entry.0
    }

    /// As many of the lower bits of the hash as there is room for.
    #[inline]
    fn tag_of(&self, hash: u64) -> u32 {
        self.tag((hash as u32) << (self.link_bits & 31))
    }

    #[inline]
    fn tag(&self, slot: u32) -> u32 {
        slot.checked_shr(self.link_bits).unwrap_or(0)
    }

    #[inline]
    fn link(&self, slot: u32) -> EntryRef {
        EntryRef(slot & ((1u64 << self.link_bits) - 1) as u32)
    }
}
