//! The memtable: the newest writes, in memory, in order.
//!
//! A skip list (Pugh 1990) in one arena. Writers that have reserved their bytes insert concurrently without locks; readers
//! never wait. Beside it a hash index, for gets. Everything is freed at once when the last reader lets go.

mod arena;
mod skiplist;
mod index;

use std::sync::Arc;

use index::{HashIndex, Known, Other};
use skiplist::{NodeRef, SkipList};

use crate::env::names::FileNumber;
use crate::error::Result;
use crate::iter::internal::InternalIterator;
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::sync::{AtomicU64, Ordering};
use crate::value::{Owner, Value};
use crate::values::file::ValueFile;

pub(crate) use skiplist::Reservation;

/// One memtable, and the log segment that holds the same writes.
#[derive(Debug)]
pub(crate) struct Memtable {
    list: SkipList,
    index: HashIndex,
    log: FileNumber,
    /// The values that were large enough to stay in the log.
    values: Arc<ValueFile>,
    pointers: AtomicU64,
    entries: AtomicU64,
    tombstones: AtomicU64,
    payload: AtomicU64,
    /// The newest sequence number reserved, written under the commit lock: once it is visible, no insert is under way.
    last_seq: AtomicU64,
}

impl Owner for Memtable {}

impl Memtable {
    /// An empty memtable of `capacity` bytes for the writes in the log segment `values`.
    pub(crate) fn new(capacity: usize, values: &Arc<ValueFile>) -> Memtable {
        let list = SkipList::new(capacity);
        Memtable {
            index: HashIndex::new(list.capacity()),
            list,
            log: values.number,
            values: values.clone(),
            pointers: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            tombstones: AtomicU64::new(0),
            payload: AtomicU64::new(0),
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

    /// The bytes that entries with these lengths take, with sequence numbers from `first` on.
    pub(crate) fn bytes_needed(first: SeqNo, lengths: impl Iterator<Item = (usize, usize)>) -> usize {
        lengths.zip(first.0..).map(|((key, value), seq)| SkipList::node_bytes(SeqNo(seq), key, value)).sum()
    }

    /// The capacity that an empty memtable needs to hold `bytes` of entries.
    pub(crate) fn capacity_for(bytes: usize) -> usize {
        SkipList::capacity_for(bytes)
    }

    /// Whether `bytes` of entries still fit. Under the commit lock they then do.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.list.has_room(bytes)
    }

    /// Reserves room for entries up to `last`; `None` when it does not suffice. Called under the commit lock.
    pub(crate) fn reserve(&self, bytes: usize, last: SeqNo) -> Option<Reservation> {
        let reservation = self.list.reserve(bytes)?;
        self.last_seq.store(last.0, Ordering::Relaxed);
        Some(reservation)
    }

    /// Inserts one entry into reserved room. Each key and sequence number is inserted once.
    pub(crate) fn insert(&self, room: &mut Reservation, key: InternalKey<'_>, value: &[u8]) {
        let node = self.list.insert(room, key, value);
        self.index.put(key::hash(key.user), node, |other| {
            let other = self.list.node(other).key();
            match other.user == key.user {
                false => Other::Key,
                true if other.trailer < key.trailer => Other::Older,
                true => Other::Newer,
            }
        });
        if key.trailer.kind() != Some(Kind::Value) {
            self.count_rare(key.trailer.kind());
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.payload.fetch_add((key.user.len() + value.len()) as u64, Ordering::Relaxed);
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
        let newest = match self.index.find(hash, |node| self.list.node(node).key().user == user) {
            Known::Absent => return None,
            Known::Newest(node) => Some(self.list.node(node)).filter(|node| node.key().trailer.seq() <= seq),
            Known::Unsure => None,
        };
        // Newer than the read, or not in the index: the list knows.
        let node = match newest {
            Some(node) => node,
            None => self.search(user, seq)?,
        };
        Some((node.key().trailer, node.value()))
    }

    #[cold]
    #[inline(never)]
    fn search(&self, user: &[u8], seq: SeqNo) -> Option<skiplist::Node<'_>> {
        let node = self.list.seek(InternalKey::seek(user, seq))?;
        (node.key().user == user).then_some(node)
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
        self.list.used_bytes()
    }

    pub(crate) fn last_seq(&self) -> SeqNo {
        SeqNo(self.last_seq.load(Ordering::Relaxed))
    }

    pub(crate) fn iter(self: &Arc<Self>) -> MemtableIter {
        MemtableIter { memtable: self.clone(), at: None }
    }
}

/// Walks a memtable; sees every entry that was published before a step, and perhaps younger ones.
#[derive(Debug)]
pub(crate) struct MemtableIter {
    memtable: Arc<Memtable>,
    at: Option<NodeRef>,
}

impl InternalIterator for MemtableIter {
    fn seek_to_first(&mut self) -> Result<()> {
        self.at = self.memtable.list.first().map(skiplist::Node::reference);
        Ok(())
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.at = self.memtable.list.last().map(skiplist::Node::reference);
        Ok(())
    }

    fn seek(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.at = self.memtable.list.seek(key).map(skiplist::Node::reference);
        Ok(())
    }

    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.at = self.memtable.list.seek_before(key).map(skiplist::Node::reference);
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.at = self.at.and_then(|at| self.memtable.list.node(at).next()).map(skiplist::Node::reference);
        Ok(())
    }

    fn prev(&mut self) -> Result<()> {
        let list = &self.memtable.list;
        self.at = self.at.and_then(|at| list.seek_before(list.node(at).key())).map(skiplist::Node::reference);
        Ok(())
    }

    fn current(&self) -> Option<(InternalKey<'_>, &[u8])> {
        let node = self.memtable.list.node(self.at?);
        Some((node.key(), node.value()))
    }

    fn lend(&self) -> Option<Value> {
        let (_, value) = self.current()?;
        Some(self.memtable.lend(value))
    }
}

#[cfg(test)]
mod tests;
