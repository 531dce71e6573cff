//! One run: what it does, how much of it, and to which database.

use std::sync::Arc;

use bettong::{Db, WriteOptions};

use super::keys::{Key, KeySpace, encode};
use super::live::LiveBytes;
use super::sizes::ValueSizes;
use super::workload::Workload;
use crate::fault::{Fault, Result};
use crate::payload;
use crate::random::{Permutation, Zipf};

/// What every thread of a run knows.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) db: Db,
    pub(super) workload: Workload,
    pub(super) space: KeySpace,
    pub(super) keys: u64,
    pub(super) sizes: ValueSizes,
    pub(super) threads: u64,
    pub(super) ops: u64,
    /// Bytes of keys and values after which a workload ends that is not counted in operations.
    pub(super) write_bytes: u64,
    /// What is live, where the workload asks for that.
    pub(super) live: Option<Arc<LiveBytes>>,
    pub(super) seed: u64,
    pub(super) order: Permutation,
    pub(super) zipf: Zipf,
    pub(super) write: WriteOptions,
}

impl Plan {
    /// The number of the n-th key.
    #[inline]
    pub(super) fn number(&self, n: u64) -> u64 {
        self.space.number(n)
    }

    /// The same run with other options of its writes.
    pub(super) fn with_write(&self, write: WriteOptions) -> Plan {
        Plan { db: self.db.clone(), live: self.live.clone(), write, ..*self }
    }

    /// Makes the value of a key's version.
    #[inline]
    pub(super) fn value(&self, buffer: &mut Vec<u8>, number: u64, version: u64) {
        payload::write(buffer, self.seed, number, version, self.sizes.of(self.seed, number, version));
    }

    /// Sets the n-th key to a value.
    #[inline]
    pub(super) fn set(&self, n: u64, value: &[u8]) -> Result<()> {
        self.db.set_with(encode(self.number(n)), value, self.write)?;
        if let Some(live) = &self.live {
            live.set(n, value.len());
        }
        Ok(())
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
        if self.sizes.contains(value.len()) && payload::check(value, self.seed, number).is_some() {
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

/// A part of a phase: of every thread's operations the `at`-th of `of` equal parts, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) at: u64,
    pub(super) of: u64,
}

impl Part {
    pub(super) const WHOLE: Part = Part { at: 0, of: 1 };

    /// This part of the operations from `first` up to, not including, `end`.
    pub(super) fn take(self, first: u64, end: u64) -> (u64, u64) {
        let cut = |at| first + (u128::from(end - first) * u128::from(at) / u128::from(self.of)) as u64;
        (cut(self.at), cut(self.at + 1))
    }
}

/// A key that does not read as it was written.
pub(super) fn wrong(key: &Key, what: &str) -> Fault {
    Fault::Damaged(format!("wrong data: key {} {what}", key.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_share_are_the_share() {
        let parts: Vec<_> = (0..7).map(|at| Part { at, of: 7 }.take(10, 110)).collect();
        assert_eq!((parts[0].0, parts[6].1), (10, 110));
        assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert!(parts.iter().all(|(first, end)| (14..=15).contains(&(end - first))));
        assert_eq!(Part::WHOLE.take(3, 5), (3, 5));
    }
}
