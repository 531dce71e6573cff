//! The protobuf format: `io.prometheus.client.MetricFamily` messages, each behind its length, with native histograms.
//!
//! ```text
//!   varint │ MetricFamily │ varint │ MetricFamily │ …
//!   bytes                   bytes
//! ```
//! - Names are those of the [text format](super::text): counters with `_total`.
//! - A histogram has native buckets of schema [`SCHEMA`], and the classic ones of the profile too, except in
//!   [`Profile::Native`]. A server that takes native histograms keeps these and drops the classic ones, unless it is told
//!   to keep both (`scrape_classic_histograms` or `always_scrape_classic_histograms`, which Prometheus 2.42 does not have
//!   yet): queries of `_bucket` series then find nothing. That is why the format is served only where it is asked for
//!   twice, by the client and by [`Exporter::native_histograms`](crate::Exporter::native_histograms).
//! - Exemplars and times of creation are left out, for the reasons that [`openmetrics`](super::openmetrics) gives.
//!
//! # How far native buckets are off
//! A native bucket of schema 4 reaches from `b` to `b × 2^(1/16)`, which is 4.4 % more. The buckets of metrics-core
//! (HdrHistogram's) are narrower, 0.78 % at most, and lie elsewhere: each is counted, as a whole, in the native bucket that its
//! midpoint falls into. So an observation `v` is in a native bucket of which every point `x` has
//! `|x − v| ≤ MAX_RELATIVE_ERROR × v`, and so has a quantile that a server interpolates. Counts and ranks are exact.
//! Observations of zero are in the zero bucket. Values above 2⁴² raw units (73 minutes, 4 TiB) are in the bucket of that.
//!
//! Source: `prometheus/client_model`, `io/prometheus/client/metrics.proto`.

mod messages;
mod native;

pub use native::{MAX_RELATIVE_ERROR, SCHEMA, ZERO_THRESHOLD};

use self::messages as proto;
use super::custom::{self, QUANTILES};
use super::edges;
use super::global::GlobalLabels;
use super::labels::Pairs;
use super::own::{OwnFamily, OwnHistogram, OwnValue};
use super::profile::Profile;
use super::scaled;
use bettong_metrics::{
    CustomFamily, CustomKind, CustomValue, Family, HistogramSnapshot, Kind, MetricsSnapshot, Unit, Value,
};
use prost::Message as _;

/// The `Content-Type` of the format.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// One database's snapshot.
///
/// # Examples
/// ```
/// let registry = bettong_metrics::Registry::new("orders");
/// let bytes = bettong_exporter::formats::protobuf::render(&registry.snapshot());
/// assert!(bytes.windows(21).any(|name| name == b"db_get_results_total\x12"));
/// ```
pub fn render(snapshot: &MetricsSnapshot) -> Vec<u8> {
    render_all(std::slice::from_ref(snapshot), Profile::Standard)
}

/// The snapshots of several databases, with the series of a profile. Their names must differ.
pub fn render_all(snapshots: &[MetricsSnapshot], profile: Profile) -> Vec<u8> {
    render_with(snapshots, &[], profile, &GlobalLabels::default())
}

/// The same, with what the exporter says of itself, and labels that all series have.
pub(crate) fn render_with(
    snapshots: &[MetricsSnapshot],
    own: &[OwnFamily],
    profile: Profile,
    global: &GlobalLabels,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(snapshots.len() * 160_000);
    let shown = Family::all().filter(|family| profile.shows(*family));
    let catalogue = shown.map(|family| of_catalogue(family, snapshots, profile));
    let custom = custom::merged(snapshots).map(|merged| of_custom(&merged, profile));
    for mut family in catalogue.chain(custom).chain(own.iter().map(of_own)) {
        family.metric.iter_mut().for_each(|metric| add_labels(&mut metric.label, global));
        // A vector grows as it must: writing to it does not fail.
        let written = family.encode_length_delimited(&mut bytes);
        debug_assert!(written.is_ok(), "{written:?}");
    }
    bytes
}

fn of_catalogue(family: Family, snapshots: &[MetricsSnapshot], profile: Profile) -> proto::MetricFamily {
    let desc = family.desc();
    let edges = match family.kind() {
        Kind::Histogram => edges::of(desc, profile),
        Kind::Counter | Kind::Gauge => Vec::new(),
    };
    let of_snapshot = |snapshot| series_of(family, snapshot, &edges);
    header(
        desc.name,
        desc.help,
        kind(family.kind()),
        desc.unit,
        snapshots.iter().flat_map(of_snapshot).collect(),
    )
}

fn series_of(family: Family, snapshot: &MetricsSnapshot, edges: &[u64]) -> Vec<proto::Metric> {
    let unit = family.desc().unit;
    let series = snapshot.samples(family).map(|sample| {
        let labels = labels(Some(snapshot.database()), Pairs::Catalogue(sample.labels).iter());
        match sample.value {
            Value::Counter(raw) => proto::Metric::counter(labels, in_unit(raw, unit)),
            Value::Gauge(value) => proto::Metric::gauge(labels, value),
            Value::Histogram(values) => proto::Metric::histogram(labels, histogram(values, edges, unit)),
        }
    });
    series.collect()
}

fn of_custom(merged: &custom::Merged<'_>, profile: Profile) -> proto::MetricFamily {
    let first = merged.first;
    let series =
        merged.alike.iter().flat_map(|(database, family)| of_custom_series(database, family, profile));
    let kind = match first.kind() {
        CustomKind::Counter => proto::MetricType::Counter,
        CustomKind::Gauge => proto::MetricType::Gauge,
        CustomKind::Summary => proto::MetricType::Summary,
        CustomKind::Histogram => proto::MetricType::Histogram,
    };
    header(first.name(), first.help(), kind, first.unit(), series.collect())
}

fn of_custom_series(database: &str, family: &CustomFamily, profile: Profile) -> Vec<proto::Metric> {
    let unit = family.unit();
    let is_labelled = family.series().iter().any(|series| !series.labels().is_empty());
    let edges = edges::of_other(unit, is_labelled, profile);
    let series = family.series().iter().map(|series| {
        let labels = labels(Some(database), Pairs::of(series).iter());
        match series.value() {
            // What an application counts is in the unit that it is shown in.
            CustomValue::Counter(count) => proto::Metric::counter(labels, scaled(*count, 1)),
            CustomValue::Gauge(value) => proto::Metric::gauge(labels, *value),
            CustomValue::Histogram(values) if family.kind() == CustomKind::Summary => {
                proto::Metric::summary(labels, summary(values, unit))
            }
            CustomValue::Histogram(values) => {
                proto::Metric::histogram(labels, histogram(values, &edges, unit))
            }
        }
    });
    series.collect()
}

fn of_own(family: &OwnFamily) -> proto::MetricFamily {
    let unit = family.unit;
    let series = family.series.iter().map(|series| {
        let labels = labels(None, series.labels.iter().map(|(name, value)| (*name, &**value)));
        match &series.value {
            OwnValue::Counter(raw) => proto::Metric::counter(labels, in_unit(*raw, unit)),
            OwnValue::Gauge(value) => proto::Metric::gauge(labels, *value),
            OwnValue::Histogram(values) => proto::Metric::histogram(labels, own_histogram(values, unit)),
        }
    });
    header(family.name, family.help, kind(family.kind), unit, series.collect())
}

fn header(
    name: &str,
    help: &str,
    kind: proto::MetricType,
    unit: Unit,
    metric: Vec<proto::Metric>,
) -> proto::MetricFamily {
    let (_, unit) = super::exposition::stem_and_unit(name, kind == proto::MetricType::Counter, unit);
    proto::MetricFamily {
        name: Some(name.to_owned()),
        help: Some(help.to_owned()),
        r#type: Some(kind.into()),
        metric,
        unit: (!unit.is_empty()).then(|| unit.to_owned()),
    }
}

fn kind(kind: Kind) -> proto::MetricType {
    match kind {
        Kind::Counter => proto::MetricType::Counter,
        Kind::Gauge => proto::MetricType::Gauge,
        Kind::Histogram => proto::MetricType::Histogram,
    }
}

fn labels<'a>(
    database: Option<&'a str>,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<proto::LabelPair> {
    let database = database.map(|database| ("db", database));
    database.into_iter().chain(pairs).map(|(name, value)| proto::LabelPair::new(name, value)).collect()
}

/// Puts the labels that all series have behind the database's, as the text formats do.
fn add_labels(labels: &mut Vec<proto::LabelPair>, global: &GlobalLabels) {
    let own: Vec<_> = labels.iter().map(|pair| (pair.name(), pair.value())).collect();
    let added: Vec<_> = global.beside(&own).map(|(name, value)| proto::LabelPair::new(name, value)).collect();
    let at = usize::from(own.first().is_some_and(|(name, _)| *name == "db"));
    labels.splice(at..at, added);
}

fn in_unit(raw: u64, unit: Unit) -> f64 {
    scaled(raw, unit.raw_per_unit())
}

fn histogram(values: &HistogramSnapshot, edges: &[u64], unit: Unit) -> proto::Histogram {
    let counts = values.cumulative(edges);
    let bucket = |(edge, count): (&u64, u64)| proto::Bucket::new(in_unit(*edge, unit), count);
    let native = native::Buckets::of(values, unit.raw_per_unit());
    proto::Histogram {
        sample_count: Some(values.count()),
        sample_sum: Some(in_unit(values.sum(), unit)),
        bucket: edges.iter().zip(counts).map(bucket).collect(),
        schema: Some(SCHEMA),
        zero_threshold: Some(ZERO_THRESHOLD),
        zero_count: Some(native.zeros),
        positive_span: native
            .spans
            .iter()
            .map(|(offset, length)| proto::BucketSpan::new(*offset, *length))
            .collect(),
        positive_delta: native.deltas,
    }
}

fn own_histogram(values: &OwnHistogram, unit: Unit) -> proto::Histogram {
    let counts = values.edges.iter().zip(&values.cumulative);
    proto::Histogram {
        sample_count: Some(values.count),
        sample_sum: Some(in_unit(values.sum, unit)),
        bucket: counts.map(|(edge, count)| proto::Bucket::new(in_unit(*edge, unit), *count)).collect(),
        ..proto::Histogram::default()
    }
}

fn summary(values: &HistogramSnapshot, unit: Unit) -> proto::Summary {
    let quantile = |quantile: f64| proto::Quantile {
        quantile: Some(quantile),
        value: Some(values.quantile(quantile).map_or(f64::NAN, |raw| in_unit(raw, unit))),
    };
    proto::Summary {
        sample_count: Some(values.count()),
        sample_sum: Some(in_unit(values.sum(), unit)),
        quantile: QUANTILES.into_iter().map(quantile).collect(),
    }
}

#[cfg(test)]
mod tests;
