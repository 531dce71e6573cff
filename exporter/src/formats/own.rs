//! What the exporter says of itself: families without the label `db`, since they belong to no database.
//!
//! Their series are as many as endpoints, status codes and health checks, whatever is asked (E23). Those of the process look the same.

#![cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what is served counts itself"))]

use bettong_metrics::{Kind, Unit};
use std::borrow::Cow;

/// One family of the exporter's own.
#[derive(Clone, Debug)]
pub(crate) struct OwnFamily {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    pub(crate) series: Vec<OwnSeries>,
}

/// One series of it.
#[derive(Clone, Debug)]
pub(crate) struct OwnSeries {
    pub(crate) labels: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) value: OwnValue,
}

/// The value of one series, in raw units.
#[derive(Clone, Debug)]
pub(crate) enum OwnValue {
    Counter(u64),
    Gauge(f64),
    Histogram(OwnHistogram),
}

/// A histogram with few buckets.
#[derive(Clone, Debug)]
pub(crate) struct OwnHistogram {
    /// Upper edges, ascending, in raw units.
    pub(crate) edges: &'static [u64],
    /// Observations at or below each edge.
    pub(crate) cumulative: Vec<u64>,
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl OwnValue {
    /// How many series Prometheus makes of it.
    pub(crate) fn series(&self) -> usize {
        match self {
            Self::Counter(_) | Self::Gauge(_) => 1,
            Self::Histogram(histogram) => histogram.edges.len() + 3,
        }
    }
}
