//! Encodes a data block.
//!
//! ```text
//! entry            shared varint | unshared varint | value length varint | trailer varint | unshared key bytes | value
//! …
//! restart offsets  4 each: entries with shared = 0
//! restarts         4
//! ```
//!
//! A key that shares bytes with the one before leaves them out, up to the next restart. Where that would save less than an eighth of
//! the entry the key is whole, and so a restart as well: it is found without reading what lies before it.

use crate::coding::put_varint;
use crate::key::{InternalKey, common_prefix};

/// What leaving bytes of a key out has to save: one of so many of its entry.
const WORTH_SHARING: usize = 8;
/// What a restart takes.
const RESTART_BYTES: usize = 4;

/// A data block in the making.
#[derive(Debug)]
pub(crate) struct BlockBuilder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    since_restart: usize,
    restart_interval: usize,
}

impl BlockBuilder {
    pub(crate) fn new(restart_interval: usize) -> BlockBuilder {
        BlockBuilder { bytes: Vec::new(), restarts: Vec::new(), since_restart: 0, restart_interval }
    }

    /// Adds an entry; keys come in order, and `last` is the user key before. Returns the restart at or before it.
    #[inline]
    pub(crate) fn add(&mut self, last: &[u8], key: InternalKey<'_>, value: &[u8]) -> usize {
        let least = (key.user.len() + value.len()) / WORTH_SHARING + RESTART_BYTES;
        // No key shares more than it is long.
        let mut shared = if key.user.len() > least { common_prefix(last, key.user) } else { 0 };
        if self.restarts.is_empty() || self.since_restart == self.restart_interval || shared <= least {
            self.restarts.push(self.bytes.len() as u32);
            self.since_restart = 0;
            shared = 0;
        }
        let unshared = key.user.get(shared..).unwrap_or_default();
        put_varint(&mut self.bytes, shared as u64);
        put_varint(&mut self.bytes, unshared.len() as u64);
        put_varint(&mut self.bytes, value.len() as u64);
        put_varint(&mut self.bytes, key.trailer.0);
        self.bytes.extend_from_slice(unshared);
        self.bytes.extend_from_slice(value);
        self.since_restart += 1;
        self.restarts.last().map_or(0, |restart| *restart as usize)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.restarts.is_empty()
    }

    /// The bytes that [`BlockBuilder::finish`] would return.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + 4 * self.restarts.len() + 4
    }

    /// Completes the block; [`BlockBuilder::clear`] starts the next.
    pub(crate) fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            self.bytes.extend_from_slice(&restart.to_le_bytes());
        }
        self.bytes.extend_from_slice(&(self.restarts.len() as u32).to_le_bytes());
        &self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.restarts.clear();
        self.since_restart = 0;
    }
}
