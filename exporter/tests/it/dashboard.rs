//! The dashboard: its files, who gets them, and under which rules.

use crate::client::{Answer, ask, ask_with, get};
use crate::fixture;
use bettong_exporter::{Exporter, Secret, Server};
use std::collections::BTreeSet;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// All files together, packed, with the page that names them.
const BUDGET_BYTES: usize = 80_000;

fn start() -> Server {
    Exporter::new(fixture::filled("orders")).listen("127.0.0.1:0").unwrap()
}

/// What stands between quotes behind `before`.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split(['"', '\'']).next().unwrap()).collect()
}

/// The page and everything it loads, found by reading it.
fn files(server: &Server) -> Vec<(String, Answer)> {
    let page = get(server, "/dashboard");
    let mut paths: BTreeSet<String> = BTreeSet::new();
    for before in ["href=\"dashboard/", "src=\"dashboard/"] {
        paths.extend(quoted(&page.body, before).into_iter().map(str::to_owned));
    }
    let mut waiting: Vec<String> = paths.iter().cloned().collect();
    let mut found = vec![("/dashboard".to_owned(), page)];
    while let Some(name) = waiting.pop() {
        let path = format!("/dashboard/{name}");
        let file = get(server, &path);
        assert_eq!(file.status, 200, "{path}");
        for import in quoted(&file.body, "from './") {
            if paths.insert(import.to_owned()) {
                waiting.push(import.to_owned());
            }
        }
        found.push((path, file));
    }
    found
}

#[test]
fn the_page_and_its_parts_are_served_under_a_strict_policy() {
    let server = start();
    let files = files(&server);
    assert!(files.len() >= 15, "{}", files.len());
    for (path, file) in &files {
        assert_eq!(file.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("x-frame-options"), Some("DENY"));
        assert_eq!(file.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(file.header("cache-control"), Some("no-store"));
        let expected = match path.rsplit_once('.').map_or("", |(_, end)| end) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(file.header("content-type"), Some(expected), "{path}");
    }
    // Others keep the policy of documents.
    let document = get(&server, "/api/v1/info");
    assert_eq!(
        document.header("content-security-policy"),
        Some("default-src 'self'; frame-ancestors 'none'")
    );
}

#[test]
fn the_dashboard_is_under_80_kb_packed() {
    let server = start();
    let packed = |path: &str| {
        let file = ask_with(&server, "GET", path, "Accept-Encoding: gzip\r\n");
        assert!(file.bytes.len() < 1_024 || file.header("content-encoding") == Some("gzip"), "{path}");
        file.bytes.len()
    };
    let sizes: Vec<_> = files(&server).into_iter().map(|(path, _)| (packed(&path), path)).collect();
    let all: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
    assert!(all < BUDGET_BYTES, "{all} bytes: {sizes:?}");
    assert!(all > BUDGET_BYTES / 4, "something is missing: {sizes:?}");
}

#[test]
fn e14_no_script_writes_markup_and_nothing_comes_from_elsewhere() {
    let server = start();
    for (path, file) in files(&server) {
        // The namespace of SVG is a name, not an address.
        let body = file.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!body.contains("http://") && !body.contains("//cdn"), "{path}");
        // uPlot's own comment names its home.
        assert!(path.ends_with("/uplot.js") || !body.contains("https://"), "{path}");
        for markup in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
        ] {
            assert!(!body.contains(markup), "{path}: {markup}");
        }
        if path == "/dashboard" {
            assert!(!body.contains("style=") && !body.contains("onclick=") && !body.contains("<style"));
            let scripts = body.matches("<script").count();
            assert_eq!(scripts, body.matches("<script src=").count(), "a script in the page");
        }
    }
}

#[test]
fn e3_e4_e5_the_page_is_read_by_exact_paths_and_not_from_other_sites() {
    let server = start();
    for path in [
        "/dashboard/",
        "/dashboard/x.js",
        "/dashboard/../metrics",
        "/dashboard/%2e%2e/metrics",
        "/dashboardx",
    ] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
    assert_eq!(ask(&server, "POST", "/dashboard").status, 405);
    let head = ask(&server, "HEAD", "/dashboard");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let foreign = ask_with(&server, "GET", "/dashboard", "Sec-Fetch-Site: cross-site\r\n");
    assert_eq!(foreign.status, 403);
    let foreign = ask_with(&server, "GET", "/api/v1/live", "Sec-Fetch-Site: cross-site\r\n");
    assert_eq!(foreign.status, 403);
}

#[test]
fn e11_the_page_is_open_where_a_token_is_needed_and_what_it_shows_is_not() {
    let server = Exporter::new(fixture::filled("orders"))
        .bearer_token(Secret::new("sesame"))
        .listen("127.0.0.1:0")
        .unwrap();
    for path in ["/dashboard", "/dashboard/app.js", "/dashboard/uplot.js"] {
        let page = get(&server, path);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("orders"), "{path}");
    }
    for path in ["/api/v1/history", "/api/v1/live", "/metrics.json", "/events", "/dashboard/nothing"] {
        assert_eq!(get(&server, path).status, 401, "{path}");
        let authorized = ask_with(&server, "HEAD", path, "Authorization: Bearer sesame\r\n").status;
        assert_eq!(authorized, if path == "/dashboard/nothing" { 404 } else { 200 }, "{path}");
    }
}

#[test]
fn without_json_there_is_no_dashboard() {
    let variables = [("BETTONG_METRICS_JSON_API_ENABLED", "false"), ("BETTONG_METRICS_PORT", "0")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = bettong_exporter::Config::default().variables(variables).unwrap();
    let exporter = Exporter::new(fixture::filled("orders")).config(&config).unwrap();
    let server = exporter.start().unwrap().unwrap();
    for path in ["/dashboard", "/dashboard/app.js", "/api/v1/history", "/api/v1/live"] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
}
