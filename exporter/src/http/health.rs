//! What `/health` and `/api/v1/health` answer: what the checks found last. Nothing is checked for it.

use super::answer::{self, JSON};
use super::negotiate::{self, Format};
use crate::formats::{openmetrics, text};
use crate::health::{HealthReport, HealthStatus};
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, HeaderMap};
use axum::response::Response;

/// The path that who brings no token may ask, too. He is told one word.
pub(super) const OPEN: &str = "/health";

/// The mark of a request that is told one word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brief;

/// A load balancer should go elsewhere when something fails; that something is not known is no reason.
fn code(status: HealthStatus) -> StatusCode {
    if status.is_failing() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// One word: ok, degraded or unhealthy (E11).
pub(super) fn brief(status: HealthStatus) -> Response {
    let word = match status {
        HealthStatus::Healthy => "ok",
        HealthStatus::Degraded | HealthStatus::Unknown => "degraded",
        HealthStatus::Unhealthy | HealthStatus::Critical => "unhealthy",
    };
    answer::with_type(code(status), JSON, Body::from(format!("{{\"status\":\"{word}\"}}\n")))
}

/// The report as JSON; as metrics for those that ask for a format of Prometheus by name. A scrape is answered with 200 whatever it
/// says: a server would not take it in otherwise.
pub(super) fn full(report: &HealthReport, headers: &HeaderMap) -> Response {
    let accept = answer::list(headers, &ACCEPT);
    let format =
        if negotiate::names_text(&accept) { negotiate::format(&accept, false) } else { Format::Json };
    let (content_type, body) = match format {
        Format::Text => (text::CONTENT_TYPE, report.text()),
        Format::OpenMetrics => (openmetrics::CONTENT_TYPE, report.open_metrics()),
        Format::OpenMetrics001 => (openmetrics::CONTENT_TYPE_0_0_1, report.open_metrics()),
        Format::Protobuf | Format::Json => (JSON, format!("{}\n", report.json())),
    };
    let mut response = answer::document(headers, content_type, Bytes::from(body), None);
    if content_type == JSON {
        *response.status_mut() = code(report.status());
    }
    response
}
