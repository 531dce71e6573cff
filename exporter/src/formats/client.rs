//! Snapshots into the encoder of the crate `prometheus-client`, which then writes its own formats.
//!
//! Names, help texts, units, labels, buckets and values are those of [`openmetrics`](super::openmetrics). That encoder puts
//! unit and `_total` behind a name itself, so it is given the rest; and it escapes labels, but not help texts.
//!
//! | here | there |
//! | --- | --- |
//! | counter, gauge, histogram | the same |
//! | summary, which it does not have | three families of type `unknown`, with the same lines: `x{quantile}`, `x_sum`, `x_count` |
//! | counter `app_x_total` beside a family `app_x` | type `unknown`, as in our own OpenMetrics |
//! | `le="1.023e-06"` | `le="1.023e-6"`: the same number, but another label to servers that do not read it (Prometheus before 3.0) |
//!
//! Families of type `unknown` have values of gauges where it writes protobuf. Native histograms are not handed over.

use super::custom::{self, Merged, QUANTILES};
use super::edges;
use super::exposition::{Escaped, is_claimed, stem_and_unit};
use super::labels::Pairs;
use super::own::{OwnFamily, OwnValue};
use super::profile::Profile;
use super::scaled;
use bettong_metrics::{
    CustomFamily, CustomKind, CustomValue, Family, HistogramSnapshot, Kind, MetricsSnapshot, Unit, Value,
};
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabel as _, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit as ClientUnit;
use std::collections::BTreeSet;
use std::fmt;

/// Encodes everything: families of the catalogue, of the application, and `own`.
pub(crate) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    snapshots: &[MetricsSnapshot],
    own: &[OwnFamily],
    profile: Profile,
) -> fmt::Result {
    for family in Family::all().filter(|family| profile.shows(*family)) {
        encode_family(encoder, family, snapshots, profile)?;
    }
    let families: Vec<_> = custom::merged(snapshots).collect();
    let names: BTreeSet<_> = families.iter().map(|family| family.first.name()).collect();
    for merged in &families {
        encode_custom(encoder, merged, &names, profile)?;
    }
    own.iter().try_for_each(|family| encode_own(encoder, family))
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    snapshots: &[MetricsSnapshot],
    profile: Profile,
) -> fmt::Result {
    let desc = family.desc();
    let edges = match family.kind() {
        Kind::Histogram => edges::of(desc, profile),
        Kind::Counter | Kind::Gauge => Vec::new(),
    };
    let header = Header { name: desc.name, help: desc.help, kind: kind(family.kind()), unit: desc.unit };
    header.encode(encoder, |out| {
        for snapshot in snapshots {
            for sample in snapshot.samples(family) {
                let labels = SeriesLabels::of(snapshot.database(), Pairs::Catalogue(sample.labels));
                match sample.value {
                    Value::Counter(raw) => encode_counter(out, &labels, raw, desc.unit)?,
                    Value::Gauge(value) => encode_gauge(out, &labels, value)?,
                    Value::Histogram(values) => encode_histogram(out, &labels, values, &edges, desc.unit)?,
                }
            }
        }
        Ok(())
    })
}

fn encode_custom(
    encoder: &mut DescriptorEncoder<'_>,
    merged: &Merged<'_>,
    names: &BTreeSet<&str>,
    profile: Profile,
) -> fmt::Result {
    let first = merged.first;
    let kind = match first.kind() {
        CustomKind::Summary => return encode_summaries(encoder, merged),
        CustomKind::Counter if is_claimed(first.name(), names) => MetricType::Unknown,
        CustomKind::Counter => MetricType::Counter,
        CustomKind::Gauge => MetricType::Gauge,
        CustomKind::Histogram => MetricType::Histogram,
    };
    let header = Header { name: first.name(), help: first.help(), kind, unit: first.unit() };
    header.encode(encoder, |out| {
        for (database, family) in &merged.alike {
            encode_custom_series(out, database, family, kind, profile)?;
        }
        Ok(())
    })
}

fn encode_custom_series(
    out: &mut MetricEncoder<'_>,
    database: &str,
    family: &CustomFamily,
    kind: MetricType,
    profile: Profile,
) -> fmt::Result {
    let is_labelled = family.series().iter().any(|series| !series.labels().is_empty());
    let edges = edges::of_other(family.unit(), is_labelled, profile);
    for series in family.series() {
        let labels = SeriesLabels::of(database, Pairs::of(series));
        match series.value() {
            // What an application counts is in the unit that it is shown in.
            CustomValue::Counter(count) if matches!(kind, MetricType::Unknown) => {
                encode_gauge(out, &labels, scaled(*count, 1))?;
            }
            CustomValue::Counter(count) => encode_counter(out, &labels, *count, Unit::Count)?,
            CustomValue::Gauge(value) => encode_gauge(out, &labels, *value)?,
            CustomValue::Histogram(values) => encode_histogram(out, &labels, values, &edges, family.unit())?,
        }
    }
    Ok(())
}

/// A summary as three families: that is what can be said of it.
fn encode_summaries(encoder: &mut DescriptorEncoder<'_>, merged: &Merged<'_>) -> fmt::Result {
    let (first, unit) = (merged.first, merged.first.unit());
    let quantile = |values: &HistogramSnapshot, quantile| {
        values.quantile(quantile).map_or(f64::NAN, |raw| scaled(raw, unit.raw_per_unit()))
    };
    unknown(first.name(), first.help(), unit).encode(encoder, |out| {
        each_distribution(merged, |labels, values| {
            QUANTILES.into_iter().try_for_each(|at| {
                let label = at.to_string();
                let labels = SeriesLabels { more: Some(("quantile", &label)), ..labels };
                encode_gauge(out, &labels, quantile(values, at))
            })
        })
    })?;
    let [sum, count] = ["sum", "count"].map(|suffix| format!("{}_{suffix}", first.name()));
    unknown(&sum, first.help(), Unit::Count).encode(encoder, |out| {
        each_distribution(merged, |labels, values| {
            encode_gauge(out, &labels, scaled(values.sum(), unit.raw_per_unit()))
        })
    })?;
    unknown(&count, first.help(), Unit::Count).encode(encoder, |out| {
        each_distribution(merged, |labels, values| encode_gauge(out, &labels, scaled(values.count(), 1)))
    })
}

/// The header of what OpenMetrics knows nothing of.
fn unknown<'a>(name: &'a str, help: &'a str, unit: Unit) -> Header<'a> {
    Header { name, help, kind: MetricType::Unknown, unit }
}

fn each_distribution(
    merged: &Merged<'_>,
    mut encode: impl FnMut(SeriesLabels<'_>, &HistogramSnapshot) -> fmt::Result,
) -> fmt::Result {
    for (database, family) in &merged.alike {
        for series in family.series() {
            if let CustomValue::Histogram(values) = series.value() {
                encode(SeriesLabels::of(database, Pairs::of(series)), values)?;
            }
        }
    }
    Ok(())
}

fn encode_own(encoder: &mut DescriptorEncoder<'_>, family: &OwnFamily) -> fmt::Result {
    let header = Header { name: family.name, help: family.help, kind: kind(family.kind), unit: family.unit };
    header.encode(encoder, |out| {
        for series in &family.series {
            let labels = SeriesLabels { database: None, pairs: Pairs::Own(&series.labels), more: None };
            match &series.value {
                OwnValue::Counter(raw) => encode_counter(out, &labels, *raw, family.unit)?,
                OwnValue::Gauge(value) => encode_gauge(out, &labels, *value)?,
                OwnValue::Histogram(values) => {
                    let buckets = buckets(values.edges, &values.cumulative, values.count, family.unit);
                    let sum = scaled(values.sum, family.unit.raw_per_unit());
                    labels.on(out, |out| out.encode_histogram(sum, values.count, &buckets, NO_EXEMPLARS))?;
                }
            }
        }
        Ok(())
    })
}

fn kind(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    }
}

/// What comes before the samples of a family.
struct Header<'a> {
    name: &'a str,
    help: &'a str,
    kind: MetricType,
    unit: Unit,
}

impl Header<'_> {
    /// Encodes it, and the samples behind it.
    fn encode(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let (stem, unit) = stem_and_unit(self.name, matches!(self.kind, MetricType::Counter), self.unit);
        let ending = format!("_{unit}");
        let (rest, unit) = match stem.strip_suffix(&ending) {
            Some(rest) if !unit.is_empty() => (rest, Some(client_unit(unit))),
            _ => (stem, None),
        };
        let help = Escaped { text: self.help, quotes: true }.to_string();
        samples(&mut encoder.encode_descriptor(rest, &help, unit.as_ref(), self.kind)?)
    }
}

fn client_unit(unit: &str) -> ClientUnit {
    match unit {
        "bytes" => ClientUnit::Bytes,
        "seconds" => ClientUnit::Seconds,
        // Its ratios end in `ratios`.
        other => ClientUnit::Other(other.to_owned()),
    }
}

/// The labels of one series.
#[derive(Clone, Copy)]
struct SeriesLabels<'a> {
    database: Option<&'a str>,
    pairs: Pairs<'a>,
    more: Option<(&'a str, &'a str)>,
}

impl<'a> SeriesLabels<'a> {
    fn of(database: &'a str, pairs: Pairs<'a>) -> Self {
        Self { database: Some(database), pairs, more: None }
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        let database = self.database.map(|database| ("db", database));
        database.into_iter().chain(self.pairs.iter()).chain(self.more)
    }

    /// Lets `encode` write a series of these labels.
    fn on(
        &self,
        out: &mut MetricEncoder<'_>,
        encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        // Without labels it would write braces.
        if self.iter().next().is_none() { encode(out) } else { encode(&mut out.encode_family(self)?) }
    }
}

impl EncodeLabelSet for SeriesLabels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.iter().try_for_each(|label| label.encode(encoder.encode_label()))
    }
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

const NO_EXEMPLARS: Option<&std::collections::HashMap<usize, Exemplar<NoLabelSet, f64>>> = None;

fn encode_counter(
    out: &mut MetricEncoder<'_>,
    labels: &SeriesLabels<'_>,
    raw: u64,
    unit: Unit,
) -> fmt::Result {
    labels.on(out, |out| match unit.raw_per_unit() {
        // Whole numbers stay exact above 2⁵³.
        1 => out.encode_counter(&raw, NO_EXEMPLAR),
        per_unit => out.encode_counter(&scaled(raw, per_unit), NO_EXEMPLAR),
    })
}

fn encode_gauge(out: &mut MetricEncoder<'_>, labels: &SeriesLabels<'_>, value: f64) -> fmt::Result {
    labels.on(out, |out| out.encode_gauge(&value))
}

fn encode_histogram(
    out: &mut MetricEncoder<'_>,
    labels: &SeriesLabels<'_>,
    values: &HistogramSnapshot,
    edges: &[u64],
    unit: Unit,
) -> fmt::Result {
    let buckets = buckets(edges, &values.cumulative(edges), values.count(), unit);
    let sum = scaled(values.sum(), unit.raw_per_unit());
    labels.on(out, |out| out.encode_histogram(sum, values.count(), &buckets, NO_EXEMPLARS))
}

/// Upper edge and observations of each bucket, those below it not counted: the encoder adds them up.
fn buckets(edges: &[u64], cumulative: &[u64], count: u64, unit: Unit) -> Vec<(f64, u64)> {
    let edges = edges.iter().map(|edge| scaled(*edge, unit.raw_per_unit())).chain([f64::INFINITY]);
    let mut below = 0;
    let own = |(edge, up_to): (f64, u64)| {
        let own = up_to.saturating_sub(below);
        below = up_to;
        (edge, own)
    };
    edges.zip(cumulative.iter().copied().chain([count])).map(own).collect()
}
