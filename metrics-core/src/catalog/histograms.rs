//! The histogram families. The latencies of operations live in every thread's shard and come first, in the order of
//! [`Operation`]; what background and rare paths time lives once per database.

use super::family::{Desc, Home, Label, Unit, families};
use super::labels::{self, Operation};

families! {
    /// A histogram family.
    enum Histogram;
    /// One series of a histogram family.
    struct HistogramCell;

    GetLatency "db_get_latency_seconds" Nanoseconds Shard [] "Latency of gets";
    SetLatency "db_set_latency_seconds" Nanoseconds Shard [] "Latency of sets, to the durability asked for";
    DeleteLatency "db_delete_latency_seconds" Nanoseconds Shard [] "Latency of deletes, to the durability asked for";
    BatchLatency "db_batch_latency_seconds" Nanoseconds Shard [] "Latency of batches, to the durability asked for";
    ScanLatency "db_scan_latency_seconds" Nanoseconds Shard [] "Time to create a scan and position it on its first row";

    WalSyncDuration "db_wal_sync_duration_seconds" Nanoseconds Shared [] "Time of one sync of the write-ahead log";
    WalAppendDuration "db_wal_append_duration_seconds" Nanoseconds Shared []
        "Time to write one commit group to the write-ahead log";
    CommitGroupWriters "db_commit_group_writers" Count Shared [] "Writers in one commit group";
    CommitGroupBytes "db_commit_group_bytes" Bytes Shared [] "Bytes of one commit group";
    WriteStallDuration "db_write_stall_duration_seconds" Nanoseconds Shared
        [cause STALL_CAUSE, condition STALL_CONDITION] "Time a writer was held back by one stall";
    FlushDuration "db_flush_duration_seconds" Nanoseconds Shared [] "Time of one flush";
    CompactionDuration "db_compaction_duration_seconds" Nanoseconds Shared [] "Time of one compaction";
    CompactionWriteAmplification "db_compaction_write_amplification" Thousandths Shared []
        "Output bytes per input byte of one compaction";
    TableOpenDuration "db_table_open_duration_seconds" Nanoseconds Shared []
        "Time to open a table and read its footer, index and filter";
    FsyncDuration "db_fsync_duration_seconds" Nanoseconds Shared [file FILE] "Time of one sync by kind of file";
}

impl Histogram {
    /// Number of histograms in each shard: one latency per operation. They are the first cells.
    pub(crate) const SHARD_CELLS: usize = Operation::ALL.len();

    /// Number of histograms kept once per database.
    pub(crate) const SHARED_CELLS: usize = Self::CELLS - Self::SHARD_CELLS;

    /// The latency of an operation.
    #[inline]
    pub const fn latency(operation: Operation) -> Self {
        match operation {
            Operation::Get => Self::GetLatency,
            Operation::Set => Self::SetLatency,
            Operation::Delete => Self::DeleteLatency,
            Operation::Batch => Self::BatchLatency,
            Operation::Scan => Self::ScanLatency,
        }
    }
}
