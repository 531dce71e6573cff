//! Figures for people: operations, levels and totals, in columns.
//!
//! ```text
//! orders, in the last 60.0 s
//! operation     count      per s       mean        p50        p99      p99.9        max
//! get         512,300    8,538.3    2.10 µs    1.60 µs    11.0 µs    88.1 µs    1.10 ms
//!
//! level    tables       size     entries   tombstones   score       read    written   write amp
//! L0            3   24.0 MiB     410,223           12    0.75        0 B   72.0 MiB        1.01
//!
//! written 60.1 MiB by callers, 144 MiB to disk: write amplification 2.40; space amplification 1.02
//! memory 25.2 MiB; disk 93.3 MiB; block cache 97.0 % of 120,411 hit; stalls 0 in 0 ns; errors 0
//! ```
//! Of a difference of snapshots ([`MetricsSnapshot::since`]) the counts are those of its time; shapes are as they are at its end.
//!
//! Source of the idea: RocksDB's statistics in its log.

use bettong_metrics::{
    Counter, CounterCell, Family, Gauge, Histogram, LevelState, MetricsSnapshot, Operation, Value,
};
use std::fmt::{self, Write as _};

/// The figures of one database.
///
/// # Examples
/// ```
/// use bettong_metrics::{Operation, Registry};
///
/// let registry = Registry::new("orders");
/// let before = registry.snapshot();
/// registry.recorder().start(Operation::Get).finish();
/// let text = bettong_exporter::formats::table::render(&registry.snapshot().since(&before));
/// assert!(text.starts_with("orders, in the last "));
/// assert!(text.contains("\nget "));
/// ```
pub fn render(snapshot: &MetricsSnapshot) -> String {
    let mut text = String::with_capacity(2_048);
    let written = write(&mut text, snapshot);
    debug_assert!(written.is_ok(), "writing into a string does not fail");
    text
}

fn write(text: &mut String, snapshot: &MetricsSnapshot) -> fmt::Result {
    let seconds = snapshot.span_nanos() as f64 / 1e9;
    // A name may hold anything, and a line end would begin a line of the log.
    let name = snapshot.database().escape_debug();
    writeln!(text, "{name}, in the last {seconds:.1} s")?;
    operations(text, snapshot)?;
    levels(text, snapshot)?;
    totals(text, snapshot)
}

fn operations(text: &mut String, snapshot: &MetricsSnapshot) -> fmt::Result {
    let count = |operation| snapshot.counter_total(Counter::operations(operation));
    let done = || Operation::ALL.iter().copied().filter(|operation| count(*operation) > 0);
    if done().next().is_none() {
        return writeln!(text, "no operations");
    }
    writeln!(
        text,
        "{:<10} {:>13} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "operation", "count", "per s", "mean", "p50", "p99", "p99.9", "max"
    )?;
    for operation in done() {
        let latency = snapshot.histogram(Histogram::latency(operation));
        let mean = snapshot.strata(operation).mean_nanos();
        let at = |quantile| latency.quantile(quantile).map(|nanos| nanos as f64);
        let rate = snapshot.rate_total(Counter::operations(operation));
        write!(text, "{:<10} {:>13} {rate:>10.1}", operation.as_str(), grouped(count(operation)))?;
        for nanos in [mean, at(0.5), at(0.99), at(0.999), latency.max().map(|nanos| nanos as f64)] {
            write!(text, " {:>10}", nanos.map_or_else(|| "-".to_owned(), time))?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn levels(text: &mut String, snapshot: &MetricsSnapshot) -> fmt::Result {
    let count = |cell: CounterCell| snapshot.counter(cell);
    let written = |level: &LevelState| count(Counter::LevelWrittenBytes.at(level.level as usize));
    let levels = &snapshot.published().levels;
    let filled = || levels.iter().filter(|level| !level.tables.is_empty() || written(level) > 0);
    if filled().next().is_none() {
        return Ok(());
    }
    writeln!(
        text,
        "\n{:<6} {:>8} {:>10} {:>13} {:>12} {:>7} {:>10} {:>10} {:>11}",
        "level", "tables", "size", "entries", "tombstones", "score", "read", "written", "write amp"
    )?;
    for level in filled() {
        let at = level.level as usize;
        let sum = |of: fn(&bettong_metrics::TableState) -> u64| level.tables.iter().map(of).sum::<u64>();
        let read = (0..2).map(|origin| count(Counter::LevelReadBytes.at2(at, origin))).sum::<u64>();
        writeln!(
            text,
            "{:<6} {:>8} {:>10} {:>13} {:>12} {:>7.2} {:>10} {:>10} {:>11.2}",
            format_args!("L{at}").to_string(),
            level.tables.len(),
            bytes(sum(|table| table.bytes)),
            grouped(sum(|table| table.entries)),
            grouped(sum(|table| table.tombstones)),
            snapshot.gauge(Gauge::LevelScore.at(at)),
            bytes(read),
            bytes(written(level)),
            snapshot.gauge(Gauge::LevelWriteAmplification.at(at)),
        )?;
    }
    Ok(())
}

fn totals(text: &mut String, snapshot: &MetricsSnapshot) -> fmt::Result {
    writeln!(
        text,
        "\nwritten {} by callers, {} to disk: write amplification {:.2}; space amplification {:.2}",
        bytes(snapshot.counter_total(Counter::UserWrittenBytes)),
        bytes(snapshot.counter_total(Counter::StorageWrittenBytes)),
        snapshot.gauge(Gauge::WriteAmplification),
        snapshot.gauge(Gauge::SpaceAmplification),
    )?;
    let disk: u64 = Gauge::DiskUsageBytes.cells().map(|cell| snapshot.gauge(cell) as u64).sum();
    write!(text, "memory {}; disk {}; ", bytes(snapshot.gauge(Gauge::TotalMemoryBytes) as u64), bytes(disk))?;
    let (hits, requests) = cache(snapshot);
    match requests {
        0 => write!(text, "block cache not asked; ")?,
        _ => write!(
            text,
            "block cache {:.1} % of {} hit; ",
            hits as f64 / requests as f64 * 100.0,
            grouped(requests)
        )?,
    }
    let errors = [Counter::GetErrors, Counter::SetErrors, Counter::DeleteErrors];
    let errors: u64 = errors.iter().map(|family| snapshot.counter_total(*family)).sum();
    let stalls = Histogram::WriteStallDuration.cells().map(|cell| snapshot.histogram(cell));
    let stalled = stalls.fold(0_u64, |sum, one| sum.saturating_add(one.sum()));
    let stalls = snapshot.counter_total(Counter::WriteStalls);
    write!(text, "stalls {} in {}; errors {}", grouped(stalls), time(stalled as f64), grouped(errors))
}

/// Hits of the block cache, and requests.
fn cache(snapshot: &MetricsSnapshot) -> (u64, u64) {
    let (mut hits, mut requests) = (0, 0);
    for sample in snapshot.samples(Family::Counter(Counter::CacheRequests)) {
        if let Value::Counter(count) = sample.value {
            requests += count;
            hits += if sample.labels.get("result") == Some("hit") { count } else { 0 };
        }
    }
    (hits, requests)
}

/// A count in groups of three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(nanos: f64) -> String {
    scaled(nanos, 1_000.0, &["ns", "µs", "ms", "s"])
}

fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1_024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// With three digits, in the largest unit of which there is one.
fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while value >= step {
        let Some(next) = units.next() else { break };
        value /= step;
        unit = next;
    }
    let digits = match value {
        _ if value.fract() == 0.0 && value < 1_000.0 => 0,
        _ if value < 10.0 => 2,
        _ if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_counts_have_groups() {
        let shown = [0.0, 999.0, 1_000.0, 1_234.0, 98_765.0, 3.6e12].map(time);
        assert_eq!(shown, ["0 ns", "999 ns", "1 µs", "1.23 µs", "98.8 µs", "3600 s"]);
        assert_eq!([0, 1_023, 1_536, 1 << 40].map(bytes), ["0 B", "1023 B", "1.50 KiB", "1 TiB"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
