//! The label values that the engine counts under, as numbers in the order of the catalogue.

/// What bytes are read for: label `origin` of `db_storage_read_bytes_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum ReadOrigin {
    Get = 0,
    Scan = 1,
    Compaction = 2,
    Recovery = 4,
    Verify = 5,
}

impl ReadOrigin {
    /// Label `origin` of `db_checksum_verified_bytes_total`, which has no value for value-log collection.
    pub(crate) fn verify_label(self) -> usize {
        match self {
            ReadOrigin::Get => 0,
            ReadOrigin::Scan => 1,
            ReadOrigin::Compaction => 2,
            ReadOrigin::Recovery => 3,
            ReadOrigin::Verify => 4,
        }
    }
}

/// What bytes are written for: label `origin` of `db_storage_written_bytes_total`.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum WriteOrigin {
    Wal = 0,
    Flush = 1,
    Compaction = 2,
    Manifest = 5,
}

/// Kinds of files: label `file`.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum FileLabel {
    Wal = 0,
    Table = 1,
    Manifest = 3,
}

/// Label `block_type`.
pub(crate) const DATA_BLOCK: usize = 0;
/// Label `result` of cache requests.
pub(crate) const HIT: usize = 0;
/// Label `result` of cache requests.
pub(crate) const MISS: usize = 1;

/// Label `result` of background work.
pub(crate) const OK: usize = 0;

/// Label `cause` of write stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum StallCause {
    L0Tables = 0,
    Memtables = 1,
    CompactionDebt = 2,
}

/// Label `condition` of write stalls.
pub(crate) const SLOWDOWN: usize = 0;
/// Label `condition` of write stalls.
pub(crate) const STOP: usize = 1;
