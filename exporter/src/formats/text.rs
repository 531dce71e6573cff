//! The Prometheus text format, version 0.0.4.
//!
//! ```text
//! # HELP db_get_results_total Gets by what they found
//! # TYPE db_get_results_total counter
//! db_get_results_total{db="orders",result="hit"} 42
//! ```
//! Each family appears once, with the series of all databases below its header. The label `db` comes first. Values are
//! in base units (seconds, bytes), as the names say.
//!
//! Source: Prometheus, "Exposition formats".

use super::edges;
use bettong_metrics::{Desc, Family, HistogramSnapshot, Kind, Labels, MetricsSnapshot, Unit, Value};
use std::fmt::{self, Write as _};

/// The `Content-Type` of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One database's snapshot as text.
///
/// # Examples
/// ```
/// let registry = bettong_metrics::Registry::new("orders");
/// let text = bettong_exporter::formats::text::render(&registry.snapshot());
/// assert!(text.contains("db_get_operations_total{db=\"orders\"} 0\n"));
/// ```
pub fn render(snapshot: &MetricsSnapshot) -> String {
    render_all(std::slice::from_ref(snapshot))
}

/// The snapshots of several databases as one text. Their names must differ: the label `db` tells their series apart.
pub fn render_all(snapshots: &[MetricsSnapshot]) -> String {
    let mut text = String::with_capacity(snapshots.len() * 160_000);
    for family in Family::all() {
        let written = write_family(&mut text, family, snapshots);
        debug_assert!(written.is_ok(), "writing into a string does not fail");
    }
    text
}

fn write_family(text: &mut String, family: Family, snapshots: &[MetricsSnapshot]) -> fmt::Result {
    let desc = family.desc();
    writeln!(text, "# HELP {} {}", desc.name, Escaped { text: desc.help, quotes: false })?;
    writeln!(text, "# TYPE {} {}", desc.name, family.kind().as_str())?;
    let edges = if family.kind() == Kind::Histogram { edges::of(desc) } else { Vec::new() };
    for snapshot in snapshots {
        for sample in snapshot.samples(family) {
            let series = Series { desc, database: snapshot.database(), labels: sample.labels };
            match sample.value {
                Value::Counter(raw) => series.write(text, "", None, InUnit(raw, desc.unit))?,
                Value::Gauge(value) => series.write(text, "", None, value)?,
                Value::Histogram(histogram) => series.write_histogram(text, &edges, histogram)?,
            }
        }
    }
    Ok(())
}

/// What all lines of one series share.
struct Series<'a> {
    desc: &'a Desc,
    database: &'a str,
    labels: Labels<'a>,
}

impl Series<'_> {
    fn write_histogram(
        &self,
        text: &mut String,
        edges: &[u64],
        histogram: &HistogramSnapshot,
    ) -> fmt::Result {
        for (edge, count) in edges.iter().zip(histogram.cumulative(edges)) {
            let edge = InUnit(*edge, self.desc.unit);
            self.write(text, "_bucket", Some(&edge), count)?;
        }
        self.write(text, "_bucket", Some(&"+Inf"), histogram.count())?;
        self.write(text, "_sum", None, InUnit(histogram.sum(), self.desc.unit))?;
        self.write(text, "_count", None, histogram.count())
    }

    fn write(
        &self,
        text: &mut String,
        suffix: &str,
        edge: Option<&dyn fmt::Display>,
        value: impl fmt::Display,
    ) -> fmt::Result {
        let database = Escaped { text: self.database, quotes: true };
        write!(text, "{}{suffix}{{db=\"{database}\"", self.desc.name)?;
        for (name, value) in self.labels.iter() {
            write!(text, ",{name}=\"{}\"", Escaped { text: value, quotes: true })?;
        }
        if let Some(edge) = edge {
            write!(text, ",le=\"{edge}\"")?;
        }
        writeln!(text, "}} {value}")
    }
}

/// A raw value, printed in the unit of its family.
struct InUnit(u64, Unit);

impl fmt::Display for InUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.raw_per_unit() {
            1 => self.0.fmt(f),
            raw_per_unit => super::scaled(self.0, raw_per_unit).fmt(f),
        }
    }
}

/// Text with the characters escaped that would end a line or, with `quotes`, a label value.
struct Escaped<'a> {
    text: &'a str,
    quotes: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        let special = |c| c == '\\' || c == '\n' || (c == '"' && self.quotes);
        while let Some((plain, from)) = rest.find(special).and_then(|at| rest.split_at_checked(at)) {
            f.write_str(plain)?;
            let mut characters = from.chars();
            f.write_str(match characters.next() {
                Some('\n') => "\\n",
                Some('"') => "\\\"",
                _ => "\\\\",
            })?;
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_and_help_texts_are_escaped() {
        let text = "a\\b\"c\nd";
        assert_eq!(Escaped { text, quotes: true }.to_string(), "a\\\\b\\\"c\\nd");
        assert_eq!(Escaped { text, quotes: false }.to_string(), "a\\\\b\"c\\nd");
        assert_eq!(Escaped { text: "", quotes: true }.to_string(), "");
        assert_eq!(Escaped { text: "größe", quotes: true }.to_string(), "größe");
    }

    #[test]
    fn raw_values_are_printed_in_their_unit() {
        assert_eq!(InUnit(1_500_000_000, Unit::Nanoseconds).to_string(), "1.5");
        assert_eq!(InUnit(127, Unit::Nanoseconds).to_string(), "0.000000127");
        assert_eq!(InUnit(2_047, Unit::Thousandths).to_string(), "2.047");
        assert_eq!(InUnit(u64::MAX, Unit::Bytes).to_string(), u64::MAX.to_string());
    }
}
