//! What is asked of an engine.

use crate::failed::Done;
use crate::keys::{KEY_BYTES, Key};
use crate::measure;

/// A database of any engine. Values are lent, so that nobody has to copy one to hand it over.
pub(crate) trait Store: Send + Sync {
    /// Shows the value of a key, if it has one, and says whether it had.
    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Done<bool>;

    fn set(&self, key: &[u8], value: &[u8]) -> Done;

    fn delete(&self, key: &[u8]) -> Done;

    /// Sets all of them or none.
    fn batch(&self, entries: &Entries) -> Done;

    /// Shows keys and values in order, from the first key at or after `from`, until it is told `false` or there are no more.
    fn scan(&self, from: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done;

    /// Returns when the disk has everything that was set so far.
    fn sync(&self) -> Done;

    /// Writes out what is in memory and returns when no flush or compaction runs or waits. Asks for no compaction that the
    /// engine would not do by itself.
    fn settle(&self) -> Done;

    /// Bytes written to the disk since it was opened, by the engine's own account, if it keeps one.
    fn written_bytes(&self) -> Option<u64> {
        None
    }

    /// What a reader of the figures should know of this build of the engine.
    fn note(&self) -> Option<String> {
        None
    }

    fn close(self: Box<Self>) -> Done;
}

/// The same for all: what the engine calls settled, and then until its threads are idle.
pub(crate) fn settle(store: &dyn Store) -> Done {
    store.settle()?;
    measure::wait_until_quiet();
    Ok(())
}

/// The entries of a batch.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    keys: Vec<Key>,
    /// Where each value ends.
    ends: Vec<usize>,
    values: Vec<u8>,
}

impl Entries {
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.ends.clear();
        self.values.clear();
    }

    pub(crate) fn push(&mut self, key: &Key, value: &[u8]) {
        self.keys.push(*key);
        self.values.extend_from_slice(value);
        self.ends.push(self.values.len());
    }

    pub(crate) fn len(&self) -> u64 {
        self.keys.len() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.keys.len() * KEY_BYTES + self.values.len()) as u64
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.keys.iter().zip(&self.ends).map(move |(key, end)| {
            let value = &self.values[start..*end];
            start = *end;
            (key.as_slice(), value)
        })
    }
}
