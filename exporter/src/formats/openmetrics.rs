//! OpenMetrics text, version 1.0.0: what Prometheus asks for unless it is told otherwise.
//!
//! ```text
//! # TYPE db_wal_written_bytes counter
//! # UNIT db_wal_written_bytes bytes
//! # HELP db_wal_written_bytes Bytes appended to the write-ahead log, framing included
//! db_wal_written_bytes_total{db="orders"} 42
//! # EOF
//! ```
//! Beside the [text format](super::text):
//! - A counter's family is named without `_total`, its sample with it.
//! - `# UNIT` follows where the family's name ends in its unit; elsewhere OpenMetrics forbids it.
//! - The labels `le` and `quantile` are canonical numbers: `1.0`, `1.023e-06`.
//! - A counter `app_x_total` of the application's beside another family `app_x` is of type `unknown`: the format takes both
//!   for one family otherwise. So is `app_x_count_total`, and whatever else looks like a sample of `app_x`.
//! - `# EOF` ends the text. Who does not find it has read a part only.
//!
//! What is left out, and why:
//! - Exemplars: nothing records a trace beside a latency, so there is none to show.
//! - `_created`: a registry keeps no time of day for its beginning, and a server makes a series of each of these lines,
//!   which would double those of counters.
//! - Comments, which the format does not have: where two databases disagree about the kind or unit of a family of the
//!   application's, the first is shown and the others are left out.
//!
//! Source: OpenMetrics 1.0.0 (`prometheus/OpenMetrics`, "OpenMetrics, a cloud-native, highly scalable metrics protocol").

use super::exposition::{Dialect, Style, draft};
use super::profile::Profile;
use bettong_metrics::MetricsSnapshot;

/// The `Content-Type` of the format.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The `Content-Type` for those that know version 0.0.1 alone. What is written here is the same in both.
pub const CONTENT_TYPE_0_0_1: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";

/// One database's snapshot as text. Who does this often has a [`Renderer`](super::Renderer::open_metrics).
///
/// # Examples
/// ```
/// let registry = bettong_metrics::Registry::new("orders");
/// let text = bettong_exporter::formats::openmetrics::render(&registry.snapshot());
/// assert!(text.contains("# TYPE db_get_operations counter\n"));
/// assert!(text.contains("db_get_operations_total{db=\"orders\"} 0\n"));
/// assert!(text.ends_with("# EOF\n"));
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
    draft(snapshots, &Style { dialect: Dialect::OpenMetrics, profile, ..Style::default() })
}

/// What the exporter says of itself, and nothing else.
pub(crate) fn render_own(own: &[super::own::OwnFamily]) -> String {
    super::exposition::draft_own(own, &Style { dialect: Dialect::OpenMetrics, ..Style::default() })
}
