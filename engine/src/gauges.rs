//! What the gauges say of a view: the levels, the memtables, what presses on writes.

use std::sync::Weak;

use bettong_metrics::{Gauge, Recorder, Ticks};

use crate::levels::shape::Shape;
use crate::levels::space::Space;
use crate::levels::version::{Level, ValuesInUse, Version};
use crate::memtable::Memtable;
use crate::metric::{DiskFile, SLOWDOWN, STOP, StallCause};
use crate::options::{LEVELS, Options};
use crate::pressure::Pressure;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::table::filter;
use crate::view::View;

/// Label `range` of `db_vlog_garbage_ratio_files`.
const GARBAGE_RANGES: [(f64, f64); 4] = [(0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.1)];

/// The levels, and what follows from all of them together.
pub(crate) fn set_tree(r: &Recorder, view: &View, shape: &Shape, options: &Options) {
    for (at, level) in view.version.levels.iter().enumerate() {
        set_level(r, at, level, shape);
    }
    let in_memory =
        |count: fn(&Memtable) -> u64| view.memtables().map(|memtable| count(memtable)).sum::<u64>();
    let in_tables = |count: fn(&Level) -> u64| view.version.levels.iter().map(count).sum::<u64>();
    let entries = in_tables(|level| level.entries) + in_memory(Memtable::entries);
    let tombstones = in_tables(|level| level.tombstones) + in_memory(Memtable::tombstones);
    // Each tombstone is no live entry itself, and most likely hides one.
    r.set(Gauge::Entries, entries.saturating_sub(2 * tombstones) as f64);
    r.set(Gauge::Tombstones, tombstones as f64);
    let table_bytes = view.version.bytes();
    let value_bytes: u64 = view.version.values.values().map(|values| values.meta.bytes).sum();
    let live_bytes = view.version.live_bytes_estimate();
    r.set(Gauge::DiskUsageBytes.at(DiskFile::Table as usize), table_bytes as f64);
    r.set(Gauge::LiveDataBytes, live_bytes as f64);
    r.set(Gauge::SpaceAmplification, quotient(table_bytes + value_bytes, live_bytes));
    let target = filter::target_false_positive_ratio(options.filter_bits_per_key);
    r.set(Gauge::FilterTargetFalsePositiveRatio, target);
    r.set(Gauge::ReadAmplification, view.version.sorted_runs() as f64);
    r.set(Gauge::CompactionPendingBytes, shape.debt_bytes(&view.version, options) as f64);
}

/// The value files, and how much of them is in use; `candidates` of them are to be collected.
pub(crate) fn set_values(r: &Recorder, version: &Version, space: &Space, candidates: usize) {
    let values = || version.values.values();
    let files: u64 = values().map(|values| values.meta.bytes).sum();
    let live: u64 = values().map(|values| values.used.bytes).sum();
    r.set(Gauge::VlogFiles, version.values.len() as f64);
    r.set(Gauge::VlogBytes, files as f64);
    r.set(Gauge::VlogLiveBytes, live as f64);
    r.set(Gauge::VlogGarbageBytes, values().map(ValuesInUse::garbage_bytes).sum::<u64>() as f64);
    r.set(Gauge::VlogUnattributedBytes, space.hidden as f64);
    r.set(Gauge::VlogGcCandidateFiles, candidates as f64);
    for (range, (low, high)) in GARBAGE_RANGES.into_iter().enumerate() {
        let inside = values().filter(|values| (low..high).contains(&values.garbage_ratio())).count();
        r.set(Gauge::VlogGarbageRatioFiles.at(range), inside as f64);
    }
    for (at, level) in version.levels.iter().enumerate() {
        r.set(Gauge::LevelReferencedVlogBytes.at(at), level.value_bytes as f64);
    }
    r.set(Gauge::DiskUsageBytes.at(DiskFile::Vlog as usize), files as f64);
}

fn set_level(r: &Recorder, at: usize, level: &Level, shape: &Shape) {
    r.set(Gauge::LevelFiles.at(at), level.tables.len() as f64);
    r.set(Gauge::LevelBytes.at(at), level.bytes as f64);
    r.set(Gauge::LevelEntries.at(at), level.entries as f64);
    r.set(Gauge::LevelTombstones.at(at), level.tombstones as f64);
    r.set(Gauge::LevelCompressionRatio.at(at), quotient(level.payload_bytes, level.bytes));
    r.set(Gauge::LevelTargetBytes.at(at), shape.target_bytes(at) as f64);
    r.set(Gauge::LevelScore.at(at), shape.score(at));
    let runs = if at == 0 { level.tables.len() } else { usize::from(!level.tables.is_empty()) };
    r.set(Gauge::LevelSortedRuns.at(at), runs as f64);
}

/// The memtables; `flushing` of the immutable ones are being written to a table.
pub(crate) fn set_memtables(r: &Recorder, view: &View, flushing: usize) {
    let sum =
        |count: fn(&Memtable) -> u64| view.immutables.iter().map(|memtable| count(memtable)).sum::<u64>();
    r.set(Gauge::MemtableBytes, view.active.used_bytes() as f64);
    r.set(Gauge::MemtableEntries.at(0), view.active.entries() as f64);
    r.set(Gauge::MemtableEntries.at(1), sum(Memtable::entries) as f64);
    r.set(Gauge::MemtableTombstones.at(0), view.active.tombstones() as f64);
    r.set(Gauge::MemtableTombstones.at(1), sum(Memtable::tombstones) as f64);
    r.set(Gauge::ImmutableMemtables, view.immutables.len() as f64);
    r.set(Gauge::ImmutableMemtableBytes, sum(|memtable| memtable.used_bytes() as u64) as f64);
    let pending = view.immutables.len().saturating_sub(flushing) as f64;
    r.set(Gauge::FlushesPending, pending);
    r.set(Gauge::BackgroundJobsQueued.at(0), pending);
}

/// What presses on writes. That all memtables are full is known to the writers that wait for one, and set by them.
pub(crate) fn set_pressure(r: &Recorder, pressure: Pressure) {
    for cause in [StallCause::L0Tables, StallCause::CompactionDebt, StallCause::ValueGarbage] {
        let slowed = matches!(pressure, Pressure::Slowdown { cause: c, .. } if c == cause);
        let stopped = matches!(pressure, Pressure::Stop { cause: c } if c == cause);
        r.set(Gauge::WriteStallActive.at2(cause as usize, SLOWDOWN), f64::from(u8::from(slowed)));
        r.set(Gauge::WriteStallActive.at2(cause as usize, STOP), f64::from(u8::from(stopped)));
    }
    let rate = match pressure {
        Pressure::Slowdown { bytes_per_second, .. } => bytes_per_second,
        Pressure::None | Pressure::Stop { .. } => 0,
    };
    r.set(Gauge::WriteDelayRate, rate as f64);
}

/// Since when each level has been due for compaction, as a time stamp of the recorder; 0 while it is not.
#[derive(Debug, Default)]
pub(crate) struct DueSince([AtomicU64; LEVELS]);

impl DueSince {
    pub(crate) fn note(&self, shape: &Shape, now: Ticks) {
        for (at, since) in self.0.iter().enumerate() {
            if shape.score(at) < 1.0 {
                since.store(0, Ordering::Relaxed);
            } else if since.load(Ordering::Relaxed) == 0 {
                since.store(now.to_bits().max(1), Ordering::Relaxed);
            }
        }
    }

    /// How many levels are due.
    pub(crate) fn levels(&self) -> usize {
        self.0.iter().filter(|since| since.load(Ordering::Relaxed) > 0).count()
    }

    /// How long the level that waits longest has waited.
    pub(crate) fn oldest_age_nanos(&self, recorder: &Recorder) -> u64 {
        let since = self.0.iter().map(|since| since.load(Ordering::Relaxed)).filter(|since| *since > 0).min();
        since.map_or(0, |since| recorder.nanos_since(Ticks::from_bits(since)))
    }
}

/// Memtables that were flushed, for as long as readers hold them.
#[derive(Debug, Default)]
pub(crate) struct Flushed(Mutex<Vec<Weak<Memtable>>>);

impl Flushed {
    pub(crate) fn note(&self, memtables: impl Iterator<Item = Weak<Memtable>>) {
        self.0.lock().extend(memtables);
    }

    /// Bytes of those that are still held.
    pub(crate) fn held_bytes(&self) -> u64 {
        let mut memtables = self.0.lock();
        memtables.retain(|memtable| memtable.strong_count() > 0);
        memtables.iter().filter_map(Weak::upgrade).map(|memtable| memtable.used_bytes() as u64).sum()
    }
}

fn quotient(above: u64, below: u64) -> f64 {
    if below == 0 { 0.0 } else { above as f64 / below as f64 }
}
