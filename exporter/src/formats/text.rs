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
    let edges = match family.kind() {
        Kind::Histogram => Edges::new(edges::of(desc), desc.unit)?,
        Kind::Counter | Kind::Gauge => Edges::default(),
    };
    for snapshot in snapshots {
        for sample in snapshot.samples(family) {
            let labels = Pairs::Catalogue(sample.labels);
            let series = Series::new(desc.name, desc.unit, snapshot.database(), &labels)?;
            match sample.value {
                Value::Counter(raw) => series.write_raw(text, "", raw)?,
                Value::Gauge(value) => series.write_number(text, value)?,
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
    let edges = Edges::new(edges::of_other(family.unit(), is_labelled), family.unit())?;
    for one in family.series() {
        let series = Series::new(family.name(), family.unit(), database, &Pairs::of(one))?;
        match one.value() {
            CustomValue::Counter(count) => series.write_count(text, "", "", *count),
            CustomValue::Gauge(value) => series.write_number(text, *value)?,
            CustomValue::Histogram(values) if family.kind() == CustomKind::Summary => {
                series.write_summary(text, values)?;
            }
            CustomValue::Histogram(values) => series.write_histogram(text, &edges, values)?,
        }
    }
    Ok(())
}

/// The edges of a family's buckets, and each as the label it becomes: written once, used by every series.
#[derive(Default)]
struct Edges {
    raw: Vec<u64>,
    labels: Vec<String>,
}

impl Edges {
    fn new(raw: Vec<u64>, unit: Unit) -> Result<Self, fmt::Error> {
        let label = |edge: &u64| {
            let mut label = String::new();
            write!(label, ",le=\"{}\"", InUnit(*edge, unit)).map(|()| label)
        };
        let labels = raw.iter().map(label).collect::<Result<_, _>>()?;
        Ok(Self { raw, labels })
    }
}

/// What all lines of one series share.
struct Series<'a> {
    name: &'a str,
    unit: Unit,
    /// The labels as they are printed, but for the closing brace.
    labels: String,
}

impl<'a> Series<'a> {
    fn new(name: &'a str, unit: Unit, database: &str, pairs: &Pairs<'_>) -> Result<Self, fmt::Error> {
        let mut labels = String::with_capacity(64);
        write!(labels, "{{db=\"{}\"", Escaped { text: database, quotes: true })?;
        for (name, value) in pairs.iter() {
            write!(labels, ",{name}=\"{}\"", Escaped { text: value, quotes: true })?;
        }
        Ok(Self { name, unit, labels })
    }

    fn write_histogram(
        &self,
        text: &mut String,
        edges: &Edges,
        histogram: &HistogramSnapshot,
    ) -> fmt::Result {
        for (edge, count) in edges.labels.iter().zip(histogram.cumulative(&edges.raw)) {
            self.write_count(text, "_bucket", edge, count);
        }
        self.write_count(text, "_bucket", ",le=\"+Inf\"", histogram.count());
        self.write_sum_and_count(text, histogram)
    }

    /// A summary without observations has no quantiles: its lines say `NaN`, as Prometheus' own clients do.
    fn write_summary(&self, text: &mut String, histogram: &HistogramSnapshot) -> fmt::Result {
        for quantile in QUANTILES {
            self.begin(text, "", &format!(",quantile=\"{quantile}\""));
            match histogram.quantile(quantile) {
                Some(value) => writeln!(text, "{}", InUnit(value, self.unit))?,
                None => text.push_str("NaN\n"),
            }
        }
        self.write_sum_and_count(text, histogram)
    }

    fn write_sum_and_count(&self, text: &mut String, histogram: &HistogramSnapshot) -> fmt::Result {
        self.write_raw(text, "_sum", histogram.sum())?;
        self.write_count(text, "_count", "", histogram.count());
        Ok(())
    }

    /// A line with a value in the raw unit of the family.
    fn write_raw(&self, text: &mut String, suffix: &str, raw: u64) -> fmt::Result {
        if raw == 0 || self.unit.raw_per_unit() == 1 {
            self.write_count(text, suffix, "", raw);
            return Ok(());
        }
        self.begin(text, suffix, "");
        writeln!(text, "{}", InUnit(raw, self.unit))
    }

    fn write_number(&self, text: &mut String, value: f64) -> fmt::Result {
        // Below 2⁵³, what is whole is printed like a count, in a tenth of the time.
        if value.fract() == 0.0 && (1.0..9e15).contains(&value) || value.to_bits() == 0 {
            self.write_count(text, "", "", value as u64);
            return Ok(());
        }
        self.begin(text, "", "");
        writeln!(text, "{value}")
    }

    fn write_count(&self, text: &mut String, suffix: &str, extra: &str, count: u64) {
        self.begin(text, suffix, extra);
        push_count(text, count);
        text.push('\n');
    }

    /// A line up to its value. `extra` is a label that the other lines of the series do not have, as it is printed.
    fn begin(&self, text: &mut String, suffix: &str, extra: &str) {
        for part in [self.name, suffix, &self.labels, extra, "} "] {
            text.push_str(part);
        }
    }
}

/// Prints a whole number: most values are one, and most of them small.
fn push_count(text: &mut String, count: u64) {
    let mut digits = [0; 20];
    let mut rest = count;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    text.extend(digits.iter().skip(digits.len() - used).map(|digit| char::from(*digit)));
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
    fn counts_are_printed_as_the_standard_library_does() {
        for count in [0, 7, 10, 99, 100, 12_345_678_901, u64::MAX] {
            let mut text = String::new();
            push_count(&mut text, count);
            assert_eq!(text, count.to_string());
        }
    }

    #[test]
    fn raw_values_are_printed_in_their_unit() {
        assert_eq!(InUnit(1_500_000_000, Unit::Nanoseconds).to_string(), "1.5");
        assert_eq!(InUnit(127, Unit::Nanoseconds).to_string(), "0.000000127");
        assert_eq!(InUnit(2_047, Unit::Thousandths).to_string(), "2.047");
        assert_eq!(InUnit(u64::MAX, Unit::Bytes).to_string(), u64::MAX.to_string());
    }
}
