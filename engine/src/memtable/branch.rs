//! A branch of the tree: where keys part that have the same bytes up to here.
//!
//! ```text
//! at a multiple of 8 in its arena
//! 0   capacity  4   4, 16, 48 or 256
//! 4   count     4   atomic; of children, unless there is room for all
//! 8   depth     4   which byte of a key it tells apart
//! 12  end       4   atomic, a link: the key that ends at this byte
//! 16  tail      8   the bytes of all keys here that come before
//! 24  sample    4   a link to an entry with one of these keys
//! 28  bytes of the children, atomic by fours; then their links, atomic
//! ```
//!
//! A link is an offset / 8, with the highest bit for branches; 0 is none. A branch with room for all 256 children has a bit for each
//! instead of its byte, and links by byte.

use std::sync::atomic::{AtomicU32, Ordering};

use super::arena::{Arena, UNIT_BYTES};

const BRANCH_BYTES: usize = 28;
pub(super) const TAIL_BYTES: usize = 8;
pub(super) const ALL: usize = 256;
/// Bytes of the bits of a branch with room for all.
const BITS_BYTES: usize = ALL / 8;
/// Of a child that is not wanted.
const NO_RANK: u32 = 2 * ALL as u32;
/// Set in links to branches.
pub(super) const IS_BRANCH: u32 = 1 << 31;

/// A branch.
#[derive(Clone, Copy)]
pub(super) struct Branch<'a> {
    arena: &'a Arena,
    offset: usize,
}

impl<'a> Branch<'a> {
    pub(super) fn at(arena: &'a Arena, offset: usize) -> Branch<'a> {
        Branch { arena, offset }
    }

    pub(super) fn link(self) -> u32 {
        (self.offset / UNIT_BYTES) as u32 | IS_BRANCH
    }

    /// Writes a field that does not change once the branch is published.
    pub(super) fn write(self, field: usize, bytes: &[u8]) {
        // SAFETY: the caller has reserved the branch, and nothing links to it yet.
        unsafe { self.arena.write(self.offset + field, bytes) };
    }

    #[inline]
    fn fixed(self, field: usize, len: usize) -> &'a [u8] {
        // SAFETY: these fields were written before the branch was published, and never change.
        unsafe { self.arena.read(self.offset + field, len) }
    }

    #[inline]
    pub(super) fn capacity(self) -> usize {
        self.fixed(0, 4).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    #[inline]
    pub(super) fn depth(self) -> usize {
        self.fixed(8, 4).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    #[inline]
    pub(super) fn tail(self) -> [u8; TAIL_BYTES] {
        self.fixed(16, TAIL_BYTES).first_chunk().copied().unwrap_or_default()
    }

    /// The link to an entry with one of the keys here.
    pub(super) fn sample(self) -> u32 {
        self.fixed(24, 4).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    #[inline]
    fn atomic(self, at: usize) -> &'a AtomicU32 {
        // SAFETY: these four bytes belong to the branch, and are only ever touched as this atomic.
        unsafe { self.arena.atomic(self.offset + at) }
    }

    #[inline]
    pub(super) fn end(self) -> &'a AtomicU32 {
        self.atomic(12)
    }

    /// The number of children of a list.
    #[inline]
    pub(super) fn count(self) -> usize {
        self.atomic(4).load(Ordering::Acquire) as usize
    }

    pub(super) fn has_room(self) -> bool {
        self.capacity() == ALL || self.count() < self.capacity()
    }

    /// The link to the child that is `at` in the list.
    #[inline]
    pub(super) fn list_slot(self, at: usize) -> &'a AtomicU32 {
        self.atomic(BRANCH_BYTES + self.capacity() + 4 * at)
    }

    /// The link to the child with this byte, in a branch that has room for all.
    #[inline]
    fn direct_slot(self, byte: usize) -> &'a AtomicU32 {
        self.atomic(BRANCH_BYTES + BITS_BYTES + 4 * byte)
    }

    /// The bits of 32 children, in a branch that has room for all.
    #[inline]
    fn bits(self, word: usize) -> &'a AtomicU32 {
        self.atomic(BRANCH_BYTES + 4 * word)
    }

    /// The first byte from this one on that has a child, in a branch that has room for all.
    fn next_bit(self, byte: usize) -> Option<usize> {
        let first = self.bits(byte / 32).load(Ordering::Acquire) >> (byte % 32);
        if first != 0 {
            return Some(byte + first.trailing_zeros() as usize);
        }
        let words = byte / 32 + 1..ALL / 32;
        let mut words = words.map(|word| (word, self.bits(word).load(Ordering::Acquire)));
        words.find(|(_, bits)| *bits != 0).map(|(word, bits)| word * 32 + bits.trailing_zeros() as usize)
    }

    /// The last byte before this one that has a child, in a branch that has room for all.
    fn last_bit(self, byte: usize) -> Option<usize> {
        let mut words = (0..byte.div_ceil(32)).rev().map(|word| {
            let below = byte - word * 32;
            let bits = self.bits(word).load(Ordering::Acquire);
            (word, if below < 32 { bits & ((1 << below) - 1) } else { bits })
        });
        words.find(|(_, bits)| *bits != 0).map(|(word, bits)| word * 32 + bits.ilog2() as usize)
    }

    /// The bytes of four children of a list.
    #[inline]
    fn bytes(self, word: usize) -> [u8; 4] {
        self.atomic(BRANCH_BYTES + 4 * word).load(Ordering::Relaxed).to_le_bytes()
    }

    #[inline]
    pub(super) fn byte(self, at: usize) -> u8 {
        self.bytes(at / 4).get(at % 4).copied().unwrap_or_default()
    }

    /// Adds a child that is not there, to a branch that has room. There is one writer.
    pub(super) fn push(self, byte: u8, link: u32) {
        if self.capacity() == ALL {
            self.direct_slot(byte.into()).store(link, Ordering::Release);
            // Release: whoever sees the bit sees the link.
            self.bits(usize::from(byte) / 32).fetch_or(1 << (byte % 32), Ordering::Release);
            return;
        }
        let at = self.count();
        let word = self.atomic(BRANCH_BYTES + at / 4 * 4);
        word.store(word.load(Ordering::Relaxed) | u32::from(byte) << (at % 4 * 8), Ordering::Relaxed);
        self.list_slot(at).store(link, Ordering::Relaxed);
        // Release: whoever counts this child sees its byte and its link.
        self.atomic(4).store(at as u32 + 1, Ordering::Release);
    }

    /// Where in a list the child with this byte is.
    #[inline]
    fn list_find(self, byte: u8) -> Option<usize> {
        const ONES: u32 = u32::from_le_bytes([1; 4]);
        let count = self.count();
        for first in (0..count).step_by(4) {
            // A byte that is equal becomes 0, and the lowest 0 of a word is found without looking at each (Warren: "Hacker's Delight").
            let word = u32::from_le_bytes(self.bytes(first / 4)) ^ (ONES * u32::from(byte));
            let zeros = word.wrapping_sub(ONES) & !word & ONES << 7;
            if zeros != 0 {
                let at = first + zeros.trailing_zeros() as usize / 8;
                // Behind the last child are bytes that are not there yet.
                return (at < count).then_some(at);
            }
        }
        None
    }

    /// The least of a list, by a rank that depends on its byte and is less than [`NO_RANK`], and where it is.
    #[inline]
    fn list_least(self, rank: impl Fn(u8) -> u32) -> Option<(usize, u8)> {
        let (count, mut least) = (self.count(), NO_RANK << 16);
        for first in (0..count).step_by(4) {
            for (at, byte) in (first..count).zip(self.bytes(first / 4)) {
                least = least.min(rank(byte) << 16 | (at as u32) << 8 | u32::from(byte));
            }
        }
        let found = (least >> 8 & 0xff) as usize;
        (least >> 16 != NO_RANK).then_some((found, least as u8))
    }

    /// The links to the children, if they are few.
    #[inline]
    pub(super) fn few_children(self) -> impl Iterator<Item = &'a AtomicU32> {
        let count = if self.capacity() == ALL { 0 } else { self.count() };
        (0..count).map(move |at| self.list_slot(at))
    }

    /// The link to the child with this byte.
    #[inline]
    pub(super) fn child(self, byte: u8) -> Option<&'a AtomicU32> {
        if self.capacity() == ALL {
            return Some(self.direct_slot(byte.into())).filter(|slot| slot.load(Ordering::Relaxed) != 0);
        }
        self.list_find(byte).map(|at| self.list_slot(at))
    }

    /// The first child with this byte or a later one: its byte, and the link to it.
    pub(super) fn child_from(self, byte: u8) -> Option<(u8, &'a AtomicU32)> {
        if self.capacity() == ALL {
            return self.next_bit(byte.into()).map(|byte| (byte as u8, self.direct_slot(byte)));
        }
        let first = self.list_least(|found| if found >= byte { found.into() } else { NO_RANK });
        first.map(|(at, byte)| (byte, self.list_slot(at)))
    }

    /// The link to the last child with a byte before this one.
    pub(super) fn child_below(self, byte: usize) -> Option<&'a AtomicU32> {
        if self.capacity() == ALL {
            return self.last_bit(byte).map(|byte| self.direct_slot(byte));
        }
        let below =
            |found: u8| if usize::from(found) < byte { ALL as u32 - u32::from(found) } else { NO_RANK };
        self.list_least(below).map(|(at, _)| self.list_slot(at))
    }
}

pub(super) const fn branch_len(capacity: usize) -> usize {
    let bytes = if capacity == ALL { BITS_BYTES } else { capacity };
    (BRANCH_BYTES + bytes + 4 * capacity).next_multiple_of(UNIT_BYTES)
}

pub(super) fn next_capacity(capacity: usize) -> usize {
    match capacity {
        4 => 16,
        16 => 48,
        _ => ALL,
    }
}
