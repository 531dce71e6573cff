//! A registry filled by hand, so that every value is known.

use bettong_metrics::{
    Counter, ErrorLabel, Gauge, Histogram, LevelState, Operation, OptionState, PublishedState, Registry,
    TableState, ValueFileStanding, ValueFileState,
};
use std::sync::Arc;

/// Families whose values differ from run to run or from release to release.
pub(crate) const VOLATILE: [&str; 5] = [
    "db_uptime_seconds",
    "db_build_info",
    "db_clock_info",
    "db_instrumentation_bytes",
    "db_instrumentation_shards",
];

pub(crate) fn filled(name: &str) -> Arc<Registry> {
    let registry = Registry::new(name);
    let recorder = registry.recorder();
    recorder.add(Counter::GetOperations, 1_000);
    recorder.add(Counter::GetResults.at(0), 900);
    recorder.add(Counter::GetResults.at(2), 100);
    recorder.add(Counter::CacheRequests.at3(3, 1, 0), 17);
    recorder.add(Counter::UserWrittenBytes, 4_000);
    recorder.add(Counter::StorageWrittenBytes.at(0), 4_400);
    recorder.add(Counter::StorageWrittenBytes.at(2), 9_600);
    recorder.add(Counter::CompactionThrottledNanos, 1_250_000_000);
    recorder.fail(Operation::Set, ErrorLabel::NoSpace);
    recorder.set(Gauge::LevelBytes.at(1), 67_108_864.0);
    recorder.set(Gauge::LevelScore.at(1), 0.75);
    for nanos in 1..=1_000 {
        recorder.record(Histogram::GetLatency, nanos * 1_000);
    }
    recorder.record(Histogram::FsyncDuration.at(0), 3_000_000);
    recorder.record(Histogram::WriteStallDuration.at2(0, 1), u64::MAX / 4);
    recorder.record(Histogram::CommitGroupWriters, 8);
    recorder.record(Histogram::CompactionWriteAmplification, 2_500);
    registry.publish(state());
    registry
}

fn option(name: &str, value: &str, default: &str) -> OptionState {
    OptionState { name: name.into(), value: value.into(), default: default.into() }
}

fn state() -> PublishedState {
    let table = TableState {
        number: 12,
        bytes: 2_048,
        entries: 40,
        tombstones: 3,
        smallest_key_prefix: b"apple".to_vec(),
        largest_key_prefix: vec![0xff, 0x00, b'"'],
    };
    PublishedState {
        levels: vec![
            LevelState { level: 0, tables: vec![table] },
            LevelState { level: 1, tables: Vec::new() },
        ],
        value_files: vec![ValueFileState {
            number: 11,
            bytes: 4_096,
            live_bytes: 1_000,
            live_entries: 2,
            standing: ValueFileStanding::Candidate,
        }],
        options: vec![
            option("memtable_bytes", "67108864", "67108864"),
            option("cache", "say \"when\"", "none"),
        ],
        recovery: vec![("wal_records".into(), "7".into())],
    }
}
