//! What a router does when there is too much to do, wherever it is mounted.

use super::super::app::SCRAPES_MAX;
use super::*;
use crate::sources::Sources;
use axum::http::Method;
use axum::http::header::RETRY_AFTER;
use hyper_util::service::TowerToHyperService;

/// The answer of a router to GET, without a server.
fn get_from(router: &Router, path: &str) -> Response {
    let request = Request::builder().method(Method::GET).uri(path).body(Body::empty()).unwrap();
    let service = TowerToHyperService::new(router.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    match runtime.block_on(hyper::service::Service::call(&service, request)) {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[test]
fn e8_documents_under_way_are_few_and_others_are_told_to_come_again() {
    let mut sources = Sources::default();
    sources.add(Registry::new("orders"));
    let health = Arc::new(crate::health::HealthMonitor::new().start(sources.registries()));
    let settings = Settings { sources, native_histograms: true, health, ..Settings::default() };
    let app = Arc::new(App::new(settings));
    let router = router_of(Arc::clone(&app));
    let documents = ["/metrics", "/metrics.json", "/api/v1/performance", "/api/v1/levels", "/api/v1/slow"];
    // An answer that nobody has sent yet holds its permit.
    let mut held: Vec<_> = (0..SCRAPES_MAX).map(|_| get_from(&router, "/metrics")).collect();
    assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
    for path in documents {
        let answer = get_from(&router, path);
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "1");
    }
    assert_eq!(get_from(&router, "/livez").status(), StatusCode::OK, "a probe is no document");
    held.pop();
    for path in documents {
        assert_eq!(get_from(&router, path).status(), StatusCode::OK, "{path}");
    }
}
