//! The parts that an operation's time is split into.

use super::histograms::{Histogram, HistogramCell};
use super::labels::{COMMIT_STAGE, GET_STAGE, Operation};

/// A part of an operation: the label `stage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Get: searching memtables. Write: inserting into one.
    Memtable,
    /// Asking bloom filters.
    Filter,
    /// Searching table indexes.
    Index,
    /// Reading and searching data blocks.
    Data,
    /// Reading separated values.
    Vlog,
    /// Decompressing blocks.
    Decompress,
    /// Verifying checksums.
    Verify,
    /// Waiting for the commit lock.
    Queue,
    /// Held back by a write stall.
    Stall,
    /// Encoding the group and appending it to the log.
    WalAppend,
    /// Waiting for the log to be durable.
    WalSync,
    /// Waiting to be visible, in order.
    Publish,
}

impl Stage {
    /// Every stage, in index order.
    pub const ALL: [Self; 12] = [
        Self::Memtable,
        Self::Filter,
        Self::Index,
        Self::Data,
        Self::Vlog,
        Self::Decompress,
        Self::Verify,
        Self::Queue,
        Self::Stall,
        Self::WalAppend,
        Self::WalSync,
        Self::Publish,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memtable => "memtable",
            Self::Filter => "filter",
            Self::Index => "index",
            Self::Data => "data",
            Self::Vlog => "vlog",
            Self::Decompress => "decompress",
            Self::Verify => "verify",
            Self::Queue => "queue",
            Self::Stall => "stall",
            Self::WalAppend => "wal_append",
            Self::WalSync => "wal_sync",
            Self::Publish => "publish",
        }
    }

    /// Position in [`Stage::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The histogram that the stage of such an operation is recorded in; scans have none.
    pub(crate) fn histogram(self, operation: Operation) -> Option<HistogramCell> {
        let (family, names) = match operation {
            Operation::Get => (Histogram::GetStageDuration, GET_STAGE),
            Operation::Set | Operation::Delete | Operation::Batch => {
                (Histogram::CommitStageDuration, COMMIT_STAGE)
            }
            Operation::Scan => return None,
        };
        names.iter().position(|name| *name == self.as_str()).map(|at| family.at(at))
    }
}
