//! Merges sorted sources into one: a binary heap of cursors, the one with the next key on top.
//!
//! A merge walks in the direction in which it was last placed. Turning round would need every source to be placed again;
//! nobody needs it: a scan has one merge for each of its ends.

use std::cmp::Ordering;

use super::internal::{BoxedIterator, InternalIterator};
use crate::error::Result;
use crate::key::InternalKey;
use crate::value::Value;

/// The merge of several cursors. No two of them may hold the same internal key.
pub(crate) struct MergeIter {
    sources: Vec<BoxedIterator>,
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
        MergeIter { heap: Vec::with_capacity(sources.len()), sources, forward: true }
    }

    fn place(&mut self, forward: bool, seek: impl Fn(&mut BoxedIterator) -> Result<()>) -> Result<()> {
        self.heap.clear();
        self.sources.iter_mut().try_for_each(seek)?;
        self.forward = forward;
        let placed = self.sources.iter().enumerate().filter(|(_, source)| source.current().is_some());
        self.heap.extend(placed.map(|(at, _)| at));
        for root in (0..self.heap.len() / 2).rev() {
            self.sift_down(root);
        }
        Ok(())
    }

    fn advance(&mut self, step: impl Fn(&mut BoxedIterator) -> Result<()>) -> Result<()> {
        let Some(top) = self.heap.first().copied() else {
            return Ok(());
        };
        let Some(source) = self.sources.get_mut(top) else {
            return Ok(());
        };
        if let Err(error) = step(source) {
            // A source that failed is lost, and with it the order: the walk ends here.
            self.heap.clear();
            return Err(error);
        }
        if self.key_of(top).is_none() {
            self.heap.swap_remove(0);
        }
        self.sift_down(0);
        Ok(())
    }

    fn key_of(&self, source: usize) -> Option<InternalKey<'_>> {
        Some(self.sources.get(source)?.current()?.0)
    }

    fn comes_first(&self, a: usize, b: usize) -> bool {
        let order = self
            .heap
            .get(a)
            .and_then(|a| self.key_of(*a))
            .cmp(&self.heap.get(b).and_then(|b| self.key_of(*b)));
        if self.forward { order == Ordering::Less } else { order == Ordering::Greater }
    }

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

impl InternalIterator for MergeIter {
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
        self.top()?.current()
    }

    fn lend(&self) -> Option<Value> {
        self.top()?.lend()
    }
}
