//! A table as the tree knows it: its description, its reader once somebody needs it, and its end.

use std::sync::{Arc, OnceLock};

use bettong_metrics::{Counter, Gauge, TableState};

use crate::context::FileContext;
use crate::env::names::{FileName, FileNumber};
use crate::error::Result;
use crate::expiry::Expiring;
use crate::key::SeqNo;
use crate::metric::{HIT, MISS};
use crate::sync::{AtomicBool, Ordering};
use crate::table::builder::BuiltTable;
use crate::table::reader::{TableIdentity, TableReader};
use crate::values::usage::UsageByFile;

/// What the manifest records of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableMeta {
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    pub(crate) keyspace: u32,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) tombstones: u64,
    /// Bytes of keys and values, uncompressed.
    pub(crate) payload_bytes: u64,
    pub(crate) smallest: Vec<u8>,
    pub(crate) largest: Vec<u8>,
    pub(crate) oldest_seq: SeqNo,
    pub(crate) newest_seq: SeqNo,
    /// What its entries use of the value files.
    pub(crate) usage: UsageByFile,
    pub(crate) expiring: Expiring,
}

impl TableMeta {
    pub(crate) fn of(built: BuiltTable) -> TableMeta {
        let properties = built.properties;
        TableMeta {
            number: built.number,
            id: built.id,
            keyspace: properties.keyspace,
            bytes: built.bytes,
            entries: properties.entries,
            tombstones: properties.tombstones,
            payload_bytes: properties.key_bytes + properties.value_bytes,
            smallest: properties.smallest,
            largest: properties.largest,
            oldest_seq: properties.oldest_seq,
            newest_seq: properties.newest_seq,
            usage: built.usage,
            expiring: built.expiring,
        }
    }

    /// What everybody may know of it.
    pub(crate) fn state(&self) -> TableState {
        TableState {
            number: self.number.0,
            bytes: self.bytes,
            entries: self.entries,
            tombstones: self.tombstones,
            smallest_key_prefix: TableState::key_prefix(&self.smallest),
            largest_key_prefix: TableState::key_prefix(&self.largest),
        }
    }

    /// Whether the table may hold user keys from `first` to `last`, both included.
    pub(crate) fn overlaps(&self, first: &[u8], last: &[u8]) -> bool {
        self.smallest.as_slice() <= last && first <= self.largest.as_slice()
    }

    pub(crate) fn covers(&self, user: &[u8]) -> bool {
        self.overlaps(user, user)
    }
}

/// A table of some version. The file lives as long as any version, and so any reader, holds this.
#[derive(Debug)]
pub(crate) struct TableFile {
    pub(crate) meta: TableMeta,
    context: FileContext,
    reader: OnceLock<Arc<TableReader>>,
    obsolete: AtomicBool,
}

impl TableFile {
    pub(crate) fn new(meta: TableMeta, context: &FileContext) -> TableFile {
        TableFile {
            meta,
            context: context.clone(),
            reader: OnceLock::new(),
            obsolete: AtomicBool::new(false),
        }
    }

    /// The reader if it is open: if not, [`TableFile::reader`] reads the file. Whoever calls this counts the request.
    #[inline]
    pub(crate) fn open_reader(&self) -> Option<&Arc<TableReader>> {
        self.reader.get()
    }

    /// The reader, opened at first use.
    ///
    /// # Errors
    /// Of [`TableReader::open`]; the next call tries again.
    #[inline]
    pub(crate) fn reader(&self) -> Result<&Arc<TableReader>> {
        match self.reader.get() {
            Some(reader) => {
                self.context.recorder.add(Counter::TableCacheRequests.at(HIT), 1);
                Ok(reader)
            }
            None => self.open(),
        }
    }

    #[cold]
    fn open(&self) -> Result<&Arc<TableReader>> {
        self.context.recorder.add(Counter::TableCacheRequests.at(MISS), 1);
        let TableMeta { number, id, bytes, .. } = self.meta;
        let reader = Arc::new(TableReader::open(&self.context, TableIdentity { number, id, bytes })?);
        // Two threads may open it at once; one reader is kept, the other was only work.
        Ok(self.reader.get_or_init(|| {
            self.context.recorder.shift(Gauge::TablesOpen, 1.0);
            reader
        }))
    }

    /// Bytes of memory that the reader holds outside of mappings: of all, and of the index among them.
    pub(crate) fn memory_bytes(&self) -> (usize, usize) {
        self.reader.get().map_or((0, 0), |reader| (reader.memory_bytes(), reader.index_memory_bytes()))
    }

    /// Bytes of the filter, if the reader is open.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.reader.get().map_or(0, |reader| reader.filter_bytes())
    }

    /// The manifest no longer names the table: its file goes when the last version that holds it does.
    pub(crate) fn set_obsolete(&self) {
        if !self.obsolete.swap(true, Ordering::AcqRel) {
            self.context.graveyard.hold(FileName::Table(self.meta.number), self.meta.bytes);
        }
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        if self.reader.get().is_some() {
            self.context.recorder.shift(Gauge::TablesOpen, -1.0);
        }
        if self.obsolete.load(Ordering::Acquire) {
            let name = FileName::Table(self.meta.number);
            self.context.graveyard.let_go(name, name);
        }
    }
}
