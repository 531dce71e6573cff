//! Merges sorted sources into one: a binary heap of cursors, the one with the next key on top.
//!
//! A merge walks in the direction in which it was last placed. Turning round would need every source to be placed again;
//! nobody needs it: a scan has one merge for each of its ends.
//!
//! Forwards it reads on in the blocks that its sources stand in, and asks a source only for what lies in another block.

mod source;
mod standing;

use std::cmp::Ordering;

use crate::error::Result;
use crate::iter::{Entry, InternalIterator};
use crate::key::{self, InternalKey, KeyBuffer};
use crate::value::Value;
use standing::{Joined, Standing};

pub(crate) use source::Source;

/// The merge of several cursors. No two of them may hold the same internal key.
pub(crate) struct MergeIter {
    sources: Vec<Source>,
    /// Where the sources stand that stand on an entry, as a heap; brought up to date whenever one is placed or moved on.
    heap: Vec<Standing>,
    forward: bool,
    /// Where keys are put together that the blocks do not have whole: for each source, once it is needed for one.
    joined: Vec<Joined>,
    /// Walking on in steps: the key that it stood on when a source was last asked to move.
    left: KeyBuffer,
}

impl std::fmt::Debug for MergeIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MergeIter({} sources)", self.sources.len())
    }
}

impl MergeIter {
    pub(crate) fn new(sources: Vec<Source>) -> MergeIter {
        let heap = Vec::with_capacity(sources.len());
        MergeIter { heap, sources, forward: true, joined: Vec::new(), left: KeyBuffer::default() }
    }

    /// How many of the sources are sorted runs of tables.
    pub(crate) fn table_runs(&self) -> usize {
        self.sources.iter().filter(|source| !matches!(source, Source::Memtable(_))).count()
    }

    fn place(&mut self, forward: bool, seek: impl Fn(&mut Source) -> Result<()>) -> Result<()> {
        self.heap.clear();
        self.left = KeyBuffer::default();
        self.sources.iter_mut().try_for_each(seek)?;
        self.forward = forward;
        let standings = self.sources.iter().enumerate();
        self.heap.extend(standings.filter_map(|(at, source)| Standing::of(source, at)));
        for root in (0..self.heap.len() / 2).rev() {
            self.sift_down(root);
        }
        Ok(())
    }

    /// Steps to the next entry, and says whether it has another user key.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<bool> {
        self.step_in_block().map_or_else(|| self.step_by_source(), Ok)
    }

    /// As [`step`](MergeIter::step), if the source on top need not be moved for it.
    #[inline]
    pub(crate) fn step_in_block(&mut self) -> Option<bool> {
        let before = self.heap.first()?.user();
        if !self.move_in_block() {
            return None;
        }
        // SAFETY: the source that stood on that key was not moved, and it is not where a key was joined now.
        Some(self.is_away_from(unsafe { &*before }))
    }

    /// Goes to the next entry, if the source on top need not be moved for it.
    #[inline]
    fn move_in_block(&mut self) -> bool {
        debug_assert!(self.forward, "a merge placed for walking back");
        let Some(top) = self.heap.first_mut() else { return false };
        let at = top.source();
        let (joined, sources) = (&mut self.joined, self.sources.len());
        let has_read = top.read_on(|| {
            if joined.is_empty() {
                joined.resize_with(sources, Joined::default);
            }
            joined.get_mut(at)
        });
        // One that owns the rest has nothing to be compared with.
        if has_read && self.heap.len() > 1 {
            self.sift_down(0);
        }
        has_read
    }

    /// Whether it stands on another user key.
    #[inline]
    fn is_away_from(&self, user: &[u8]) -> bool {
        self.heap.first().is_some_and(|top| !key::is_same(user, top.key().user))
    }

    /// The user key that it stands on, or has come to last.
    pub(crate) fn latest_user(&self) -> Option<&[u8]> {
        self.heap.first().map(Standing::key).or(self.left.get()).map(|key| key.user)
    }

    /// Steps to an entry that only its source can come to, and says whether it has another user key.
    #[inline(never)]
    fn step_by_source(&mut self) -> Result<bool> {
        let Some(top) = self.heap.first() else { return Ok(false) };
        self.left.set(top.key());
        self.move_by_source()?;
        Ok(self.left.get().is_some_and(|left| self.is_away_from(left.user)))
    }

    fn move_by_source(&mut self) -> Result<()> {
        self.move_top(|source, behind| {
            behind.map_or(Ok(()), |left| source.catch_up(left))?;
            source.next()
        })
    }

    /// Moves the source on top, which may have to catch up first.
    #[inline]
    fn move_top(
        &mut self,
        step: impl FnOnce(&mut Source, Option<usize>) -> Result<Option<Entry<'_>>>,
    ) -> Result<()> {
        let Some(top) = self.heap.first_mut() else { return Ok(()) };
        let at = top.source();
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        match step(source, top.leave()).map(|entry| entry.map(|entry| Standing::on(entry, at))) {
            Ok(Some(standing)) => *top = standing.reading(source),
            Ok(None) => {
                self.heap.swap_remove(0);
            }
            // A source that failed is lost, and with it the order: the walk ends here.
            Err(error) => {
                self.heap.clear();
                return Err(error);
            }
        }
        if self.heap.len() > 1 {
            self.sift_down(0);
        }
        Ok(())
    }

    /// Moves the standing that is `at` a place of the heap down to where it belongs.
    fn sift_down(&mut self, mut at: usize) {
        let first = if self.forward { Ordering::Less } else { Ordering::Greater };
        let comes_first = |a: &Standing, b: &Standing| a.key().cmp(&b.key()) == first;
        let heap = self.heap.as_mut_slice();
        while let (Some(here), Some(left)) = (heap.get(at), heap.get(2 * at + 1)) {
            let right = heap.get(2 * at + 2).filter(|right| comes_first(right, left));
            if !comes_first(right.unwrap_or(left), here) {
                return;
            }
            let child = 2 * at + 1 + usize::from(right.is_some());
            heap.swap(child, at);
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
        if !self.move_in_block() {
            self.move_by_source()?;
        }
        Ok(self.current())
    }

    fn prev(&mut self) -> Result<Option<Entry<'_>>> {
        debug_assert!(!self.forward, "a merge placed for walking on");
        self.move_top(|source, _| source.prev())?;
        Ok(self.current())
    }

    #[inline]
    fn current(&self) -> Option<Entry<'_>> {
        self.heap.first().map(|top| (top.key(), top.value()))
    }

    #[inline]
    fn lend(&self, stored: &[u8]) -> Option<Value> {
        self.sources.get(self.heap.first()?.source())?.lend(stored)
    }
}
