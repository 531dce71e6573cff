//! Snapshots as text: one file for each format, and what they share.

mod edges;
mod labels;
mod custom;
mod activity;
pub mod text;
pub mod json;

/// `raw` in exported units. Correctly rounded for values below 2⁵³, which is 104 days in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "the formats print floating-point numbers")]
fn scaled(raw: u64, raw_per_unit: u64) -> f64 {
    raw as f64 / raw_per_unit as f64
}
