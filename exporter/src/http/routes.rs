//! What is answered.
//!
//! | path | answer |
//! | --- | --- |
//! | `/metrics`, `/api/v1/metrics` | Prometheus text 0.0.4 |
//! | `/metrics.json` | the JSON snapshot |
//! | `/livez` | `ok` while the server runs |
//! | `/` | this list |
//!
//! The routes are fixed, matched exactly, and only read: GET and HEAD, else 405. No path reaches the file system. A
//! request with a body is refused (400), since none of these takes one and what is not read cannot be smuggled. Every
//! answer carries the headers that keep a browser from doing anything with it, and none that lets another site read it.

use crate::formats::{json, text};
use crate::sources::Sources;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

const INDEX: &str = "\
Bettong metrics

/metrics          Prometheus text
/api/v1/metrics   the same
/metrics.json     JSON snapshot
/livez            liveness
";

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, "default-src 'self'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// All routes over `sources`.
pub(crate) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/metrics", get(metrics))
        .route("/metrics.json", get(metrics_json))
        .route("/livez", get(|| async { plain(StatusCode::OK, "ok\n") }))
        .route("/", get(|| async { plain(StatusCode::OK, INDEX) }))
        .fallback(|| async { plain(StatusCode::NOT_FOUND, "not found\n") })
        .method_not_allowed_fallback(|| async {
            plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        })
        .with_state(Arc::new(sources))
        .layer(middleware::from_fn(refuse_body))
        .layer(middleware::map_response(add_security_headers))
}

async fn metrics(State(sources): State<Arc<Sources>>) -> Response {
    answer(StatusCode::OK, text::CONTENT_TYPE, Bytes::from_owner(Shared(sources.text(&sources.snapshots(), &[]))))
}

/// A text that is sent without being copied.
struct Shared(Arc<String>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

async fn metrics_json(State(sources): State<Arc<Sources>>) -> Response {
    answer(StatusCode::OK, json::CONTENT_TYPE, sources.json())
}

fn plain(status: StatusCode, body: &'static str) -> Response {
    answer(status, PLAIN_TEXT, body)
}

fn answer(status: StatusCode, content_type: &'static str, body: impl IntoResponse) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

async fn refuse_body(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let lengths = headers.get_all(CONTENT_LENGTH);
    if headers.contains_key(TRANSFER_ENCODING) || lengths.iter().any(|length| length != "0") {
        let mut refusal = plain(StatusCode::BAD_REQUEST, "a request has no body here\n");
        refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return refusal;
    }
    next.run(request).await
}

async fn add_security_headers(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
