//! The files of the dashboard, all compiled in.

use axum::body::Bytes;
use std::sync::OnceLock;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml; charset=utf-8";

/// One file.
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) text: &'static str,
    /// The same in gzip, once somebody has asked.
    pub(crate) packed: OnceLock<Option<Bytes>>,
}

macro_rules! assets {
    ($($path:literal $content_type:ident $file:literal;)+) => {
        [$(Asset {
            path: $path,
            content_type: $content_type,
            text: include_str!(concat!("../../dashboard/", $file)),
            packed: OnceLock::new(),
        }),+]
    };
}

/// All that a server serves.
pub(crate) static ASSETS: [Asset; ASSET_COUNT] = assets! {
    "/dashboard" HTML "index.html";
    "/dashboard/app.css" CSS "app.css";
    "/dashboard/uplot.css" CSS "vendor/uPlot.min.css";
    "/dashboard/uplot.js" SCRIPT "vendor/uPlot.iife.min.js";
    "/dashboard/app.js" SCRIPT "app.js";
    "/dashboard/advisor.js" SCRIPT "advisor.js";
    "/dashboard/charts.js" SCRIPT "charts.js";
    "/dashboard/database.js" SCRIPT "database.js";
    "/dashboard/dom.js" SCRIPT "dom.js";
    "/dashboard/format.js" SCRIPT "format.js";
    "/dashboard/latency.js" SCRIPT "latency.js";
    "/dashboard/options.js" SCRIPT "options.js";
    "/dashboard/overview.js" SCRIPT "overview.js";
    "/dashboard/space.js" SCRIPT "space.js";
    "/dashboard/store.js" SCRIPT "store.js";
    "/dashboard/system.js" SCRIPT "system.js";
    "/dashboard/traffic.js" SCRIPT "traffic.js";
    "/dashboard/tree.js" SCRIPT "tree.js";
    "/dashboard/values.js" SCRIPT "values.js";
    "/dashboard/work.js" SCRIPT "work.js";
    "/dashboard/favicon.svg" SVG "favicon.svg";
};
const ASSET_COUNT: usize = 21;

/// The text of a file, by the last part of its path.
pub(super) fn text(name: &str) -> &'static str {
    let mut all = ASSETS.iter();
    let found = all.find(|asset| asset.path.strip_prefix("/dashboard/") == Some(name));
    debug_assert!(found.is_some(), "there is no {name}");
    found.map_or("", |asset| asset.text)
}
