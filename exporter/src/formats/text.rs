//! The Prometheus text format, version 0.0.4.
//!
//! ```text
//! # HELP db_get_results_total Gets by what they found
//! # TYPE db_get_results_total counter
//! db_get_results_total{db="orders",result="hit"} 42
//! ```
//! Each family appears once, with the series of all databases below its header. The label `db` comes first. Values are
//! in base units (seconds, bytes), as the names say. The families of the embedding application follow, sorted by name;
//! where two databases disagree about the kind or unit of one, the first is shown and a comment names the others.
//!
//! Source: Prometheus, "Exposition formats".

use super::exposition::{Dialect, Style, draft};
use super::profile::Profile;
use bettong_metrics::MetricsSnapshot;

pub use super::exposition::Renderer;

/// The `Content-Type` of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One database's snapshot as text. Who does this often has a [`Renderer`].
///
/// # Examples
/// ```
/// let registry = bettong_metrics::Registry::new("orders");
/// let text = bettong_exporter::formats::text::render(&registry.snapshot());
/// assert!(text.contains("db_get_operations_total{db=\"orders\"} 0\n"));
/// ```
pub fn render(snapshot: &MetricsSnapshot) -> String {
    render_all(std::slice::from_ref(snapshot))
}

/// The snapshots of several databases as one text. Their names must differ: the label `db` tells their series apart.
pub fn render_all(snapshots: &[MetricsSnapshot]) -> String {
    render_profile(snapshots, Profile::Standard)
}

/// The same, with the series of a profile.
pub fn render_profile(snapshots: &[MetricsSnapshot], profile: Profile) -> String {
    draft(snapshots, &Style { dialect: Dialect::Prometheus, profile, ..Style::default() })
}

/// What the exporter says of itself, and nothing else.
pub(crate) fn render_own(own: &[super::own::OwnFamily]) -> String {
    super::exposition::draft_own(own, &Style { dialect: Dialect::Prometheus, ..Style::default() })
}
