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
    last_key: Vec<u8>,
    since_restart: usize,
    restart_interval: usize,
}

impl BlockBuilder {
    pub(crate) fn new(restart_interval: usize) -> BlockBuilder {
        BlockBuilder {
            bytes: Vec::new(),
            restarts: Vec::new(),
            last_key: Vec::new(),
            since_restart: 0,
            restart_interval,
        }
    }

    /// Adds an entry; keys come in order. Returns the restart at or before it.
    pub(crate) fn add(&mut self, key: InternalKey<'_>, value: &[u8]) -> usize {
        let mut shared = common_prefix(&self.last_key, key.user);
        let worth_it = shared * WORTH_SHARING > key.user.len() + value.len() + RESTART_BYTES * WORTH_SHARING;
        if self.restarts.is_empty() || self.since_restart == self.restart_interval || !worth_it {
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
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(unshared);
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
        self.last_key.clear();
        self.since_restart = 0;
    }
}
