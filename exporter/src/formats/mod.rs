//! Snapshots as text and bytes: one file for each format, and what they share. Each is a function of snapshots alone.

pub mod profile;
mod global;
mod edges;
mod labels;
mod custom;
pub(crate) mod own;
mod activity;
mod exposition;
pub mod text;
pub mod openmetrics;
#[cfg(feature = "protobuf")]
pub mod protobuf;
#[cfg(feature = "prometheus-client")]
pub(crate) mod client;
pub mod budget;
pub mod json;
pub mod table;
pub mod api;

#[cfg(feature = "http")]
pub(crate) use activity::activity_json;
#[cfg(feature = "metrics")]
pub(crate) use custom::QUANTILES;
pub use exposition::Renderer;
pub use global::GlobalLabels;
pub use profile::Profile;

/// `raw` in exported units. Correctly rounded for values below 2⁵³, which is 104 days in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "the formats print floating-point numbers")]
fn scaled(raw: u64, raw_per_unit: u64) -> f64 {
    raw as f64 / raw_per_unit as f64
}
