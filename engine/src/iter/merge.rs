//! Merges sorted sources into one: a binary heap of cursors, the one with the next key on top.
//!
//! A merge walks in the direction in which it was last placed. Turning round would need every source to be placed again;
//! nobody needs it: a scan has one merge for each of its ends.

use std::cmp::Ordering;

use super::internal::{BoxedIterator, InternalIterator};
use crate::error::Result;
use crate::key::{InternalKey, Trailer};
use crate::value::Value;

/// Where a source stands: its current entry, looked up once and compared often.
#[derive(Clone, Copy)]
struct Standing {
    user: *const [u8],
    trailer: Trailer,
    value: *const [u8],
}

// SAFETY: the bytes belong to a source, which is Send, and goes wherever the merge goes.
unsafe impl Send for Standing {}

impl Standing {
    fn of(source: &BoxedIterator) -> Option<Standing> {
        let (key, value) = source.current()?;
        Some(Standing { user: key.user, trailer: key.trailer, value })
    }

    /// # Safety
    /// The source has not been moved on since, and lives for as long as what is returned.
    #[inline]
    unsafe fn entry<'a>(self) -> (InternalKey<'a>, &'a [u8]) {
        // SAFETY: by the contract of cursors the bytes are still there.
        let user = unsafe { &*self.user };
        // SAFETY: as above.
        (InternalKey::new(user, self.trailer), unsafe { &*self.value })
    }
}

/// The merge of several cursors. No two of them may hold the same internal key.
pub(crate) struct MergeIter {
    sources: Vec<BoxedIterator>,
    /// Where each source stands; brought up to date whenever one is placed or moved on.
    standings: Vec<Option<Standing>>,
    /// Indices of the sources that stand on an entry, as a heap.
    heap: Vec<usize>,
    forward: bool,
}

impl std::fmt::Debug for MergeIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MergeIter({} sources)", self.sources.len())
    }
}

impl MergeIter {
    pub(crate) fn new(sources: Vec<BoxedIterator>) -> MergeIter {
        let standings = vec![None; sources.len()];
        MergeIter { heap: Vec::with_capacity(sources.len()), sources, standings, forward: true }
    }

    fn place(&mut self, forward: bool, seek: impl Fn(&mut BoxedIterator) -> Result<()>) -> Result<()> {
        self.heap.clear();
        self.standings.fill(None);
        self.sources.iter_mut().try_for_each(seek)?;
        self.forward = forward;
        for (at, (source, standing)) in self.sources.iter().zip(&mut self.standings).enumerate() {
            *standing = Standing::of(source);
            if standing.is_some() {
                self.heap.push(at);
            }
        }
        for root in (0..self.heap.len() / 2).rev() {
            self.sift_down(root);
        }
        Ok(())
    }

    fn advance(&mut self, step: impl Fn(&mut BoxedIterator) -> Result<()>) -> Result<()> {
        let Some(top) = self.heap.first().copied() else {
            return Ok(());
        };
        let Some((source, standing)) = self.sources.get_mut(top).zip(self.standings.get_mut(top)) else {
            return Ok(());
        };
        *standing = None;
        if let Err(error) = step(source) {
            // A source that failed is lost, and with it the order: the walk ends here.
            self.heap.clear();
            return Err(error);
        }
        *standing = Standing::of(source);
        if standing.is_none() {
            self.heap.swap_remove(0);
        }
        self.sift_down(0);
        Ok(())
    }

    #[inline]
    fn entry_of(&self, source: usize) -> Option<(InternalKey<'_>, &[u8])> {
        let standing = (*self.standings.get(source)?)?;
        // SAFETY: a standing is forgotten before its source moves, and both are ours.
        Some(unsafe { standing.entry() })
    }

    #[inline]
    fn key_of(&self, source: usize) -> Option<InternalKey<'_>> {
        Some(self.entry_of(source)?.0)
    }

    fn comes_first(&self, a: usize, b: usize) -> bool {
        let order = self
            .heap
            .get(a)
            .and_then(|a| self.key_of(*a))
            .cmp(&self.heap.get(b).and_then(|b| self.key_of(*b)));
        if self.forward { order == Ordering::Less } else { order == Ordering::Greater }
    }

    #[inline]
    fn sift_down(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.heap.len() {
                return;
            }
            let child = if right < self.heap.len() && self.comes_first(right, left) { right } else { left };
            if !self.comes_first(child, at) {
                return;
            }
            self.heap.swap(child, at);
            at = child;
        }
    }

    fn top(&self) -> Option<&BoxedIterator> {
        self.sources.get(*self.heap.first()?)
    }
}

// SAFETY: the bytes are those of a source.
unsafe impl InternalIterator for MergeIter {
    fn seek_to_first(&mut self) -> Result<()> {
        self.place(true, |source| source.seek_to_first())
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.place(false, |source| source.seek_to_last())
    }

    fn seek(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.place(true, |source| source.seek(key))
    }

    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.place(false, |source| source.seek_before(key))
    }

    fn next(&mut self) -> Result<()> {
        debug_assert!(self.forward, "a merge placed for walking back");
        self.advance(|source| source.next())
    }

    fn prev(&mut self) -> Result<()> {
        debug_assert!(!self.forward, "a merge placed for walking on");
        self.advance(|source| source.prev())
    }

    fn current(&self) -> Option<(InternalKey<'_>, &[u8])> {
        self.entry_of(*self.heap.first()?)
    }

    fn lend(&self) -> Option<Value> {
        self.top()?.lend()
    }
}
