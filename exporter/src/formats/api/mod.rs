//! What `/api/v1` answers: one view of a database each, as a JSON value. All are functions of what is read beforehand.
//!
//! Members are named with their units; times are Unix seconds; what is not known is absent or `null`.

mod performance;
mod errors;
mod lists;
mod tree;
mod hdr;

pub use errors::errors;
pub use hdr::{HdrError, HdrQuery, hdr};
pub use lists::{events, readers, slow};
pub use performance::performance;
pub use tree::{levels, values};

use bettong_metrics::{Gauge, GaugeCell, MetricsSnapshot};
use serde_json::Value;

/// A gauge that counts things or bytes, as the whole number that it is.
fn whole(snapshot: &MetricsSnapshot, gauge: impl Into<GaugeCell>) -> u64 {
    // Gauges are finite; a negative one becomes 0.
    snapshot.gauge(gauge) as u64
}

/// The sum of a gauge over all its labels.
fn total(snapshot: &MetricsSnapshot, gauge: Gauge) -> u64 {
    gauge.cells().map(|cell| whole(snapshot, cell)).sum()
}

/// `above / below`; `null` where nothing is below.
fn share(above: u64, below: u64) -> Value {
    if below == 0 { Value::Null } else { Value::from(above as f64 / below as f64) }
}
