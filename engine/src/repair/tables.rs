//! Tables, read block by block: what cannot be read is passed over.

use std::collections::VecDeque;

use super::report::Loss;
use crate::checksum;
use crate::env::Dir;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::key::{InternalKey, SeqNo, Trailer};
use crate::table::block::{Block, BlockCursor, check_order};
use crate::table::format::{self, BLOCK_TRAILER_BYTES, BlockHandle, FOOTER_BYTES, Footer};
use crate::table::index::Index;

/// Where the file id lies in a footer.
const FOOTER_ID_AT: usize = 72;

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SavedEntry {
    pub(super) user: Vec<u8>,
    pub(super) trailer: Trailer,
    pub(super) stored: Vec<u8>,
}

impl SavedEntry {
    pub(super) fn key(&self) -> InternalKey<'_> {
        InternalKey::new(&self.user, self.trailer)
    }
}

/// The next entry of a source; the smallest key is the greatest, for the heap.
pub(super) struct Head {
    pub(super) entry: SavedEntry,
    pub(super) source: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        other.entry.key().cmp(&self.entry.key()).then(other.source.cmp(&self.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// Walks what can be read of one table, in order.
#[derive(Debug)]
pub(super) struct TableRemains {
    pub(super) number: FileNumber,
    bytes: Mapping,
    id: u64,
    /// The blocks that are left to read, with the last user key of each where there is an index.
    blocks: VecDeque<(BlockHandle, Option<Vec<u8>>)>,
    entries: VecDeque<SavedEntry>,
    last: Option<SavedEntry>,
    pub(super) losses: Vec<Loss>,
    pub(super) read: u64,
    pub(super) newest: SeqNo,
}

impl TableRemains {
    /// Opens a table that may be damaged. Its id is the one that is given, or that of its header or footer.
    ///
    /// # Errors
    /// [`Error::Corruption`] if there is no way to tell which table it is; [`Error::Io`].
    pub(super) fn open(dir: &Dir, number: FileNumber, id: Option<u64>, mapped: bool) -> Result<TableRemains> {
        let name = FileName::Table(number);
        let (path, file) = (dir.path_of(name), dir.open(name, false)?);
        let len = file.len()?;
        let bytes = file.contents(len, mapped && len > 0)?;
        let header =
            || FileHeader::decode(&bytes, FileKind::Table, number, &path).ok().map(|header| header.id);
        let footer = bytes.len().checked_sub(FOOTER_BYTES as usize);
        let of_footer = || {
            let id = footer.and_then(|at| bytes.get(at + FOOTER_ID_AT..))?.first_chunk::<8>()?;
            let id = u64::from_le_bytes(*id);
            Footer::decode(bytes.get(footer?..)?, id, len, &path).ok().map(|_| id)
        };
        let id = id.or_else(header).or_else(of_footer);
        let id = id.ok_or(Error::corruption(&path, 0, "neither header nor footer of the table reads"))?;
        let footer = footer.and_then(|at| Footer::decode(bytes.get(at..)?, id, len, &path).ok());
        let indexed = footer.and_then(|footer| indexed_blocks(&bytes, id, footer));
        let mut remains = TableRemains {
            number,
            id,
            blocks: VecDeque::new(),
            entries: VecDeque::new(),
            last: None,
            losses: Vec::new(),
            read: 0,
            newest: SeqNo(0),
            bytes,
        };
        remains.blocks = indexed.unwrap_or_else(|| remains.blocks_by_checksum());
        Ok(remains)
    }

    /// Without an index: blocks lie one behind the other, and each ends where a checksum says so.
    fn blocks_by_checksum(&mut self) -> VecDeque<(BlockHandle, Option<Vec<u8>>)> {
        let mut blocks = VecDeque::new();
        let mut at = HEADER_BYTES as usize;
        while let Some(end) =
            self.bytes.get(at..).and_then(|rest| checksum::find_end(rest, self.id, at as u64))
        {
            blocks.push_back((BlockHandle { offset: at as u64, len: end as u32 - 1 }, None));
            at += end + BLOCK_TRAILER_BYTES as usize - 1;
        }
        let what =
            "no index: what lies behind the last block that can be told is lost, if anything does".into();
        let bytes = (self.bytes.len() - at.min(self.bytes.len())) as u64;
        self.losses.push(Loss { file: self.name(), what, bytes, ..Loss::default() });
        blocks
    }

    fn name(&self) -> String {
        FileName::Table(self.number).to_string()
    }

    /// The next entry that can be read.
    pub(super) fn next(&mut self) -> Option<SavedEntry> {
        while self.entries.is_empty() {
            let (handle, end) = self.blocks.pop_front()?;
            match self.block(handle) {
                Some(entries) => {
                    self.last = entries.back().cloned();
                    self.entries = entries;
                }
                None => self.lose(handle, end),
            }
        }
        let entry = self.entries.pop_front()?;
        self.read += 1;
        self.newest = self.newest.max(entry.trailer.seq());
        Some(entry)
    }

    fn lose(&mut self, handle: BlockHandle, end: Option<Vec<u8>>) {
        // From the last key before it: versions of that key may be in the block, too.
        let first = self.last.as_ref().map(|last| last.user.clone()).unwrap_or_default();
        let what = format!("the block at {} does not read", handle.offset);
        self.losses.push(Loss {
            file: self.name(),
            what,
            first: end.is_some().then_some(first),
            last: end,
            entries: None,
            bytes: handle.stored_len(),
        });
    }

    /// The entries of a block, if it is whole and follows the one before.
    fn block(&self, handle: BlockHandle) -> Option<VecDeque<SavedEntry>> {
        let stored = self.bytes.get(handle.offset as usize..)?.get(..handle.stored_len() as usize)?;
        let (bytes, compression) = format::check_block(stored, self.id, handle.offset)?;
        let plain = format::decompress(bytes, compression)?;
        let block = Block::parse(&plain).ok()?;
        check_order(block, |_| {}).ok()?;
        let mut entries = VecDeque::new();
        let mut cursor = BlockCursor::new();
        cursor.seek_to_first(block).ok()?;
        while let (Some(key), Some(range)) = (cursor.key(), cursor.value_range()) {
            let stored = plain.get(range)?.to_vec();
            entries.push_back(SavedEntry { user: key.user.to_vec(), trailer: key.trailer, stored });
            cursor.next(block).ok()?;
        }
        let follows = self
            .last
            .as_ref()
            .is_none_or(|last| entries.front().is_some_and(|first| last.key() < first.key()));
        follows.then_some(entries)
    }
}

fn indexed_blocks(bytes: &[u8], id: u64, footer: Footer) -> Option<VecDeque<(BlockHandle, Option<Vec<u8>>)>> {
    let start = footer.index.offset as usize;
    let stored = bytes.get(start..)?.get(..footer.index.stored_len() as usize)?;
    let (index, _) = format::check_block(stored, id, footer.index.offset)?;
    let index = Index::parse(index)?;
    (0..index.len())
        .map(|at| index.get(at).map(|(last, handle)| (handle, Some(last.user.to_vec()))))
        .collect()
}
