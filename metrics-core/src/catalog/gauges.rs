//! The gauge families. Every gauge is one shared cell, stored when the engine's state changes; those marked *derived*
//! in their help are computed by the snapshot.

use super::family::{Desc, Home, Label, Unit, families};
use super::group::Group;
use super::labels;

families! {
    /// A gauge family.
    enum Gauge;
    /// One series of a gauge family.
    struct GaugeCell;

    OperationsInFlight Operations "db_operations_in_flight" Count Shared [operation OPERATION]
        "Operations entered and not finished (derived)";
    OperationsStuck Operations "db_operations_stuck" Count Shared [operation OPERATION]
        "Operations that have been under way for longer than any should";
    LatencySamplingInterval Operations "db_latency_sampling_interval" Count Shared [operation OPERATION]
        "Mean number of fast operations per latency taken, 1 when every one is";
    LatencyRankErrorRatio Operations "db_latency_rank_error_ratio" Ratio Shared [operation OPERATION]
        "Largest rank error of the sampled latency quantiles, at 95 % confidence";
    LatencyValueErrorRatio Operations "db_latency_value_error_ratio" Ratio Shared []
        "Largest relative error of a latency read from a bucket: half the bucket's width";
    LatencyLittlesLaw Operations "db_latency_littles_law_seconds" Seconds Shared [operation OPERATION]
        "Mean latency by Little's law: mean number in flight over rate, measured without a clock on the way";
    WalBytes Writes "db_wal_bytes" Bytes Shared [] "Bytes of live write-ahead log files";
    WalFiles Writes "db_wal_files" Count Shared [state WAL_STATE] "Write-ahead log files";
    WalUnsyncedBytes Writes "db_wal_unsynced_bytes" Bytes Shared []
        "Bytes of the write-ahead log written and not yet durable";
    WalOldestUnsyncedAge Writes "db_wal_oldest_unsynced_age_seconds" Seconds Shared []
        "Age of the oldest log write that is not yet durable, 0 if all are";
    WalSyncQueueDepth Writes "db_wal_sync_queue_depth" Count Shared [] "Writers waiting for a sync of the log, the one that leads it included";
    WriteQueueDepth Writes "db_write_queue_depth" Count Shared [] "Writers waiting for their turn to commit";
    WriteStallActive Writes "db_write_stall_active" Count Shared [cause STALL_CAUSE, condition STALL_CONDITION]
        "1 while the condition holds";
    WriteStalledWriters Writes "db_write_stalled_writers" Count Shared [cause STALL_CAUSE] "Writers held back now";
    WriteDelayRate Writes "db_write_delay_rate_bytes_per_second" BytesPerSecond Shared []
        "Rate that writes are limited to while slowed, 0 if they are not";
    MemtableBytes Memory "db_memtable_bytes" Bytes Shared [] "Bytes of the active memtable";
    MemtableEntries Memory "db_memtable_entries" Count Shared [state MEMTABLE_STATE] "Entries in memtables";
    MemtableTombstones Memory "db_memtable_tombstones" Count Shared [state MEMTABLE_STATE] "Delete entries in memtables";
    ImmutableMemtables Memory "db_immutable_memtables" Count Shared [] "Memtables waiting for or in a flush";
    ImmutableMemtableBytes Memory "db_immutable_memtable_bytes" Bytes Shared []
        "Bytes of the memtables waiting for or in a flush";
    PinnedMemtableBytes Memory "db_pinned_memtable_bytes" Bytes Shared []
        "Bytes of flushed memtables that readers still hold";
    CacheBytes Memory "db_cache_bytes" Bytes Shared [] "Bytes held by the block cache";
    CacheCapacityBytes Cache "db_cache_capacity_bytes" Bytes Shared [] "Bytes the block cache may hold";
    CacheBlockBytes Cache "db_cache_block_bytes" Bytes Shared [block_type BLOCK_TYPE] "Bytes of the blocks in the cache";
    CachePinnedBytes Cache "db_cache_pinned_bytes" Bytes Shared [] "Bytes of cached blocks that readers hold";
    FilterBytes Cache "db_filter_bytes" Bytes Shared [] "Bytes of the bloom filters of open tables";
    FilterTargetFalsePositiveRatio Cache "db_filter_target_false_positive_ratio" Ratio Shared []
        "Share of false positives that the filters' bits per key were chosen for";
    TotalMemoryBytes Memory "db_total_memory_bytes" Bytes Shared []
        "Bytes of memory the engine accounts for: memtables, cache, filters, indexes, buffers";
    MemoryBytes Memory "db_memory_bytes" Bytes Shared [component MEMORY_COMPONENT]
        "Bytes of memory the engine accounts for, by what they are used for";
    MemoryLimitBytes Memory "db_memory_limit_bytes" Bytes Shared [] "Bytes of memory the engine may use, 0 if there is no limit";
    FlushesRunning Memory "db_flushes_running" Count Shared [] "Flushes running";
    FlushesPending Memory "db_flushes_pending" Count Shared [] "Memtables that wait for a flush which has not begun";

    LevelFiles Levels "db_level_files" Count Shared [level LEVEL] "Tables in the level";
    LevelBytes Levels "db_level_bytes" Bytes Shared [level LEVEL] "Bytes of the tables in the level";
    LevelEntries Levels "db_level_entries" Count Shared [level LEVEL] "Entries in the level, tombstones included";
    LevelTombstones Levels "db_level_tombstones" Count Shared [level LEVEL] "Delete entries in the level";
    LevelTargetBytes Levels "db_level_target_bytes" Bytes Shared [level LEVEL] "Size the level is shaped to";
    LevelScore Levels "db_level_score" Ratio Shared [level LEVEL] "Compaction score of the level, 1 when one is due";
    LevelSortedRuns Levels "db_level_sorted_runs" Count Shared [level LEVEL]
        "Sorted runs in the level: tables a get may have to look into";
    LevelWriteAmplification Levels "db_level_write_amplification" Ratio Shared [level LEVEL]
        "Bytes written to the level per byte that arrived from above, since open (derived)";
    LevelReferencedVlogBytes Levels "db_level_referenced_vlog_bytes" Bytes Shared [level LEVEL]
        "Bytes of the value log that entries of the level point to";
    LevelCompressionRatio Levels "db_level_compression_ratio" Ratio Shared [level LEVEL]
        "Key and value bytes of the level per byte of its tables, 0 while it is empty";

    CompactionsRunning Compaction "db_compactions_running" Count Shared [] "Compactions running";
    CompactionsPending Compaction "db_compactions_pending" Count Shared [] "Levels due for compaction and not being compacted";
    CompactionPendingBytes Compaction "db_compaction_pending_bytes" Bytes Shared []
        "Bytes compactions would have to rewrite to bring every level to its target";
    CompactionInProgressBytes Compaction "db_compaction_in_progress_bytes" Bytes Shared []
        "Bytes of tables that running compactions have finished and not yet installed";
    CompactionOldestPendingAge Compaction "db_compaction_oldest_pending_age_seconds" Seconds Shared []
        "How long the level that waits longest has been due for compaction, 0 if none is";
    CompactionLastSuccess Compaction "db_compaction_last_success_timestamp_seconds" Seconds Shared []
        "Unix time of the last compaction that succeeded, 0 if none did";
    WriteAmplification Compaction "db_write_amplification" Ratio Shared []
        "Bytes written to storage per byte accepted from the caller, since open (derived)";
    ReadAmplification Compaction "db_read_amplification" Ratio Shared [] "Sorted runs a get may have to look into now";
    SpaceAmplification Compaction "db_space_amplification" Ratio Shared [] "Bytes on disk per byte of live data";

    TablesOpen Tables "db_tables_open" Count Shared [] "Table readers open";
    IteratorsOpen Tables "db_iterators_open" Count Shared [] "Iterators open (derived)";
    IteratorOldestAge Tables "db_iterator_oldest_age_seconds" Seconds Shared [] "Age of the oldest open iterator, 0 if none is (derived)";
    SnapshotsOpen Tables "db_snapshots_open" Count Shared [] "Snapshots held (derived)";
    SnapshotOldestAge Tables "db_snapshot_oldest_age_seconds" Seconds Shared [] "Age of the oldest snapshot held, 0 if none is (derived)";
    VersionsLive Tables "db_versions_live" Count Shared [] "Versions of the tree still referenced";
    ObsoleteFiles Tables "db_obsolete_files" Count Shared [file FILE] "Files no version needs, not yet deleted";
    ObsoleteBytes Tables "db_obsolete_bytes" Bytes Shared [file FILE] "Bytes of the files no version needs, not yet deleted";
    PinnedObsoleteBytes Tables "db_pinned_obsolete_bytes" Bytes Shared [file FILE]
        "Bytes of obsolete files that cannot be deleted while a reader holds them";
    DiskUsageBytes Disk "db_disk_usage_bytes" Bytes Shared [file DISK_FILE] "Bytes on disk by kind of file";
    DiskFreeBytes Disk "db_disk_free_bytes" Bytes Shared [] "Bytes free on the file system of the database";
    DiskCapacityBytes Disk "db_disk_capacity_bytes" Bytes Shared [] "Size of the file system of the database";
    LiveDataBytes Disk "db_live_data_bytes" Bytes Shared [] "Estimated bytes of live keys and values";
    Entries Disk "db_entries" Count Shared [] "Estimated live entries";
    Tombstones Disk "db_tombstones" Count Shared [] "Delete entries not yet dropped";
    ManifestBytes Disk "db_manifest_bytes" Bytes Shared [] "Bytes of the manifest";
    IoInFlight Disk "db_io_in_flight" Count Shared [operation IO_OPERATION]
        "Calls of the file system under way (derived)";
    IoOldestInFlightAge Disk "db_io_oldest_in_flight_age_seconds" Seconds Shared []
        "Age of the oldest call of the file system under way, 0 if there is none (derived)";

    VlogBytes ValueLog "db_vlog_bytes" Bytes Shared [] "Bytes of value-log files";
    VlogFiles ValueLog "db_vlog_files" Count Shared [] "Value-log files";
    VlogLiveBytes ValueLog "db_vlog_live_bytes" Bytes Shared [] "Bytes of the value log known to be referenced";
    VlogGarbageBytes ValueLog "db_vlog_garbage_bytes" Bytes Shared [] "Bytes of the value log known to be dead";
    VlogGarbageRatioFiles ValueLog "db_vlog_garbage_ratio_files" Count Shared [range GARBAGE_RANGE]
        "Value-log files by the percentage of them that is garbage";
    VlogUnattributedBytes ValueLog "db_vlog_unattributed_bytes" Bytes Shared []
        "Most bytes of the value log that may be dead without a compaction having seen it yet";
    VlogGcRunning ValueLog "db_vlog_gc_running" Count Shared [] "Collections of the value log running";
    VlogGcCandidateFiles ValueLog "db_vlog_gc_candidate_files" Count Shared []
        "Value-log files with enough garbage to be collected";
    VlogGcLastSuccess ValueLog "db_vlog_gc_last_success_timestamp_seconds" Seconds Shared []
        "Unix time of the last collection that succeeded, 0 if none did";

    UptimeSeconds Engine "db_uptime_seconds" Seconds Shared [] "Time since the database was opened (derived)";
    OpenDuration Engine "db_open_duration_seconds" Seconds Shared [phase OPEN_PHASE] "Time the last open took, by phase";
    RecoveredWalRecords Engine "db_recovered_wal_records" Count Shared [] "Log records replayed by the last open";
    RecoveredTruncatedBytes Engine "db_recovered_truncated_bytes" Bytes Shared []
        "Bytes of a torn log tail dropped by the last open";
    CleanShutdown Engine "db_clean_shutdown" Count Shared [] "1 if the previous run closed the database";
    BackgroundErrorSeverity Engine "db_background_error_severity" Count Shared []
        "The worst fault of background work at the moment: 0 none, 1 soft, 2 hard, 3 fatal, 4 unrecoverable";
    ReadOnly Engine "db_read_only" Count Shared [] "1 while the database refuses writes";
    BackgroundJobsRunning Engine "db_background_jobs_running" Count Shared [pool POOL] "Background jobs running";
    BackgroundJobsQueued Engine "db_background_jobs_queued" Count Shared [pool POOL] "Background jobs due and not running";
    BuildInfo Engine "db_build_info" Count Shared
        [version VERSION, revision REVISION, rustc RUSTC, features FEATURES]
        "Always 1; the labels say which build is running (derived)";
    ClockInfo Engine "db_clock_info" Count Shared [source CLOCK_SOURCE, frequency_hz CLOCK_FREQUENCY]
        "Always 1; the labels say where time stamps come from (derived)";
    InstrumentationBytes Instrumentation "db_instrumentation_bytes" Bytes Shared []
        "Memory held by shards and histograms (derived)";
    InstrumentationShards Instrumentation "db_instrumentation_shards" Count Shared [state SHARD_STATE]
        "Shards, written by a living thread or waiting for one (derived)";
    InstrumentationOverheadRatio Instrumentation "db_instrumentation_overhead_ratio" Ratio Shared [operation OPERATION]
        "Estimated share of an operation's time that goes into measuring it";
    InstrumentationLevel Instrumentation "db_instrumentation_level" Count Shared [level INSTRUMENTATION_LEVEL]
        "1 for the level of instrumentation in force, 0 for the others";
}
