//! What of a write goes where: small values into the memtable, large ones into the log alone.

use crate::batch::Op;
use crate::env::names::FileNumber;
use crate::key::{Kind, SeqNo};
use crate::record::format::GROUP_HEADER_BYTES;
use crate::record::writer::NewEntry;
use crate::values::pointer::ValuePointer;
use crate::values::stored::EXPIRY_BYTES;

/// How the values of one commit are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// Values of this many bytes and more are separated.
    threshold: usize,
    /// When they expire, as it is stored.
    expires_at: Option<[u8; EXPIRY_BYTES]>,
}

impl Placement {
    pub(crate) fn new(threshold: usize, expires_at: Option<u64>) -> Placement {
        Placement { threshold, expires_at: expires_at.map(u64::to_le_bytes) }
    }

    /// Whether the value of a write stays in the log.
    #[inline]
    pub(crate) fn is_apart(&self, op: Op<'_>) -> bool {
        op.kind == Kind::Value && op.value.len() >= self.threshold
    }

    /// Whether memtable and log get the writes as they are.
    #[inline]
    pub(crate) fn is_plain<'a>(&self, mut ops: impl Iterator<Item = Op<'a>>) -> bool {
        self.expires_at.is_none() && !ops.any(|op| self.is_apart(op))
    }

    fn head(&self, op: Op<'_>) -> &[u8] {
        if op.kind == Kind::Value { self.expires_at.as_ref().map_or(&[], |time| time) } else { &[] }
    }

    /// The entry of a write in the log.
    pub(crate) fn entry<'a>(&'a self, op: Op<'a>, seq: SeqNo) -> NewEntry<'a> {
        let head = self.head(op);
        let kind = if head.is_empty() { op.kind } else { Kind::ExpiringValue };
        NewEntry { kind, keyspace: op.keyspace, seq, key: op.key, head, value: op.value }
    }

    /// No less than the bytes that stand beside the key in the memtable.
    pub(crate) fn stored_len(&self, op: Op<'_>) -> usize {
        self.head(op).len() + if self.is_apart(op) { ValuePointer::BYTES_MAX } else { op.value.len() }
    }

    /// Kind and bytes that stand beside the key in the memtable, for a write whose entry lies at `pointer`.
    pub(crate) fn stored(&self, op: Op<'_>, pointer: ValuePointer) -> (Kind, Vec<u8>) {
        let mut bytes = self.head(op).to_vec();
        let kind = if bytes.is_empty() { op.kind } else { Kind::ExpiringValue };
        if self.is_apart(op) {
            pointer.encode(&mut bytes);
            (kind.as_pointer(), bytes)
        } else {
            bytes.extend_from_slice(op.value);
            (kind, bytes)
        }
    }
}

/// Follows the entries of a group that begins at `offset` of a log: where each of them lies.
#[derive(Debug)]
pub(crate) struct EntryPlaces {
    log: FileNumber,
    offset: u64,
}

impl EntryPlaces {
    pub(crate) fn of_group(log: FileNumber, offset: u64) -> EntryPlaces {
        EntryPlaces { log, offset: offset + GROUP_HEADER_BYTES as u64 }
    }

    /// The place of the next entry.
    pub(crate) fn next(&mut self, entry: NewEntry<'_>) -> ValuePointer {
        let pointer = ValuePointer { file: self.log, offset: self.offset, len: entry.len() as u32 };
        self.offset += u64::from(pointer.len);
        pointer
    }
}
