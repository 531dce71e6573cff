//! The index of a table: for each data block its last key and where it lies. It is searched as it is stored, so that
//! opening a mapped table parses nothing.
//!
//! ```text
//! entry     key length varint | user key | trailer varint | block offset varint | block length varint
//! …
//! offsets   4 each
//! entries   4
//! ```

use std::cmp::Ordering;
use std::ops::Range;

use super::format::BlockHandle;
use crate::coding::{Decoder, put_slice, put_varint};
use crate::key::{self, InternalKey, Trailer};
use crate::pages::PageVec;
use crate::prefetch::{LINE_BYTES, prefetch};

/// An index in the making.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    bytes: PageVec,
    offsets: Vec<u32>,
    /// The entry being added.
    entry: Vec<u8>,
}

impl IndexBuilder {
    /// Adds a data block whose last key is `last`.
    pub(crate) fn add(&mut self, last: InternalKey<'_>, handle: BlockHandle) {
        self.offsets.push(self.bytes.len() as u32);
        self.entry.clear();
        put_slice(&mut self.entry, last.user);
        put_varint(&mut self.entry, last.trailer.0);
        put_varint(&mut self.entry, handle.offset);
        put_varint(&mut self.entry, u64::from(handle.len));
        self.bytes.extend_from_slice(&self.entry);
    }

    pub(crate) fn finish(mut self) -> PageVec {
        for offset in &self.offsets {
            self.bytes.extend_from_slice(&offset.to_le_bytes());
        }
        self.bytes.extend_from_slice(&(self.offsets.len() as u32).to_le_bytes());
        self.bytes
    }
}

/// The stored index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index<'a> {
    entries: &'a [u8],
    offsets: &'a [u8],
}

impl<'a> Index<'a> {
    /// `None` when the bytes cannot be an index.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Index<'a>> {
        let (rest, count) = bytes.split_last_chunk::<4>()?;
        let entries_len = rest.len().checked_sub(u32::from_le_bytes(*count) as usize * 4)?;
        let (entries, offsets) = rest.split_at_checked(entries_len)?;
        Some(Index { entries, offsets })
    }

    /// The number of data blocks.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len() / 4
    }

    /// The last key and the place of block `at`; `None` past the end or for damage.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<(InternalKey<'a>, BlockHandle)> {
        let mut fields = self.fields(at)?;
        let user = fields.slice()?;
        let trailer = Trailer(fields.varint()?);
        let handle = BlockHandle { offset: fields.varint()?, len: u32::try_from(fields.varint()?).ok()? };
        Some((InternalKey::new(user, trailer), handle))
    }

    /// The place of block `at`; `None` past the end or for damage.
    #[inline]
    pub(crate) fn handle(&self, at: usize) -> Option<BlockHandle> {
        let mut fields = self.fields(at)?;
        fields.slice()?;
        fields.skip_varint()?;
        Some(BlockHandle { offset: fields.varint()?, len: u32::try_from(fields.varint()?).ok()? })
    }

    /// The first of some blocks whose last key is at or after `key`: the only one that can hold the first such entry. The end of `blocks` if
    /// there is none; `None` for damage.
    #[inline]
    pub(crate) fn search(&self, key: InternalKey<'_>, blocks: Range<usize>) -> Option<usize> {
        let (mut low, mut high) = (blocks.start, blocks.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.is_before(middle, key)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    /// Whether the last key of block `at` is before `key`.
    #[inline]
    fn is_before(&self, at: usize, key: InternalKey<'_>) -> Option<bool> {
        let mut fields = self.fields(at)?;
        Some(match key::compare(fields.slice()?, key.user) {
            Ordering::Equal => Trailer(fields.varint()?) > key.trailer,
            order => order.is_lt(),
        })
    }

    /// Where the entry of block `at` begins.
    #[inline]
    pub(crate) fn start_of(&self, at: usize) -> Option<u32> {
        let offset = self.offsets.get(at * 4..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*offset))
    }

    /// Fetches the entries of `count` blocks from block `at` on, the first of which begins at `start`.
    #[inline]
    pub(crate) fn prefetch(&self, at: usize, start: u32, count: usize) {
        // As many bytes as entries with short keys take.
        const ENTRY_BYTES: usize = 28;
        prefetch(self.offsets, at * 4);
        for line in 0..count * ENTRY_BYTES / LINE_BYTES {
            prefetch(self.entries, start as usize + line * LINE_BYTES);
        }
    }

    #[inline]
    fn fields(&self, at: usize) -> Option<Decoder<'a>> {
        Some(Decoder::new(self.entries.get(self.start_of(at)? as usize..)?))
    }
}
