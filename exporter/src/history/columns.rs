//! Which figures a row has, and how they are read from two snapshots.
//!
//! A column bears the name of the series it is made of. Counters give their increase between the two snapshots; gauges their value at the
//! later one; histograms quantiles of what was observed in between, `quantile="1"` being the largest, and means. Where a family
//! ends in `{}` here, it is the sum over all its labels. Values are in the unit of the name.

use super::heat::latency;
use crate::process::Process;
use bettong_metrics::{
    Counter, CounterCell, Family, Gauge, GaugeCell, Histogram, HistogramCell, HistogramSnapshot,
    MetricsSnapshot, Operation, Unit,
};
use std::sync::LazyLock;

/// Counters that are kept label by label.
const COUNTERS: [Counter; 24] = [
    Counter::GetOperations,
    Counter::SetOperations,
    Counter::DeleteOperations,
    Counter::BatchOperations,
    Counter::ScanOperations,
    Counter::GetServed,
    Counter::UserWrittenBytes,
    Counter::UserReadBytes,
    Counter::StorageWrittenBytes,
    Counter::StorageReadBytes,
    Counter::WalWrittenBytes,
    Counter::WalSyncs,
    Counter::CommitGroups,
    Counter::CompactionInputBytes,
    Counter::CompactionOutputBytes,
    Counter::FlushOutputBytes,
    Counter::VlogReads,
    Counter::CpuNanos,
    Counter::BackgroundBusyNanos,
    Counter::LockWaitNanos,
    Counter::IteratorSkippedKeys,
    Counter::IteratorSteps,
    Counter::EventsDropped,
    Counter::WriteStalls,
];

/// Counters that are summed over their labels.
const SUMS: [Counter; 7] = [
    Counter::GetErrors,
    Counter::SetErrors,
    Counter::DeleteErrors,
    Counter::SlowOperations,
    Counter::IoErrors,
    Counter::TableCacheRequests,
    Counter::SpaceReclaimBytes,
];

/// Gauges, label by label.
const GAUGES: [Gauge; 36] = [
    Gauge::OperationsInFlight,
    Gauge::WriteStallActive,
    Gauge::WriteStalledWriters,
    Gauge::WriteDelayRate,
    Gauge::WriteQueueDepth,
    Gauge::WalUnsyncedBytes,
    Gauge::MemtableBytes,
    Gauge::ImmutableMemtables,
    Gauge::ImmutableMemtableBytes,
    Gauge::FlushesRunning,
    Gauge::CompactionsRunning,
    Gauge::CompactionsPending,
    Gauge::CompactionPendingBytes,
    Gauge::LevelFiles,
    Gauge::LevelScore,
    Gauge::ReadAmplification,
    Gauge::SpaceAmplification,
    Gauge::TotalMemoryBytes,
    Gauge::MemoryBytes,
    Gauge::CacheBytes,
    Gauge::DiskUsageBytes,
    Gauge::DiskFreeBytes,
    Gauge::LiveDataBytes,
    Gauge::VlogBytes,
    Gauge::VlogLiveBytes,
    Gauge::VlogGarbageBytes,
    Gauge::IteratorsOpen,
    Gauge::IteratorOldestAge,
    Gauge::SnapshotsOpen,
    Gauge::SnapshotOldestAge,
    Gauge::BackgroundJobsRunning,
    Gauge::BackgroundJobsQueued,
    Gauge::IoInFlight,
    Gauge::Entries,
    Gauge::Tombstones,
    Gauge::InstrumentationBytes,
];

const QUANTILES: [(&str, f64); 5] =
    [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99), ("0.999", 0.999), ("1", 1.0)];

/// Other histograms with quantiles, and their first label's index.
const OTHERS: [(Histogram, usize); 2] = [(Histogram::WalSyncDuration, 0), (Histogram::VlogReadLatency, 0)];

/// One figure of a row.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Counter(CounterCell, Unit),
    Sum(Counter),
    /// Requests of the block cache by kind of block and result, summed over the levels.
    Cache(usize, usize),
    /// Checks of filters by result, summed over the levels.
    Filter(usize),
    Gauge(GaugeCell),
    /// One more of the columns made of the histogram of this column: its quantiles stand together.
    Quantile(HistogramCell, Unit, f64),
    Mean(HistogramCell),
    /// What all series of a histogram came to, together.
    Total(Histogram),
    ProcessCpu,
    ProcessResident,
    ProcessThreads,
}

/// All columns, in the order of a row.
pub(super) static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(all);

fn all() -> Vec<Column> {
    let mut columns = Vec::new();
    let mut add = |name: String, source| columns.push(Column { name, source });
    for counter in COUNTERS {
        let names = names(Family::Counter(counter));
        let unit = counter.desc().unit;
        names
            .into_iter()
            .zip(counter.cells())
            .for_each(|(name, cell)| add(name, Source::Counter(cell, unit)));
    }
    for counter in SUMS {
        add(counter.desc().name.to_owned(), Source::Sum(counter));
    }
    let [_, types, results] = Counter::CacheRequests.desc().labels else { return columns };
    for (kind, kind_name) in types.values.iter().enumerate() {
        for (result, result_name) in results.values.iter().enumerate() {
            let name = format!("db_cache_requests_total{{block_type={kind_name:?},result={result_name:?}}}");
            add(name, Source::Cache(kind, result));
        }
    }
    for (result, name) in Counter::FilterChecks
        .desc()
        .labels
        .last()
        .into_iter()
        .flat_map(|label| label.values.iter().enumerate())
    {
        add(format!("db_filter_checks_total{{result={name:?}}}"), Source::Filter(result));
    }
    for gauge in GAUGES {
        let names = names(Family::Gauge(gauge));
        names.into_iter().zip(gauge.cells()).for_each(|(name, cell)| add(name, Source::Gauge(cell)));
    }
    let latencies = Operation::ALL.map(|operation| (latency(operation), 0));
    for (histogram, label) in latencies.into_iter().chain(OTHERS) {
        for (quantile, q) in QUANTILES {
            let name = format!("{}{{quantile={quantile:?}}}", histogram.desc().name);
            add(name, Source::Quantile(histogram.at(label), histogram.desc().unit, q));
        }
    }
    add("db_commit_group_writers_mean".to_owned(), Source::Mean(Histogram::CommitGroupWriters.at(0)));
    add("db_write_stall_duration_seconds_sum".to_owned(), Source::Total(Histogram::WriteStallDuration));
    add("process_cpu_seconds_total".to_owned(), Source::ProcessCpu);
    add("process_resident_memory_bytes".to_owned(), Source::ProcessResident);
    add("process_threads".to_owned(), Source::ProcessThreads);
    columns
}

/// The names of a family's series: `db_x_total{source="4"}`.
fn names(family: Family) -> Vec<String> {
    let desc = family.desc();
    let name = |series| {
        let pairs: Vec<_> =
            desc.labels_of(series).iter().map(|(label, value)| format!("{label}={value:?}")).collect();
        if pairs.is_empty() { desc.name.to_owned() } else { format!("{}{{{}}}", desc.name, pairs.join(",")) }
    };
    (0..desc.series()).map(name).collect()
}

/// What a row is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) before: &'a MetricsSnapshot,
    pub(super) now: &'a MetricsSnapshot,
    pub(super) process_before: &'a Process,
    pub(super) process: &'a Process,
}

impl Pair<'_> {
    /// All figures. Each is finite.
    pub(super) fn row(&self) -> Box<[f32]> {
        // Quantiles of one histogram stand together: what was observed in between is found once for all of them.
        let mut observed: Option<(HistogramCell, HistogramSnapshot)> = None;
        let read = |column: &Column| {
            if let Source::Quantile(cell, unit, q) = column.source {
                if observed.as_ref().is_none_or(|(known, _)| *known != cell) {
                    observed = Some((cell, self.observed(cell)));
                }
                let value = observed.as_ref().and_then(|(_, delta)| delta.quantile(q)).unwrap_or(0);
                return (value as f64 / unit.raw_per_unit() as f64) as f32;
            }
            self.read(column.source) as f32
        };
        COLUMNS.iter().map(read).collect()
    }

    fn observed(&self, cell: HistogramCell) -> HistogramSnapshot {
        self.now.histogram(cell).since(self.before.histogram(cell))
    }

    fn grown(&self, cell: CounterCell) -> f64 {
        self.now.counter(cell).saturating_sub(self.before.counter(cell)) as f64
    }

    fn read(&self, source: Source) -> f64 {
        let levels = || 0..Counter::LevelProbes.desc().series();
        match source {
            Source::Counter(cell, unit) => self.grown(cell) / unit.raw_per_unit() as f64,
            Source::Sum(counter) => counter.cells().map(|cell| self.grown(cell)).sum(),
            Source::Cache(kind, result) => {
                levels().map(|level| self.grown(Counter::CacheRequests.at3(level, kind, result))).sum()
            }
            Source::Filter(result) => {
                levels().map(|level| self.grown(Counter::FilterChecks.at2(level, result))).sum()
            }
            Source::Gauge(cell) => self.now.gauge(cell),
            Source::Quantile(cell, unit, q) => {
                self.observed(cell).quantile(q).unwrap_or(0) as f64 / unit.raw_per_unit() as f64
            }
            Source::Mean(cell) => self.observed(cell).mean().unwrap_or(0.0),
            Source::Total(histogram) => {
                let sum = |snapshot: &MetricsSnapshot| {
                    histogram.cells().map(|cell| snapshot.histogram(cell).sum()).fold(0, u64::wrapping_add)
                };
                sum(self.now).wrapping_sub(sum(self.before)) as f64
                    / histogram.desc().unit.raw_per_unit() as f64
            }
            Source::ProcessCpu => {
                let used = self.process.cpu_nanos.zip(self.process_before.cpu_nanos);
                used.map_or(0.0, |(now, before)| now.saturating_sub(before) as f64 / 1e9)
            }
            Source::ProcessResident => self.process.resident_bytes.unwrap_or(0) as f64,
            Source::ProcessThreads => self.process.threads.unwrap_or(0) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bettong_metrics::Registry;
    use std::collections::BTreeSet;

    fn value(row: &[f32], name: &str) -> f32 {
        row[COLUMNS.iter().position(|column| column.name == name).unwrap_or_else(|| panic!("{name}"))]
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let names: BTreeSet<_> = COLUMNS.iter().map(|column| &column.name).collect();
        assert_eq!(names.len(), COLUMNS.len());
        assert!(names.iter().all(|name| name.starts_with("db_") || name.starts_with("process_")));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "small integers")]
    fn a_row_has_what_happened_between_two_snapshots() {
        let registry = Registry::new("orders");
        let recorder = registry.recorder();
        recorder.add(Counter::GetOperations, 5);
        let before = registry.snapshot();
        recorder.add(Counter::GetOperations, 7);
        recorder.add(Counter::GetServed.at(5), 3);
        recorder.add(Counter::CacheRequests.at3(2, 0, 1), 2);
        recorder.add(Counter::CacheRequests.at3(4, 0, 1), 9);
        recorder.add(Counter::FilterChecks.at2(3, 2), 4);
        recorder.add(Counter::SetErrors.at(3), 1);
        recorder.set(Gauge::LevelScore.at(1), 0.75);
        recorder.record(Histogram::GetLatency, 2_000);
        recorder.record(Histogram::CommitGroupWriters, 8);
        recorder.record(Histogram::WriteStallDuration.at2(0, 1), 2_000_000_000);
        recorder.record(Histogram::WriteStallDuration.at2(3, 0), 500_000_000);
        let now = registry.snapshot();
        let (old, new) = (Process::default(), Process { cpu_nanos: Some(5), ..Process::default() });
        let row = Pair { before: &before, now: &now, process_before: &old, process: &new }.row();
        assert_eq!(value(&row, "db_get_operations_total"), 7.0);
        assert_eq!(value(&row, "db_get_served_total{source=\"3\"}"), 3.0);
        assert_eq!(value(&row, "db_cache_requests_total{block_type=\"data\",result=\"miss\"}"), 11.0);
        assert_eq!(value(&row, "db_filter_checks_total{result=\"false_positive\"}"), 4.0);
        assert_eq!(value(&row, "db_set_errors_total"), 1.0);
        assert_eq!(value(&row, "db_level_score{level=\"1\"}"), 0.75);
        assert_eq!(value(&row, "db_commit_group_writers_mean"), 8.0);
        assert_eq!(value(&row, "db_write_stall_duration_seconds_sum"), 2.5);
        let median = value(&row, "db_get_latency_seconds{quantile=\"0.5\"}");
        assert!((median - 2e-6).abs() < 1e-8, "{median}");
        assert_eq!(value(&row, "db_set_latency_seconds{quantile=\"0.5\"}"), 0.0);
        assert!(row.iter().all(|value| value.is_finite()));
    }
}
