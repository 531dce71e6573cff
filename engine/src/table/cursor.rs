//! Walks a table.

use std::sync::Arc;

use super::block::{Block, BlockCursor, Damaged};
use super::reader::{BlockBytes, ReadContext, TableReader};
use crate::error::Result;
use crate::iter::internal::InternalIterator;
use crate::key::InternalKey;
use crate::value::Value;

/// A cursor over one table. It keeps the table and the block it stands in.
#[derive(Debug)]
pub(crate) struct TableCursor {
    table: Arc<TableReader>,
    context: ReadContext,
    block: Option<(usize, Arc<BlockBytes>)>,
    at: BlockCursor,
}

impl TableCursor {
    pub(crate) fn new(table: Arc<TableReader>, context: ReadContext) -> TableCursor {
        TableCursor { table, context, block: None, at: BlockCursor::new() }
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
        if self.block.as_ref().is_none_or(|(loaded, _)| *loaded != at) {
            let block = self.table.block(index, at, self.context, self.table.recorder())?;
            self.block = Some((at, Arc::new(block)));
        }
        self.in_block(place)
    }

    fn in_block(
        &mut self,
        place: impl FnOnce(&mut BlockCursor, Block<'_>) -> std::result::Result<(), Damaged>,
    ) -> Result<()> {
        let Some((at, bytes)) = &self.block else {
            return Ok(());
        };
        let placed = Block::parse(bytes).and_then(|block| place(&mut self.at, block));
        self.table.sound(placed, *at)
    }

    fn search(&self, key: InternalKey<'_>) -> Result<usize> {
        self.table.index()?.search(key).ok_or_else(|| self.table.damaged_index())
    }

    /// Goes to the last entry of the block before the present one.
    fn leave_backwards(&mut self) -> Result<()> {
        match &self.block {
            Some((at, _)) if *at > 0 => self.enter(at - 1, BlockCursor::seek_to_last),
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
        if self.at.key().is_none() { self.leave_backwards() } else { Ok(()) }
    }

    fn next(&mut self) -> Result<()> {
        self.in_block(BlockCursor::next)?;
        match &self.block {
            Some((at, _)) if !self.at.is_placed() => self.enter(at + 1, BlockCursor::seek_to_first),
            _ => Ok(()),
        }
    }

    fn prev(&mut self) -> Result<()> {
        self.in_block(BlockCursor::prev)?;
        if self.at.key().is_none() { self.leave_backwards() } else { Ok(()) }
    }

    fn current(&self) -> Option<(InternalKey<'_>, &[u8])> {
        let (_, bytes) = self.block.as_ref()?;
        Some((self.at.key()?, bytes.get(self.at.value_range()?)?))
    }

    fn lend(&self) -> Option<Value> {
        let (_, bytes) = self.block.as_ref()?;
        Some(bytes.lend_block(self.at.value_range()?))
    }
}
