//! Reads a data block.
//!
//! The bytes have passed their checksum, yet nothing here trusts a length or an offset: a block that contradicts itself
//! is reported as damaged, never read out of bounds.

use std::cmp::Ordering;

use crate::coding::{self, Decoder};
use crate::iter::Entry;
use crate::key::{self, InternalKey, KeyBuffer, Trailer, common_prefix};

/// A block that contradicts itself; the reader of the table says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Where the entries of a block end and its restarts begin, and where these end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    entries_end: usize,
    restarts_end: usize,
}

impl Layout {
    #[inline]
    pub(crate) fn entries_end(self) -> usize {
        self.entries_end
    }

    pub(crate) fn of(bytes: &[u8]) -> Result<Layout, Damaged> {
        let (rest, count) = bytes.split_last_chunk::<4>().ok_or(Damaged)?;
        let restarts_len = u32::from_le_bytes(*count) as usize * 4;
        let entries_end = rest.len().checked_sub(restarts_len).filter(|_| restarts_len > 0).ok_or(Damaged)?;
        Ok(Layout { entries_end, restarts_end: rest.len() })
    }
}

/// The parts of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    entries: &'a [u8],
    restarts: &'a [u8],
}

impl<'a> Block<'a> {
    /// The parts of a block that has this layout.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], layout: Layout) -> Block<'a> {
        let part = |range| bytes.get(range).unwrap_or_default();
        Block {
            entries: part(0..layout.entries_end),
            restarts: part(layout.entries_end..layout.restarts_end),
        }
    }

    /// The entries alone: as much as it takes to walk on.
    #[inline]
    pub(crate) fn of_entries(bytes: &'a [u8], layout: Layout) -> Block<'a> {
        Block { entries: bytes.get(..layout.entries_end).unwrap_or_default(), restarts: &[] }
    }

    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Block<'a>, Damaged> {
        Ok(Block::new(bytes, Layout::of(bytes)?))
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
    #[expect(clippy::inline_always, reason = "a get is 30 instructions longer with a call")]
    #[inline(always)]
    fn entry(&self, offset: usize) -> Result<RawEntry<'a>, Damaged> {
        let bytes = self.entries.get(offset..).ok_or(Damaged)?;
        let (head, len) = match EntryHead::short(bytes) {
            Some(short) => short,
            None => EntryHead::long(bytes).ok_or(Damaged)?,
        };
        let (suffix, rest) =
            bytes.get(len..).and_then(|rest| rest.split_at_checked(head.unshared)).ok_or(Damaged)?;
        let value = rest.get(..head.value_len).ok_or(Damaged)?;
        let next = offset + len + head.unshared + head.value_len;
        Ok(RawEntry { shared: head.shared, trailer: head.trailer, suffix, value, next })
    }

    /// The whole key at a restart.
    fn restart_key(&self, at: usize) -> Result<InternalKey<'a>, Damaged> {
        let entry = self.entry(self.restart(at)?)?;
        if entry.shared != 0 {
            return Err(Damaged);
        }
        Ok(InternalKey::new(entry.suffix, entry.trailer))
    }

    /// Whether the key at a restart is before `key`. Of most entries no more than the user key is looked at.
    #[inline]
    fn is_before(&self, at: usize, key: InternalKey<'_>) -> Result<bool, Damaged> {
        let entry = self.entries.get(self.restart(at)?..).ok_or(Damaged)?;
        let order = whole_user_of(entry).map(|user| key::compare(user, key.user));
        match order {
            Some(Ordering::Less) => Ok(true),
            Some(Ordering::Greater) => Ok(false),
            Some(Ordering::Equal) if key.trailer.is_before_all() => Ok(false),
            _ => Ok(self.restart_key(at)? < key),
        }
    }

    /// The first restart whose key is at or behind `key`, or how many there are.
    fn restart_for(&self, key: InternalKey<'_>) -> Result<usize, Damaged> {
        let (mut low, mut high) = (0, self.restart_count());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.is_before(middle, key)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// The user key of an entry with a whole key and short lengths, with a trailer of up to eight bytes.
#[inline]
fn whole_user_of(entry: &[u8]) -> Option<&[u8]> {
    let head = entry.first_chunk::<12>()?;
    let lengths = u32::from_le_bytes(*head.first_chunk()?);
    let (trailer, start) = match lengths & 0x8080_80ff {
        0 | 0x8000_0000 => (head.get(3..11)?, 3),
        0x0080_0000 => (head.get(4..12)?, 4),
        _ => return None,
    };
    let len = coding::short_varint_len(*trailer.first_chunk()?)?;
    entry.get(start + len..)?.get(..(lengths >> 8 & 0x7f) as usize)
}

/// The newest version of a user key in the run of entries from one restart to the next, which begins at `offset` of a block: its trailer, and
/// its value as a range of the block's bytes.
///
/// No key is put together. Keys ascend, so how many bytes the last one had in common with `user` says all: one that shares more with
/// it lies before `user`, too, and one that shares less lies behind it.
#[inline]
pub(crate) fn find_in_run(block: &[u8], offset: usize, user: &[u8]) -> Result<Option<FoundEntry>, Damaged> {
    let bytes = Block { entries: block, restarts: &[] };
    let (mut offset, mut matched, mut key_len) = (offset, 0, 0);
    loop {
        let entry = bytes.entry(offset)?;
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
        offset = entry.next;
    }
}

/// An entry's trailer, and where its value is.
pub(crate) type FoundEntry = (Trailer, std::ops::Range<usize>);

/// The numbers before an entry's bytes.
struct EntryHead {
    shared: usize,
    unshared: usize,
    value_len: usize,
    trailer: Trailer,
}

impl EntryHead {
    /// The head of an entry whose lengths take a byte each, or that of its value two, and how long it is: the usual one, without a loop.
    #[inline]
    fn short(bytes: &[u8]) -> Option<(EntryHead, usize)> {
        let bytes = bytes.first_chunk::<12>()?;
        let lengths = u32::from_le_bytes(*bytes.first_chunk()?);
        let length = |at: u32| (lengths >> (8 * at) & 0x7f) as usize;
        let (value_len, trailer, start) = match lengths & 0x8080_8080 {
            0 | 0x8000_0000 => (length(2), bytes.get(3..11)?, 3),
            0x0080_0000 if length(3) > 0 => (length(2) | length(3) << 7, bytes.get(4..12)?, 4),
            _ => return None,
        };
        let (trailer, len) = coding::short_varint(*trailer.first_chunk()?)?;
        let head = EntryHead { shared: length(0), unshared: length(1), value_len, trailer: Trailer(trailer) };
        Some((head, start + len))
    }

    /// Any head, and how long it is.
    #[inline(never)]
    fn long(bytes: &[u8]) -> Option<(EntryHead, usize)> {
        let mut fields = Decoder::new(bytes);
        let mut length = || usize::try_from(fields.varint()?).ok();
        let (shared, unshared, value_len) = (length()?, length()?, length()?);
        let trailer = Trailer(fields.varint()?);
        let len = bytes.len() - fields.rest().len();
        Some((EntryHead { shared, unshared, value_len, trailer }, len))
    }
}

/// An entry whose lengths are short, and the entries behind it.
pub(crate) struct ShortEntry<'a> {
    /// How much of its key it has in common with the one before, and leaves out.
    pub(crate) shared: usize,
    pub(crate) suffix: &'a [u8],
    pub(crate) trailer: Trailer,
    pub(crate) value: &'a [u8],
    pub(crate) rest: &'a [u8],
}

impl<'a> ShortEntry<'a> {
    /// The first of some entries, if its lengths are short. What is longer, or is damaged, is left to a [`BlockCursor`].
    #[inline]
    pub(crate) fn first_of(entries: &'a [u8]) -> Option<ShortEntry<'a>> {
        let (EntryHead { shared, unshared, value_len, trailer }, len) = EntryHead::short(entries)?;
        trailer.kind()?;
        let (suffix, rest) = entries.get(len..)?.split_at_checked(unshared)?;
        let (value, rest) = rest.split_at_checked(value_len)?;
        Some(ShortEntry { shared, suffix, trailer, value, rest })
    }
}

struct RawEntry<'a> {
    shared: usize,
    trailer: Trailer,
    suffix: &'a [u8],
    value: &'a [u8],
    next: usize,
}

/// A place in a block, beside whatever owns the block, which must be the same at every call. A key that lies whole in the block stays
/// there; others are put together here.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockCursor {
    joined: Vec<u8>,
    /// The current entry; `None` before the first and behind the last.
    at: Option<Place>,
}

/// Where an entry begins, where its key and its value do, and where the next one begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    /// `None` if the key is joined.
    key: Option<usize>,
    trailer: Trailer,
    value: usize,
    next: usize,
}

impl BlockCursor {
    pub(crate) fn new() -> BlockCursor {
        BlockCursor::default()
    }

    pub(crate) fn clear(&mut self) {
        self.at = None;
    }

    #[inline]
    pub(crate) fn is_placed(&self) -> bool {
        self.at.is_some()
    }

    /// The entry it stands on: its key, and its value.
    #[inline]
    pub(crate) fn current<'a>(&'a self, block: Block<'a>) -> Option<Entry<'a>> {
        let place = self.at?;
        let user = match place.key {
            Some(start) => block.entries.get(start..place.value)?,
            None => &self.joined,
        };
        Some((InternalKey::new(user, place.trailer), block.entries.get(place.value..place.next)?))
    }

    #[inline]
    fn key<'a>(&'a self, block: Block<'a>) -> Option<InternalKey<'a>> {
        Some(self.current(block)?.0)
    }

    /// Goes to the entry from the beginning of which on `left` bytes of entries are left.
    pub(crate) fn catch_up(&mut self, block: Block<'_>, left: usize) -> Result<(), Damaged> {
        let start = block.entries.len().checked_sub(left).ok_or(Damaged)?;
        self.go_to(block, block.restart_below(start + 1)?.ok_or(Damaged)?)?;
        while let Some(place) = self.at.filter(|place| place.next <= start) {
            self.go_on(block, place.next)?;
        }
        // A restart may lead into the middle of an entry, and from there past this one.
        if self.at.is_some_and(|place| place.start == start) { Ok(()) } else { Err(Damaged) }
    }

    /// The entries behind the current one.
    #[inline]
    pub(crate) fn rest<'a>(&self, block: Block<'a>) -> &'a [u8] {
        self.at.and_then(|place| block.entries.get(place.next..)).unwrap_or_default()
    }

    /// The value of the current entry, as a range of the block's bytes.
    #[inline]
    pub(crate) fn value_range(&self) -> Option<std::ops::Range<usize>> {
        self.at.map(|place| place.value..place.next)
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
        let found = block.restart_for(key)?;
        let Some(before) = found.checked_sub(1) else { return self.seek_to_first(block) };
        // From an entry before `key` to a restart that is not, or to the end.
        let end = if found < block.restart_count() { block.restart(found)? } else { block.entries.len() };
        self.go_to(block, block.restart(before)?)?;
        self.next(block)?;
        while self.at.is_some_and(|place| place.start != end) && self.key(block).is_some_and(|at| at < key) {
            self.next(block)?;
        }
        Ok(())
    }

    /// Goes to the last entry before `key`, or before the first one.
    pub(crate) fn seek_before(&mut self, block: Block<'_>, key: InternalKey<'_>) -> Result<(), Damaged> {
        self.seek(block, key)?;
        if self.at.is_some() { self.prev(block) } else { self.seek_to_last(block) }
    }

    /// Whether another entry follows, where the entries of a block end at `end`.
    #[inline]
    pub(crate) fn has_next(&self, end: usize) -> bool {
        self.at.is_some_and(|place| place.next < end)
    }

    #[inline]
    pub(crate) fn next<'a>(&'a mut self, block: Block<'a>) -> Result<Option<Entry<'a>>, Damaged> {
        match self.at {
            Some(place) if place.next < block.entries.len() => self.go_on(block, place.next).map(Some),
            _ => {
                self.at = None;
                Ok(None)
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

    fn go_to(&mut self, block: Block<'_>, restart: usize) -> Result<(), Damaged> {
        self.at = None;
        self.go_on(block, restart).map(|_| ())
    }

    /// Decodes the entry at `offset`, which follows the current one, or is a restart if there is none.
    #[inline]
    fn go_on<'a>(&'a mut self, block: Block<'a>, offset: usize) -> Result<Entry<'a>, Damaged> {
        let before = self.at.take();
        let entry = block.entry(offset)?;
        // A later version may know more kinds; what this one does not know, it cannot read.
        if entry.trailer.kind().is_none() {
            return Err(Damaged);
        }
        let value = entry.next - entry.value.len();
        let key = (entry.shared == 0).then(|| value - entry.suffix.len());
        if key.is_none() {
            self.join(block, before.ok_or(Damaged)?, &entry)?;
        }
        self.at = Some(Place { start: offset, key, trailer: entry.trailer, value, next: entry.next });
        let user = if key.is_some() { entry.suffix } else { &self.joined };
        Ok((InternalKey::new(user, entry.trailer), entry.value))
    }

    /// Puts the key of an entry together, given the one before it.
    #[inline]
    fn join(&mut self, block: Block<'_>, before: Place, entry: &RawEntry<'_>) -> Result<(), Damaged> {
        if let Some(start) = before.key {
            self.joined.clear();
            self.joined.extend_from_slice(block.entries.get(start..before.value).ok_or(Damaged)?);
        }
        if entry.shared > self.joined.len() {
            return Err(Damaged);
        }
        self.joined.truncate(entry.shared);
        self.joined.extend_from_slice(entry.suffix);
        Ok(())
    }
}

/// Checks that a block's keys ascend and that its restarts lead to entries with whole keys, from the first on; hands each entry on, and counts
/// them.
pub(crate) fn check_order(block: Block<'_>, mut each: impl FnMut(Entry<'_>)) -> Result<u64, Damaged> {
    let (mut cursor, mut last) = (BlockCursor::new(), KeyBuffer::default());
    let (mut count, mut restarts) = (0, 0);
    cursor.seek_to_first(block)?;
    if block.restart(0)? != 0 {
        return Err(Damaged);
    }
    while let Some((entry, place)) = cursor.current(block).zip(cursor.at) {
        let (key, _) = entry;
        if restarts < block.restart_count() && block.restart(restarts)? == place.start {
            block.restart_key(restarts)?;
            restarts += 1;
        }
        if last.get().is_some_and(|last| last >= key) || key.trailer.kind().is_none() {
            return Err(Damaged);
        }
        each(entry);
        last.set(key);
        count += 1;
        cursor.next(block)?;
    }
    if restarts == block.restart_count() { Ok(count) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests;
