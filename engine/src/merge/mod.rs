//! Merges sorted sources into one: a binary heap of cursors, the one with the next key on top.
//!
//! A merge walks in the direction in which it was last placed. Turning round would need every source to be placed again;
//! nobody needs it: a scan has one merge for each of its ends.

mod source;

use std::cmp::Ordering;

use crate::error::Result;
use crate::iter::{Entry, InternalIterator};
use crate::key::{InternalKey, Trailer};
use crate::value::Value;

pub(crate) use source::Source;

/// Where a source stands: its current entry, looked up once and compared often.
#[derive(Clone, Copy)]
struct Standing {
    user: *const [u8],
    trailer: Trailer,
    value: *const [u8],
    source: usize,
}

// SAFETY: the bytes belong to a source, which is Send, and goes wherever the merge goes.
unsafe impl Send for Standing {}

impl Standing {
    #[inline]
    fn new((key, value): Entry<'_>, source: usize) -> Standing {
        Standing { user: key.user, trailer: key.trailer, value, source }
    }

    /// While its source moves, it leads to nothing.
    #[inline]
    fn leave(&mut self) {
        (self.user, self.value) = (&[], &[]);
    }
}

/// The merge of several cursors. No two of them may hold the same internal key.
pub(crate) struct MergeIter {
    sources: Vec<Source>,
    /// Where the sources stand that stand on an entry, as a heap; brought up to date whenever one is placed or moved on.
    heap: Vec<Standing>,
    forward: bool,
}

impl std::fmt::Debug for MergeIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MergeIter({} sources)", self.sources.len())
    }
}

impl MergeIter {
    pub(crate) fn new(sources: Vec<Source>) -> MergeIter {
        MergeIter { heap: Vec::with_capacity(sources.len()), sources, forward: true }
    }

    /// How many of the sources are sorted runs of tables.
    pub(crate) fn table_runs(&self) -> usize {
        self.sources.iter().filter(|source| !matches!(source, Source::Memtable(_))).count()
    }

    fn place(&mut self, forward: bool, seek: impl Fn(&mut Source) -> Result<()>) -> Result<()> {
        self.heap.clear();
        self.sources.iter_mut().try_for_each(seek)?;
        self.forward = forward;
        let standings = self.sources.iter().enumerate();
        self.heap.extend(standings.filter_map(|(at, source)| Some(Standing::new(source.current()?, at))));
        for root in (0..self.heap.len() / 2).rev() {
            self.sift_down(root);
        }
        Ok(())
    }

    #[inline]
    fn advance(
        &mut self,
        step: impl FnOnce(&mut Source) -> Result<Option<Entry<'_>>>,
    ) -> Result<Option<Entry<'_>>> {
        let Some(top) = self.heap.first_mut() else { return Ok(None) };
        let at = top.source;
        let Some(source) = self.sources.get_mut(at) else { return Ok(None) };
        top.leave();
        match step(source) {
            Ok(Some(entry)) => *top = Standing::new(entry, at),
            Ok(None) => {
                self.heap.swap_remove(0);
            }
            // A source that failed is lost, and with it the order: the walk ends here.
            Err(error) => {
                self.heap.clear();
                return Err(error);
            }
        }
        // One that owns the rest has nothing to be compared with.
        if self.heap.len() > 1 {
            self.sift_down(0);
        }
        Ok(self.entry(0))
    }

    #[inline]
    fn entry(&self, at: usize) -> Option<Entry<'_>> {
        let standing = self.heap.get(at)?;
        // SAFETY: by the contract of cursors the bytes are still there: a standing is left before its source moves, and both are ours.
        let user = unsafe { &*standing.user };
        // SAFETY: as above.
        Some((InternalKey::new(user, standing.trailer), unsafe { &*standing.value }))
    }

    fn comes_first(&self, a: usize, b: usize) -> bool {
        let key = |at| self.entry(at).map(|(key, _)| key);
        let order = key(a).cmp(&key(b));
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
}

// SAFETY: the bytes are those of a source.
unsafe impl InternalIterator for MergeIter {
    fn seek_to_first(&mut self) -> Result<()> {
        self.place(true, Source::seek_to_first)
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.place(false, Source::seek_to_last)
    }

    fn seek(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.place(true, |source| source.seek(key))
    }

    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.place(false, |source| source.seek_before(key))
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        debug_assert!(self.forward, "a merge placed for walking back");
        self.advance(Source::next)
    }

    fn prev(&mut self) -> Result<Option<Entry<'_>>> {
        debug_assert!(!self.forward, "a merge placed for walking on");
        self.advance(Source::prev)
    }

    #[inline]
    fn current(&self) -> Option<Entry<'_>> {
        self.entry(0)
    }

    #[inline]
    fn lend(&self) -> Option<Value> {
        self.sources.get(self.heap.first()?.source)?.lend()
    }
}
