//! Tables of a database's figures: latencies, levels, amplification.

use std::time::Duration;

use bettong::Stats;
use comfy_table::{CellAlignment, Table, presets};

use crate::fault::Result;
use crate::out::Out;
use crate::units;

/// A table with right-aligned figures after a first column of names.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 0 } else { 2 }, 0));
        column.set_cell_alignment(if at == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

/// Prints a table without the blanks at the ends of its lines.
pub(crate) fn print(out: &mut Out, table: &Table) -> Result<()> {
    for line in table.lines() {
        out.line(line.trim_end())?;
    }
    Ok(())
}

/// Operations with counts, rates over `elapsed` where given, and latencies.
pub(crate) fn operations(out: &mut Out, stats: &Stats, elapsed: Option<Duration>) -> Result<()> {
    let mut rows = table(&["operation", "count", "ops/s", "p50", "p90", "p99", "p99.9", "max"]);
    for (name, latency) in &stats.latencies {
        let per_second = match elapsed {
            Some(elapsed) if !elapsed.is_zero() => units::rate(latency.count as f64 / elapsed.as_secs_f64()),
            _ => "–".to_owned(),
        };
        let mut row = vec![(*name).to_owned(), latency.count.to_string(), per_second];
        let times = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        row.extend(times.map(|time| if latency.count == 0 { "–".to_owned() } else { units::time(time) }));
        rows.add_row(row);
    }
    print(out, &rows)
}

/// The levels that hold or held something.
pub(crate) fn levels(out: &mut Out, stats: &Stats) -> Result<()> {
    let sizes = out.sizes();
    let mut rows =
        table(&["level", "tables", "size", "entries", "tombstones", "score", "read", "written", "moved"]);
    let mut any = false;
    for level in stats.levels.iter().filter(|level| level.tables > 0 || level.written_bytes > 0) {
        any = true;
        rows.add_row(vec![
            format!("L{}", level.level),
            level.tables.to_string(),
            sizes.show(level.bytes),
            level.entries.to_string(),
            level.tombstones.to_string(),
            format!("{:.2}", level.score),
            sizes.show(level.read_bytes),
            sizes.show(level.written_bytes),
            sizes.show(level.moved_bytes),
        ]);
    }
    if !any {
        return out.line("no tables: everything is in memory and in the log");
    }
    print(out, &rows)
}

/// Amplification, memory and stalls, a line each.
pub(crate) fn totals(out: &mut Out, stats: &Stats) -> Result<()> {
    let sizes = out.sizes();
    let (user, storage) = (sizes.show(stats.user_written_bytes), sizes.show(stats.storage_written_bytes));
    out.line(format_args!(
        "write amplification  {:.2}  ({user} by the caller, {storage} to disk)",
        stats.write_amplification
    ))?;
    out.line(format_args!("space amplification  {:.2}", stats.space_amplification))?;
    let (memtables, cache) = (sizes.show(stats.memtable_bytes), sizes.show(stats.cache_bytes));
    out.line(format_args!("memory               memtables {memtables}, block cache {cache}"))?;
    let stalled = units::time(stats.stall_time);
    out.line(format_args!("stalls               {} ({stalled} in all)", stats.stalls))
}
