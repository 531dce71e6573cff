//! A key with its value, and the records of an input.

use std::io;

use bettong::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Record {
    /// The record, if the database can take it.
    pub(super) fn checked(key: Vec<u8>, value: Vec<u8>) -> Result<Record, String> {
        if key.is_empty() {
            return Err("the key is empty".to_owned());
        }
        for (name, len, most) in [("key", key.len(), MAX_KEY_BYTES), ("value", value.len(), MAX_VALUE_BYTES)]
        {
            if len > most {
                return Err(format!("the {name} has {len} bytes, at most {most} are allowed"));
            }
        }
        Ok(Record { key, value })
    }
}

/// What stands at a place of an input: a record, or why there is none.
#[derive(Debug)]
pub(super) struct Entry {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    pub(super) record: Result<Record, String>,
    /// Whether the input can be read on after it.
    pub(super) goes_on: bool,
}

/// An input.
pub(super) trait Records {
    /// The next record, or none at the end. An error is one of reading.
    fn next(&mut self) -> io::Result<Option<Entry>>;

    /// Bytes read so far.
    fn position(&self) -> u64;
}
