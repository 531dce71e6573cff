//! Writes that become visible, and durable, together.

use crate::coding::{Decoder, put_slice};
use crate::error::{Error, Result};
use crate::key::{DEFAULT_KEYSPACE, Kind, check_key, check_value};
use crate::limits::MAX_BATCH_BYTES;

/// One write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a> {
    pub(crate) kind: Kind,
    pub(crate) keyspace: u32,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// Bytes that an entry counts for beyond its key and value: no less than it takes in log and memtable, so that a batch
/// within the limit fits their 32-bit lengths.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// A list of sets and deletes that [`Db::write`](crate::Db::write) applies as one: all of them or none, at any crash.
///
/// Later entries win over earlier ones of the same key. A key or value outside its limits is remembered and reported by
/// `write`, which then writes nothing.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = bettong::Db::open(dir.path(), bettong::Options::default())?;
/// let mut batch = bettong::WriteBatch::new();
/// batch.set(b"from", b"90");
/// batch.set(b"to", b"110");
/// batch.delete(b"pending");
/// db.write(batch)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct WriteBatch {
    /// Kind, key and value of each entry, one after the other.
    bytes: Vec<u8>,
    entries: usize,
    sets: usize,
    payload: usize,
    fault: Option<Error>,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// Sets a key to a value.
    pub fn set(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        if self.admit(check_key(key).and_then(|()| check_value(value)), key.len() + value.len()) {
            self.bytes.push(Kind::Value as u8);
            put_slice(&mut self.bytes, key);
            put_slice(&mut self.bytes, value);
            self.sets += 1;
        }
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        let key = key.as_ref();
        if self.admit(check_key(key), key.len()) {
            self.bytes.push(Kind::Tombstone as u8);
            put_slice(&mut self.bytes, key);
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Bytes of all keys and values.
    pub fn payload_bytes(&self) -> usize {
        self.payload
    }

    /// Forgets all entries, and faults, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.entries, self.sets, self.payload, self.fault) = (0, 0, 0, None);
    }

    fn admit(&mut self, checked: Result<()>, payload: usize) -> bool {
        let len = self.payload + payload + (self.entries + 1) * ENTRY_OVERHEAD_BYTES;
        let checked =
            checked.and(if len > MAX_BATCH_BYTES { Err(Error::BatchTooLarge { len }) } else { Ok(()) });
        match checked {
            Ok(()) if self.fault.is_none() => {
                self.entries += 1;
                self.payload += payload;
                true
            }
            Ok(()) => false,
            Err(fault) => {
                self.fault.get_or_insert(fault);
                false
            }
        }
    }

    /// The number of sets among the entries.
    pub(crate) fn sets(&self) -> usize {
        self.sets
    }

    /// The first fault of any entry.
    pub(crate) fn take_fault(&mut self) -> Result<()> {
        self.fault.take().map_or(Ok(()), Err)
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = Op<'_>> + Clone {
        let mut rest = Decoder::new(&self.bytes);
        std::iter::from_fn(move || {
            let kind = Kind::from_u8(rest.u8()?)?;
            let key = rest.slice()?;
            let value = if kind == Kind::Value { rest.slice()? } else { &[] };
            Some(Op { kind, keyspace: DEFAULT_KEYSPACE, key, value })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_order() {
        let mut batch = WriteBatch::new();
        batch.set(b"a", b"1");
        batch.delete(b"b");
        batch.set(b"a", b"");
        let ops: Vec<_> = batch.ops().map(|op| (op.kind, op.key.to_vec(), op.value.to_vec())).collect();
        let expected = [(Kind::Value, "a", "1"), (Kind::Tombstone, "b", ""), (Kind::Value, "a", "")];
        assert_eq!(ops, expected.map(|(kind, k, v)| (kind, k.as_bytes().to_vec(), v.as_bytes().to_vec())));
        assert_eq!((batch.len(), batch.sets(), batch.payload_bytes()), (3, 2, 4));
    }

    /// F88: the first bad entry makes the whole batch bad.
    #[test]
    fn f88_a_bad_entry_is_reported_and_cleared() {
        let mut batch = WriteBatch::new();
        batch.set(b"good", b"1");
        batch.set(b"", b"1");
        batch.set(b"good too", b"1");
        assert!(matches!(batch.take_fault(), Err(Error::EmptyKey)));
        batch.clear();
        assert!(batch.take_fault().is_ok() && batch.is_empty());
    }
}
