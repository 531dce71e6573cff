//! One series: its labels and its cells.

use super::counter::{Columns, CustomCounter};
use super::error::RegisterError;
use super::gauge::CustomGauge;
use super::histogram::CustomHistogram;
use super::kind::CustomKind;
use super::rules::MAX_LABELS;
use std::cmp::Ordering;
use std::sync::Arc;

/// Names and values of labels, sorted by name.
pub(super) type OwnedLabels = Arc<[(String, String)]>;

/// Labels as the caller gave them, sorted by name. Without allocation.
#[derive(Clone, Debug)]
pub(super) struct SortedLabels<'a> {
    pairs: [(&'a str, &'a str); MAX_LABELS],
    len: usize,
}

impl<'a> SortedLabels<'a> {
    /// Sorts `labels`; fails if there are too many.
    pub(super) fn new(labels: &[(&'a str, &'a str)]) -> Result<Self, RegisterError> {
        let mut sorted = Self { pairs: [("", ""); MAX_LABELS], len: labels.len() };
        let places = sorted.pairs.get_mut(..labels.len());
        let places = places.ok_or(RegisterError::TooManyLabels { labels: labels.len() })?;
        places.copy_from_slice(labels);
        places.sort_unstable_by_key(|(name, _)| *name);
        Ok(sorted)
    }

    pub(super) fn as_slice(&self) -> &[(&'a str, &'a str)] {
        self.pairs.get(..self.len).unwrap_or_default()
    }

    /// The same names, every value replaced.
    pub(super) fn all(&self, value: &'a str) -> Self {
        Self { pairs: self.pairs.map(|(name, _)| (name, value)), len: self.len }
    }

    pub(super) fn to_owned(&self) -> OwnedLabels {
        self.as_slice().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

/// Where a series is recorded.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    Counter(CustomCounter),
    Gauge(CustomGauge),
    Histogram(CustomHistogram),
}

impl Cells {
    pub(super) fn new(kind: CustomKind, columns: &mut Columns) -> Self {
        match kind {
            CustomKind::Counter => Self::Counter(columns.next()),
            CustomKind::Gauge => Self::Gauge(CustomGauge::default()),
            CustomKind::Histogram | CustomKind::Summary => Self::Histogram(CustomHistogram::default()),
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Counter(_) => CustomCounter::BYTES,
            Self::Gauge(_) => CustomGauge::BYTES,
            Self::Histogram(histogram) => histogram.bytes(),
        }
    }
}

/// One series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: OwnedLabels,
    pub(super) cells: Cells,
}

impl Series {
    /// How the labels compare with `labels`: by names and values, in order.
    pub(super) fn compare(&self, labels: &[(&str, &str)]) -> Ordering {
        let own = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.cmp(labels.iter().copied())
    }

    /// Whether the series has labels of these names.
    pub(super) fn is_labelled_as(&self, labels: &[(&str, &str)]) -> bool {
        self.labels.iter().map(|(name, _)| name.as_str()).eq(labels.iter().map(|(name, _)| *name))
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let text: usize = self.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        size_of::<Self>() + text + size_of_val::<[(String, String)]>(&self.labels) + self.cells.bytes()
    }
}
