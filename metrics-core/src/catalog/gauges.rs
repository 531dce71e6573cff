//! The gauge families. Every gauge is one shared cell, stored when the engine's state changes; those marked *derived*
//! in their help are computed by the snapshot.

use super::family::{Desc, Home, Label, Unit, families};
use super::labels;

families! {
    /// A gauge family.
    enum Gauge;
    /// One series of a gauge family.
    struct GaugeCell;

    OperationsInFlight "db_operations_in_flight" Count Shared [operation OPERATION]
        "Operations entered and not finished (derived)";
    WalBytes "db_wal_bytes" Bytes Shared [] "Bytes of live write-ahead log files";
    WalFiles "db_wal_files" Count Shared [state WAL_STATE] "Write-ahead log files";
    WalUnsyncedBytes "db_wal_unsynced_bytes" Bytes Shared []
        "Bytes of the write-ahead log written and not yet durable";
    WriteStallActive "db_write_stall_active" Count Shared [cause STALL_CAUSE, condition STALL_CONDITION]
        "1 while the condition holds";
    WriteStalledWriters "db_write_stalled_writers" Count Shared [cause STALL_CAUSE] "Writers held back now";
    WriteDelayRate "db_write_delay_rate_bytes_per_second" BytesPerSecond Shared []
        "Rate that writes are limited to while slowed, 0 if they are not";
    MemtableBytes "db_memtable_bytes" Bytes Shared [] "Bytes of the active memtable";
    MemtableEntries "db_memtable_entries" Count Shared [state MEMTABLE_STATE] "Entries in memtables";
    ImmutableMemtables "db_immutable_memtables" Count Shared [] "Memtables waiting for or in a flush";
    ImmutableMemtableBytes "db_immutable_memtable_bytes" Bytes Shared []
        "Bytes of the memtables waiting for or in a flush";
    CacheBytes "db_cache_bytes" Bytes Shared [] "Bytes held by the block cache";
    CacheCapacityBytes "db_cache_capacity_bytes" Bytes Shared [] "Bytes the block cache may hold";
    TotalMemoryBytes "db_total_memory_bytes" Bytes Shared []
        "Bytes of memory the engine accounts for: memtables, cache, filters, indexes, buffers";
    FlushesRunning "db_flushes_running" Count Shared [] "Flushes running";

    LevelFiles "db_level_files" Count Shared [level LEVEL] "Tables in the level";
    LevelBytes "db_level_bytes" Bytes Shared [level LEVEL] "Bytes of the tables in the level";
    LevelEntries "db_level_entries" Count Shared [level LEVEL] "Entries in the level, tombstones included";
    LevelTombstones "db_level_tombstones" Count Shared [level LEVEL] "Delete entries in the level";
    LevelTargetBytes "db_level_target_bytes" Bytes Shared [level LEVEL] "Size the level is shaped to";
    LevelScore "db_level_score" Ratio Shared [level LEVEL] "Compaction score of the level, 1 when one is due";
    LevelSortedRuns "db_level_sorted_runs" Count Shared [level LEVEL]
        "Sorted runs in the level: tables a get may have to look into";
    LevelWriteAmplification "db_level_write_amplification" Ratio Shared [level LEVEL]
        "Bytes written to the level per byte that arrived from above, since open (derived)";

    CompactionsRunning "db_compactions_running" Count Shared [] "Compactions running";
    CompactionsPending "db_compactions_pending" Count Shared [] "Levels due for compaction and not being compacted";
    CompactionPendingBytes "db_compaction_pending_bytes" Bytes Shared []
        "Bytes compactions would have to rewrite to bring every level to its target";
    CompactionLastSuccess "db_compaction_last_success_timestamp_seconds" Seconds Shared []
        "Unix time of the last compaction that succeeded, 0 if none did";
    WriteAmplification "db_write_amplification" Ratio Shared []
        "Bytes written to storage per byte accepted from the caller, since open (derived)";
    ReadAmplification "db_read_amplification" Ratio Shared [] "Sorted runs a get may have to look into now";
    SpaceAmplification "db_space_amplification" Ratio Shared [] "Bytes on disk per byte of live data";

    TablesOpen "db_tables_open" Count Shared [] "Table readers open";
    IteratorsOpen "db_iterators_open" Count Shared [] "Iterators open";
    SnapshotsOpen "db_snapshots_open" Count Shared [] "Snapshots held";
    SnapshotOldestAge "db_snapshot_oldest_age_seconds" Seconds Shared [] "Age of the oldest snapshot held, 0 if none is";
    VersionsLive "db_versions_live" Count Shared [] "Versions of the tree still referenced";
    ObsoleteFiles "db_obsolete_files" Count Shared [file FILE] "Files no version needs, not yet deleted";
    DiskUsageBytes "db_disk_usage_bytes" Bytes Shared [file DISK_FILE] "Bytes on disk by kind of file";
    LiveDataBytes "db_live_data_bytes" Bytes Shared [] "Estimated bytes of live keys and values";
    Entries "db_entries" Count Shared [] "Estimated live entries";
    Tombstones "db_tombstones" Count Shared [] "Delete entries not yet dropped";
    ManifestBytes "db_manifest_bytes" Bytes Shared [] "Bytes of the manifest";

    UptimeSeconds "db_uptime_seconds" Seconds Shared [] "Time since the database was opened (derived)";
    OpenDuration "db_open_duration_seconds" Seconds Shared [phase OPEN_PHASE] "Time the last open took, by phase";
    RecoveredWalRecords "db_recovered_wal_records" Count Shared [] "Log records replayed by the last open";
    RecoveredTruncatedBytes "db_recovered_truncated_bytes" Bytes Shared []
        "Bytes of a torn log tail dropped by the last open";
    CleanShutdown "db_clean_shutdown" Count Shared [] "1 if the previous run closed the database";
    ReadOnly "db_read_only" Count Shared [] "1 while the database refuses writes";
    BuildInfo "db_build_info" Count Shared [version VERSION] "Always 1; the label says which build is running (derived)";
    ClockInfo "db_clock_info" Count Shared [source CLOCK_SOURCE, frequency_hz CLOCK_FREQUENCY]
        "Always 1; the labels say where time stamps come from (derived)";
    InstrumentationBytes "db_instrumentation_bytes" Bytes Shared []
        "Memory held by shards and histograms (derived)";
    InstrumentationShards "db_instrumentation_shards" Count Shared [state SHARD_STATE]
        "Shards, written by a living thread or waiting for one (derived)";
}
