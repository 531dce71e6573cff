//! The lines of all families, for the first time and for every time after that.
//!
//! Both walk the same way, and differ in what they write to: see [`Out`]. Labels and names are put together only where
//! they are asked for.

use super::escape::Escaped;
use super::frame::Out;
use super::number::Number;
use crate::formats::custom::{self, Merged, QUANTILES};
use crate::formats::edges;
use crate::formats::labels::Pairs;
use bettong_metrics::{
    CustomFamily, CustomKind, CustomSeries, CustomValue, Family, HistogramSnapshot, Kind, MetricsSnapshot,
    Unit, Value,
};
use std::cell::OnceCell;
use std::fmt::{self, Write as _};

/// Writes everything.
pub(super) fn write(out: &mut impl Out, snapshots: &[MetricsSnapshot]) {
    for family in Family::all() {
        write_family(out, family, snapshots);
    }
    for family in custom::merged(snapshots) {
        write_custom(out, &family);
    }
}

fn write_family(out: &mut impl Out, family: Family, snapshots: &[MetricsSnapshot]) {
    let desc = family.desc();
    write_header(out, desc.name, desc.help, family.kind().as_str());
    let edges = match family.kind() {
        Kind::Histogram => Edges::new(edges::of(desc), desc.unit),
        Kind::Counter | Kind::Gauge => Edges::default(),
    };
    for snapshot in snapshots {
        for (at, value) in snapshot.values(family).enumerate() {
            let labels = || labels(snapshot.database(), &Pairs::Catalogue(snapshot.labels(family, at)));
            let mut series = Series::new(desc.name, desc.unit, labels, out);
            match value {
                Value::Counter(raw) => series.line("", Number::raw(raw, desc.unit)),
                Value::Gauge(value) => series.line("", Number::float(value)),
                Value::Histogram(histogram) => series.histogram(&edges, histogram),
            }
        }
    }
}

fn write_custom(out: &mut impl Out, merged: &Merged<'_>) {
    let first = merged.first;
    write_header(out, first.name(), first.help(), first.kind().as_str());
    for (database, family) in &merged.alike {
        write_custom_series(out, database, family);
    }
    for (database, family) in &merged.unlike {
        let database = Escaped { text: database, quotes: true };
        let name = family.name();
        out.fixed(|text| {
            append(text, format_args!("# {name} of db=\"{database}\" has another kind or unit: not shown\n"));
        });
    }
}

fn write_custom_series(out: &mut impl Out, database: &str, family: &CustomFamily) {
    let is_labelled = family.series().iter().any(|series: &CustomSeries| !series.labels().is_empty());
    let edges = match family.kind() {
        CustomKind::Histogram => Edges::new(edges::of_other(family.unit(), is_labelled), family.unit()),
        CustomKind::Counter | CustomKind::Gauge | CustomKind::Summary => Edges::default(),
    };
    for one in family.series() {
        let labels = || labels(database, &Pairs::of(one));
        let mut series = Series::new(family.name(), family.unit(), labels, out);
        match one.value() {
            CustomValue::Counter(count) => series.line("", Number::count(*count)),
            CustomValue::Gauge(value) => series.line("", Number::float(*value)),
            CustomValue::Histogram(values) if family.kind() == CustomKind::Summary => series.summary(values),
            CustomValue::Histogram(values) => series.histogram(&edges, values),
        }
    }
}

fn write_header(out: &mut impl Out, name: &str, help: &str, kind: &str) {
    let help = Escaped { text: help, quotes: false };
    out.fixed(|text| append(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n")));
}

/// The labels of a series as they are printed, but for the closing brace.
fn labels(database: &str, pairs: &Pairs<'_>) -> String {
    let mut labels = String::with_capacity(64);
    append(&mut labels, format_args!("{{db=\"{}\"", Escaped { text: database, quotes: true }));
    for (name, value) in pairs.iter() {
        append(&mut labels, format_args!(",{name}=\"{}\"", Escaped { text: value, quotes: true }));
    }
    labels
}

fn append(text: &mut String, arguments: fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing into a string does not fail");
}

/// The edges of a family's buckets, and each as the label it becomes: written once, used by every series.
#[derive(Default)]
struct Edges {
    raw: Vec<u64>,
    unit: Option<Unit>,
    labels: OnceCell<Vec<String>>,
}

impl Edges {
    fn new(raw: Vec<u64>, unit: Unit) -> Self {
        Self { raw, unit: Some(unit), labels: OnceCell::new() }
    }

    /// The label of the edge at `at`.
    fn label(&self, at: usize) -> &str {
        let labels = self.labels.get_or_init(|| {
            let unit = self.unit.unwrap_or(Unit::Count);
            let label = |edge: &u64| {
                let mut label = String::from(",le=\"");
                Number::raw(*edge, unit).push_to(&mut label);
                label + "\""
            };
            self.raw.iter().map(label).collect()
        });
        labels.get(at).map_or("", String::as_str)
    }
}

/// One series, and what its lines are written to.
struct Series<'a, O, L> {
    name: &'a str,
    unit: Unit,
    labels: std::cell::LazyCell<String, L>,
    out: &'a mut O,
}

impl<'a, O: Out, L: FnOnce() -> String> Series<'a, O, L> {
    fn new(name: &'a str, unit: Unit, labels: L, out: &'a mut O) -> Self {
        Self { name, unit, labels: std::cell::LazyCell::new(labels), out }
    }

    fn histogram(&mut self, edges: &Edges, histogram: &HistogramSnapshot) {
        let counts = match histogram.count() {
            // Half of them, mostly.
            0 => Vec::new(),
            _ => histogram.cumulative(&edges.raw),
        };
        let counts = counts.into_iter().chain(std::iter::repeat(0));
        for (at, count) in counts.take(edges.raw.len()).enumerate() {
            self.line_with("_bucket", || edges.label(at), Number::count(count));
        }
        self.line_with("_bucket", || ",le=\"+Inf\"", Number::count(histogram.count()));
        self.sum_and_count(histogram);
    }

    /// A summary without observations has no quantiles: its lines say `NaN`, as Prometheus' own clients do.
    fn summary(&mut self, histogram: &HistogramSnapshot) {
        for quantile in QUANTILES {
            let value = histogram.quantile(quantile).map_or(Number::NONE, |raw| Number::raw(raw, self.unit));
            self.line_with("", || format!(",quantile=\"{quantile}\""), value);
        }
        self.sum_and_count(histogram);
    }

    fn sum_and_count(&mut self, histogram: &HistogramSnapshot) {
        self.line("_sum", Number::raw(histogram.sum(), self.unit));
        self.line("_count", Number::count(histogram.count()));
    }

    fn line(&mut self, suffix: &str, number: Number) {
        self.line_with(suffix, || "", number);
    }

    /// A line with a label that the other lines of the series do not have, as it is printed.
    fn line_with<E: AsRef<str>>(&mut self, suffix: &str, extra: impl FnOnce() -> E, number: Number) {
        let (name, labels) = (self.name, &self.labels);
        self.out.fixed(|text| {
            for part in [name, suffix, labels, extra().as_ref(), "} "] {
                text.push_str(part);
            }
        });
        self.out.number(number);
        self.out.fixed(|text| text.push('\n'));
    }
}
