//! Where a source of a merge stands: its current entry, looked up once and compared often, and what follows it in the same block.

use super::source::Source;
use crate::iter::InternalIterator;
use crate::key::{InternalKey, Trailer};
use crate::table::block::WholeEntry;

/// The current entry of a source.
///
/// Walking on it reads the entries behind itself without its source, as long as their keys are whole; the source, which holds the block, then
/// stands still, and catches up when it is moved.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    user: *const [u8],
    trailer: Trailer,
    value: *const [u8],
    /// What follows in the same block.
    rest: *const [u8],
    /// How many bytes of entries were left at the beginning of this one; 0 if the source itself has come to it.
    left: usize,
    source: usize,
}

// SAFETY: the bytes belong to a source, which is Send, and goes wherever the merge goes.
unsafe impl Send for Standing {}

impl Standing {
    /// Where source number `number` stands, if it stands on an entry.
    ///
    /// By the contract of cursors the bytes are there until the source is moved, and before that the standing is left.
    #[inline]
    pub(super) fn of(source: &Source, number: usize) -> Option<Standing> {
        let (key, value) = source.current()?;
        let (user, trailer, rest) = (std::ptr::from_ref(key.user), key.trailer, source.rest());
        Some(Standing { user, trailer, value, rest, left: 0, source: number })
    }

    /// Leads to nothing from here on, since its source is to be moved. Returns how far that has to [catch up](Source::catch_up) before.
    #[inline]
    pub(super) fn leave(&mut self) -> Option<usize> {
        // What comes next lies in another block if nothing follows in this one, and then the entry itself is of no use.
        let behind = (self.left > 0).then_some(if self.rest.is_empty() { 0 } else { self.left });
        (self.user, self.value, self.rest, self.left) = (&[], &[], &[], 0);
        behind
    }

    /// Goes to the next entry, if it lies in the same block and its key is whole.
    #[expect(clippy::inline_always, reason = "it is most of a step of a scan: a call costs a tenth of that")]
    #[inline(always)]
    pub(super) fn read_on(&mut self) -> bool {
        // SAFETY: the source that it lies in is not moved while this stands.
        let rest = unsafe { &*self.rest };
        let Some(next) = WholeEntry::first_of(rest) else { return false };
        (self.user, self.trailer, self.value) = (next.key.user, next.key.trailer, next.value);
        (self.left, self.rest) = (rest.len(), next.rest);
        true
    }

    #[inline]
    pub(super) fn source(&self) -> usize {
        self.source
    }

    #[inline]
    pub(super) fn user(&self) -> *const [u8] {
        self.user
    }

    #[inline]
    pub(super) fn key(&self) -> InternalKey<'_> {
        // SAFETY: as in `read_on`.
        InternalKey::new(unsafe { &*self.user }, self.trailer)
    }

    #[inline]
    pub(super) fn value(&self) -> &[u8] {
        // SAFETY: as in `read_on`.
        unsafe { &*self.value }
    }
}
