//! The lines of all families, for the first time and for every time after that.
//!
//! Both walk the same way, and differ in what they write to: see [`Out`]. Labels and names are put together only where
//! they are asked for.

use super::dialect::Style;
use super::escape::Escaped;
use super::frame::Out;
use super::number::Number;
use crate::formats::custom::{self, Merged, QUANTILES};
use crate::formats::edges;
use crate::formats::labels::Pairs;
use crate::formats::own::{OwnFamily, OwnHistogram, OwnValue};
use bettong_metrics::{
    CustomFamily, CustomKind, CustomSeries, CustomValue, Family, HistogramSnapshot, Kind, MetricsSnapshot,
    Unit, Value,
};
use std::cell::{LazyCell, OnceCell};
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

/// Writes everything.
pub(super) fn write(out: &mut impl Out, snapshots: &[MetricsSnapshot], own: &[OwnFamily], style: &Style) {
    for family in Family::all().filter(|family| style.profile.shows(*family)) {
        write_family(out, family, snapshots, style);
    }
    let families: Vec<_> = custom::merged(snapshots).collect();
    let names: BTreeSet<_> = families.iter().map(|family| family.first.name()).collect();
    for family in &families {
        write_custom(out, family, &names, style);
    }
    write_all_own(out, own, style);
}

/// Writes the families of the exporter, and the end.
pub(super) fn write_all_own(out: &mut impl Out, own: &[OwnFamily], style: &Style) {
    for family in own {
        write_own(out, family, style);
    }
    if style.is_open_metrics() {
        out.fixed(|text| text.push_str("# EOF\n"));
    }
}

/// The name that OpenMetrics has for a family, and its unit if the name ends in it: other units it forbids.
pub(in crate::formats) fn stem_and_unit(
    name: &str,
    kind_is_counter: bool,
    unit: Unit,
) -> (&str, &'static str) {
    let stem = if kind_is_counter { name.strip_suffix("_total").unwrap_or(name) } else { name };
    let unit = unit.as_str();
    let ends_in_it = stem.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
    (stem, if ends_in_it { unit } else { "" })
}

fn write_family(out: &mut impl Out, family: Family, snapshots: &[MetricsSnapshot], style: &Style) {
    let desc = family.desc();
    Header { name: desc.name, help: desc.help, kind: family.kind().as_str(), unit: desc.unit }
        .write(out, style);
    let edges = match family.kind() {
        Kind::Histogram => Edges::new(edges::of(desc, style.profile), desc.unit, style),
        Kind::Counter | Kind::Gauge => Edges::new(Vec::new(), desc.unit, style),
    };
    for snapshot in snapshots {
        for (at, value) in snapshot.values(family).enumerate() {
            let labels = || {
                labels(Some(snapshot.database()), Pairs::Catalogue(snapshot.labels(family, at)).iter(), style)
            };
            let mut series = Series::new(desc.name, desc.unit, labels, out);
            match value {
                Value::Counter(raw) => series.line("", Number::raw(raw, desc.unit)),
                Value::Gauge(value) => series.line("", Number::float(value)),
                Value::Histogram(histogram) => series.histogram(&edges, histogram),
            }
        }
    }
}

fn write_custom(out: &mut impl Out, merged: &Merged<'_>, names: &BTreeSet<&str>, style: &Style) {
    let first = merged.first;
    let kind = match first.kind() {
        // OpenMetrics would take it for part of another family. What it knows nothing of may have any name.
        CustomKind::Counter if style.is_open_metrics() && is_claimed(first.name(), names) => "unknown",
        kind => kind.as_str(),
    };
    Header { name: first.name(), help: first.help(), kind, unit: first.unit() }.write(out, style);
    for (database, family) in &merged.alike {
        write_custom_series(out, database, family, style);
    }
    for (database, family) in &merged.unlike {
        let database = Escaped { text: database, quotes: true };
        let name = family.name();
        out.fixed(|text| {
            // OpenMetrics has no place for comments.
            if !style.is_open_metrics() {
                append(
                    text,
                    format_args!("# {name} of db=\"{database}\" has another kind or unit: not shown\n"),
                );
            }
        });
    }
}

/// Whether the name that a counter has without `_total` is that of another family, or of a sample that another may have.
pub(in crate::formats) fn is_claimed(counter: &str, names: &BTreeSet<&str>) -> bool {
    let Some(stem) = counter.strip_suffix("_total") else { return false };
    let is_sample = |suffix: &&str| stem.strip_suffix(suffix).is_some_and(|base| names.contains(base));
    let is_birth = |base: &str| names.contains(format!("{base}_total").as_str());
    names.contains(stem)
        || ["_count", "_sum", "_bucket", "_created"].iter().any(is_sample)
        || stem.strip_suffix("_created").is_some_and(is_birth)
}

fn write_custom_series(out: &mut impl Out, database: &str, family: &CustomFamily, style: &Style) {
    let is_labelled = family.series().iter().any(|series: &CustomSeries| !series.labels().is_empty());
    let edges = match family.kind() {
        CustomKind::Histogram => edges::of_other(family.unit(), is_labelled, style.profile),
        CustomKind::Counter | CustomKind::Gauge | CustomKind::Summary => Vec::new(),
    };
    let edges = Edges::new(edges, family.unit(), style);
    for one in family.series() {
        let labels = || labels(Some(database), Pairs::of(one).iter(), style);
        let mut series = Series::new(family.name(), family.unit(), labels, out);
        match one.value() {
            CustomValue::Counter(count) => series.line("", Number::count(*count)),
            CustomValue::Gauge(value) => series.line("", Number::float(*value)),
            CustomValue::Histogram(values) if family.kind() == CustomKind::Summary => series.summary(values),
            CustomValue::Histogram(values) => series.histogram(&edges, values),
        }
    }
}

fn write_own(out: &mut impl Out, family: &OwnFamily, style: &Style) {
    Header { name: family.name, help: family.help, kind: family.kind.as_str(), unit: family.unit }
        .write(out, style);
    for one in &family.series {
        let pairs = || one.labels.iter().map(|(name, value)| (*name, &**value));
        let labels = || labels(None, pairs(), style);
        let mut series = Series::new(family.name, family.unit, labels, out);
        match &one.value {
            OwnValue::Counter(raw) => series.line("", Number::raw(*raw, family.unit)),
            OwnValue::Gauge(value) => series.line("", Number::float(*value)),
            OwnValue::Histogram(histogram) => {
                let edges = Edges::new(histogram.edges.to_vec(), family.unit, style);
                series.own_histogram(&edges, histogram);
            }
        }
    }
}

/// What comes before the samples of a family.
struct Header<'a> {
    name: &'a str,
    help: &'a str,
    kind: &'static str,
    unit: Unit,
}

impl Header<'_> {
    fn write(&self, out: &mut impl Out, style: &Style) {
        let Self { name, help, kind, unit } = *self;
        out.fixed(|text| {
            if style.is_open_metrics() {
                let (stem, unit) = stem_and_unit(name, kind == "counter", unit);
                let help = Escaped { text: help, quotes: true };
                append(text, format_args!("# TYPE {stem} {kind}\n"));
                if !unit.is_empty() {
                    append(text, format_args!("# UNIT {stem} {unit}\n"));
                }
                append(text, format_args!("# HELP {stem} {help}\n"));
            } else {
                let help = Escaped { text: help, quotes: false };
                append(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
            }
        });
    }
}

/// The labels of a series as they are printed, but for the closing brace. Empty if there are none.
fn labels<'a>(
    database: Option<&'a str>,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    style: &'a Style,
) -> String {
    let mut labels = String::with_capacity(64);
    let own: Vec<_> = pairs.collect();
    let global = style.global.beside(&own);
    for (name, value) in
        database.map(|database| ("db", database)).into_iter().chain(global).chain(own.iter().copied())
    {
        let before = if labels.is_empty() { '{' } else { ',' };
        append(&mut labels, format_args!("{before}{name}=\"{}\"", Escaped { text: value, quotes: true }));
    }
    labels
}

fn append(text: &mut String, arguments: fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing into a string does not fail");
}

/// The edges of a family's buckets, and each as the label it becomes: written once, used by every series.
struct Edges<'a> {
    raw: Vec<u64>,
    unit: Unit,
    style: &'a Style,
    labels: OnceCell<Vec<String>>,
}

impl<'a> Edges<'a> {
    fn new(raw: Vec<u64>, unit: Unit, style: &'a Style) -> Self {
        Self { raw, unit, style, labels: OnceCell::new() }
    }

    /// The label of the edge at `at`.
    fn label(&self, at: usize) -> &str {
        let labels = self.labels.get_or_init(|| {
            let label = |edge: &u64| {
                let mut label = String::from("le=\"");
                let edge = Number::raw(*edge, self.unit);
                if self.style.is_open_metrics() {
                    edge.push_canonical_to(&mut label);
                } else {
                    edge.push_to(&mut label);
                }
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
    labels: LazyCell<String, L>,
    out: &'a mut O,
}

impl<'a, O: Out, L: FnOnce() -> String> Series<'a, O, L> {
    fn new(name: &'a str, unit: Unit, labels: L, out: &'a mut O) -> Self {
        Self { name, unit, labels: LazyCell::new(labels), out }
    }

    fn histogram(&mut self, edges: &Edges<'_>, histogram: &HistogramSnapshot) {
        let counts = match histogram.count() {
            // Half of them, mostly.
            0 => Vec::new(),
            _ => histogram.cumulative(&edges.raw),
        };
        self.buckets(edges, counts.into_iter().chain(std::iter::repeat(0)), histogram.count());
        self.sum_and_count(histogram.sum(), histogram.count());
    }

    fn own_histogram(&mut self, edges: &Edges<'_>, histogram: &OwnHistogram) {
        self.buckets(edges, histogram.cumulative.iter().copied(), histogram.count);
        self.sum_and_count(histogram.sum, histogram.count);
    }

    fn buckets(&mut self, edges: &Edges<'_>, counts: impl Iterator<Item = u64>, all: u64) {
        for (at, count) in counts.take(edges.raw.len()).enumerate() {
            self.line_with("_bucket", || edges.label(at), Number::count(count));
        }
        self.line_with("_bucket", || "le=\"+Inf\"", Number::count(all));
    }

    /// A summary without observations has no quantiles: its lines say `NaN`, as Prometheus' own clients do.
    fn summary(&mut self, histogram: &HistogramSnapshot) {
        for quantile in QUANTILES {
            let value = histogram.quantile(quantile).map_or(Number::NONE, |raw| Number::raw(raw, self.unit));
            self.line_with("", || format!("quantile=\"{quantile}\""), value);
        }
        self.sum_and_count(histogram.sum(), histogram.count());
    }

    fn sum_and_count(&mut self, sum: u64, count: u64) {
        self.line("_sum", Number::raw(sum, self.unit));
        self.line("_count", Number::count(count));
    }

    fn line(&mut self, suffix: &str, number: Number) {
        self.line_with(suffix, || "", number);
    }

    /// A line with one more label, or none.
    fn line_with<T: AsRef<str>>(&mut self, suffix: &str, more: impl FnOnce() -> T, number: Number) {
        let Self { name, labels, out, .. } = self;
        out.fixed(|text| {
            let (labels, more) = (labels.as_str(), more());
            let more = more.as_ref();
            let (open, between, close) = match (labels.is_empty(), more.is_empty()) {
                (true, true) => ("", "", ""),
                (true, false) => ("{", "", "}"),
                (false, true) => ("", "", "}"),
                (false, false) => ("", ",", "}"),
            };
            append(text, format_args!("{name}{suffix}{open}{labels}{between}{more}{close} "));
        });
        out.number(number);
        out.fixed(|text| text.push('\n'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's client refuses a whole document in which a counter without `_total` has the name of another family's sample.
    #[test]
    fn a_counter_is_claimed_by_families_and_by_their_samples() {
        let names =
            BTreeSet::from(["app_x", "app_orders_total", "app_orders_created_total", "app_x_count_total"]);
        for claimed in ["app_x_total", "app_x_count_total", "app_x_sum_total", "app_orders_created_total"] {
            assert!(is_claimed(claimed, &names), "{claimed}");
        }
        for free in ["app_orders_total", "app_y_count_total", "app_x", "app_orders_count_total"] {
            assert!(!is_claimed(free, &names), "{free}");
        }
    }
}
