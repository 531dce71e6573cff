//! The counter families. Every counter lives in the threads' shards and only grows while the database is open.

use super::family::{Desc, Home, Label, Unit, families};
use super::group::Group;
use super::labels::{self, Operation};

families! {
    /// A counter family.
    enum Counter;
    /// One series of a counter family.
    struct CounterCell;

    // What a timed get touches comes first, so that it shares two cache lines.
    GetResults Operations "db_get_results_total" Count Shard [result GET_RESULT] "Gets by what they found";
    UserReadBytes Operations "db_user_read_bytes_total" Bytes Shard [] "Value bytes returned to the caller";
    GetServed Operations "db_get_served_total" Count Shard [source GET_SOURCE]
        "Gets by where the search ended: a memtable, a level, or nowhere";
    LevelProbes Levels "db_level_probes_total" Count Shard [level LEVEL] "Gets that looked into a table of the level";
    FilterChecks Cache "db_filter_checks_total" Count Shard [level LEVEL, result FILTER_RESULT]
        "Checks of a table's filter or point index: negative saved a read, false_positive caused one in vain";
    CacheRequests Cache "db_cache_requests_total" Count Shard [level LEVEL, block_type BLOCK_TYPE, result HIT_MISS]
        "Block cache look-ups";
    UserWrittenBytes Operations "db_user_written_bytes_total" Bytes Shard []
        "Key and value bytes accepted from the caller";

    GetOperations Operations "db_get_operations_total" Count Shard []
        "Gets finished, whether they hit, missed or failed";
    SetOperations Operations "db_set_operations_total" Count Shard [] "Sets finished, members of batches included";
    DeleteOperations Operations "db_delete_operations_total" Count Shard [] "Deletes finished, members of batches included";
    BatchOperations Operations "db_batch_operations_total" Count Shard [] "Atomic batches finished";
    ScanOperations Operations "db_scan_operations_total" Count Shard [] "Scans started: iterator created and positioned";
    GetErrors Operations "db_get_errors_total" Count Shard [kind ERROR_KIND] "Gets and scans that failed";
    SetErrors Operations "db_set_errors_total" Count Shard [kind ERROR_KIND] "Sets and batches that failed";
    DeleteErrors Operations "db_delete_errors_total" Count Shard [kind ERROR_KIND] "Deletes that failed";
    IteratorSteps Operations "db_iterator_steps_total" Count Shard [direction DIRECTION] "Steps of iterators";
    IteratorSkippedKeys Operations "db_iterator_skipped_keys_total" Count Shard [reason SKIP_REASON]
        "Entries that iterators stepped over without returning them";
    IteratorsCreated Tables "db_iterators_created_total" Count Shard [] "Iterators created";
    IteratorSeeks Operations "db_iterator_seeks_total" Count Shard [direction DIRECTION]
        "Times an iterator was positioned, by the direction it then goes";
    SlowOperations Operations "db_slow_operations_total" Count Shard [operation OPERATION]
        "Operations that took longer than the threshold for slow ones, all of them counted";
    LatencySamples Operations "db_latency_samples_total" Count Shard [operation OPERATION, stratum STRATUM]
        "Latencies really taken: fast operations by sampling, slow ones all";

    WalWrittenBytes Writes "db_wal_written_bytes_total" Bytes Shard [] "Bytes appended to the write-ahead log, framing included";
    WalPayloadBytes Writes "db_wal_payload_bytes_total" Bytes Shard [] "Bytes handed to the write-ahead log before framing";
    WalRecords Writes "db_wal_records_total" Count Shard [] "Records appended to the write-ahead log";
    WalSyncs Writes "db_wal_syncs_total" Count Shard [result OK_FAILED] "Syncs of the write-ahead log";
    CommitGroups Writes "db_commit_groups_total" Count Shard [] "Groups of writers committed together";
    WriteStalls Writes "db_write_stalls_total" Count Shard [cause STALL_CAUSE, condition STALL_CONDITION]
        "Write stalls entered";

    MemtableRotations Memory "db_memtable_rotations_total" Count Shard [reason ROTATION_REASON]
        "Memtables closed and replaced by an empty one";
    FlushOperations Memory "db_flush_operations_total" Count Shard [reason FLUSH_REASON, result OK_FAILED] "Flushes finished";
    FlushInputBytes Memory "db_flush_input_bytes_total" Bytes Shard [] "Memtable bytes that entered flushes";
    FlushOutputBytes Memory "db_flush_output_bytes_total" Bytes Shard [] "Table bytes written by flushes";
    FlushDroppedBytes Memory "db_flush_dropped_bytes_total" Bytes Shard []
        "Bytes of shadowed entries that flushes kept from reaching the disk";

    LevelInputBytes Levels "db_level_input_bytes_total" Bytes Shard [level LEVEL]
        "Bytes that arrived from the level above; user bytes for level 0";
    LevelReadBytes Levels "db_level_read_bytes_total" Bytes Shard [level LEVEL, origin LEVEL_READ_ORIGIN]
        "Bytes compactions read to write the level, from the level above and from the level itself";
    LevelWrittenBytes Levels "db_level_written_bytes_total" Bytes Shard [level LEVEL]
        "Bytes flushes and compactions wrote to the level";
    LevelMovedBytes Levels "db_level_moved_bytes_total" Bytes Shard [level LEVEL]
        "Bytes moved into the level without being rewritten";
    LevelCompactions Levels "db_level_compactions_total" Count Shard [level LEVEL] "Compactions that wrote to the level";
    LevelCompactionNanos Levels "db_level_compaction_seconds_total" Nanoseconds Shard [level LEVEL]
        "Time of the compactions that wrote to the level";
    LevelCompactionCpuNanos Levels "db_level_compaction_cpu_seconds_total" Nanoseconds Shard [level LEVEL]
        "Processor time of the compactions that wrote to the level";
    LevelDroppedEntries Levels "db_level_dropped_entries_total" Count Shard [level LEVEL, reason DROP_REASON]
        "Entries that compactions into the level dropped";

    CompactionOperations Compaction "db_compaction_operations_total" Count Shard
        [reason COMPACTION_REASON, result COMPACTION_RESULT] "Compactions finished";
    CompactionInputFiles Compaction "db_compaction_input_files_total" Count Shard [] "Tables read by compactions";
    CompactionOutputFiles Compaction "db_compaction_output_files_total" Count Shard [] "Tables written by compactions";
    CompactionInputBytes Compaction "db_compaction_input_bytes_total" Bytes Shard [] "Table bytes read by compactions";
    CompactionOutputBytes Compaction "db_compaction_output_bytes_total" Bytes Shard [] "Table bytes written by compactions";
    CompactionInputEntries Compaction "db_compaction_input_entries_total" Count Shard [] "Entries read by compactions";
    CompactionOutputEntries Compaction "db_compaction_output_entries_total" Count Shard [] "Entries written by compactions";
    CompactionMovedFiles Compaction "db_compaction_moved_files_total" Count Shard []
        "Tables moved to the next level without being rewritten";
    CompactionCpuNanos Compaction "db_compaction_cpu_seconds_total" Nanoseconds Shard []
        "Processor time of the threads that ran compactions, while they did";
    CompactionThrottledNanos Compaction "db_compaction_throttled_seconds_total" Nanoseconds Shard []
        "Time compactions waited for the rate limiter";

    StorageWrittenBytes Compaction "db_storage_written_bytes_total" Bytes Shard [origin WRITE_ORIGIN] "Bytes written to storage";
    StorageReadBytes Compaction "db_storage_read_bytes_total" Bytes Shard [origin READ_ORIGIN] "Bytes read from storage";
    TableCacheRequests Tables "db_table_cache_requests_total" Count Shard [result HIT_MISS]
        "Requests for a table's reader; a miss opens the table";
    SnapshotPinnedEntries Tables "db_snapshot_pinned_entries_total" Count Shard []
        "Entries that flushes and compactions kept for no reason but a snapshot that reads them";
    SnapshotPinnedBytes Tables "db_snapshot_pinned_bytes_total" Bytes Shard []
        "Key and value bytes of the entries kept for snapshots alone";
    FileDeletions Tables "db_file_deletions_total" Count Shard [file FILE] "Files deleted";
    CacheInserts Cache "db_cache_inserts_total" Count Shard [block_type BLOCK_TYPE] "Blocks put into the cache";
    CacheInsertBytes Cache "db_cache_insert_bytes_total" Bytes Shard [block_type BLOCK_TYPE]
        "Bytes of the blocks put into the cache";
    CacheEvictions Cache "db_cache_evictions_total" Count Shard [block_type BLOCK_TYPE] "Blocks evicted from the cache";
    CacheRejections Cache "db_cache_rejections_total" Count Shard [block_type BLOCK_TYPE]
        "Blocks that the cache did not take in";
    ChecksumFailures Disk "db_checksum_failures_total" Count Shard [file FILE] "Checksums that did not match";
    ChecksumVerifiedBytes Disk "db_checksum_verified_bytes_total" Bytes Shard [origin VERIFY_ORIGIN]
        "Bytes whose checksum was verified";
    CompressionInputBytes Disk "db_compression_input_bytes_total" Bytes Shard [algorithm ALGORITHM]
        "Block bytes before compression";
    CompressionOutputBytes Disk "db_compression_output_bytes_total" Bytes Shard [algorithm ALGORITHM]
        "Block bytes after compression";
    CompressionNanos Disk "db_compression_seconds_total" Nanoseconds Shard [direction CODEC_DIRECTION]
        "Time spent on compressing and decompressing blocks";
    IoOperations Disk "db_io_operations_total" Count Shard [operation IO_OPERATION, file IO_FILE]
        "Calls of the file system finished, failed ones included";
    IoErrors Disk "db_io_errors_total" Count Shard [operation IO_OPERATION, file IO_FILE]
        "Calls of the file system that failed";
    IoSlowOperations Disk "db_io_slow_operations_total" Count Shard [operation IO_OPERATION]
        "Calls of the file system that took a second or longer";
    RateLimiterWaitNanos Disk "db_rate_limiter_wait_seconds_total" Nanoseconds Shard [priority PRIORITY]
        "Time spent waiting for a rate limit: foreground holds back writes, background compactions";
    ManifestEdits Disk "db_manifest_edits_total" Count Shard [] "Version edits appended to the manifest";
    BackgroundErrors Engine "db_background_errors_total" Count Shard [origin ERROR_ORIGIN, severity ERROR_SEVERITY]
        "Background jobs that failed";
    BackgroundBusyNanos Engine "db_background_busy_seconds_total" Nanoseconds Shard [pool POOL]
        "Time that background jobs ran, waits for the rate limiter included";
    CpuNanos Engine "db_cpu_seconds_total" Nanoseconds Shard [category CPU_CATEGORY]
        "Processor time by what it was used for";
    LockWaitNanos Engine "db_lock_wait_seconds_total" Nanoseconds Shard [lock LOCK]
        "Time threads waited for a lock that another one held; locks that are free cost no time stamp";

    ValuesWritten ValueLog "db_values_written_total" Count Shard [placement PLACEMENT]
        "Values written, by whether they stayed with their keys or went to the value log";
    VlogWrites ValueLog "db_vlog_writes_total" Count Shard [] "Values appended to the value log";
    VlogWrittenBytes ValueLog "db_vlog_written_bytes_total" Bytes Shard [] "Bytes appended to the value log, framing included";
    VlogReads ValueLog "db_vlog_reads_total" Count Shard [purpose VLOG_PURPOSE] "Values read from the value log";
    VlogReadBytes ValueLog "db_vlog_read_bytes_total" Bytes Shard [purpose VLOG_PURPOSE]
        "Bytes read from the value log, framing included";
    VlogGcRuns ValueLog "db_vlog_gc_runs_total" Count Shard [result GC_RESULT]
        "Collections of the value log finished, by what came of them";
    VlogGcReadBytes ValueLog "db_vlog_gc_read_bytes_total" Bytes Shard []
        "Bytes of the value log that its collections read";
    VlogGcRelocatedEntries ValueLog "db_vlog_gc_relocated_entries_total" Count Shard []
        "Live values that collections wrote anew";
    VlogGcRelocatedBytes ValueLog "db_vlog_gc_relocated_bytes_total" Bytes Shard []
        "Bytes of the live values that collections wrote anew";
    VlogGcDiscardedEntries ValueLog "db_vlog_gc_discarded_entries_total" Count Shard []
        "Dead values that collections left behind";
    VlogGcDeletedFiles ValueLog "db_vlog_gc_deleted_files_total" Count Shard []
        "Value-log files that collections made superfluous";
    VlogGcLookups ValueLog "db_vlog_gc_lookups_total" Count Shard []
        "Searches of the tree made to find out whether a value is alive";
    SpaceReclaimOperations ValueLog "db_space_reclaim_operations_total" Count Shard [origin RECLAIM_ORIGIN]
        "Times that space was given back, or used again instead of more being taken";
    SpaceReclaimBytes ValueLog "db_space_reclaim_bytes_total" Bytes Shard [origin RECLAIM_ORIGIN]
        "Bytes of files given back to the file system or used again";

    Events Health "db_events_total" Count Shared [event EVENT] "Events, by what happened (derived)";
    EventsDropped Health "db_events_dropped_total" Count Shared []
        "Events no longer kept, or never kept because a lasting fault brings about too many (derived)";

    SeriesRejected Instrumentation "db_series_rejected_total" Count Shard [reason REJECTION]
        "Series of custom families that were refused, or folded into the series called other";
}

impl Counter {
    /// Operations finished of this kind.
    #[inline]
    pub const fn operations(operation: Operation) -> Self {
        match operation {
            Operation::Get => Self::GetOperations,
            Operation::Set => Self::SetOperations,
            Operation::Delete => Self::DeleteOperations,
            Operation::Batch => Self::BatchOperations,
            Operation::Scan => Self::ScanOperations,
        }
    }

    /// Operations that failed. Scans have no family of their own and are counted as gets, batches as sets.
    #[inline]
    pub const fn errors(operation: Operation) -> Self {
        match operation {
            Operation::Get | Operation::Scan => Self::GetErrors,
            Operation::Set | Operation::Batch => Self::SetErrors,
            Operation::Delete => Self::DeleteErrors,
        }
    }
}
