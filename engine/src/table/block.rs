//! Reads a data block.
//!
//! The bytes have passed their checksum, yet nothing here trusts a length or an offset: a block that contradicts itself
//! is reported as damaged, never read out of bounds.

use std::cmp::Ordering;

use crate::coding::Decoder;
use crate::key::{InternalKey, Trailer, common_prefix};

/// A block that contradicts itself; the reader of the table says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// The parts of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    entries: &'a [u8],
    restarts: &'a [u8],
}

impl<'a> Block<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Block<'a>, Damaged> {
        let (rest, count) = bytes.split_last_chunk::<4>().ok_or(Damaged)?;
        let restarts_len = u32::from_le_bytes(*count) as usize * 4;
        let entries_len = rest.len().checked_sub(restarts_len).filter(|_| restarts_len > 0).ok_or(Damaged)?;
        let (entries, restarts) = rest.split_at_checked(entries_len).ok_or(Damaged)?;
        Ok(Block { entries, restarts })
    }

    fn restart_count(&self) -> usize {
        self.restarts.len() / 4
    }

    fn restart(&self, at: usize) -> Result<usize, Damaged> {
        let bytes = self.restarts.get(at * 4..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Damaged)?;
        Ok(u32::from_le_bytes(*bytes) as usize)
    }

    /// The last restart below `offset`.
    fn restart_below(&self, offset: usize) -> Result<Option<usize>, Damaged> {
        let (mut low, mut high) = (0, self.restart_count());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.restart(middle)? < offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(last) = low.checked_sub(1) else { return Ok(None) };
        let restart = self.restart(last)?;
        // They ascend, or else the walk would not come to an end.
        if restart < offset { Ok(Some(restart)) } else { Err(Damaged) }
    }

    /// Decodes the entry at `offset`: its parts, and where the next one begins.
    #[inline]
    fn entry(&self, offset: usize) -> Result<RawEntry<'a>, Damaged> {
        let mut fields = Decoder::new(self.entries.get(offset..).ok_or(Damaged)?);
        let mut parts = || {
            let shared = fields.varint()?;
            let unshared = fields.varint()?;
            let value_len = fields.varint()?;
            let trailer = Trailer(fields.varint()?);
            let suffix = fields.bytes(unshared)?;
            let value = fields.bytes(value_len)?;
            Some((shared as usize, trailer, suffix, value))
        };
        let (shared, trailer, suffix, value) = parts().ok_or(Damaged)?;
        let next = self.entries.len() - fields.rest().len();
        Ok(RawEntry { shared, trailer, suffix, value, next })
    }

    /// The whole key at a restart.
    fn restart_key(&self, at: usize) -> Result<InternalKey<'a>, Damaged> {
        let entry = self.entry(self.restart(at)?)?;
        if entry.shared != 0 {
            return Err(Damaged);
        }
        Ok(InternalKey::new(entry.suffix, entry.trailer))
    }

    /// The last restart whose key is before `key`, or the first one.
    fn restart_before(&self, key: InternalKey<'_>) -> Result<usize, Damaged> {
        let (mut low, mut high) = (0, self.restart_count() - 1);
        while low < high {
            let middle = usize::midpoint(low, high + 1);
            if self.restart_key(middle)? < key {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }
}

/// The newest version of a user key in the run of entries from one restart to the next, which begins at `offset` of a block: its trailer, and
/// its value as a range of the block's bytes.
///
/// No key is put together. Keys ascend, so how many bytes the last one had in common with `user` says all: one that shares more with
/// it lies before `user`, too, and one that shares less lies behind it.
#[inline]
pub(crate) fn find_in_run(block: &[u8], offset: usize, user: &[u8]) -> Result<Option<FoundEntry>, Damaged> {
    let bytes = Block { entries: block, restarts: &[] };
    let mut entry = bytes.entry(offset)?;
    let (mut matched, mut key_len) = (0, 0);
    loop {
        if entry.shared > key_len || entry.trailer.kind().is_none() {
            return Err(Damaged);
        }
        key_len = entry.shared + entry.suffix.len();
        let rest = user.get(matched..).ok_or(Damaged)?;
        if entry.shared == matched && entry.suffix == rest {
            let value = entry.next - entry.value.len()..entry.next;
            return Ok(Some((entry.trailer, value)));
        }
        if entry.shared < matched {
            return Ok(None);
        }
        if entry.shared == matched {
            if entry.suffix > rest {
                return Ok(None);
            }
            matched += common_prefix(entry.suffix, rest);
        }
        // The next entry is a restart if it shares nothing; behind the last one lie the restarts, of which the first is 0.
        if block.get(entry.next).is_none_or(|shared| *shared == 0) {
            return Ok(None);
        }
        entry = bytes.entry(entry.next)?;
    }
}

/// An entry's trailer, and where its value is.
pub(crate) type FoundEntry = (Trailer, std::ops::Range<usize>);

struct RawEntry<'a> {
    shared: usize,
    trailer: Trailer,
    suffix: &'a [u8],
    value: &'a [u8],
    next: usize,
}

/// A place in a block. It holds no bytes but the key, so it can live beside whatever owns the block.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockCursor {
    key: Vec<u8>,
    trailer: Trailer0,
    /// Where the current entry begins and ends, and where its value begins; `None` before the first and behind the last.
    at: Option<Place>,
}

/// A trailer with a default.
#[derive(Clone, Copy, Debug, Default)]
struct Trailer0(u64);

#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    value: (usize, usize),
    next: usize,
}

impl BlockCursor {
    pub(crate) fn new() -> BlockCursor {
        BlockCursor { key: Vec::with_capacity(64), ..BlockCursor::default() }
    }

    pub(crate) fn clear(&mut self) {
        self.at = None;
    }

    #[inline]
    pub(crate) fn is_placed(&self) -> bool {
        self.at.is_some()
    }

    pub(crate) fn key(&self) -> Option<InternalKey<'_>> {
        self.at.map(|_| InternalKey::new(&self.key, Trailer(self.trailer.0)))
    }

    /// The value of the current entry, as a range of the block's bytes.
    pub(crate) fn value_range(&self) -> Option<std::ops::Range<usize>> {
        self.at.map(|place| place.value.0..place.value.1)
    }

    pub(crate) fn seek_to_first(&mut self, block: Block<'_>) -> Result<(), Damaged> {
        self.go_to(block, 0)
    }

    pub(crate) fn seek_to_last(&mut self, block: Block<'_>) -> Result<(), Damaged> {
        self.go_to(block, block.restart(block.restart_count() - 1)?)?;
        while let Some(place) = self.at.filter(|place| place.next < block.entries.len()) {
            self.go_on(block, place.next)?;
        }
        Ok(())
    }

    /// Goes to the first entry at or after `key`, or behind the last one.
    pub(crate) fn seek(&mut self, block: Block<'_>, key: InternalKey<'_>) -> Result<(), Damaged> {
        self.go_to(block, block.restart(block.restart_before(key)?)?)?;
        while self.key().is_some_and(|current| current < key) {
            self.next(block)?;
        }
        Ok(())
    }

    /// Goes to the last entry before `key`, or before the first one.
    pub(crate) fn seek_before(&mut self, block: Block<'_>, key: InternalKey<'_>) -> Result<(), Damaged> {
        self.seek(block, key)?;
        if self.at.is_some() { self.prev(block) } else { self.seek_to_last(block) }
    }

    pub(crate) fn next(&mut self, block: Block<'_>) -> Result<(), Damaged> {
        match self.at {
            Some(place) if place.next < block.entries.len() => self.go_on(block, place.next),
            _ => {
                self.at = None;
                Ok(())
            }
        }
    }

    /// Steps back: keys are stored as differences, so it goes to the restart before and walks up to here.
    pub(crate) fn prev(&mut self, block: Block<'_>) -> Result<(), Damaged> {
        let Some(here) = self.at else { return Ok(()) };
        let Some(restart) = block.restart_below(here.start)? else {
            self.at = None;
            return Ok(());
        };
        self.go_to(block, restart)?;
        while let Some(place) = self.at.filter(|place| place.next < here.start) {
            self.go_on(block, place.next)?;
        }
        Ok(())
    }

    fn go_to(&mut self, block: Block<'_>, offset: usize) -> Result<(), Damaged> {
        self.key.clear();
        self.go_on(block, offset)
    }

    /// Decodes the entry at `offset`; the key before it is in `self.key`.
    #[inline]
    fn go_on(&mut self, block: Block<'_>, offset: usize) -> Result<(), Damaged> {
        self.at = None;
        let entry = block.entry(offset)?;
        // A later version may know more kinds; what this one does not know, it cannot read.
        let known = entry.trailer.kind().is_some();
        if entry.shared > self.key.len() || !known {
            return Err(Damaged);
        }
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(entry.suffix);
        self.trailer = Trailer0(entry.trailer.0);
        let value = (entry.next - entry.value.len(), entry.next);
        self.at = Some(Place { start: offset, value, next: entry.next });
        Ok(())
    }
}

/// Checks that a block's keys ascend and that its restarts lead to entries with whole keys, from the first on; counts the entries.
pub(crate) fn check_order(block: Block<'_>, mut each: impl FnMut(InternalKey<'_>)) -> Result<u64, Damaged> {
    let mut cursor = BlockCursor::new();
    let mut last: Option<(Vec<u8>, Trailer)> = None;
    let (mut count, mut restarts) = (0, 0);
    cursor.seek_to_first(block)?;
    if block.restart(0)? != 0 {
        return Err(Damaged);
    }
    while let Some((key, place)) = cursor.key().zip(cursor.at) {
        if restarts < block.restart_count() && block.restart(restarts)? == place.start {
            block.restart_key(restarts)?;
            restarts += 1;
        }
        let before = last.as_ref().map(|(user, trailer)| InternalKey::new(user, *trailer));
        if before.is_some_and(|before| before.cmp(&key) != Ordering::Less) || key.trailer.kind().is_none() {
            return Err(Damaged);
        }
        each(key);
        last = Some((key.user.to_vec(), key.trailer));
        count += 1;
        cursor.next(block)?;
    }
    if restarts == block.restart_count() { Ok(count) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests;
