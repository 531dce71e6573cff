//! The figures of a churn, printed and as JSON. The names of the members are those of the JSON document.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::disk::Sample;
use super::sizes::ValueSizes;
use crate::fault::Result;
use crate::figures;
use crate::out::Out;
use crate::units;

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Config {
    pub(super) keys: u64,
    /// The mean.
    pub(super) value_size: u64,
    pub(super) value_size_least: u64,
    pub(super) value_size_most: u64,
    #[serde(skip)]
    pub(super) sizes: ValueSizes,
    pub(super) threads: u64,
    pub(super) seed: u64,
    pub(super) sync: bool,
    pub(super) compression: &'static str,
    pub(super) mapped_reads: bool,
    pub(super) instrumentation: String,
    pub(super) separation_threshold: Option<u64>,
    /// The option `max_space_amplification`.
    pub(super) space_amplification_ceiling: Option<f64>,
}

/// The fill.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "they become members of a larger document")]
pub(super) struct Fill {
    /// Keys and values.
    pub(super) fill_bytes: u64,
    pub(super) fill_seconds: f64,
    pub(super) fill_bytes_per_second: f64,
}

/// The sets that overwrote.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sets {
    pub(super) ops: u64,
    /// Keys and values.
    pub(super) churn_bytes: u64,
    /// From the common start to the last thread's end.
    pub(super) seconds: f64,
    pub(super) ops_per_second: f64,
    pub(super) bytes_per_second: f64,
    /// Every set is timed, and what it takes to make its value is not part of it.
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) p999_ns: u64,
    pub(super) max_ns: u64,
}

/// What the engine wrote, as it counts it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Writes {
    /// Bytes to disk per byte of the caller, from the first key of the fill to the end.
    pub(super) write_amplification: f64,
    /// The same until the end of the fill, without what that has left for compactions to do.
    pub(super) fill_write_amplification: f64,
    /// The same from there on.
    pub(super) churn_write_amplification: f64,
    pub(super) user_written_bytes: u64,
    pub(super) storage_written_bytes: u64,
    /// The same by what wrote it.
    pub(super) storage_written_bytes_by_origin: BTreeMap<&'static str, u64>,
    /// Times a write was held back after the fill …
    pub(super) stalls: u64,
    /// … and for how long, all of them together.
    pub(super) stall_seconds: f64,
}

/// What the files of the database took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Disk {
    /// Keys and values, at the end.
    pub(super) live_bytes: u64,
    /// The most bytes on disk per live byte of all samples.
    pub(super) max_space_amplification: f64,
    /// The same of the last sample.
    pub(super) settled_space_amplification: f64,
    /// From the last set to the last sample.
    pub(super) settle_seconds: f64,
    /// Whether the use of the disk came to rest in the time there was.
    pub(super) settled: bool,
    /// From the end of the fill on.
    pub(super) samples: Vec<Sample>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChurnReport {
    pub(super) schema_version: u32,
    pub(super) workload: String,
    #[serde(flatten)]
    pub(super) config: Config,
    pub(super) sequential_write_bytes: u64,
    pub(super) sequential_write_bytes_per_second: f64,
    pub(super) sequential_synced_write_bytes_per_second: f64,
    #[serde(flatten)]
    pub(super) fill: Fill,
    #[serde(flatten)]
    pub(super) sets: Sets,
    /// Absent where nothing was counted.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) writes: Option<Writes>,
    #[serde(flatten)]
    pub(super) disk: Disk,
    /// The most anonymous memory seen from the end of the fill on; 0 where it cannot be told.
    pub(super) peak_rss_anon_bytes: u64,
    /// Whether every value that was read back was right. (A run with a wrong one fails instead.)
    pub(super) verified: bool,
    pub(super) values_verified: u64,
}

impl ChurnReport {
    /// Prints it for people.
    pub(super) fn print(&self, out: &mut Out) -> Result<()> {
        let title = out.heading(&self.title(out));
        out.line(title)?;
        figures::print(out, &self.phases(out))?;
        self.disk_line(out)?;
        let time = |nanos| units::time(Duration::from_nanos(nanos));
        let Sets { p50_ns, p99_ns, p999_ns, max_ns, ops, .. } = self.sets;
        let [p50, p99, p999, max] = [p50_ns, p99_ns, p999_ns, max_ns].map(time);
        let ops = units::count(ops);
        out.line(format_args!("{ops} sets: latency p50 {p50}  p99 {p99}  p99.9 {p999}  max {max}"))?;
        self.writes_lines(out)?;
        let memory = out.sizes().show(self.peak_rss_anon_bytes);
        let checked = units::count(self.values_verified);
        out.line(format_args!("peak anonymous memory {memory}, {checked} values checked, all right"))
    }

    fn title(&self, out: &Out) -> String {
        let Config { keys, sizes, threads, .. } = self.config;
        let live = out.sizes().show(self.disk.live_bytes);
        let s = if threads == 1 { "" } else { "s" };
        format!("{}  {} keys × {sizes} = {live}, {threads} thread{s}", self.workload, units::count(keys))
    }

    /// What was written when, how fast, and what it came to.
    fn phases(&self, out: &Out) -> comfy_table::Table {
        let size = |bytes| out.sizes().show(bytes);
        let speed = |per_second: f64| format!("{}/s", size(per_second as u64));
        let ratio = |of: fn(&Writes) -> f64| {
            self.writes.as_ref().map_or_else(|| "–".to_owned(), |writes| format!("{:.2}", of(writes)))
        };
        let mut table = figures::table(&["phase", "written", "seconds", "speed", "write amplification"]);
        let row = |name: &str, bytes, seconds: f64, per_second, amplification| {
            [name.to_owned(), size(bytes), format!("{seconds:.2}"), speed(per_second), amplification]
        };
        let (bytes, machine) = (self.sequential_write_bytes, self.sequential_write_bytes_per_second);
        table.add_row(row("plain file", bytes, bytes as f64 / machine.max(1.0), machine, "–".to_owned()));
        let synced = self.sequential_synced_write_bytes_per_second;
        table.add_row(row("… synced", bytes, bytes as f64 / synced.max(1.0), synced, "–".to_owned()));
        let Fill { fill_bytes, fill_seconds, fill_bytes_per_second } = self.fill;
        let amplification = ratio(|writes| writes.fill_write_amplification);
        table.add_row(row("fill", fill_bytes, fill_seconds, fill_bytes_per_second, amplification));
        let Sets { churn_bytes, seconds, bytes_per_second, .. } = self.sets;
        let amplification = ratio(|writes| writes.churn_write_amplification);
        table.add_row(row("churn", churn_bytes, seconds, bytes_per_second, amplification));
        table
    }

    fn disk_line(&self, out: &mut Out) -> Result<()> {
        let Disk { max_space_amplification: most, settled_space_amplification: last, .. } = self.disk;
        let ceiling = self.config.space_amplification_ceiling;
        let ceiling = ceiling.map_or_else(String::new, |ceiling| format!(" (ceiling {ceiling})"));
        let rest = if self.disk.settled { "settled" } else { "not settled" };
        out.line(format_args!(
            "disk per live byte: at most {most:.3}{ceiling}, {rest} at {last:.3} after {:.1} s; {} samples",
            self.disk.settle_seconds,
            self.disk.samples.len()
        ))
    }

    fn writes_lines(&self, out: &mut Out) -> Result<()> {
        let Some(writes) = &self.writes else { return Ok(()) };
        let size = |bytes: u64| out.sizes().show(bytes);
        let origins = writes.storage_written_bytes_by_origin.iter().filter(|(_, bytes)| **bytes > 0);
        let origins: Vec<String> = origins.map(|(name, bytes)| format!("{name} {}", size(*bytes))).collect();
        let (ratio, origins) = (writes.write_amplification, origins.join(", "));
        out.line(format_args!("write amplification {ratio:.2} in all: {origins}"))?;
        let stalled = units::time(Duration::from_secs_f64(writes.stall_seconds));
        out.line(format_args!("stalls {} ({stalled} in all)", writes.stalls))
    }
}
