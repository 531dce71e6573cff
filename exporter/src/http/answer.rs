//! How an answer is put together: its headers, its encoding, and what an error says.

use super::line::Permit;
use super::negotiate;
use super::query::BadParameter;
use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body as _, Frame, SizeHint};
use serde_json::{Value, json};
use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// The `Content-Type` of words.
pub(super) const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The `Content-Type` of JSON.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// What keeps a browser from doing anything with an answer but show it, and other sites from framing it (E13).
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, "default-src 'self'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// The same for the dashboard, which loads its own parts and asks its own server, and nobody else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What an answer that is part of the dashboard carries among its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page;

/// Below so many bytes an answer is sent as it is: it fits into one packet anyhow.
const GZIP_FROM: usize = 1_024;

/// Adds the headers that every answer has.
pub(super) fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if response.extensions_mut().remove::<Page>().is_some() {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    }
    response
}

/// An answer of words.
pub(super) fn plain(status: StatusCode, body: &'static str) -> Response {
    with_type(status, PLAIN_TEXT, Body::from(body))
}

/// An answer with a body.
pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An error that says what is wrong: `{"error":"…"}`.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    of_value(status, &json!({"error": message}))
}

/// An error that names the parameter: `{"error":"…","parameter":"…"}`.
pub(super) fn bad_parameter(bad: &BadParameter) -> Response {
    let message = format!("parameter {} {}", bad.name, bad.message);
    of_value(StatusCode::BAD_REQUEST, &json!({"error": message, "parameter": bad.name}))
}

/// There is too much to do: to be asked again in a second.
pub(super) fn busy(message: &str) -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn of_value(status: StatusCode, value: &Value) -> Response {
    with_type(status, JSON, Body::from(format!("{value}\n")))
}

/// A document as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Document {
    content_type: &'static str,
    bytes: Bytes,
    is_packed: bool,
}

impl Document {
    /// A document, in gzip if the client takes that and it is worth it.
    pub(super) fn new(content_type: &'static str, bytes: Bytes, takes_gzip: bool) -> Self {
        let wanted = takes_gzip && bytes.len() >= GZIP_FROM;
        Self::of(content_type, bytes, wanted, |bytes| gzip(bytes, Compression::fast()))
    }

    fn of(
        content_type: &'static str,
        bytes: Bytes,
        wanted: bool,
        pack: impl FnOnce(&[u8]) -> Option<Bytes>,
    ) -> Self {
        match wanted.then(|| pack(&bytes)).flatten() {
            Some(packed) => Self { content_type, bytes: packed, is_packed: true },
            None => Self { content_type, bytes, is_packed: false },
        }
    }

    /// What is sent.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// A document, in gzip if the client takes it. `permit` is given back when it is sent.
pub(super) fn document(
    headers: &HeaderMap,
    content_type: &'static str,
    bytes: Bytes,
    permit: Option<Permit>,
) -> Response {
    sent(Document::new(content_type, bytes, takes_gzip(headers)), permit)
}

/// A document that is the same for everybody: it is packed once, as small as can be, and kept in `packed`.
pub(super) fn constant(
    headers: &HeaderMap,
    content_type: &'static str,
    bytes: &'static [u8],
    packed: &OnceLock<Option<Bytes>>,
) -> Response {
    let wanted = bytes.len() >= GZIP_FROM && takes_gzip(headers);
    let pack = |bytes: &[u8]| packed.get_or_init(|| gzip(bytes, Compression::best())).clone();
    sent(Document::of(content_type, Bytes::from_static(bytes), wanted, pack), None)
}

/// Sends a document; `permit` is given back when that is done.
pub(super) fn sent(document: Document, permit: Option<Permit>) -> Response {
    let Document { content_type, bytes, is_packed } = document;
    let mut response = with_type(
        StatusCode::OK,
        content_type,
        Body::new(Sent { bytes: Some(bytes), _permit: permit.clone() }),
    );
    permit.into_iter().for_each(|permit| drop(response.extensions_mut().insert(permit)));
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if is_packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// All values of a header as one list.
pub(super) fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

/// Whether the client takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    negotiate::takes_gzip(&list(headers, &ACCEPT_ENCODING))
}

/// `None` if it cannot be done, which a vector in memory gives no reason for.
fn gzip(bytes: &[u8], compression: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), compression);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// A text that is sent without being copied.
pub(super) struct Shared(pub(super) Arc<String>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Bytes, and a permit that is given back when they are sent or nobody wants them any more.
struct Sent {
    bytes: Option<Bytes>,
    _permit: Option<Permit>,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// The size of a body, if it is known.
pub(super) fn size(response: &Response) -> Option<u64> {
    response.body().size_hint().exact()
}
