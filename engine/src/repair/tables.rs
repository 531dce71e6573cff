//! Tables, read block by block: what cannot be read is passed over.

use std::collections::VecDeque;

use super::reading;
use super::report::Loss;
use crate::checksum;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::key::{InternalKey, SeqNo, Trailer};
use crate::table::block::{Block, BlockCursor, check_order};
use crate::table::format::{self, BLOCK_TRAILER_BYTES, BlockHandle, FOOTER_BYTES, FOOTER_MAGIC, Footer};
use crate::table::index::Index;
use crate::table::properties::Properties;

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

/// Where blocks lie, with the last user key of each where there is an index.
type Blocks = VecDeque<(BlockHandle, Option<Vec<u8>>)>;

/// Walks what can be read of one table, in order, a block at a time.
#[derive(Debug)]
pub(super) struct TableRemains {
    pub(super) number: FileNumber,
    file: DataFile,
    len: u64,
    pub(super) id: u64,
    /// What the table says of itself, if footer, index and this can be read.
    pub(super) properties: Option<Properties>,
    /// Whether the file has an end such as only a finished table has.
    pub(super) finished: bool,
    /// The blocks that are left to read.
    blocks: Blocks,
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
    pub(super) fn open(dir: &Dir, number: FileNumber, id: Option<u64>) -> Result<TableRemains> {
        let file = dir.open(FileName::Table(number), false)?;
        let (path, len) = (file.path(), file.len()?);
        let header = reading::read(&file, 0, HEADER_BYTES)?;
        let header = header.and_then(|bytes| FileHeader::decode(&bytes, FileKind::Table, number, path).ok());
        let end = match len.checked_sub(FOOTER_BYTES) {
            Some(at) => reading::read(&file, at, FOOTER_BYTES)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let footer_of = |id| Footer::decode(&end, id, len, path).ok();
        let own_id = || end.get(FOOTER_ID_AT..)?.first_chunk::<8>().map(|id| u64::from_le_bytes(*id));
        let id =
            id.or(header.map(|header| header.id)).or_else(|| own_id().filter(|id| footer_of(*id).is_some()));
        let id = id.ok_or(Error::corruption(path, 0, "neither header nor footer of the table reads"))?;
        let finished = end.ends_with(&FOOTER_MAGIC) || own_id() == Some(id);
        let footer = footer_of(id);
        let mut remains = TableRemains {
            number,
            len,
            id,
            properties: None,
            finished,
            blocks: VecDeque::new(),
            entries: VecDeque::new(),
            last: None,
            losses: Vec::new(),
            read: 0,
            newest: SeqNo(0),
            file,
        };
        let indexed = footer.map_or(Ok(None), |footer| remains.indexed_blocks(footer))?;
        match (indexed, footer) {
            (Some(blocks), Some(footer)) => {
                remains.blocks = blocks;
                let section = remains.section(footer.properties)?;
                remains.properties = section.and_then(|(bytes, _)| Properties::decode(&bytes));
            }
            _ => remains.blocks = remains.blocks_by_checksum()?,
        }
        Ok(remains)
    }

    /// The bytes of a block or section, checked, and their compression.
    fn section(&self, handle: BlockHandle) -> Result<Option<(Vec<u8>, u8)>> {
        // The length sizes an allocation.
        if !handle.fits(self.len) {
            return Ok(None);
        }
        let stored = reading::read(&self.file, handle.offset, handle.stored_len())?;
        let checked = stored.as_ref().and_then(|stored| format::check_block(stored, self.id, handle.offset));
        Ok(checked.map(|(bytes, compression)| (bytes.to_vec(), compression)))
    }

    fn indexed_blocks(&self, footer: Footer) -> Result<Option<Blocks>> {
        let Some((index, _)) = self.section(footer.index)? else { return Ok(None) };
        let Some(index) = Index::parse(&index) else { return Ok(None) };
        let block = |at| index.get(at).map(|(last, handle)| (handle, Some(last.user.to_vec())));
        Ok((0..index.len()).map(block).collect())
    }

    /// Without an index: blocks lie one behind the other, and each ends where a checksum says so.
    fn blocks_by_checksum(&mut self) -> Result<Blocks> {
        let (bytes, _) = reading::contents(&self.file, self.len)?;
        let mut blocks = VecDeque::new();
        let mut at = HEADER_BYTES as usize;
        while let Some(end) = bytes.get(at..).and_then(|rest| checksum::find_end(rest, self.id, at as u64))
            && let Ok(len) = u32::try_from(end - 1)
        {
            blocks.push_back((BlockHandle { offset: at as u64, len }, None));
            at += end + BLOCK_TRAILER_BYTES as usize - 1;
        }
        let what =
            "no index: what lies behind the last block that can be told is lost, if anything does".into();
        let bytes = (bytes.len() - at.min(bytes.len())) as u64;
        self.losses.push(Loss { file: self.name(), what, bytes, ..Loss::default() });
        Ok(blocks)
    }

    fn name(&self) -> String {
        FileName::Table(self.number).to_string()
    }

    /// The next entry that can be read.
    pub(super) fn next(&mut self) -> Result<Option<SavedEntry>> {
        while self.entries.is_empty() {
            let Some((handle, end)) = self.blocks.pop_front() else { return Ok(None) };
            match self.block(handle)? {
                Some(entries) => {
                    self.last = entries.back().cloned();
                    self.entries = entries;
                }
                None => self.lose(handle, end),
            }
        }
        let Some(entry) = self.entries.pop_front() else { return Ok(None) };
        self.read += 1;
        self.newest = self.newest.max(entry.trailer.seq());
        Ok(Some(entry))
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
    fn block(&self, handle: BlockHandle) -> Result<Option<VecDeque<SavedEntry>>> {
        let Some((bytes, compression)) = self.section(handle)? else { return Ok(None) };
        Ok(self.entries_of(&bytes, compression))
    }

    fn entries_of(&self, bytes: &[u8], compression: u8) -> Option<VecDeque<SavedEntry>> {
        let plain = format::decompress(bytes, compression)?;
        let block = Block::parse(&plain).ok()?;
        check_order(block, |_| {}).ok()?;
        let mut entries = VecDeque::new();
        let mut cursor = BlockCursor::new();
        cursor.seek_to_first(block).ok()?;
        while let Some((key, stored)) = cursor.current(block) {
            let (user, stored) = (key.user.to_vec(), stored.to_vec());
            entries.push_back(SavedEntry { user, trailer: key.trailer, stored });
            cursor.next(block).ok()?;
        }
        let follows = self
            .last
            .as_ref()
            .is_none_or(|last| entries.front().is_some_and(|first| last.key() < first.key()));
        follows.then_some(entries)
    }
}
