//! Figures of a database, typed and printed.

use std::fmt;
use std::time::Duration;

use bettong_metrics::{Counter, Gauge, Histogram, HistogramSnapshot, MetricsSnapshot, Operation};

use crate::condition::BackgroundError;
use crate::engine::Engine;
use crate::options::LEVELS;

/// One level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LevelStats {
    /// 0 to 6.
    pub level: usize,
    /// Tables.
    pub tables: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Their entries, old versions and tombstones included.
    pub entries: u64,
    /// Their tombstones.
    pub tombstones: u64,
    /// From 1 on a compaction is due.
    pub score: f64,
    /// Bytes compactions read to write the level, since open.
    pub read_bytes: u64,
    /// Bytes written to the level, since open.
    pub written_bytes: u64,
    /// Bytes moved into it without being rewritten, since open.
    pub moved_bytes: u64,
}

/// The latency of one kind of operation since open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyStats {
    /// Operations.
    pub count: u64,
    /// Half of them took at most this long.
    pub p50: Duration,
    /// 90 % did.
    pub p90: Duration,
    /// 99 % did.
    pub p99: Duration,
    /// 99.9 % did.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

/// Figures since open, or of the moment. `Display` prints them as tables.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// L0 to L6.
    pub levels: Vec<LevelStats>,
    /// Operations and their latencies: get, set, delete, batch, scan.
    pub latencies: Vec<(&'static str, LatencyStats)>,
    /// Bytes of keys and values written by the caller.
    pub user_written_bytes: u64,
    /// Bytes written to the disk for them: log, flushes, compactions, manifest.
    pub storage_written_bytes: u64,
    /// `storage_written_bytes / user_written_bytes`, 0 before the first write.
    pub write_amplification: f64,
    /// Bytes of tables per estimated byte of live data in them, 0 while there is none.
    pub space_amplification: f64,
    /// Bytes of all memtables.
    pub memtable_bytes: u64,
    /// Bytes in the block cache.
    pub cache_bytes: u64,
    /// Full memtables that wait for their flush.
    pub immutable_memtables: u64,
    /// Times that a write was slowed down or stopped.
    pub stalls: u64,
    /// How long all of them together were.
    pub stall_time: Duration,
    /// The worst fault of background work at the moment, if there is any; `None` in figures made from a snapshot.
    pub background_error: Option<BackgroundError>,
}

impl Stats {
    pub(crate) fn of(engine: &Engine) -> Stats {
        engine.announce();
        let background_error = engine.condition.present();
        Stats { background_error, ..Stats::from_snapshot(&engine.registry.snapshot()) }
    }

    /// The same figures from a snapshot, or from the difference of two.
    pub fn from_snapshot(snapshot: &MetricsSnapshot) -> Stats {
        let gauge = |gauge: Gauge| snapshot.gauge(gauge) as u64;
        let latency = |operation: Operation| {
            (operation.as_str(), LatencyStats::of(snapshot.histogram(Histogram::latency(operation))))
        };
        let stall_nanos = |cell| snapshot.histogram(cell).sum();
        Stats {
            levels: (0..LEVELS).map(|level| LevelStats::of(snapshot, level)).collect(),
            latencies: Operation::ALL.into_iter().map(latency).collect(),
            user_written_bytes: snapshot.counter(Counter::UserWrittenBytes),
            storage_written_bytes: snapshot.counter_total(Counter::StorageWrittenBytes),
            write_amplification: snapshot.gauge(Gauge::WriteAmplification),
            space_amplification: snapshot.gauge(Gauge::SpaceAmplification),
            memtable_bytes: gauge(Gauge::MemtableBytes) + gauge(Gauge::ImmutableMemtableBytes),
            cache_bytes: gauge(Gauge::CacheBytes),
            immutable_memtables: gauge(Gauge::ImmutableMemtables),
            stalls: snapshot.counter_total(Counter::WriteStalls),
            stall_time: Duration::from_nanos(Histogram::WriteStallDuration.cells().map(stall_nanos).sum()),
            background_error: None,
        }
    }
}

impl LevelStats {
    fn of(snapshot: &MetricsSnapshot, level: usize) -> LevelStats {
        let gauge = |gauge: Gauge| snapshot.gauge(gauge.at(level));
        let counter = |counter: Counter| snapshot.counter(counter.at(level));
        LevelStats {
            level,
            tables: gauge(Gauge::LevelFiles) as u64,
            bytes: gauge(Gauge::LevelBytes) as u64,
            entries: gauge(Gauge::LevelEntries) as u64,
            tombstones: gauge(Gauge::LevelTombstones) as u64,
            score: gauge(Gauge::LevelScore),
            read_bytes: (0..2)
                .map(|origin| snapshot.counter(Counter::LevelReadBytes.at2(level, origin)))
                .sum(),
            written_bytes: counter(Counter::LevelWrittenBytes),
            moved_bytes: counter(Counter::LevelMovedBytes),
        }
    }
}

impl LatencyStats {
    fn of(histogram: &HistogramSnapshot) -> LatencyStats {
        let at = |q| Duration::from_nanos(histogram.quantile(q).unwrap_or(0));
        LatencyStats {
            count: histogram.count(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(histogram.max().unwrap_or(0)),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "operation       count        p50        p90        p99      p99.9        max")?;
        for (name, l) in self.latencies.iter().filter(|(_, latency)| latency.count > 0) {
            write!(f, "{name:<9} {:>11}", l.count)?;
            for time in [l.p50, l.p90, l.p99, l.p999, l.max] {
                write!(f, " {:>10}", nanos(time))?;
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "level  tables       size     entries  tombstones  score       read    written      moved"
        )?;
        for l in self.levels.iter().filter(|l| l.tables > 0 || l.written_bytes > 0) {
            write!(f, "L{:<5} {:>6} {:>10} {:>11}", l.level, l.tables, bytes(l.bytes), l.entries)?;
            write!(f, " {:>11} {:>6.2} {:>10}", l.tombstones, l.score, bytes(l.read_bytes))?;
            writeln!(f, " {:>10} {:>10}", bytes(l.written_bytes), bytes(l.moved_bytes))?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "written {} by the caller, {} to disk: write amplification {:.2}",
            bytes(self.user_written_bytes),
            bytes(self.storage_written_bytes),
            self.write_amplification
        )?;
        writeln!(
            f,
            "space amplification {:.2} · memtables {} · cache {}",
            self.space_amplification,
            bytes(self.memtable_bytes),
            bytes(self.cache_bytes)
        )?;
        write!(f, "stalls {} in {}", self.stalls, nanos(self.stall_time))?;
        match &self.background_error {
            Some(error) => write!(f, "\n{error}"),
            None => Ok(()),
        }
    }
}

/// A time with three digits and its unit.
fn nanos(time: Duration) -> String {
    scaled(time.as_nanos() as f64, 1000.0, &["ns", "µs", "ms", "s"])
}

/// Bytes with three digits and an IEC unit.
fn bytes(n: u64) -> String {
    scaled(n as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while value >= step {
        let Some(next) = units.next() else { break };
        value /= step;
        unit = next;
    }
    let digits = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(nanos(Duration::from_nanos(999)), "999 ns");
        assert_eq!(nanos(Duration::from_nanos(1500)), "1.50 µs");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(25 << 20), "25 MiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
    }
}
