//! The order of a memtable: an adaptive radix tree over its entries (Leis, Kemper, Neumann: "The Adaptive Radix Tree", ICDE 2013).
//!
//! A key of n random bytes is found in a skip list by some twenty-five comparisons, each a cache miss; here by as many branches as it takes to
//! tell it apart, of which all but the last few are in the cache. One writer at a time changes the tree; readers take no lock and
//! never wait: what they may be looking at is only ever added to. A branch that is full is copied to a larger one, which takes its
//! place, and stays as it is for those who came to it before: all that they may see is in it. Nothing is removed.
//!
//! ```text
//! entry, at a multiple of 8 in its arena
//! 0   trailer    8
//! 8   key len    4
//! 12  value len  4
//! 16  older      4   atomic, a link
//! 20  key, value
//! ```
//!
//! The versions of a key are a list, newest first.

use std::sync::atomic::{AtomicU32, Ordering};

use super::arena::{Arena, UNIT_BYTES};
use super::branch::{ALL, Branch, IS_BRANCH, TAIL_BYTES, branch_len, next_capacity};
use crate::key::{InternalKey, Trailer, common_prefix};
use crate::sync::Mutex;

const ENTRY_BYTES: usize = 20;
/// Where the link to the topmost branch or only entry is.
const ROOT: usize = 0;

/// Entries in the order of their internal keys.
#[derive(Debug)]
pub(super) struct Tree {
    entries: Arena,
    branches: Arena,
    inserting: Mutex<()>,
}

/// Room for the entries of one write.
#[derive(Debug)]
pub(crate) struct Reservation {
    next: usize,
    end: usize,
}

impl Reservation {
    /// Whether it makes it time for [`Tree::populate_ahead`].
    #[inline]
    pub(super) fn is_step(&self) -> bool {
        Arena::is_step(&(self.next..self.end))
    }
}

/// An entry's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryRef(pub(super) u32);

/// An entry that can be read.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    arena: &'a Arena,
    offset: usize,
}

/// What a link leads to.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Nothing,
    Entry(Entry<'a>),
    Branch(Branch<'a>),
}

/// Where the keys below a branch lie beside another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    /// They share all bytes up to the branch's depth with it.
    Around,
    Behind,
}

impl Tree {
    pub(super) fn new(capacity: usize) -> Tree {
        // An insert adds a branch for four, or a child to a branch; growing to 16, 48 and all children takes less for each child that made it
        // necessary. So branches never take more than this, whatever the keys. They are memory only once they are used.
        const BRANCH_BYTES_PER_ENTRY: usize = branch_len(4);
        const LEAST_ENTRY_BYTES: usize = (ENTRY_BYTES + 1).next_multiple_of(UNIT_BYTES);
        let entries = Arena::new(capacity.max(Self::capacity_for(0)));
        let branch_bytes = entries.capacity().div_ceil(LEAST_ENTRY_BYTES) * BRANCH_BYTES_PER_ENTRY;
        let branches = Arena::new(UNIT_BYTES + branch_bytes);
        // Links are never 0.
        entries.reserve(UNIT_BYTES);
        branches.reserve(UNIT_BYTES);
        Tree { entries, branches, inserting: Mutex::new(()) }
    }

    /// There are many entries, or will be.
    pub(super) fn use_huge_pages(&self) {
        self.branches.use_huge_pages();
        self.entries.use_huge_pages();
    }

    /// Makes memory for the entries to come: to fill a huge page with zeros takes 0.1 ms, which no writer should wait for.
    pub(super) fn populate_ahead(&self) {
        // Branches take a part of what there is.
        self.entries.populate_ahead(self.entries.capacity().saturating_sub(self.branches.used_bytes()));
    }

    pub(super) fn capacity_for(bytes: usize) -> usize {
        UNIT_BYTES + bytes
    }

    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Bytes of entries and branches.
    pub(super) fn used_bytes(&self) -> usize {
        self.entries.used_bytes() + self.branches.used_bytes() - UNIT_BYTES
    }

    /// The bytes that an entry takes.
    pub(super) fn entry_bytes(key_len: usize, value_len: usize) -> usize {
        (ENTRY_BYTES + key_len + value_len).next_multiple_of(UNIT_BYTES)
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.used_bytes() + bytes <= self.entries.capacity()
    }

    pub(super) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let next = self.entries.reserve(bytes)?;
        Some(Reservation { next, end: next + bytes })
    }

    pub(super) fn insert(&self, room: &mut Reservation, key: InternalKey<'_>, value: &[u8]) -> EntryRef {
        let offset = room.next;
        room.next += Self::entry_bytes(key.user.len(), value.len());
        assert!(room.next <= room.end, "a write reserved the room of its entries");
        self.entries.populate_behind(offset..room.next);
        self.write_entry(offset, key, value);
        let entry = EntryRef((offset / UNIT_BYTES) as u32);
        let _inserting = self.inserting.lock();
        self.link(entry, key);
        entry
    }

    fn write_entry(&self, offset: usize, key: InternalKey<'_>, value: &[u8]) {
        let mut fixed = [0; ENTRY_BYTES];
        fixed[..8].copy_from_slice(&key.trailer.0.to_le_bytes());
        fixed[8..12].copy_from_slice(&(key.user.len() as u32).to_le_bytes());
        fixed[12..16].copy_from_slice(&(value.len() as u32).to_le_bytes());
        // SAFETY: the caller reserved these bytes, and nothing links to them yet.
        unsafe { self.entries.write(offset, &fixed) };
        // SAFETY: as above.
        unsafe { self.entries.write(offset + ENTRY_BYTES, key.user) };
        // SAFETY: as above.
        unsafe { self.entries.write(offset + ENTRY_BYTES + key.user.len(), value) };
    }

    /// Makes an entry part of the tree.
    fn link(&self, entry: EntryRef, key: InternalKey<'_>) {
        let user = key.user;
        let (mut slot, mut from) = (self.slot(ROOT), 0);
        loop {
            let link = slot.load(Ordering::Acquire);
            match self.place(link) {
                Place::Nothing => return slot.store(entry.0, Ordering::Release),
                Place::Entry(other) if other.key().user == user => return self.add_version(slot, entry, key),
                Place::Entry(other) => {
                    let other_user = other.key().user;
                    let depth = first_difference(user, other_user, from);
                    let branch = self.fork(user, depth, (other_user.get(depth).copied(), link), entry);
                    return slot.store(branch, Ordering::Release);
                }
                Place::Branch(branch) => {
                    if let Some((depth, byte)) = self.parting(branch, user, from) {
                        let fork = self.fork(user, depth, (Some(byte), link), entry);
                        return slot.store(fork, Ordering::Release);
                    }
                    let Some(byte) = user.get(branch.depth()) else {
                        slot = branch.end();
                        continue;
                    };
                    let Some(child) = branch.child(*byte) else {
                        return self.add_child(slot, branch, *byte, entry.0);
                    };
                    (slot, from) = (child, branch.depth() + 1);
                }
            }
        }
    }

    /// A branch at byte `depth` of `user` with two children: what `other` links to, under its byte, and the entry.
    fn fork(&self, user: &[u8], depth: usize, other: (Option<u8>, u32), entry: EntryRef) -> u32 {
        let mut tail = [0; TAIL_BYTES];
        let known = depth.min(TAIL_BYTES);
        if let (Some(place), Some(bytes)) =
            (tail.get_mut(TAIL_BYTES - known..), user.get(depth - known..depth))
        {
            place.copy_from_slice(bytes);
        }
        let branch = self.new_branch(4, depth, tail, entry);
        for (byte, link) in [other, (user.get(depth).copied(), entry.0)] {
            match byte {
                Some(byte) => branch.push(byte, link),
                None => branch.end().store(link, Ordering::Relaxed),
            }
        }
        branch.link()
    }

    /// Puts a version where it belongs among those of its key, the newest of which `slot` links to.
    fn add_version(&self, slot: &AtomicU32, entry: EntryRef, key: InternalKey<'_>) {
        let mut slot = slot;
        loop {
            let link = slot.load(Ordering::Acquire);
            match self.place(link) {
                Place::Entry(other) if other.trailer() > key.trailer => slot = other.older_slot(),
                _ => {
                    self.entry(entry).older_slot().store(link, Ordering::Relaxed);
                    return slot.store(entry.0, Ordering::Release);
                }
            }
        }
    }

    /// Gives a branch, to which `slot` links, one child more; if it is full, a larger one takes its place.
    fn add_child(&self, slot: &AtomicU32, branch: Branch<'_>, byte: u8, link: u32) {
        if branch.has_room() {
            return branch.push(byte, link);
        }
        let capacity = next_capacity(branch.capacity());
        let larger = self.new_branch(capacity, branch.depth(), branch.tail(), EntryRef(branch.sample()));
        larger.end().store(branch.end().load(Ordering::Relaxed), Ordering::Relaxed);
        for at in 0..branch.count() {
            larger.push(branch.byte(at), branch.list_slot(at).load(Ordering::Relaxed));
        }
        larger.push(byte, link);
        slot.store(larger.link(), Ordering::Release);
    }

    fn new_branch(
        &self,
        capacity: usize,
        depth: usize,
        tail: [u8; TAIL_BYTES],
        sample: EntryRef,
    ) -> Branch<'_> {
        let offset = self.branches.reserve(branch_len(capacity));
        assert!(offset.is_some(), "the arena has room for as many branches as there can be");
        let branch = Branch::at(&self.branches, offset.unwrap_or_default());
        branch.write(0, &(capacity as u32).to_le_bytes());
        branch.write(8, &(depth as u32).to_le_bytes());
        branch.write(16, &tail);
        branch.write(24, &sample.0.to_le_bytes());
        branch
    }

    /// Where `user` leaves the way to `branch`, whose keys have other bytes from there on, and which byte they have; `from` is the first byte that was
    /// not looked at.
    #[inline]
    fn parting(&self, branch: Branch<'_>, user: &[u8], from: usize) -> Option<(usize, u8)> {
        let depth = branch.depth();
        let skipped = depth - from;
        if skipped == 0 {
            return None;
        }
        let tail = branch.tail();
        let known = if skipped <= TAIL_BYTES {
            tail.get(TAIL_BYTES - skipped..)
        } else {
            self.entry(EntryRef(branch.sample())).key().user.get(from..depth)
        };
        let known = known.unwrap_or_default();
        let own = user.get(from..).unwrap_or_default();
        let at = first_difference(own, known, 0);
        known.get(at).map(|byte| (from + at, *byte))
    }

    /// The newest version of a key.
    pub(super) fn find(&self, user: &[u8]) -> Option<Entry<'_>> {
        let (mut link, mut from) = (self.root(), 0);
        loop {
            match self.place(link) {
                Place::Nothing => return None,
                Place::Entry(entry) => return (entry.key().user == user).then_some(entry),
                Place::Branch(branch) => {
                    if self.parting(branch, user, from).is_some() {
                        return None;
                    }
                    link = match user.get(branch.depth()) {
                        Some(byte) => branch.child(*byte).map_or(0, Tree::follow),
                        None => Tree::follow(branch.end()),
                    };
                    from = branch.depth() + 1;
                }
            }
        }
    }

    /// The newest version of the last key before `user`.
    pub(super) fn seek_before(&self, user: &[u8]) -> Option<Entry<'_>> {
        let (mut link, mut from, mut last) = (self.root(), 0, 0);
        loop {
            match self.place(link) {
                Place::Entry(entry) if entry.key().user < user => return Some(entry),
                Place::Nothing | Place::Entry(_) => return self.most(last),
                Place::Branch(branch) => {
                    match self.side(branch, user, from) {
                        Side::Before => return self.most(link),
                        Side::Behind => return self.most(last),
                        Side::Around => {}
                    }
                    let Some(byte) = user.get(branch.depth()) else { return self.most(last) };
                    let end = Tree::follow(branch.end());
                    if let Some(slot) = branch.child_below(usize::from(*byte)) {
                        last = Tree::follow(slot);
                    } else if end != 0 {
                        last = end;
                    }
                    link = branch.child(*byte).map_or(0, Tree::follow);
                    from = branch.depth() + 1;
                }
            }
        }
    }

    /// Where the keys of a branch lie beside `user`.
    #[inline]
    pub(super) fn side(&self, branch: Branch<'_>, user: &[u8], from: usize) -> Side {
        match self.parting(branch, user, from) {
            None => Side::Around,
            Some((at, byte)) if user.get(at).is_some_and(|own| *own > byte) => Side::Before,
            Some(_) => Side::Behind,
        }
    }

    pub(super) fn last(&self) -> Option<Entry<'_>> {
        self.most(self.root())
    }

    /// The newest version of the last key below a link.
    fn most(&self, mut link: u32) -> Option<Entry<'_>> {
        loop {
            match self.place(link) {
                Place::Nothing => return None,
                Place::Entry(entry) => return Some(entry),
                Place::Branch(branch) => {
                    let slot = branch.child_below(ALL).unwrap_or(branch.end());
                    link = Tree::follow(slot);
                }
            }
        }
    }

    /// The entry behind a reference that this tree gave out.
    #[inline]
    pub(super) fn entry(&self, at: EntryRef) -> Entry<'_> {
        Entry { arena: &self.entries, offset: at.0 as usize * UNIT_BYTES }
    }

    /// The next older version of an entry's key.
    pub(super) fn older(&self, entry: Entry<'_>) -> Option<Entry<'_>> {
        let link = entry.older_slot().load(Ordering::Acquire);
        (link != 0).then(|| self.entry(EntryRef(link)))
    }

    #[inline]
    pub(super) fn place(&self, link: u32) -> Place<'_> {
        if link == 0 {
            Place::Nothing
        } else if link & IS_BRANCH == 0 {
            Place::Entry(self.entry(EntryRef(link)))
        } else {
            let offset = (link & !IS_BRANCH) as usize * UNIT_BYTES;
            Place::Branch(Branch::at(&self.branches, offset))
        }
    }

    /// Fetches the beginnings of what a branch leads to, for a walk that comes to all of it.
    pub(super) fn prefetch_children(&self, branch: Branch<'_>) {
        // A branch of sixteen takes two lines, and most entries are in three.
        const LINES: usize = 3;
        for link in branch.few_children().map(Tree::follow) {
            let arena = if link & IS_BRANCH == 0 { &self.entries } else { &self.branches };
            arena.prefetch((link & !IS_BRANCH) as usize * UNIT_BYTES, LINES);
        }
    }

    pub(super) fn root(&self) -> u32 {
        Tree::follow(self.slot(ROOT))
    }

    /// The link in a slot, with all that was written before it.
    #[inline]
    pub(super) fn follow(slot: &AtomicU32) -> u32 {
        slot.load(Ordering::Acquire)
    }

    fn slot(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: these four bytes were reserved first, and are only ever touched as this atomic.
        unsafe { self.branches.atomic(offset) }
    }
}

impl<'a> Entry<'a> {
    pub(super) fn reference(self) -> EntryRef {
        EntryRef((self.offset / UNIT_BYTES) as u32)
    }

    #[inline]
    pub(super) fn key(self) -> InternalKey<'a> {
        InternalKey::new(self.bytes(ENTRY_BYTES, self.u32_at(8) as usize), self.trailer())
    }

    #[inline]
    pub(super) fn trailer(self) -> Trailer {
        Trailer(self.bytes(0, 8).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    #[inline]
    pub(super) fn value(self) -> &'a [u8] {
        self.bytes(ENTRY_BYTES + self.u32_at(8) as usize, self.u32_at(12) as usize)
    }

    fn older_slot(self) -> &'a AtomicU32 {
        // SAFETY: the four bytes at 16 of an entry are written with it, before anything links to it, and then touched as this atomic only.
        unsafe { self.arena.atomic(self.offset + 16) }
    }

    #[inline]
    fn bytes(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: the entry was published with its lengths, and its key, value and fixed fields are never written again.
        unsafe { self.arena.read(self.offset + at, len) }
    }

    #[inline]
    fn u32_at(self, field: usize) -> u32 {
        self.bytes(field, 4).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

/// The first place from `from` on where two keys differ, or one of them ends.
#[inline]
fn first_difference(a: &[u8], b: &[u8], from: usize) -> usize {
    let (a, b) = (a.get(from..).unwrap_or_default(), b.get(from..).unwrap_or_default());
    from + common_prefix(a, b)
}
