//! Walks a table.

use std::cell::OnceCell;
use std::sync::Arc;

use super::ahead::ReadAhead;
use super::block::{Block, BlockCursor, Damaged, Layout};
use super::format::BlockHandle;
use super::reader::{ReadContext, TableReader};
use crate::env::Part;
use crate::error::Result;
use crate::iter::{Entry, InternalIterator};
use crate::key::InternalKey;
use crate::value::Value;

/// The block that a cursor stands in.
#[derive(Debug)]
struct Loaded {
    at: usize,
    bytes: Part,
    /// The same, once a value of it was lent.
    shared: OnceCell<Arc<Part>>,
    /// Where its entries end and its restarts begin.
    layout: Layout,
}

impl Loaded {
    #[inline]
    fn block(&self) -> Block<'_> {
        Block::new(&self.bytes, self.layout)
    }

    #[inline]
    fn lend(&self, stored: &[u8]) -> Option<Value> {
        self.shared.get_or_init(|| Arc::new(self.bytes.clone())).lend_shared(stored)
    }
}

/// A cursor over one table. It keeps the table and the block it stands in.
#[derive(Debug)]
pub(crate) struct TableCursor {
    table: Arc<TableReader>,
    context: ReadContext,
    block: Option<Loaded>,
    at: BlockCursor,
    ahead: ReadAhead,
}

impl TableCursor {
    pub(crate) fn new(table: Arc<TableReader>, context: ReadContext) -> TableCursor {
        let ahead = ReadAhead::of(context.origin);
        TableCursor { table, context, block: None, at: BlockCursor::new(), ahead }
    }

    /// Whether it stands on an entry.
    #[inline]
    pub(crate) fn is_placed(&self) -> bool {
        self.block.is_some() && self.at.is_placed()
    }

    /// Loads block `at`, if there is one, and places the cursor in it.
    fn enter(
        &mut self,
        at: usize,
        place: impl FnOnce(&mut BlockCursor, Block<'_>) -> std::result::Result<(), Damaged>,
    ) -> Result<()> {
        self.at.clear();
        let index = self.table.index()?;
        if at >= index.len() {
            self.block = None;
            return Ok(());
        }
        if self.block.as_ref().is_none_or(|block| block.at != at) {
            self.load(self.table.handle(index, at)?, at)?;
        }
        self.in_block(place)
    }

    /// Loads block `at`, which lies at `handle`.
    fn load(&mut self, handle: BlockHandle, at: usize) -> Result<()> {
        let bytes = self.table.block_at(handle, at, self.context, self.table.recorder())?;
        let layout = self.table.sound(Layout::of(&bytes), at)?;
        self.block = Some(Loaded { at, bytes, shared: OnceCell::new(), layout });
        Ok(())
    }

    fn in_block(
        &mut self,
        place: impl FnOnce(&mut BlockCursor, Block<'_>) -> std::result::Result<(), Damaged>,
    ) -> Result<()> {
        let Some(loaded) = &self.block else {
            return Ok(());
        };
        self.table.sound(place(&mut self.at, loaded.block()), loaded.at)
    }

    /// Whether the next entry lies in the same block.
    #[inline]
    pub(crate) fn has_next_in_block(&self) -> bool {
        self.block.as_ref().is_some_and(|loaded| self.at.has_next(loaded.layout.entries_end()))
    }

    /// Goes to the next entry of the same block.
    #[inline]
    pub(crate) fn next_in_block(&mut self) -> Result<Option<Entry<'_>>> {
        let Some(loaded) = &self.block else { return Ok(None) };
        match self.at.next(Block::of_entries(&loaded.bytes, loaded.layout)) {
            Ok(entry) => Ok(entry),
            Err(damaged) => Err(self.table.unsound(damaged, loaded.at)),
        }
    }

    /// The entries behind the current one in its block, as they are stored. Whoever has read some of them says so with
    /// [`catch_up`](TableCursor::catch_up) before the cursor is moved on.
    #[inline]
    pub(crate) fn rest(&self) -> &[u8] {
        let Some(loaded) = &self.block else { return &[] };
        self.at.rest(Block::of_entries(&loaded.bytes, loaded.layout))
    }

    /// Goes to the entry of the same block from the beginning of which on `left` bytes of entries are left; behind the last one, if none are, to
    /// be moved on from there.
    pub(crate) fn catch_up(&mut self, left: usize) -> Result<()> {
        if left == 0 {
            self.at.clear();
            return Ok(());
        }
        self.in_block(|cursor, block| cursor.catch_up(block, left))
    }

    /// Goes to the first entry of the block behind the present one.
    #[cold]
    #[inline(never)]
    fn leave_forwards(&mut self) -> Result<Option<Entry<'_>>> {
        let Some(at) = self.block.as_ref().map(|loaded| loaded.at + 1) else { return Ok(None) };
        self.at.clear();
        let index = self.table.index()?;
        if at >= index.len() {
            self.block = None;
            return Ok(None);
        }
        let handle = self.table.handle(index, at)?;
        self.ahead.look(&self.table, at, handle.offset);
        self.load(handle, at)?;
        self.in_block(BlockCursor::seek_to_first)?;
        Ok(self.current())
    }

    fn search(&self, key: InternalKey<'_>) -> Result<usize> {
        self.table.block_for(self.table.index()?, key)
    }

    /// Goes to the last entry of the block before the present one.
    fn leave_backwards(&mut self) -> Result<()> {
        match &self.block {
            Some(loaded) if loaded.at > 0 => self.enter(loaded.at - 1, BlockCursor::seek_to_last),
            _ => {
                self.block = None;
                Ok(())
            }
        }
    }
}

// SAFETY: the bytes lie in the block, which the cursor holds, or in the heap, where the key is put together.
unsafe impl InternalIterator for TableCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        let index = self.table.index()?;
        if self.ahead.is_certain() && index.len() > 0 {
            self.ahead.look(&self.table, 0, self.table.handle(index, 0)?.offset);
        }
        self.enter(0, BlockCursor::seek_to_first)
    }

    fn seek_to_last(&mut self) -> Result<()> {
        let last = self.table.index()?.len().saturating_sub(1);
        self.enter(last, BlockCursor::seek_to_last)
    }

    fn seek(&mut self, key: InternalKey<'_>) -> Result<()> {
        // The block's last key is at or after `key`, so the entry is in this block.
        let at = self.search(key)?;
        self.enter(at, |cursor, block| cursor.seek(block, key))
    }

    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()> {
        let at = self.search(key)?;
        if at == self.table.index()?.len() {
            return self.seek_to_last();
        }
        self.enter(at, |cursor, block| cursor.seek_before(block, key))?;
        if self.at.is_placed() { Ok(()) } else { self.leave_backwards() }
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        if self.has_next_in_block() { self.next_in_block() } else { self.leave_forwards() }
    }

    fn prev(&mut self) -> Result<Option<Entry<'_>>> {
        self.in_block(BlockCursor::prev)?;
        if !self.at.is_placed() {
            self.leave_backwards()?;
        }
        Ok(self.current())
    }

    #[inline]
    fn current(&self) -> Option<Entry<'_>> {
        self.at.current(self.block.as_ref()?.block())
    }

    #[inline]
    fn lend(&self, stored: &[u8]) -> Option<Value> {
        self.block.as_ref()?.lend(stored)
    }
}
