//! The skip list: insertion by compare-and-swap, search without locks.
//!
//! ```text
//! node, at a multiple of 8 in the arena:
//! 0   trailer    8        28  tower: `height` links of 4 bytes, atomics; a link is an offset / 8, 0 is none
//! 8   prefix     8            key
//! 16  key len    4            value
//! 20  value len  4
//! 24  height     4
//! ```
//!
//! A node is written, then linked from the bottom level up with release stores; whoever meets a link with an acquire load
//! sees the whole node. Nodes are never unlinked. Heights follow from the sequence number, so that the room a write
//! needs is known before it is made.

use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicU32, Ordering};

use super::arena::{Arena, UNIT_BYTES};
use crate::checksum::mix;
use crate::key::{self, InternalKey, SeqNo, Trailer};

/// A quarter of the nodes of each level are in the next: 4^12 entries before a search slows down.
const HEIGHT_MAX: usize = 12;
const TOWER_OFFSET: usize = 28;

/// The list.
#[derive(Debug)]
pub(super) struct SkipList {
    arena: Arena,
    /// The levels in use: searches start there. A stale value costs a step, nothing else.
    height: AtomicU32,
}

/// Room for the nodes of one write.
#[derive(Debug)]
pub(crate) struct Reservation {
    next: usize,
    end: usize,
}

/// A node's place, for cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeRef(pub(super) u32);

/// A node that can be read.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    arena: &'a Arena,
    offset: usize,
}

/// The head is a node without a key at offset 0, with a full tower.
const HEAD: usize = 0;

impl SkipList {
    pub(super) fn new(capacity: usize) -> SkipList {
        let arena = Arena::new(capacity.max(Self::capacity_for(0)));
        arena.reserve(node_len(HEIGHT_MAX, 0, 0));
        SkipList { arena, height: AtomicU32::new(1) }
    }

    pub(super) fn capacity_for(bytes: usize) -> usize {
        node_len(HEIGHT_MAX, 0, 0) + bytes
    }

    pub(super) fn capacity(&self) -> usize {
        self.arena.capacity()
    }

    pub(super) fn used_bytes(&self) -> usize {
        self.arena.used_bytes()
    }

    /// The bytes of the node for an entry.
    pub(super) fn node_bytes(seq: SeqNo, key_len: usize, value_len: usize) -> usize {
        node_len(height_of(seq), key_len, value_len)
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.arena.used_bytes() + bytes <= self.arena.capacity()
    }

    pub(super) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let next = self.arena.reserve(bytes)?;
        Some(Reservation { next, end: next + bytes })
    }

    pub(super) fn insert(&self, room: &mut Reservation, key: InternalKey<'_>, value: &[u8]) -> NodeRef {
        let height = height_of(key.trailer.seq());
        let offset = room.next;
        room.next += node_len(height, key.user.len(), value.len());
        assert!(room.next <= room.end, "a write reserved the room of its nodes");
        self.write_node(offset, height, key, value);
        self.raise(height);
        let prefix = key::prefix(key.user);
        let mut from = self.head();
        let mut splice = [(self.head(), 0); HEIGHT_MAX];
        for level in (0..self.levels().max(height)).rev() {
            let (before, after) = self.position(from, level, key, prefix);
            if let Some(place) = splice.get_mut(level) {
                *place = (before, after);
            }
            from = before;
        }
        for (level, (before, after)) in splice.into_iter().enumerate().take(height) {
            self.link(offset, level, key, prefix, (before, after));
        }
        NodeRef((offset / UNIT_BYTES) as u32)
    }

    fn write_node(&self, offset: usize, height: usize, key: InternalKey<'_>, value: &[u8]) {
        let mut fixed = [0; TOWER_OFFSET];
        let fields: [&[u8]; 5] = [
            &key.trailer.0.to_le_bytes(),
            &key::prefix(key.user).to_le_bytes(),
            &(key.user.len() as u32).to_le_bytes(),
            &(value.len() as u32).to_le_bytes(),
            &(height as u32).to_le_bytes(),
        ];
        let mut rest = &mut fixed[..];
        for field in fields {
            let (place, tail) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = tail;
        }
        let key_offset = offset + TOWER_OFFSET + 4 * height;
        // SAFETY: the caller reserved these bytes, and nothing links to them yet.
        unsafe { self.arena.write(offset, &fixed) };
        // SAFETY: as above.
        unsafe { self.arena.write(key_offset, key.user) };
        // SAFETY: as above.
        unsafe { self.arena.write(key_offset + key.user.len(), value) };
    }

    /// Links the node at `offset` into one level, at `place` or, if others were faster, behind it.
    fn link(&self, offset: usize, level: usize, key: InternalKey<'_>, prefix: u64, place: (Node<'_>, u32)) {
        let node = Node { arena: &self.arena, offset };
        let (mut before, mut after) = place;
        loop {
            // Release is not needed here: the exchange below publishes this store with the node.
            node.tower(level).store(after, Ordering::Relaxed);
            let link = (offset / UNIT_BYTES) as u32;
            let swap =
                before.tower(level).compare_exchange(after, link, Ordering::Release, Ordering::Relaxed);
            if swap.is_ok() {
                return;
            }
            (before, after) = self.position(before, level, key, prefix);
        }
    }

    /// Walks one level from `before` to the last node below `key`; returns it and the link that follows it.
    #[inline]
    fn position<'a>(
        &'a self,
        mut before: Node<'a>,
        level: usize,
        key: InternalKey<'_>,
        prefix: u64,
    ) -> (Node<'a>, u32) {
        loop {
            let link = before.tower(level).load(Ordering::Acquire);
            match self.follow(link) {
                Some(node) if node.compare(key, prefix) == Order::Less => before = node,
                _ => return (before, link),
            }
        }
    }

    /// The first node at or after `key`.
    #[inline]
    pub(super) fn seek(&self, key: InternalKey<'_>) -> Option<Node<'_>> {
        let (_, link) = self.descend(key);
        self.follow(link)
    }

    /// The last node before `key`.
    pub(super) fn seek_before(&self, key: InternalKey<'_>) -> Option<Node<'_>> {
        let (node, _) = self.descend(key);
        (node.offset != HEAD).then_some(node)
    }

    #[inline]
    fn descend(&self, key: InternalKey<'_>) -> (Node<'_>, u32) {
        let prefix = key::prefix(key.user);
        let mut at = (self.head(), 0);
        for level in (0..self.levels()).rev() {
            at = self.position(at.0, level, key, prefix);
        }
        at
    }

    pub(super) fn first(&self) -> Option<Node<'_>> {
        self.head().next()
    }

    pub(super) fn last(&self) -> Option<Node<'_>> {
        let mut node = self.head();
        for level in (0..self.levels()).rev() {
            while let Some(next) = self.follow(node.tower(level).load(Ordering::Acquire)) {
                node = next;
            }
        }
        (node.offset != HEAD).then_some(node)
    }

    /// The node behind a reference that this list gave out.
    pub(super) fn node(&self, at: NodeRef) -> Node<'_> {
        Node { arena: &self.arena, offset: at.0 as usize * UNIT_BYTES }
    }

    #[inline]
    fn follow(&self, link: u32) -> Option<Node<'_>> {
        (link != 0).then(|| self.node(NodeRef(link)))
    }

    fn head(&self) -> Node<'_> {
        Node { arena: &self.arena, offset: HEAD }
    }

    fn levels(&self) -> usize {
        self.height.load(Ordering::Relaxed) as usize
    }

    fn raise(&self, height: usize) {
        self.height.fetch_max(height as u32, Ordering::Relaxed);
    }
}

impl<'a> Node<'a> {
    pub(super) fn reference(self) -> NodeRef {
        NodeRef((self.offset / UNIT_BYTES) as u32)
    }

    #[inline]
    pub(super) fn key(self) -> InternalKey<'a> {
        let user = self.bytes(self.key_offset(), self.u32_at(16) as usize);
        InternalKey::new(user, Trailer(self.u64_at(0)))
    }

    #[inline]
    pub(super) fn value(self) -> &'a [u8] {
        let start = self.key_offset() + self.u32_at(16) as usize;
        self.bytes(start, self.u32_at(20) as usize)
    }

    pub(super) fn next(self) -> Option<Node<'a>> {
        let link = self.tower(0).load(Ordering::Acquire);
        (link != 0).then_some(Node { arena: self.arena, offset: link as usize * UNIT_BYTES })
    }

    /// Compares this node's key with `key`, whose prefix is `prefix`.
    #[inline]
    fn compare(self, key: InternalKey<'_>, prefix: u64) -> Order {
        match self.u64_at(8).cmp(&prefix) {
            Order::Equal => self.key().cmp(&key),
            decided => decided,
        }
    }

    #[inline]
    fn tower(self, level: usize) -> &'a AtomicU32 {
        debug_assert!(
            self.offset == HEAD || level < self.u32_at(24) as usize,
            "a node is met at its own levels only"
        );
        // SAFETY: every node met on `level` has a tower that reaches it, and its links are touched as atomics only.
        unsafe { self.arena.atomic(self.offset + TOWER_OFFSET + 4 * level) }
    }

    #[inline]
    fn key_offset(self) -> usize {
        self.offset + TOWER_OFFSET + 4 * self.u32_at(24) as usize
    }

    #[inline]
    fn bytes(self, start: usize, len: usize) -> &'a [u8] {
        // SAFETY: the node was published with its lengths, and key and value are never written again.
        unsafe { self.arena.read(start, len) }
    }

    #[inline]
    fn u64_at(self, field: usize) -> u64 {
        self.bytes(self.offset + field, 8).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    #[inline]
    fn u32_at(self, field: usize) -> u32 {
        self.bytes(self.offset + field, 4).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

fn node_len(height: usize, key_len: usize, value_len: usize) -> usize {
    (TOWER_OFFSET + 4 * height + key_len + value_len).next_multiple_of(UNIT_BYTES)
}

fn height_of(seq: SeqNo) -> usize {
    (mix(seq.0).trailing_zeros() as usize / 2 + 1).min(HEIGHT_MAX)
}
