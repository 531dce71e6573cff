//! The Prometheus text format, version 0.0.4.
//!
//! ```text
//! # HELP db_get_results_total Gets by what they found
//! # TYPE db_get_results_total counter
//! db_get_results_total{db="orders",result="hit"} 42
//! ```
//! Each family appears once, with the series of all databases below its header. The label `db` comes first. Values are
//! in base units (seconds, bytes), as the names say. The families of the embedding application follow, sorted by name;
//! where two databases disagree about the kind or unit of one, the first is shown and a comment names the others.
//!
//! Source: Prometheus, "Exposition formats".

use super::custom::{self, Merged, QUANTILES};
use super::edges;
use super::labels::Pairs;
use bettong_metrics::{
    CustomFamily, CustomKind, CustomValue, Family, HistogramSnapshot, Kind, MetricsSnapshot, Unit, Value,
};
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
    for family in custom::merged(snapshots) {
        let written = write_custom(&mut text, &family);
        debug_assert!(written.is_ok(), "writing into a string does not fail");
    }
    text
}

fn write_header(text: &mut String, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {}", Escaped { text: help, quotes: false })?;
    writeln!(text, "# TYPE {name} {kind}")
}

fn write_family(text: &mut String, family: Family, snapshots: &[MetricsSnapshot]) -> fmt::Result {
    let desc = family.desc();
    write_header(text, desc.name, desc.help, family.kind().as_str())?;
    let edges = if family.kind() == Kind::Histogram { edges::of(desc) } else { Vec::new() };
    for snapshot in snapshots {
        for sample in snapshot.samples(family) {
            let labels = Pairs::Catalogue(sample.labels);
            let series = Series { name: desc.name, unit: desc.unit, database: snapshot.database(), labels };
            match sample.value {
                Value::Counter(raw) => series.write(text, "", None, InUnit(raw, desc.unit))?,
                Value::Gauge(value) => series.write(text, "", None, value)?,
                Value::Histogram(histogram) => series.write_histogram(text, &edges, histogram)?,
            }
        }
    }
    Ok(())
}

fn write_custom(text: &mut String, merged: &Merged<'_>) -> fmt::Result {
    let first = merged.first;
    write_header(text, first.name(), first.help(), first.kind().as_str())?;
    for (database, family) in &merged.alike {
        write_custom_series(text, database, family)?;
    }
    for (database, family) in &merged.unlike {
        let database = Escaped { text: database, quotes: true };
        writeln!(text, "# {} of db=\"{database}\" has another kind or unit: not shown", family.name())?;
    }
    Ok(())
}

fn write_custom_series(text: &mut String, database: &str, family: &CustomFamily) -> fmt::Result {
    let is_labelled = family.series().iter().any(|series| !series.labels().is_empty());
    let edges = edges::of_other(family.unit(), is_labelled);
    for one in family.series() {
        let series = Series { name: family.name(), unit: family.unit(), database, labels: Pairs::of(one) };
        match one.value() {
            CustomValue::Counter(count) => series.write(text, "", None, count)?,
            CustomValue::Gauge(value) => series.write(text, "", None, value)?,
            CustomValue::Histogram(values) if family.kind() == CustomKind::Summary => {
                series.write_summary(text, values)?;
            }
            CustomValue::Histogram(values) => series.write_histogram(text, &edges, values)?,
        }
    }
    Ok(())
}

/// What all lines of one series share.
struct Series<'a> {
    name: &'a str,
    unit: Unit,
    database: &'a str,
    labels: Pairs<'a>,
}

/// A label that one line of a series has beyond the labels of the series.
type Extra<'a> = Option<(&'a str, &'a dyn fmt::Display)>;

impl Series<'_> {
    fn write_histogram(
        &self,
        text: &mut String,
        edges: &[u64],
        histogram: &HistogramSnapshot,
    ) -> fmt::Result {
        for (edge, count) in edges.iter().zip(histogram.cumulative(edges)) {
            let edge = InUnit(*edge, self.unit);
            self.write(text, "_bucket", Some(("le", &edge)), count)?;
        }
        self.write(text, "_bucket", Some(("le", &"+Inf")), histogram.count())?;
        self.write_sum_and_count(text, histogram)
    }

    /// A summary without observations has no quantiles: its lines say `NaN`, as Prometheus' own clients do.
    fn write_summary(&self, text: &mut String, histogram: &HistogramSnapshot) -> fmt::Result {
        for quantile in QUANTILES {
            let extra = Some(("quantile", &quantile as &dyn fmt::Display));
            match histogram.quantile(quantile) {
                Some(value) => self.write(text, "", extra, InUnit(value, self.unit))?,
                None => self.write(text, "", extra, "NaN")?,
            }
        }
        self.write_sum_and_count(text, histogram)
    }

    fn write_sum_and_count(&self, text: &mut String, histogram: &HistogramSnapshot) -> fmt::Result {
        self.write(text, "_sum", None, InUnit(histogram.sum(), self.unit))?;
        self.write(text, "_count", None, histogram.count())
    }

    fn write(
        &self,
        text: &mut String,
        suffix: &str,
        extra: Extra<'_>,
        value: impl fmt::Display,
    ) -> fmt::Result {
        let database = Escaped { text: self.database, quotes: true };
        write!(text, "{}{suffix}{{db=\"{database}\"", self.name)?;
        for (name, value) in self.labels.iter() {
            write!(text, ",{name}=\"{}\"", Escaped { text: value, quotes: true })?;
        }
        if let Some((name, value)) = extra {
            write!(text, ",{name}=\"{value}\"")?;
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
