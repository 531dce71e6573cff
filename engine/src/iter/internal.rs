//! What every source of sorted entries can do.

use crate::error::Result;
use crate::key::InternalKey;
use crate::value::Value;

/// A cursor over entries in internal key order. A new cursor stands nowhere until it is placed.
///
/// # Safety
/// The bytes that [`current`](InternalIterator::current) returns stay where they are, unchanged, until the cursor is placed, moved on or dropped;
/// where the cursor itself lies does not matter. A merge relies on it.
pub(crate) unsafe trait InternalIterator {
    fn seek_to_first(&mut self) -> Result<()>;
    fn seek_to_last(&mut self) -> Result<()>;
    /// Goes to the first entry at or after `key`.
    fn seek(&mut self, key: InternalKey<'_>) -> Result<()>;
    /// Goes to the last entry before `key`.
    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()>;
    fn next(&mut self) -> Result<()>;
    fn prev(&mut self) -> Result<()>;
    /// The entry the cursor stands on: its key and its stored bytes.
    fn current(&self) -> Option<(InternalKey<'_>, &[u8])>;
    /// The stored bytes of [`current`](InternalIterator::current) as a handle that outlives the cursor.
    fn lend(&self) -> Option<Value>;
}

/// A cursor that can be kept with others and sent to another thread.
pub(crate) type BoxedIterator = Box<dyn InternalIterator + Send>;
