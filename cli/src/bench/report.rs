//! The figures of a run, printed and as JSON.

use std::time::Duration;

use bettong::{Db, LevelStats};
use serde::Serialize;

use super::compare::Overhead;
use super::sizes::ValueSizes;
use crate::fault::Result;
use crate::out::Out;
use crate::units;

/// The version of the JSON documents. It grows when a member changes its meaning or goes away.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// One run. The names are those of the JSON document.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) workload: String,
    pub(super) keys: u64,
    /// One size, or the least and the most of a range.
    pub(super) value_size: ValueSizes,
    pub(super) threads: u64,
    pub(super) ops: u64,
    pub(super) seed: u64,
    pub(super) sync: bool,
    pub(super) compression: &'static str,
    pub(super) mapped_reads: bool,
    /// The level: `off`, `counters`, `sampled`, `full`, or `both` where off and sampled were compared.
    pub(super) instrumentation: String,
    /// Of the measured phase, from the common start to the last thread's end.
    pub(super) seconds: f64,
    pub(super) ops_per_second: f64,
    /// In each tenth of the operations; absent where the run was short or made of slices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ops_per_second_by_tenth: Option<Vec<f64>>,
    /// Keys and values read or written, in units of 10⁶ bytes.
    pub(super) megabytes_per_second: f64,
    pub(super) p50_ns: u64,
    pub(super) p90_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) p999_ns: u64,
    pub(super) max_ns: u64,
    /// Bytes to disk per byte of the caller: of the measured phase and of settling after it if that wrote, else of the fill.
    /// Absent where the level was off for a time: not everything was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) write_amplification: Option<f64>,
    /// Bytes of tables per byte of live data, after settling.
    pub(super) space_amplification: f64,
    /// Of the whole process, background threads included; absent where it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_seconds_per_op: Option<f64>,
    /// The most anonymous memory seen in the measured phase; 0 where it cannot be told.
    pub(super) peak_rss_anon_bytes: u64,
    /// Times a write was held back in the measured phase. Absent where the level was off for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stalls: Option<u64>,
    /// From the end of the measured phase until no compaction was due, if it wrote.
    pub(super) settle_seconds: f64,
    /// In how many files the data lies then.
    #[serde(flatten)]
    pub(super) shape: Shape,
    /// Whether every value that was read was right. (A run with a wrong one fails instead.)
    pub(super) verified: bool,
    /// How many values and absences were checked.
    pub(super) values_verified: u64,
    /// What the instrumentation cost, where that was measured; its members are members of the run.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) overhead: Option<Overhead>,
}

/// In how many files a settled database lies.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Shape {
    pub(super) tables: u64,
    /// Each level with tables is one, and each table of L0.
    pub(super) sorted_runs: u64,
    pub(super) value_files: u64,
}

impl Shape {
    pub(super) fn of(db: &Db) -> Shape {
        let stats = db.stats();
        let of_level = |level: &LevelStats| if level.level == 0 { level.tables } else { level.tables.min(1) };
        Shape {
            tables: stats.levels.iter().map(|level| level.tables).sum(),
            sorted_runs: stats.levels.iter().map(of_level).sum(),
            value_files: db.metrics().published().value_files.len() as u64,
        }
    }
}

#[derive(Serialize)]
struct One<'a> {
    schema_version: u32,
    #[serde(flatten)]
    run: &'a Report,
}

#[derive(Serialize)]
struct Many<'a> {
    schema_version: u32,
    runs: &'a [Report],
}

/// The JSON document: of one run, or of several.
pub(super) fn to_json(reports: &[Report]) -> serde_json::Result<String> {
    match reports {
        [run] => serde_json::to_string(&One { schema_version: SCHEMA_VERSION, run }),
        runs => serde_json::to_string(&Many { schema_version: SCHEMA_VERSION, runs }),
    }
}

/// Prints a run for people.
pub(super) fn print(out: &mut Out, report: &Report) -> Result<()> {
    let sizes = out.sizes();
    let time = |nanos| units::time(Duration::from_nanos(nanos));
    let title = format!(
        "{}  {} keys × {}, {} thread{}",
        report.workload,
        units::count(report.keys),
        report.value_size,
        report.threads,
        if report.threads == 1 { "" } else { "s" }
    );
    let title = out.heading(&title);
    out.line(title)?;
    out.line(format_args!(
        "  {} ops in {:.2} s: {} ops/s, {:.1} MB/s",
        units::count(report.ops),
        report.seconds,
        units::count(report.ops_per_second as u64),
        report.megabytes_per_second
    ))?;
    out.line(format_args!(
        "  latency p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
        time(report.p50_ns),
        time(report.p90_ns),
        time(report.p99_ns),
        time(report.p999_ns),
        time(report.max_ns)
    ))?;
    if let Some(tenths) = &report.ops_per_second_by_tenth {
        let tenths: Vec<String> = tenths.iter().map(|tenth| units::count(*tenth as u64)).collect();
        out.line(format_args!("  ops/s by tenth {}", tenths.join("  ")))?;
    }
    let amplification = report.write_amplification.map_or_else(unknown, |ratio| format!("{ratio:.2}"));
    out.line(format_args!(
        "  write amplification {amplification}  space amplification {:.2}  stalls {}",
        report.space_amplification,
        report.stalls.map_or_else(unknown, |stalls| stalls.to_string())
    ))?;
    let cpu = report.cpu_seconds_per_op.map_or_else(unknown, |s| format!("{:.2} µs", s * 1e6));
    out.line(format_args!(
        "  CPU per op {cpu}  peak anonymous memory {}  settled after {:.2} s",
        sizes.show(report.peak_rss_anon_bytes),
        report.settle_seconds
    ))?;
    let Shape { tables, sorted_runs, value_files } = report.shape;
    out.line(format_args!("  tables {tables}  sorted runs {sorted_runs}  value files {value_files}"))?;
    if let Some(overhead) = &report.overhead {
        out.line(of_overhead(overhead))?;
    }
    out.line(format_args!("  {} values checked, all right", units::count(report.values_verified)))
}

fn unknown() -> String {
    "–".to_owned()
}

fn of_overhead(overhead: &Overhead) -> String {
    let percent = |ratio: f64| format!("{:+.2} %", ratio * 100.0);
    format!(
        "  instrumentation sampled against off {} ({} to {}), noise ± {:.2} %, one of {} timed",
        percent(overhead.overhead_ratio),
        percent(overhead.overhead_ratio_low),
        percent(overhead.overhead_ratio_high),
        overhead.noise_ratio * 100.0,
        overhead.sampling_interval
    )
}
