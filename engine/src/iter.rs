//! What every source of sorted entries can do.

use crate::error::Result;
use crate::key::InternalKey;
use crate::value::Value;

/// A key and the bytes that are stored beside it, where they lie.
pub(crate) type Entry<'a> = (InternalKey<'a>, &'a [u8]);

/// A cursor over entries in internal key order. A new cursor stands nowhere until it is placed.
///
/// # Safety
/// The bytes of the current entry, and those that the cursor shows behind it, stay where they are, unchanged, until it is placed, moved or dropped;
/// where the cursor itself lies does not matter. A merge relies on it.
pub(crate) unsafe trait InternalIterator {
    fn seek_to_first(&mut self) -> Result<()>;
    fn seek_to_last(&mut self) -> Result<()>;
    /// Goes to the first entry at or after `key`.
    fn seek(&mut self, key: InternalKey<'_>) -> Result<()>;
    /// Goes to the last entry before `key`.
    fn seek_before(&mut self, key: InternalKey<'_>) -> Result<()>;
    /// Steps to the next entry, which is then the current one.
    fn next(&mut self) -> Result<Option<Entry<'_>>>;
    /// Steps to the entry before.
    fn prev(&mut self) -> Result<Option<Entry<'_>>>;
    /// The entry the cursor stands on.
    fn current(&self) -> Option<Entry<'_>>;
    /// The stored bytes of [`current`](InternalIterator::current), which are `stored`, as a handle that outlives the cursor.
    fn lend(&self, stored: &[u8]) -> Option<Value>;
}
