//! The custom families at one moment.

use super::kind::CustomKind;
use super::series::{Cells, OwnedLabels, Series};
use crate::catalog::Unit;
use crate::histogram::HistogramSnapshot;
use std::sync::Arc;

/// One custom family at one moment, from [`MetricsSnapshot::custom`](crate::MetricsSnapshot::custom).
#[derive(Clone, Debug)]
pub struct CustomFamily {
    pub(super) name: Arc<str>,
    pub(super) help: Arc<str>,
    pub(super) kind: CustomKind,
    pub(super) unit: Unit,
    pub(super) series: Vec<CustomSeries>,
}

/// One series of a custom family.
#[derive(Clone, Debug)]
pub struct CustomSeries {
    pub(super) labels: OwnedLabels,
    value: CustomValue,
}

/// The value of a custom series.
#[derive(Clone, Debug, PartialEq)]
pub enum CustomValue {
    /// A counter.
    Counter(u64),
    /// A gauge; always finite.
    Gauge(f64),
    /// A histogram or summary, in raw units.
    Histogram(HistogramSnapshot),
}

impl CustomFamily {
    /// The name, as registered.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it counts, as registered.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// How its values behave.
    pub fn kind(&self) -> CustomKind {
        self.kind
    }

    /// The unit of its values. Those of histograms and summaries are in the raw unit: divide by
    /// [`Unit::raw_per_unit`].
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Its series, sorted by the values of their labels.
    pub fn series(&self) -> &[CustomSeries] {
        &self.series
    }

    /// The value of the series with exactly these labels, in any order.
    pub fn value(&self, labels: &[(&str, &str)]) -> Option<&CustomValue> {
        self.series.iter().find(|series| series.has(labels)).map(CustomSeries::value)
    }

    /// What changed since `previous`, if that is the same family.
    fn since(&self, previous: Option<&Self>) -> Self {
        let before =
            previous.filter(|before| before.kind == self.kind).map_or(&[][..], |before| &before.series);
        let change = |series: &CustomSeries| {
            let found = before.binary_search_by(|old| old.labels.cmp(&series.labels));
            series.since(found.ok().and_then(|at| before.get(at)))
        };
        Self { series: self.series.iter().map(change).collect(), ..self.clone() }
    }
}

impl CustomSeries {
    /// Name and value of each label, sorted by name.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// Its value.
    pub fn value(&self) -> &CustomValue {
        &self.value
    }

    pub(super) fn read(series: &Series) -> Self {
        let value = match &series.cells {
            Cells::Counter(counter) => CustomValue::Counter(counter.value()),
            Cells::Gauge(gauge) => CustomValue::Gauge(gauge.value()),
            Cells::Histogram(histogram) => CustomValue::Histogram(histogram.read()),
        };
        Self { labels: Arc::clone(&series.labels), value }
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        let has = |(name, value): &(String, String)| labels.contains(&(name.as_str(), value.as_str()));
        self.labels.len() == labels.len() && self.labels.iter().all(has)
    }

    fn since(&self, previous: Option<&Self>) -> Self {
        let value = previous.map_or_else(|| self.value.clone(), |before| self.value.since(&before.value));
        Self { labels: Arc::clone(&self.labels), value }
    }
}

impl CustomValue {
    fn since(&self, previous: &Self) -> Self {
        match (self, previous) {
            (Self::Counter(now), Self::Counter(before)) => Self::Counter(now.saturating_sub(*before)),
            (Self::Histogram(now), Self::Histogram(before)) => Self::Histogram(now.since(before)),
            // A gauge is as it is now.
            _ => self.clone(),
        }
    }
}

/// What changed between two lists of families that are sorted by name. Those that appeared in between start from zero.
pub(crate) fn since(now: &[CustomFamily], before: &[CustomFamily]) -> Vec<CustomFamily> {
    let change = |family: &CustomFamily| {
        let found = before.binary_search_by(|old| old.name.cmp(&family.name));
        family.since(found.ok().and_then(|at| before.get(at)))
    };
    now.iter().map(change).collect()
}
