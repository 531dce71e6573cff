//! The histogram families. The latencies of operations live in every thread's shard and come first, in the order of
//! [`Operation`]; what background and rare paths time lives once per database.

use super::family::{Desc, Home, Label, Unit, families};
use super::group::Group;
use super::labels::{self, Operation};

families! {
    /// A histogram family.
    enum Histogram;
    /// One series of a histogram family.
    struct HistogramCell;

    GetLatency Operations "db_get_latency_seconds" Nanoseconds Shard [] "Latency of gets";
    SetLatency Operations "db_set_latency_seconds" Nanoseconds Shard [] "Latency of sets, to the durability asked for";
    DeleteLatency Operations "db_delete_latency_seconds" Nanoseconds Shard [] "Latency of deletes, to the durability asked for";
    BatchLatency Operations "db_batch_latency_seconds" Nanoseconds Shard [] "Latency of batches, to the durability asked for";
    ScanLatency Operations "db_scan_latency_seconds" Nanoseconds Shard [] "Time to create a scan and position it on its first row";

    WalSyncDuration Writes "db_wal_sync_duration_seconds" Nanoseconds Shared [] "Time of one sync of the write-ahead log";
    WalAppendDuration Writes "db_wal_append_duration_seconds" Nanoseconds Shared []
        "Time to write one commit group to the write-ahead log";
    CommitGroupWriters Writes "db_commit_group_writers" Count Shared [] "Writers in one commit group";
    CommitGroupBytes Writes "db_commit_group_bytes" Bytes Shared [] "Bytes of one commit group";
    WriteStallDuration Writes "db_write_stall_duration_seconds" Nanoseconds Shared
        [cause STALL_CAUSE, condition STALL_CONDITION] "Time a writer was held back by one stall";
    FlushDuration Memory "db_flush_duration_seconds" Nanoseconds Shared [] "Time of one flush";
    CompactionDuration Compaction "db_compaction_duration_seconds" Nanoseconds Shared [] "Time of one compaction";
    CompactionWriteAmplification Compaction "db_compaction_write_amplification" Thousandths Shared []
        "Output bytes per input byte of one compaction";
    TableOpenDuration Tables "db_table_open_duration_seconds" Nanoseconds Shared []
        "Time to open a table and read its footer, index and filter";
    FsyncDuration Disk "db_fsync_duration_seconds" Nanoseconds Shared [file IO_FILE] "Time of one sync by kind of file";

    IteratorStepLatency Operations "db_iterator_step_latency_seconds" Nanoseconds Shared [] "Time of one step of an iterator";
    GetServedLatency Operations "db_get_served_latency_seconds" Nanoseconds Shared [source GET_SOURCE]
        "Latency of gets by where the search ended";
    GetStageDuration Operations "db_get_stage_duration_seconds" Nanoseconds Shared [stage GET_STAGE]
        "Time that gets spent in each stage of the search";
    GetTablesChecked Operations "db_get_tables_checked" Count Shared [] "Tables that one get looked into";
    GetBlocksRead Operations "db_get_blocks_read" Count Shared [] "Blocks that one get read from disk";
    KeySize Operations "db_key_size_bytes" Bytes Shared [] "Size of the keys written";
    ValueSize Operations "db_value_size_bytes" Bytes Shared [] "Size of the values written";
    CommitStageDuration Writes "db_commit_stage_duration_seconds" Nanoseconds Shared [stage COMMIT_STAGE]
        "Time that writes spent in each stage of their commit";
    LevelReadLatency Levels "db_level_read_latency_seconds" Nanoseconds Shared [level LEVEL]
        "Time to read one block of the level from its file";
    IoLatency Disk "db_io_latency_seconds" Nanoseconds Shared [operation IO_OPERATION]
        "Time of one call of the file system; of small writes to the log about one in 64 is timed";
    VlogReadLatency ValueLog "db_vlog_read_latency_seconds" Nanoseconds Shared [] "Time of a get to read a value from the value log (sampled)";
    VlogSyncDuration ValueLog "db_vlog_sync_duration_seconds" Nanoseconds Shared [] "Time of one sync of the value log";
    VlogGcDuration ValueLog "db_vlog_gc_duration_seconds" Nanoseconds Shared [] "Time of one collection of the value log";
    SpaceReclaimDuration ValueLog "db_space_reclaim_duration_seconds" Nanoseconds Shared []
        "Time to give the space of one file back, or to use it again";
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
