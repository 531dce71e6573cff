//! What the fuzz target `http` runs, and the unit tests over its corpus: any bytes are a request that is answered as
//! `docs/exporter.md` says, a refusal, or not enough.

use super::app::Settings;
use super::head::{HEAD_BYTES_MAX, Progress, examine};
use super::routes::router;
use crate::health::HealthMonitor;
use crate::sources::Sources;
use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response};
use bettong_metrics::{Measure, Registry};
use hyper_util::service::TowerToHyperService;
use std::sync::OnceLock;

/// Statuses that a request may be answered with once its head was let pass.
const STATUSES: [u16; 6] = [200, 400, 403, 404, 405, 503];

/// Reads a request, in one piece and byte by byte, and answers it if it is one.
///
/// # Panics
/// If a promise is broken.
pub fn http(input: &[u8]) {
    let whole = examine(input);
    let cut = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |at| at + 1);
    let early = examine(input.get(..cut).unwrap_or_default());
    // What is decided is not undone by more bytes.
    assert!(early == Ok(Progress::Partial) || early == whole, "{early:?}, then {whole:?}");
    let Ok(Progress::Complete(bytes)) = whole else { return };
    assert!(bytes <= input.len() && bytes <= HEAD_BYTES_MAX, "{bytes} of {}", input.len());
    let head = input.get(..bytes).unwrap_or_default();
    assert_eq!(examine(head), whole, "what follows a head does not matter");
    #[expect(clippy::expect_used, reason = "a panic is how a fuzz target reports")]
    let request = request(head).expect("the library takes what was let pass");
    // Measuring takes seconds.
    if request.uri().path() == "/api/v1/performance" && request.uri().query().is_some() {
        return;
    }
    check(&answer(request));
}

fn check(response: &Response<Body>) {
    let status = response.status().as_u16();
    assert!(STATUSES.contains(&status), "{status}");
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    assert!(
        status == 200 || kind.starts_with("application/json") || kind.starts_with("text/plain"),
        "{kind}"
    );
    assert!(response.headers().get("x-content-type-options").is_some_and(|value| value == "nosniff"));
}

/// The request of a head that was let pass, as far as the library takes it.
fn request(head: &[u8]) -> Option<Request<Body>> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut request = Request::builder().method(method).uri(target);
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        request = request.header(name, value.get(1..)?.trim_ascii());
    }
    request.body(Body::empty()).ok()
}

fn answer(request: Request<Body>) -> Response<Body> {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    let router = ROUTER.get_or_init(|| {
        let registry = Registry::new("orders");
        registry.set_gauge("app_size", 1.0, &[("kind", "x")]);
        // The only way to fail is a bad name.
        let _ = registry.histogram_of(Measure::Seconds, "app_wait_seconds", "Waits", &[("kind", "x")]);
        let mut sources = Sources::default();
        sources.add(registry);
        let health = std::sync::Arc::new(HealthMonitor::new().start(sources.registries()));
        router(Settings { sources, native_histograms: true, health, ..Settings::default() })
    });
    let service = TowerToHyperService::new(router.clone());
    #[expect(clippy::expect_used, reason = "a panic is how a fuzz target reports")]
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    match runtime.block_on(hyper::service::Service::call(&service, request)) {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_breaks_no_promise() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/http");
        let files = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        let inputs: Vec<_> = files.map(|path| std::fs::read(path).unwrap()).collect();
        assert!(inputs.len() >= 8, "{}", inputs.len());
        inputs.iter().for_each(|input| http(input));
        // They are no use unless some get as far as a path.
        let complete = inputs.iter().filter(|input| matches!(examine(input), Ok(Progress::Complete(_))));
        assert!(complete.count() >= 6);
    }
}
