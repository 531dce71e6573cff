//! The memtable: the newest writes, in memory, in order.
//!
//! A radix tree in an arena keeps the order, a hash index beside it serves gets. Writers that have reserved their bytes copy entries side
//! by side, and link them one after the other; readers never wait. Everything is freed at once when the last reader lets go.

mod arena;
mod branch;
mod tree;
mod path;
mod index;

use std::sync::Arc;

use index::{HashIndex, Known, Other};
use path::Path;
use tree::{Entry, EntryRef, Tree};

use crate::env::names::FileNumber;
use crate::error::Result;
use crate::iter::{self, InternalIterator};
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::value::{Owner, Value};
use crate::values::file::ValueFile;

pub(crate) use tree::Reservation;

/// From so many entries on there will be more: those of a database with little in it would fill small pages better.
const BUSY_FROM_ENTRIES: u64 = 4096;
/// Smaller memtables are not worth huge pages: who wants them small wants little memory taken.
const HUGE_FROM_BYTES: usize = 16 << 20;

/// One memtable, and the log segment that holds the same writes.
#[derive(Debug)]
pub(crate) struct Memtable {
    tree: Tree,
    index: HashIndex,
    log: FileNumber,
    /// The values that were large enough to stay in the log.
    values: Arc<ValueFile>,
    pointers: AtomicU64,
    entries: AtomicU64,
    tombstones: AtomicU64,
    payload: AtomicU64,
    /// There are many entries, or will be.
    is_busy: AtomicBool,
    /// The newest sequence number reserved, written under the commit lock: once it is visible, no insert is under way.
    last_seq: AtomicU64,
}

impl Owner for Memtable {}

impl Memtable {
    /// An empty memtable of `capacity` bytes for the writes in the log segment `values`.
    pub(crate) fn new(capacity: usize, values: &Arc<ValueFile>) -> Memtable {
        let tree = Tree::new(capacity);
        Memtable {
            index: HashIndex::new(tree.capacity()),
            tree,
            log: values.number,
            values: values.clone(),
            pointers: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            tombstones: AtomicU64::new(0),
            payload: AtomicU64::new(0),
            is_busy: AtomicBool::new(false),
            last_seq: AtomicU64::new(0),
        }
    }

    pub(crate) fn log(&self) -> FileNumber {
        self.log
    }

    /// The file that pointers of this memtable lead to.
    pub(crate) fn values(&self) -> &Arc<ValueFile> {
        &self.values
    }

    /// Entries whose values stayed in the log.
    pub(crate) fn pointers(&self) -> u64 {
        self.pointers.load(Ordering::Relaxed)
    }

    /// The bytes that entries with these lengths take.
    pub(crate) fn bytes_needed(lengths: impl Iterator<Item = (usize, usize)>) -> usize {
        lengths.map(|(key, value)| Tree::entry_bytes(key, value)).sum()
    }

    /// The capacity that an empty memtable needs to hold `bytes` of entries.
    pub(crate) fn capacity_for(bytes: usize) -> usize {
        Tree::capacity_for(bytes)
    }

    /// Whether `bytes` of entries still fit. Under the commit lock they then do.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.tree.has_room(bytes)
    }

    /// Reserves room for entries up to `last`; `None` when it does not suffice. Called under the commit lock.
    pub(crate) fn reserve(&self, bytes: usize, last: SeqNo) -> Option<Reservation> {
        let reservation = self.tree.reserve(bytes)?;
        self.last_seq.store(last.0, Ordering::Relaxed);
        Some(reservation)
    }

    /// Inserts one entry into reserved room. Each key and sequence number is inserted once.
    pub(crate) fn insert(&self, room: &mut Reservation, key: InternalKey<'_>, value: &[u8]) {
        let hash = key::hash(key.user);
        // Its slot comes while the tree is walked: one far miss the less.
        self.index.prefetch(hash);
        let entry = self.tree.insert(room, key, value);
        self.index.put(hash, entry, |other| {
            let other = self.tree.entry(other).key();
            match other.user == key.user {
                false => Other::Key,
                true if other.trailer < key.trailer => Other::Older,
                true => Other::Newer,
            }
        });
        if key.trailer.kind() != Some(Kind::Value) {
            self.count_rare(key.trailer.kind());
        }
        if self.entries.fetch_add(1, Ordering::Relaxed) == BUSY_FROM_ENTRIES {
            self.expect_many();
        }
        self.payload.fetch_add((key.user.len() + value.len()) as u64, Ordering::Relaxed);
    }

    /// Many entries will come: huge pages halve what a miss costs, and memory is made [ahead](Memtable::populate_ahead).
    pub(crate) fn expect_many(&self) {
        if self.tree.capacity() >= HUGE_FROM_BYTES && !self.is_busy.swap(true, Ordering::Relaxed) {
            self.tree.use_huge_pages();
            self.index.use_huge_pages();
        }
    }

    /// Whether many entries have come, or were to.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }

    /// Whether a reservation makes it time for [`Memtable::populate_ahead`].
    #[inline]
    pub(crate) fn wants_memory(&self, room: &Reservation) -> bool {
        room.is_step() && self.is_busy()
    }

    /// Makes memory for the entries to come, if many will. One thread at a time does so.
    pub(crate) fn populate_ahead(&self) {
        if self.is_busy() {
            self.tree.populate_ahead();
        }
    }

    fn count_rare(&self, kind: Option<Kind>) {
        if kind == Some(Kind::Tombstone) {
            self.tombstones.fetch_add(1, Ordering::Relaxed);
        }
        if kind.is_some_and(Kind::is_pointer) {
            self.pointers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The newest entry of `user`, whose hash that is, at or before `seq`.
    #[inline]
    pub(crate) fn get(&self, user: &[u8], hash: u64, seq: SeqNo) -> Option<(Trailer, &[u8])> {
        let newest = match self.index.find(hash, |entry| self.tree.entry(entry).key().user == user) {
            Known::Absent => return None,
            Known::Newest(entry) => Some(self.tree.entry(entry)),
            Known::Unsure => None,
        };
        let entry = match newest.filter(|entry| entry.trailer().seq() <= seq) {
            Some(entry) => entry,
            // Newer than the read, or not in the index: the tree knows.
            None => self.search(InternalKey::seek(user, seq))?,
        };
        Some((entry.trailer(), entry.value()))
    }

    /// The newest version of a key at or before a sequence number.
    #[cold]
    #[inline(never)]
    fn search(&self, key: InternalKey<'_>) -> Option<Entry<'_>> {
        self.version(self.tree.find(key.user), key.trailer)
    }

    /// The first of a key's versions at or behind a trailer, given the newest.
    fn version<'a>(&'a self, newest: Option<Entry<'a>>, trailer: Trailer) -> Option<Entry<'a>> {
        std::iter::successors(newest, |entry| self.tree.older(*entry))
            .find(|entry| entry.trailer() <= trailer)
    }

    /// The versions of a key of which something is so, newest first, given the newest; what is so of a version is so of those that are newer.
    fn versions<'a>(&'a self, newest: Option<Entry<'a>>, is_so: impl Fn(Entry<'a>) -> bool) -> Vec<EntryRef> {
        let versions = std::iter::successors(newest, |entry| self.tree.older(*entry));
        versions.take_while(|entry| is_so(*entry)).map(Entry::reference).collect()
    }

    /// A value of this memtable as a handle.
    pub(crate) fn lend(self: &Arc<Self>, bytes: &[u8]) -> Value {
        // SAFETY: `bytes` comes from a node of this memtable, and nodes are never changed nor freed before the memtable is.
        unsafe { Value::lent(bytes, || self.clone()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries() == 0
    }

    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn tombstones(&self) -> u64 {
        self.tombstones.load(Ordering::Relaxed)
    }

    /// Bytes of all keys and values.
    pub(crate) fn payload_bytes(&self) -> u64 {
        self.payload.load(Ordering::Relaxed)
    }

    /// Bytes of the index of keys, which are not part of the others.
    pub(crate) fn index_bytes(&self) -> usize {
        self.index.bytes()
    }

    /// Bytes taken of the arena.
    pub(crate) fn used_bytes(&self) -> usize {
        self.tree.used_bytes()
    }

    pub(crate) fn last_seq(&self) -> SeqNo {
        SeqNo(self.last_seq.load(Ordering::Relaxed))
    }

    pub(crate) fn iter(self: &Arc<Self>) -> MemtableIter {
        MemtableIter { memtable: self.clone(), at: None, path: None, newer: Vec::new() }
    }
}

/// Walks a memtable; sees every entry that was published before it was placed, and perhaps younger ones.
#[derive(Debug)]
pub(crate) struct MemtableIter {
    memtable: Arc<Memtable>,
    at: Option<EntryRef>,
    /// Walking on: the way to the key it stands on.
    path: Option<Path>,
    /// Walking back: the versions of its key that are newer, the next one last.
    newer: Vec<EntryRef>,
}

impl MemtableIter {
    /// Goes to the first entry at or behind a key.
    fn go_to(&mut self, key: InternalKey<'_>) {
        let tree = &self.memtable.tree;
        let (mut path, mut found) = Path::seek(tree, key.user);
        if let Some(newest) = found.filter(|entry| entry.key().user == key.user) {
            found = self.memtable.version(Some(newest), key.trailer).or_else(|| path.next(tree));
        }
        self.at = found.map(Entry::reference);
        self.path = Some(path);
        self.newer.clear();
    }

    /// Goes to the last entry before a key.
    fn go_before(&mut self, key: InternalKey<'_>) {
        let Memtable { tree, .. } = &*self.memtable;
        self.path = None;
        self.newer = self.memtable.versions(tree.find(key.user), |entry| entry.trailer() > key.trailer);
        if self.newer.is_empty() {
            self.newer = self.memtable.versions(tree.seek_before(key.user), |_| true);
        }
        self.at = self.newer.pop();
    }
}

// SAFETY: the bytes lie in the memtable, which the cursor holds, and which only grows.
unsafe impl InternalIterator for MemtableIter {
    fn seek_to_first(&mut self) -> Result<()> {
        let (path, first) = Path::first(&self.memtable.tree);
        self.at = first.map(Entry::reference);
        self.path = Some(path);
        self.newer.clear();
        Ok(())
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.path = None;
        self.newer = self.memtable.versions(self.memtable.tree.last(), |_| true);
        self.at = self.newer.pop();
        Ok(())
    }

    fn seek(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.go_to(key);
        Ok(())
    }

    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.go_before(key);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<iter::Entry<'_>>> {
        let Some(at) = self.at else { return Ok(None) };
        let tree = &self.memtable.tree;
        let here = tree.entry(at);
        self.newer.clear();
        self.at = tree
            .older(here)
            .or_else(|| self.path.get_or_insert_with(|| Path::seek(tree, here.key().user).0).next(tree))
            .map(Entry::reference);
        Ok(self.current())
    }

    fn prev(&mut self) -> Result<Option<iter::Entry<'_>>> {
        let Some(at) = self.at else { return Ok(None) };
        let tree = &self.memtable.tree;
        let here = tree.entry(at).key();
        if self.path.take().is_some() {
            // It turns round.
            self.newer = self.memtable.versions(tree.find(here.user), |entry| entry.trailer() > here.trailer);
        }
        if self.newer.is_empty() {
            self.newer = self.memtable.versions(tree.seek_before(here.user), |_| true);
        }
        self.at = self.newer.pop();
        Ok(self.current())
    }

    fn current(&self) -> Option<iter::Entry<'_>> {
        let entry = self.memtable.tree.entry(self.at?);
        Some((entry.key(), entry.value()))
    }

    fn lend(&self, _: &[u8]) -> Option<Value> {
        let (_, value) = self.current()?;
        Some(self.memtable.lend(value))
    }
}

#[cfg(test)]
mod tests;
