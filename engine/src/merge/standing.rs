//! Where a source of a merge stands: its current entry, looked up once and compared often, and what follows it in the same block.

use super::source::Source;
use crate::iter::{Entry, InternalIterator};
use crate::key::{InternalKey, Trailer};
use crate::table::block::ShortEntry;

/// The current entry of a source.
///
/// Walking on it reads the entries behind itself without its source; the source, which holds the block, then stands still, and catches up when
/// it is moved.
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
    /// Which of the two of [`Joined`] its key is in, if it is in one of them.
    in_second: bool,
}

/// Where keys are put together that do not lie whole in a block: in turns, so that the one before is still there to be compared.
pub(super) type Joined = [Vec<u8>; 2];

// SAFETY: the bytes belong to a source, which is Send, and goes wherever the merge goes.
unsafe impl Send for Standing {}

impl Standing {
    /// Where source number `number` stands, if it stands on an entry.
    #[inline]
    pub(super) fn of(source: &Source, number: usize) -> Option<Standing> {
        Some(Standing::on(source.current()?, number).reading(source))
    }

    /// On an entry that source number `number` has come to.
    ///
    /// By the contract of cursors the bytes are there until the source is moved, and before that the standing is left.
    #[inline]
    pub(super) fn on((key, value): Entry<'_>, number: usize) -> Standing {
        Standing {
            user: key.user,
            trailer: key.trailer,
            value,
            rest: &[],
            left: 0,
            source: number,
            in_second: false,
        }
    }

    /// The same, with what follows it where its source stands.
    #[inline]
    pub(super) fn reading(self, source: &Source) -> Standing {
        Standing { rest: source.rest(), ..self }
    }

    /// Leads to nothing from here on, since its source is to be moved. Returns how far that has to [catch up](Source::catch_up) before.
    #[inline]
    pub(super) fn leave(&mut self) -> Option<usize> {
        // What comes next lies in another block if nothing follows in this one, and then the entry itself is of no use.
        let behind = (self.left > 0).then_some(if self.rest.is_empty() { 0 } else { self.left });
        (self.user, self.value, self.rest, self.left) = (&[], &[], &[], 0);
        behind
    }

    /// Goes to the next entry, if it lies in the same block and is of the usual kind. `joined` is of the same source at every call.
    #[expect(clippy::inline_always, reason = "it is most of a step of a scan: a call costs a tenth of that")]
    #[inline(always)]
    pub(super) fn read_on<'a>(&mut self, joined: impl FnOnce() -> Option<&'a mut Joined>) -> bool {
        // SAFETY: the source that it lies in is not moved while this stands.
        let rest = unsafe { &*self.rest };
        let Some(next) = ShortEntry::first_of(rest) else { return false };
        if next.shared == 0 {
            self.user = next.suffix;
        } else if joined().and_then(|joined| self.join(joined, &next)).is_none() {
            return false;
        }
        (self.trailer, self.value) = (next.trailer, next.value);
        (self.left, self.rest) = (rest.len(), next.rest);
        true
    }

    /// Puts the key of the next entry together. `None`, and nothing done, if it has more in common with this one than there is.
    #[inline]
    fn join(&mut self, [first, second]: &mut Joined, next: &ShortEntry<'_>) -> Option<()> {
        // Not where this key may be.
        let place = if self.in_second { first } else { second };
        // SAFETY: it lies in the source, which is not moved, or in the other place.
        let shared = unsafe { &*self.user }.get(..next.shared)?;
        place.clear();
        place.extend_from_slice(shared);
        place.extend_from_slice(next.suffix);
        self.user = &raw const **place;
        self.in_second = !self.in_second;
        Some(())
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
