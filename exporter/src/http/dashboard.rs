//! The dashboard: a page, its style, its scripts. All of it is compiled in; nothing is fetched from elsewhere.
//!
//! The page knows its server by relative paths, so it works wherever a router is mounted. It holds no secret and is served to who
//! brings no token, to be able to ask for it; what it shows comes from paths that need one.

use super::answer::{self, Page};
use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use std::sync::OnceLock;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml; charset=utf-8";

/// One file.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    /// The same in gzip, once somebody has asked.
    packed: OnceLock<Option<Bytes>>,
}

macro_rules! assets {
    ($($path:literal $content_type:ident $file:literal;)+) => {
        [$(Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../dashboard/", $file)),
            packed: OnceLock::new(),
        }),+]
    };
}

static ASSETS: [Asset; ASSET_COUNT] = assets! {
    "/dashboard" HTML "index.html";
    "/dashboard/app.css" CSS "app.css";
    "/dashboard/uplot.css" CSS "vendor/uPlot.min.css";
    "/dashboard/uplot.js" SCRIPT "vendor/uPlot.iife.min.js";
    "/dashboard/app.js" SCRIPT "app.js";
    "/dashboard/advisor.js" SCRIPT "advisor.js";
    "/dashboard/charts.js" SCRIPT "charts.js";
    "/dashboard/dom.js" SCRIPT "dom.js";
    "/dashboard/format.js" SCRIPT "format.js";
    "/dashboard/latency.js" SCRIPT "latency.js";
    "/dashboard/overview.js" SCRIPT "overview.js";
    "/dashboard/space.js" SCRIPT "space.js";
    "/dashboard/store.js" SCRIPT "store.js";
    "/dashboard/system.js" SCRIPT "system.js";
    "/dashboard/traffic.js" SCRIPT "traffic.js";
    "/dashboard/tree.js" SCRIPT "tree.js";
    "/dashboard/favicon.svg" SVG "favicon.svg";
};
const ASSET_COUNT: usize = 17;

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
    let mut response = answer::constant(headers, asset.content_type, asset.bytes, &asset.packed);
    response.extensions_mut().insert(Page);
    response
}
