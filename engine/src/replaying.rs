//! Fills memtables with what a log holds.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::key::{DEFAULT_KEYSPACE, InternalKey, Kind, SeqNo, Trailer};
use crate::memtable::{Memtable, Reservation};
use crate::options::Options;
use crate::record::format::GroupType;
use crate::record::reader::{Entry, Group};
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;
use crate::values::stored::{EXPIRY_BYTES, with_pointer};

/// The memtables that one log fills.
pub(crate) struct Replaying {
    values: Arc<ValueFile>,
    /// Values of this many bytes and more stay in the log.
    threshold: usize,
    capacity: usize,
    pub(crate) memtables: Vec<Arc<Memtable>>,
    /// Whether there are entries that expire.
    pub(crate) expiring: bool,
}

impl Replaying {
    pub(crate) fn new(values: &Arc<ValueFile>, options: &Options) -> Replaying {
        Replaying {
            values: values.clone(),
            threshold: options.separation_threshold,
            capacity: options.memtable_bytes,
            memtables: Vec::new(),
            expiring: false,
        }
    }

    /// Kind and bytes that stand beside the key of an entry in the memtable.
    fn stored<'a>(&self, entry: &Entry<'a>) -> Option<(Kind, Cow<'a, [u8]>)> {
        let head = if entry.kind.expires() { EXPIRY_BYTES } else { 0 };
        match entry.kind {
            Kind::Pointer | Kind::ExpiringPointer => None,
            Kind::Value | Kind::ExpiringValue if entry.value.len().checked_sub(head)? >= self.threshold => {
                let pointer = ValuePointer { file: self.values.number, offset: entry.offset, len: entry.len };
                let kind = entry.kind.as_pointer();
                Some((kind, with_pointer(kind, entry.value, pointer).into()))
            }
            kind => Some((kind, entry.value.into())),
        }
    }

    pub(crate) fn apply(
        &mut self,
        group: &Group<'_>,
        offset: u64,
        expected: &mut SeqNo,
        path: &Path,
    ) -> Result<()> {
        let fault = |what| Error::corruption(path, offset, what);
        if group.kind == GroupType::Edit {
            return Err(fault("a version edit in a log"));
        }
        let stored: Option<Vec<_>> = group.entries.iter().map(|entry| self.stored(entry)).collect();
        let stored = stored.ok_or(fault("a record that is none of a log"))?;
        let keys = || group.entries.iter().map(|entry| entry.key);
        let lengths = keys().zip(&stored).map(|(key, (_, bytes))| (key.len(), bytes.len()));
        let needed = Memtable::bytes_needed(lengths);
        for (entry, seq) in group.entries.iter().zip(expected.0..) {
            if entry.seq != SeqNo(seq) {
                return Err(fault("a record is not the successor of the one before it"));
            }
            if entry.keyspace != DEFAULT_KEYSPACE {
                return Err(fault("a record of a keyspace that does not exist"));
            }
        }
        let last = SeqNo(expected.0 + group.entries.len() as u64 - 1);
        if group.entries.is_empty() {
            return Ok(());
        }
        let (memtable, mut room) = self.room(needed, last).ok_or(fault("a record too large for memory"))?;
        for (entry, (kind, bytes)) in group.entries.iter().zip(&stored) {
            let key = InternalKey::new(entry.key, Trailer::new(entry.seq, *kind));
            memtable.insert(&mut room, key, bytes);
        }
        self.expiring |= stored.iter().any(|(kind, _)| kind.expires());
        *expected = last.plus(1);
        Ok(())
    }

    fn room(&mut self, needed: usize, last: SeqNo) -> Option<(Arc<Memtable>, Reservation)> {
        if let Some(memtable) = self.memtables.last().filter(|memtable| memtable.has_room(needed))
            && let Some(room) = memtable.reserve(needed, last)
        {
            return Some((memtable.clone(), room));
        }
        let memtable =
            Arc::new(Memtable::new(self.capacity.max(Memtable::capacity_for(needed)), &self.values));
        self.memtables.push(memtable.clone());
        let room = memtable.reserve(needed, last)?;
        Some((memtable, room))
    }
}
