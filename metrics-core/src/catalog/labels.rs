//! The closed sets of label values, in the order of their indices.

/// What a caller asks of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Operation {
    /// Reading one key.
    Get,
    /// Writing one key.
    Set,
    /// Deleting one key.
    Delete,
    /// Committing an atomic batch.
    Batch,
    /// Creating and positioning an iterator.
    Scan,
}

impl Operation {
    /// Every operation, in index order.
    pub const ALL: [Self; 5] = [Self::Get, Self::Set, Self::Delete, Self::Batch, Self::Scan];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Batch => "batch",
            Self::Scan => "scan",
        }
    }

    /// Position in [`Operation::ALL`], and in every label set named `operation`.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A call of the file system: the `operation` label of the I/O families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum IoOperation {
    /// Reading from a file.
    Read,
    /// Writing to a file, or reserving room in it.
    Write,
    /// Making a file or a directory durable.
    Sync,
    /// Opening, creating or mapping a file.
    Open,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Unlink,
}

impl IoOperation {
    /// Every operation, in index order.
    pub const ALL: [Self; 6] = [Self::Read, Self::Write, Self::Sync, Self::Open, Self::Rename, Self::Unlink];

    /// Position in the label set `operation` of the I/O families.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a call of the file system works on: the `file` label of the I/O families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum IoFile {
    /// A segment of the write-ahead log.
    Wal,
    /// A table.
    Table,
    /// A value-log file.
    Vlog,
    /// A manifest, or the file that names the one in force.
    Manifest,
    /// A directory.
    Directory,
    /// Any other file.
    Other,
}

impl IoFile {
    /// Position in the label set `file` of the I/O families.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Why an operation failed: the `kind` label of the error counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ErrorLabel {
    /// The operating system refused a read, a write or a sync.
    Io,
    /// Bytes on disk do not match their checksum or their format.
    Corruption,
    /// The database was closed before or during the operation.
    Closed,
    /// The caller's arguments are not acceptable.
    Invalid,
    /// The device is full.
    NoSpace,
    /// The database refuses writes.
    ReadOnly,
    /// Another process holds the database.
    Locked,
    /// None of the above.
    Other,
}

impl ErrorLabel {
    /// Position in the label set `kind`.
    pub const fn index(self) -> usize {
        self as usize
    }
}

pub(super) const OPERATION: &[&str] = &["get", "set", "delete", "batch", "scan"];
pub(super) const ERROR_KIND: &[&str] =
    &["io", "corruption", "closed", "invalid", "no_space", "read_only", "locked", "other"];
pub(super) const GET_RESULT: &[&str] = &["hit", "tombstone", "miss"];
pub(super) const GET_SOURCE: &[&str] = &["memtable", "immutable", "0", "1", "2", "3", "4", "5", "6", "miss"];
pub(super) const DIRECTION: &[&str] = &["forward", "backward"];
pub(super) const SKIP_REASON: &[&str] = &["shadowed", "tombstone", "newer"];
pub(super) const OK_FAILED: &[&str] = &["ok", "failed"];
pub(super) const STALL_CAUSE: &[&str] =
    &["l0_files", "memtables", "compaction_debt", "vlog_gc", "memory", "disk_space"];
pub(super) const STALL_CONDITION: &[&str] = &["slowdown", "stop"];
pub(super) const ROTATION_REASON: &[&str] = &["full", "wal_size", "manual", "shutdown", "memory_pressure"];
pub(super) const FLUSH_REASON: &[&str] = &["full", "manual", "shutdown", "recovery"];
pub(super) const LEVEL: &[&str] = &["0", "1", "2", "3", "4", "5", "6"];
pub(super) const LEVEL_READ_ORIGIN: &[&str] = &["upper", "same"];
pub(super) const DROP_REASON: &[&str] = &["shadowed", "tombstone", "expired"];
pub(super) const COMPACTION_REASON: &[&str] =
    &["l0_files", "level_size", "tombstones", "manual", "garbage", "expired", "scans"];
pub(super) const COMPACTION_RESULT: &[&str] = &["ok", "cancelled", "failed"];
pub(super) const WRITE_ORIGIN: &[&str] = &["wal", "flush", "compaction", "vlog", "vlog_gc", "manifest"];
pub(super) const READ_ORIGIN: &[&str] = &["get", "scan", "compaction", "vlog_gc", "recovery", "verify"];
pub(super) const VERIFY_ORIGIN: &[&str] = &["get", "scan", "compaction", "recovery", "verify"];
pub(super) const FILE: &[&str] = &["wal", "table", "vlog", "manifest"];
pub(super) const IO_FILE: &[&str] = &["wal", "table", "vlog", "manifest", "directory", "other"];
pub(super) const IO_OPERATION: &[&str] = &["read", "write", "sync", "open", "rename", "unlink"];
pub(super) const DISK_FILE: &[&str] = &["wal", "table", "vlog", "manifest", "temp", "obsolete"];
pub(super) const BLOCK_TYPE: &[&str] = &["data", "index", "filter", "value"];
pub(super) const HIT_MISS: &[&str] = &["hit", "miss"];
pub(super) const FILTER_RESULT: &[&str] = &["negative", "true_positive", "false_positive"];
pub(super) const ALGORITHM: &[&str] = &["none", "lz4"];
pub(super) const ERROR_ORIGIN: &[&str] = &["flush", "compaction", "vlog_gc", "wal", "manifest"];
pub(super) const ERROR_SEVERITY: &[&str] = &["soft", "hard", "fatal", "unrecoverable"];
pub(super) const WAL_STATE: &[&str] = &["live", "obsolete"];
pub(super) const MEMTABLE_STATE: &[&str] = &["active", "immutable"];
pub(super) const OPEN_PHASE: &[&str] = &["lock", "manifest", "wal_replay", "vlog_scan", "tables"];
pub(super) const SHARD_STATE: &[&str] = &["leased", "free"];
pub(super) const STRATUM: &[&str] = &["fast", "slow"];
pub(super) const GET_STAGE: &[&str] =
    &["memtable", "filter", "index", "data", "vlog", "decompress", "verify"];
pub(super) const COMMIT_STAGE: &[&str] = &["queue", "stall", "wal_append", "wal_sync", "memtable", "publish"];
pub(super) const MEMORY_COMPONENT: &[&str] = &[
    "memtable",
    "immutable",
    "block_cache",
    "value_cache",
    "filters",
    "indexes",
    "write_buffers",
    "compaction",
    "metrics",
    "other",
];
pub(super) const CODEC_DIRECTION: &[&str] = &["compress", "decompress"];
pub(super) const PRIORITY: &[&str] = &["foreground", "background"];
pub(super) const POOL: &[&str] = &["flush", "compaction"];
pub(super) const CPU_CATEGORY: &[&str] =
    &["compaction", "flush", "vlog_gc", "wal", "exporter", "watcher", "foreground"];
pub(super) const LOCK: &[&str] = &["commit", "version_set", "work", "announce"];
pub(super) const PLACEMENT: &[&str] = &["inline", "vlog"];
pub(super) const VLOG_PURPOSE: &[&str] = &["get", "scan", "gc"];
pub(super) const GC_RESULT: &[&str] = &["rewritten", "no_rewrite", "failed", "cancelled"];
pub(super) const GARBAGE_RANGE: &[&str] = &["lt_20", "20_50", "50_80", "ge_80"];
pub(super) const RECLAIM_ORIGIN: &[&str] = &["vlog_gc", "file_deletion", "wal_recycle"];
pub(super) const EVENT: &[&str] = &[
    "open",
    "close",
    "recovery",
    "flush_begin",
    "flush_end",
    "compaction_begin",
    "compaction_end",
    "stall_begin",
    "stall_end",
    "memtable_rotated",
    "table_created",
    "table_deleted",
    "wal_created",
    "wal_deleted",
    "read_only",
    "background_error",
    "corruption",
    "disk_slow",
    "clock_distrusted",
    "level_changed",
];
pub(super) const INSTRUMENTATION_LEVEL: &[&str] = &["off", "counters", "sampled", "full"];
pub(super) const REJECTION: &[&str] = &["cardinality_cap", "invalid_name", "kind_mismatch"];
pub(super) const VERSION: &[&str] = &[env!("CARGO_PKG_VERSION")];
/// From the build script; "unknown" outside of a repository.
pub(super) const REVISION: &[&str] = &[env!("BETTONG_REVISION")];
pub(super) const RUSTC: &[&str] = &[env!("BETTONG_RUSTC")];
pub(super) const FEATURES: &[&str] = &[env!("BETTONG_FEATURES")];
/// Placeholders: the snapshot fills in what the clock says.
pub(super) const CLOCK_SOURCE: &[&str] = &["monotonic"];
/// Placeholder: the snapshot fills in what the clock says.
pub(super) const CLOCK_FREQUENCY: &[&str] = &["1000000000"];
