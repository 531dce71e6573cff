//! The shape of the tree: its levels, and the files that hold values.

use super::{share, total, whole};
use bettong_metrics::{Counter, CounterCell, Gauge, LevelState, MetricsSnapshot, ValueFileState};
use serde_json::{Value, json};

/// The levels: what they hold, what compactions did to them since the database was opened, and how urgent the next one is.
/// Their tables are in the JSON snapshot.
pub fn levels(snapshot: &MetricsSnapshot) -> Value {
    let levels = &snapshot.published().levels;
    json!({
        "database": snapshot.database(),
        "levels": levels.iter().map(|level| one(snapshot, level)).collect::<Vec<_>>(),
        "read_amplification": snapshot.gauge(Gauge::ReadAmplification),
        "write_amplification": snapshot.gauge(Gauge::WriteAmplification),
        "space_amplification": snapshot.gauge(Gauge::SpaceAmplification),
        "compaction_pending_bytes": whole(snapshot, Gauge::CompactionPendingBytes),
        "compactions_running": whole(snapshot, Gauge::CompactionsRunning),
        "compactions_pending": whole(snapshot, Gauge::CompactionsPending),
    })
}

fn one(snapshot: &MetricsSnapshot, state: &LevelState) -> Value {
    let at = state.level as usize;
    let count = |cell: CounterCell| snapshot.counter(cell);
    let read = |origin| count(Counter::LevelReadBytes.at2(at, origin));
    let (input, written) = (count(Counter::LevelInputBytes.at(at)), count(Counter::LevelWrittenBytes.at(at)));
    json!({
        "level": state.level,
        // Of the tables as they were announced, so that the figures belong together.
        "tables": state.tables.len(),
        "bytes": state.tables.iter().map(|table| table.bytes).sum::<u64>(),
        "entries": state.tables.iter().map(|table| table.entries).sum::<u64>(),
        "tombstones": state.tables.iter().map(|table| table.tombstones).sum::<u64>(),
        "target_bytes": whole(snapshot, Gauge::LevelTargetBytes.at(at)),
        "score": snapshot.gauge(Gauge::LevelScore.at(at)),
        "sorted_runs": whole(snapshot, Gauge::LevelSortedRuns.at(at)),
        "compression_ratio": snapshot.gauge(Gauge::LevelCompressionRatio.at(at)),
        "input_bytes": input,
        "read_upper_bytes": read(0),
        "read_same_bytes": read(1),
        "written_bytes": written,
        "moved_bytes": count(Counter::LevelMovedBytes.at(at)),
        "write_amplification": share(written, input),
        "compactions": count(Counter::LevelCompactions.at(at)),
        "probes": count(Counter::LevelProbes.at(at)),
    })
}

/// The value files, oldest first, with what is to become of each, and the figures of the value log.
pub fn values(snapshot: &MetricsSnapshot) -> Value {
    let file = |file: &ValueFileState| {
        json!({
            "number": file.number,
            "bytes": file.bytes,
            "live_bytes": file.live_bytes,
            "live_entries": file.live_entries,
            "garbage_ratio": share(file.bytes.saturating_sub(file.live_bytes), file.bytes),
            "standing": file.standing.as_str(),
        })
    };
    json!({
        "database": snapshot.database(),
        "files": snapshot.published().value_files.iter().map(file).collect::<Vec<_>>(),
        "bytes": whole(snapshot, Gauge::VlogBytes),
        "live_bytes": whole(snapshot, Gauge::VlogLiveBytes),
        "garbage_bytes": whole(snapshot, Gauge::VlogGarbageBytes),
        "unattributed_bytes": whole(snapshot, Gauge::VlogUnattributedBytes),
        "candidate_files": whole(snapshot, Gauge::VlogGcCandidateFiles),
        "collections_running": total(snapshot, Gauge::VlogGcRunning),
        "collections": snapshot.counter_total(Counter::VlogGcRuns),
        "relocated_bytes": snapshot.counter_total(Counter::VlogGcRelocatedBytes),
        "reclaimed_bytes": snapshot.counter_total(Counter::SpaceReclaimBytes),
    })
}
