//! The table for people, and the files with everything that was measured.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bettong_paired::Estimate;

use crate::Result;
use crate::programs::target;
use crate::rows::Row;

/// The head of the table.
pub(crate) fn head() -> String {
    format!(
        "{:<13} {:>7}  {:<24} {:>9} {:>10} {:>8} {:>8} {:>8} {:>8}",
        "path", "threads", "comparison", "ns/op", "overhead %", "low", "high", "noise", "interval"
    )
}

/// The line of each row. The noise is how far the interval of the corresponding A/A row reaches from 0.
pub(crate) fn lines(rows: &[Row]) -> String {
    let mut lines = String::new();
    for row in rows {
        let Estimate { median, low, high } = row.estimate();
        let noise = noise(row, rows).map_or_else(|| "-".to_owned(), |noise| format!("{:.2}", noise * 100.0));
        let interval = row.interval.map_or_else(|| "-".to_owned(), |interval| interval.to_string());
        let [median, low, high] = [median, low, high].map(|ratio| ratio * 100.0);
        let (name, nanos) = (row.comparison.name(), row.base_nanos());
        // Writing into a string does not fail.
        let _ = writeln!(
            lines,
            "{:<13} {:>7}  {name:<24} {nanos:>9.1} {median:>10.2} {low:>8.2} {high:>8.2} {noise:>8} {interval:>8}",
            row.path, row.threads
        );
    }
    lines
}

fn noise(row: &Row, rows: &[Row]) -> Option<f64> {
    let same = row.comparison.noise()?;
    rows.iter().find(|other| other.comparison == same).map(|row| row.estimate().reach())
}

/// Writes `target/overhead/rows.csv` and `pairs.csv`; returns the directory.
pub(crate) fn save(rows: &[Row]) -> Result<PathBuf> {
    let dir = target().join("overhead");
    fs::create_dir_all(&dir)?;
    let mut summary =
        "path,threads,comparison,base_nanos,overhead_ratio,low,high,sampling_interval\n".to_owned();
    let mut raw = "path,threads,comparison,round,pair,a_nanos,b_nanos\n".to_owned();
    for row in rows {
        let Estimate { median, low, high } = row.estimate();
        let what = format!("{},{},\"{}\"", row.path, row.threads, row.comparison.name());
        let interval = row.interval.map(|interval| interval.to_string()).unwrap_or_default();
        writeln!(summary, "{what},{:.3},{median:.6},{low:.6},{high:.6},{interval}", row.base_nanos())?;
        for (round, pairs) in row.rounds.iter().enumerate() {
            for (at, pair) in pairs.iter().enumerate() {
                writeln!(raw, "{what},{round},{at},{:.3},{:.3}", pair.a, pair.b)?;
            }
        }
    }
    fs::write(dir.join("rows.csv"), summary)?;
    fs::write(dir.join("pairs.csv"), raw)?;
    Ok(dir)
}
