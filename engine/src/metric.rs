//! The label values that the engine counts under, as numbers in the order of the catalogue.

use bettong_metrics::{Counter, CounterCell};

/// What bytes are read for: label `origin` of `db_storage_read_bytes_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum ReadOrigin {
    Get = 0,
    Scan = 1,
    Compaction = 2,
    ValueCollection = 3,
    Recovery = 4,
    Verify = 5,
}

/// What a separated value is read for: label `purpose`. Verification counts as collection: it reads all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum ValuePurpose {
    Get = 0,
    Scan = 1,
    Collection = 2,
}

impl ReadOrigin {
    /// Label `origin` of `db_checksum_verified_bytes_total`, which has no value for value-log collection.
    pub(crate) fn verify_label(self) -> usize {
        match self {
            ReadOrigin::Get => 0,
            ReadOrigin::Scan => 1,
            ReadOrigin::Compaction | ReadOrigin::ValueCollection => 2,
            ReadOrigin::Recovery => 3,
            ReadOrigin::Verify => 4,
        }
    }
}

/// What bytes are written for: label `origin` of `db_storage_written_bytes_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum WriteOrigin {
    Wal = 0,
    Flush = 1,
    Compaction = 2,
    /// Values that a flush moves out of a log that is mostly something else.
    ValueLog = 3,
    /// Values that a collection moves out of a file that is mostly garbage.
    ValueCollection = 4,
    Manifest = 5,
}

/// Kinds of files: label `file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum FileLabel {
    Wal = 0,
    Table = 1,
    Vlog = 2,
    Manifest = 3,
}

/// Kinds of files, and what they no longer are: label `file` of `db_disk_usage_bytes`.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum DiskFile {
    Wal = 0,
    Table = 1,
    Vlog = 2,
    Manifest = 3,
    Obsolete = 5,
}

/// Who does background work: label `pool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Pool {
    Flush = 0,
    Compaction = 1,
}

impl Pool {
    /// Label `category` of `db_cpu_seconds_total`.
    pub(crate) fn cpu_category(self) -> usize {
        match self {
            Pool::Compaction => 0,
            Pool::Flush => 1,
        }
    }
}

/// Label `lock` of `db_lock_wait_seconds_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum LockLabel {
    Commit = 0,
    VersionSet = 1,
    Work = 2,
    Announce = 3,
}

/// What memory is used for: label `component` of `db_memory_bytes`.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum MemoryComponent {
    Memtable = 0,
    Immutable = 1,
    BlockCache = 2,
    Filters = 4,
    Indexes = 5,
    Other = 9,
}

/// How space is given back: label `origin` of `db_space_reclaim_operations_total`.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Reclaim {
    ValueCollection = 0,
    FileDeletion = 1,
    WalRecycle = 2,
}

/// Label `priority` of `db_rate_limiter_wait_seconds_total`.
pub(crate) const FOREGROUND: usize = 0;
/// Label `priority` of `db_rate_limiter_wait_seconds_total`.
pub(crate) const BACKGROUND: usize = 1;

/// Label `direction` of `db_compression_seconds_total`.
pub(crate) const COMPRESS: usize = 0;

/// The counters of the block cache on one level: looked up once, since their labels make the way to a cell long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelCells {
    pub(crate) cache_hit: CounterCell,
    pub(crate) cache_miss: CounterCell,
}

impl LevelCells {
    /// As many as a mask leaves, which is shorter than to compare: every get from a table comes here.
    const ALL: [LevelCells; 8] = [
        Self::of(0),
        Self::of(1),
        Self::of(2),
        Self::of(3),
        Self::of(4),
        Self::of(5),
        Self::of(6),
        Self::of(6),
    ];

    /// The cells of a level; there are seven.
    #[inline]
    pub(crate) fn of_level(level: usize) -> &'static LevelCells {
        let [.., last] = &Self::ALL;
        Self::ALL.get(level % Self::ALL.len()).unwrap_or(last)
    }

    const fn of(level: usize) -> LevelCells {
        LevelCells {
            cache_hit: Counter::CacheRequests.at3(level, DATA_BLOCK, HIT),
            cache_miss: Counter::CacheRequests.at3(level, DATA_BLOCK, MISS),
        }
    }
}

/// Label `placement` of values.
pub(crate) const INLINE: usize = 0;
/// Label `placement` of values.
pub(crate) const APART: usize = 1;

/// Label `block_type`.
pub(crate) const DATA_BLOCK: usize = 0;
/// Label `result` of cache requests.
pub(crate) const HIT: usize = 0;
/// Label `result` of cache requests.
pub(crate) const MISS: usize = 1;

/// Label `reason` of the flushes that a recovery makes.
pub(crate) const FLUSH_OF_RECOVERY: usize = 3;
/// Label `result` of background work.
pub(crate) const OK: usize = 0;

/// Label `cause` of write stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum StallCause {
    L0Tables = 0,
    Memtables = 1,
    CompactionDebt = 2,
    ValueGarbage = 3,
}

impl StallCause {
    /// The label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            StallCause::L0Tables => "l0_files",
            StallCause::Memtables => "memtables",
            StallCause::CompactionDebt => "compaction_debt",
            StallCause::ValueGarbage => "vlog_gc",
        }
    }
}

/// Label `condition` of write stalls.
pub(crate) const SLOWDOWN: usize = 0;
/// Label `condition` of write stalls.
pub(crate) const STOP: usize = 1;
