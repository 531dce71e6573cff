//! The dashboard: a page, its style, its scripts. All of it is compiled in; nothing is fetched from elsewhere.
//!
//! The page knows its server by relative paths, so it works wherever a router is mounted. It holds no secret and is served to who
//! brings no token, to be able to ask for it; what it shows comes from paths that need one.

use super::answer::{self, Page};
use crate::dashboard::{ASSETS, Asset};
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;

/// The routes of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let route = |router: Router<S>, asset: &'static Asset| {
        router.route(asset.path, get(move |headers: HeaderMap| async move { serve(asset, &headers) }))
    };
    ASSETS.iter().fold(Router::new(), route)
}

/// Whether this is the path of the page or of a part of it.
pub(super) fn has(path: &str) -> bool {
    ASSETS.iter().any(|asset| asset.path == path)
}

fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let mut response = answer::constant(headers, asset.content_type, asset.text.as_bytes(), &asset.packed);
    response.extensions_mut().insert(Page);
    response
}
