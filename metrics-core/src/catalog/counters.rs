//! The counter families. Every counter lives in the threads' shards and only grows while the database is open.

use super::family::{Desc, Home, Label, Unit, families};
use super::labels::{self, Operation};

families! {
    /// A counter family.
    enum Counter;
    /// One series of a counter family.
    struct CounterCell;

    // What a get touches comes first, so that it shares two cache lines.
    GetResults "db_get_results_total" Count Shard [result GET_RESULT] "Gets by what they found";
    UserReadBytes "db_user_read_bytes_total" Bytes Shard [] "Value bytes returned to the caller";
    GetServed "db_get_served_total" Count Shard [source GET_SOURCE]
        "Gets by where the search ended: a memtable, a level, or nowhere";
    LevelProbes "db_level_probes_total" Count Shard [level LEVEL] "Gets that looked into a table of the level";
    FilterChecks "db_filter_checks_total" Count Shard [level LEVEL, result FILTER_RESULT]
        "Bloom filter checks: negative saved a read, false_positive caused one in vain";
    CacheRequests "db_cache_requests_total" Count Shard [level LEVEL, block_type BLOCK_TYPE, result HIT_MISS]
        "Block cache look-ups";
    UserWrittenBytes "db_user_written_bytes_total" Bytes Shard []
        "Key and value bytes accepted from the caller";

    GetOperations "db_get_operations_total" Count Shard []
        "Gets finished, whether they hit, missed or failed";
    SetOperations "db_set_operations_total" Count Shard [] "Sets finished, members of batches included";
    DeleteOperations "db_delete_operations_total" Count Shard [] "Deletes finished, members of batches included";
    BatchOperations "db_batch_operations_total" Count Shard [] "Atomic batches finished";
    ScanOperations "db_scan_operations_total" Count Shard [] "Scans started: iterator created and positioned";
    GetErrors "db_get_errors_total" Count Shard [kind ERROR_KIND] "Gets and scans that failed";
    SetErrors "db_set_errors_total" Count Shard [kind ERROR_KIND] "Sets and batches that failed";
    DeleteErrors "db_delete_errors_total" Count Shard [kind ERROR_KIND] "Deletes that failed";
    IteratorSteps "db_iterator_steps_total" Count Shard [direction DIRECTION] "Steps of iterators";
    IteratorSkippedKeys "db_iterator_skipped_keys_total" Count Shard [reason SKIP_REASON]
        "Entries that iterators stepped over without returning them";
    IteratorsCreated "db_iterators_created_total" Count Shard [] "Iterators created";

    WalWrittenBytes "db_wal_written_bytes_total" Bytes Shard [] "Bytes appended to the write-ahead log, framing included";
    WalPayloadBytes "db_wal_payload_bytes_total" Bytes Shard [] "Bytes handed to the write-ahead log before framing";
    WalRecords "db_wal_records_total" Count Shard [] "Records appended to the write-ahead log";
    WalSyncs "db_wal_syncs_total" Count Shard [result OK_FAILED] "Syncs of the write-ahead log";
    CommitGroups "db_commit_groups_total" Count Shard [] "Groups of writers committed together";
    WriteStalls "db_write_stalls_total" Count Shard [cause STALL_CAUSE, condition STALL_CONDITION]
        "Write stalls entered";

    MemtableRotations "db_memtable_rotations_total" Count Shard [reason ROTATION_REASON]
        "Memtables closed and replaced by an empty one";
    FlushOperations "db_flush_operations_total" Count Shard [reason FLUSH_REASON, result OK_FAILED] "Flushes finished";
    FlushInputBytes "db_flush_input_bytes_total" Bytes Shard [] "Memtable bytes that entered flushes";
    FlushOutputBytes "db_flush_output_bytes_total" Bytes Shard [] "Table bytes written by flushes";
    FlushDroppedBytes "db_flush_dropped_bytes_total" Bytes Shard []
        "Bytes of shadowed entries that flushes kept from reaching the disk";

    LevelInputBytes "db_level_input_bytes_total" Bytes Shard [level LEVEL]
        "Bytes that arrived from the level above; user bytes for level 0";
    LevelReadBytes "db_level_read_bytes_total" Bytes Shard [level LEVEL, origin LEVEL_READ_ORIGIN]
        "Bytes compactions read to write the level, from the level above and from the level itself";
    LevelWrittenBytes "db_level_written_bytes_total" Bytes Shard [level LEVEL]
        "Bytes flushes and compactions wrote to the level";
    LevelMovedBytes "db_level_moved_bytes_total" Bytes Shard [level LEVEL]
        "Bytes moved into the level without being rewritten";
    LevelCompactions "db_level_compactions_total" Count Shard [level LEVEL] "Compactions that wrote to the level";
    LevelDroppedEntries "db_level_dropped_entries_total" Count Shard [level LEVEL, reason DROP_REASON]
        "Entries that compactions into the level dropped";

    CompactionOperations "db_compaction_operations_total" Count Shard
        [reason COMPACTION_REASON, result COMPACTION_RESULT] "Compactions finished";
    CompactionInputFiles "db_compaction_input_files_total" Count Shard [] "Tables read by compactions";
    CompactionOutputFiles "db_compaction_output_files_total" Count Shard [] "Tables written by compactions";
    CompactionInputBytes "db_compaction_input_bytes_total" Bytes Shard [] "Table bytes read by compactions";
    CompactionOutputBytes "db_compaction_output_bytes_total" Bytes Shard [] "Table bytes written by compactions";
    CompactionInputEntries "db_compaction_input_entries_total" Count Shard [] "Entries read by compactions";
    CompactionOutputEntries "db_compaction_output_entries_total" Count Shard [] "Entries written by compactions";
    CompactionMovedFiles "db_compaction_moved_files_total" Count Shard []
        "Tables moved to the next level without being rewritten";
    CompactionThrottledNanos "db_compaction_throttled_seconds_total" Nanoseconds Shard []
        "Time compactions waited for the rate limiter";

    StorageWrittenBytes "db_storage_written_bytes_total" Bytes Shard [origin WRITE_ORIGIN] "Bytes written to storage";
    StorageReadBytes "db_storage_read_bytes_total" Bytes Shard [origin READ_ORIGIN] "Bytes read from storage";
    FileDeletions "db_file_deletions_total" Count Shard [file FILE] "Files deleted";
    CacheInserts "db_cache_inserts_total" Count Shard [block_type BLOCK_TYPE] "Blocks put into the cache";
    CacheInsertBytes "db_cache_insert_bytes_total" Bytes Shard [block_type BLOCK_TYPE]
        "Bytes of the blocks put into the cache";
    CacheEvictions "db_cache_evictions_total" Count Shard [block_type BLOCK_TYPE] "Blocks evicted from the cache";
    ChecksumFailures "db_checksum_failures_total" Count Shard [file FILE] "Checksums that did not match";
    ChecksumVerifiedBytes "db_checksum_verified_bytes_total" Bytes Shard [origin VERIFY_ORIGIN]
        "Bytes whose checksum was verified";
    CompressionInputBytes "db_compression_input_bytes_total" Bytes Shard [algorithm ALGORITHM]
        "Block bytes before compression";
    CompressionOutputBytes "db_compression_output_bytes_total" Bytes Shard [algorithm ALGORITHM]
        "Block bytes after compression";
    ManifestEdits "db_manifest_edits_total" Count Shard [] "Version edits appended to the manifest";
    BackgroundErrors "db_background_errors_total" Count Shard [origin ERROR_ORIGIN] "Background jobs that failed";
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
