//! Walks the tables of a level one after the other.

use super::tables::Tables;
use crate::error::Result;
use crate::iter::{Entry, InternalIterator};
use crate::key::InternalKey;
use crate::table::cursor::TableCursor;
use crate::table::reader::ReadContext;
use crate::value::Value;

/// A cursor over tables whose key ranges ascend without overlap. It opens a table when it gets there.
#[derive(Debug)]
pub(crate) struct LevelCursor {
    tables: Tables,
    context: ReadContext,
    open: Option<(usize, TableCursor)>,
}

impl LevelCursor {
    pub(crate) fn new(tables: Tables, context: ReadContext) -> LevelCursor {
        LevelCursor { tables, context, open: None }
    }

    /// Opens table `at`, if there is one, and places a cursor in it.
    fn enter(&mut self, at: usize, place: impl FnOnce(&mut TableCursor) -> Result<()>) -> Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != at) {
            self.open = None;
            let Some(table) = self.tables.get(at) else {
                return Ok(());
            };
            self.open = Some((at, TableCursor::new(table.reader()?.clone(), self.context)));
        }
        match &mut self.open {
            Some((_, cursor)) => place(cursor),
            None => Ok(()),
        }
    }

    #[inline]
    fn is_placed(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, cursor)| cursor.is_placed())
    }

    fn leave_backwards(&mut self) -> Result<()> {
        while let (false, Some((at, _))) = (self.is_placed(), &self.open) {
            match at.checked_sub(1) {
                Some(before) => self.enter(before, InternalIterator::seek_to_last)?,
                None => self.open = None,
            }
        }
        Ok(())
    }

    fn leave_forwards(&mut self) -> Result<()> {
        while let (false, Some((at, _))) = (self.is_placed(), &self.open) {
            self.enter(at + 1, InternalIterator::seek_to_first)?;
        }
        Ok(())
    }

    /// Goes to the next entry, which lies in another block or table.
    #[inline(never)]
    fn next_elsewhere(&mut self) -> Result<Option<Entry<'_>>> {
        if let Some((_, cursor)) = &mut self.open {
            cursor.next()?;
        }
        self.leave_forwards()?;
        Ok(self.current())
    }

    /// As [`TableCursor::rest`].
    #[inline]
    pub(crate) fn rest(&self) -> &[u8] {
        self.open.as_ref().map(|(_, cursor)| cursor.rest()).unwrap_or_default()
    }

    /// As [`TableCursor::catch_up`].
    pub(crate) fn catch_up(&mut self, left: usize) -> Result<()> {
        self.open.as_mut().map_or(Ok(()), |(_, cursor)| cursor.catch_up(left))
    }
}

// SAFETY: the bytes are those of the table cursor.
unsafe impl InternalIterator for LevelCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        self.enter(0, InternalIterator::seek_to_first)?;
        self.leave_forwards()
    }

    fn seek_to_last(&mut self) -> Result<()> {
        let Some(last) = self.tables.len().checked_sub(1) else {
            return Ok(());
        };
        self.enter(last, InternalIterator::seek_to_last)?;
        self.leave_backwards()
    }

    fn seek(&mut self, key: InternalKey<'_>) -> Result<()> {
        self.enter(self.tables.position(key.user), |cursor| cursor.seek(key))?;
        self.leave_forwards()
    }

    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()> {
        let at = self.tables.position(key.user);
        if at == self.tables.len() {
            return self.seek_to_last();
        }
        self.enter(at, |cursor| cursor.seek_before(key))?;
        self.leave_backwards()
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        if self.open.as_ref().is_none_or(|(_, cursor)| !cursor.has_next_in_block()) {
            return self.next_elsewhere();
        }
        match &mut self.open {
            Some((_, cursor)) => cursor.next_in_block(),
            None => Ok(None),
        }
    }

    fn prev(&mut self) -> Result<Option<Entry<'_>>> {
        if let Some((_, cursor)) = &mut self.open {
            cursor.prev()?;
        }
        self.leave_backwards()?;
        Ok(self.current())
    }

    #[inline]
    fn current(&self) -> Option<Entry<'_>> {
        self.open.as_ref()?.1.current()
    }

    #[inline]
    fn lend(&self, stored: &[u8]) -> Option<Value> {
        self.open.as_ref()?.1.lend(stored)
    }
}
