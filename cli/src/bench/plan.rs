//! One run: what it does, how much of it, and to which database.

use bettong::{Db, WriteOptions};

use super::keys::{Key, KeySpace, encode};
use super::workload::Workload;
use crate::fault::{Fault, Result};
use crate::payload;
use crate::random::Permutation;

/// What every thread of a run knows.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) db: Db,
    pub(super) workload: Workload,
    pub(super) space: KeySpace,
    pub(super) keys: u64,
    pub(super) value_size: usize,
    pub(super) threads: u64,
    pub(super) ops: u64,
    pub(super) seed: u64,
    pub(super) order: Permutation,
    pub(super) write: WriteOptions,
}

impl Plan {
    /// The number of the n-th key.
    #[inline]
    pub(super) fn number(&self, n: u64) -> u64 {
        self.space.number(n)
    }

    /// Sets a key to the value of a version.
    #[inline]
    pub(super) fn set(&self, buffer: &mut Vec<u8>, number: u64, version: u64) -> Result<()> {
        payload::write(buffer, self.seed, number, version, self.value_size);
        Ok(self.db.set_with(encode(number), buffer.as_slice(), self.write)?)
    }

    /// Gets a key that must be there, checks its value, and returns its length.
    #[inline]
    pub(super) fn get_present(&self, number: u64) -> Result<usize> {
        let key = encode(number);
        let value = self.db.get(key)?.ok_or_else(|| wrong(&key, "is missing"))?;
        self.check(number, &value)?;
        Ok(value.len())
    }

    /// Checks a value that was read.
    #[inline]
    pub(super) fn check(&self, number: u64, value: &[u8]) -> Result<()> {
        if value.len() == self.value_size && payload::check(value, self.seed, number).is_some() {
            return Ok(());
        }
        Err(wrong(&encode(number), "has a value that was never written to it"))
    }

    /// The share of `total` of one of the threads, as its first and the one past its last.
    pub(super) fn share(&self, thread: u64, total: u64) -> (u64, u64) {
        let at = |thread: u64| (u128::from(total) * u128::from(thread) / u128::from(self.threads)) as u64;
        (at(thread), at(thread + 1))
    }
}

/// A key that does not read as it was written.
pub(super) fn wrong(key: &Key, what: &str) -> Fault {
    Fault::Damaged(format!("wrong data: key {} {what}", key.escape_ascii()))
}
