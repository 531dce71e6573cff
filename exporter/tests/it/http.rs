//! The server through a real socket, spoken to by a client that knows nothing of its libraries.

use crate::client::{ask, exchange};
use crate::exposition::parse;
use crate::fixture;
use bettong_exporter::{Error, Exporter, Server};
use std::net::{SocketAddr, TcpListener, TcpStream};

fn start() -> Server {
    Exporter::new(fixture::filled("orders")).listen("127.0.0.1:0").unwrap()
}

#[test]
fn each_endpoint_answers_in_its_format() {
    let server = start();
    for path in ["/metrics", "/api/v1/metrics", "/metrics?name[]=x"] {
        let answer = ask(&server, "GET", path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(parse(&answer.body).len() > 100);
    }
    let json = ask(&server, "GET", "/metrics.json");
    assert_eq!(json.header("content-type"), Some("application/json; charset=utf-8"));
    let value: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!((&value["database"], &value["schema_version"]), (&"orders".into(), &1.into()));
    assert_eq!(ask(&server, "GET", "/livez").body, "ok\n");
    assert!(ask(&server, "GET", "/").body.contains("/metrics.json"));
}

/// They share what was prepared, but a server shows its own series as well: a debug build panicked, and lost the connection's place.
#[test]
fn an_exporter_renders_beside_its_own_server() {
    let exporter = Exporter::new(fixture::filled("orders"));
    let text = exporter.text();
    let server = exporter.clone().listen("127.0.0.1:0").unwrap();
    for _ in 0..2 {
        let served = ask(&server, "GET", "/metrics");
        assert!(served.body.contains("db_exporter_requests_total") && served.body.len() > text.len());
        assert_eq!(exporter.text().lines().count(), text.lines().count());
        assert!(exporter.open_metrics().ends_with("# EOF\n"));
    }
}

#[test]
fn what_is_not_served_is_not_found() {
    let server = start();
    for path in ["/nothing", "/metrics/", "//metrics", "/METRICS", "/../etc/passwd", "/%2e%2e/etc/passwd"] {
        assert_eq!(ask(&server, "GET", path).status, 404, "{path}");
    }
}

#[test]
fn head_answers_without_a_body_and_with_its_length() {
    let server = start();
    let answer = ask(&server, "HEAD", "/metrics");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(answer.header("content-length").unwrap().parse::<usize>().unwrap() > 10_000);
}

#[test]
fn other_methods_are_not_allowed_and_told_what_is() {
    let server = start();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let answer = ask(&server, method, "/metrics");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method}");
    }
}

#[test]
fn a_request_with_a_body_is_refused() {
    let server = start();
    for header in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let body = if header.starts_with('C') { "hello" } else { "0\r\n\r\n" };
        let request = format!("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n\r\n{body}");
        let answer = exchange(server.local_addr(), &request);
        assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{header}");
    }
}

#[test]
fn every_answer_is_safe_to_show_and_no_other_site_may_read_it() {
    let server = start();
    for (method, path) in [("GET", "/metrics"), ("GET", "/nothing"), ("POST", "/metrics"), ("HEAD", "/livez")]
    {
        let answer = ask(&server, method, path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'self'; frame-ancestors 'none'")
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
        assert!(answer.header("content-type").is_some());
    }
}

#[test]
fn a_connection_serves_several_requests() {
    let server = start();
    let request = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let answer = exchange(server.local_addr(), &[request, request, last].concat());
    assert_eq!(answer.body.matches("HTTP/1.1 200").count(), 2);
}

#[test]
fn stopping_and_dropping_free_the_port() {
    for stop in [true, false] {
        let server = start();
        let address = server.local_addr();
        // An idle connection must not hold the server up.
        let idle = TcpStream::connect(address).unwrap();
        if stop {
            server.stop();
        } else {
            drop(server);
        }
        let again = Exporter::new(fixture::filled("orders")).listen(address).unwrap();
        assert_eq!(again.local_addr(), address);
        drop(idle);
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Exporter::new(fixture::filled("orders")).listen(address).unwrap_err();
    assert!(matches!(&error, Error::Bind { address: named, .. } if *named == address.to_string()));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn an_address_that_is_none_is_an_error_that_names_it() {
    let error = Exporter::new(fixture::filled("orders")).listen("nowhere").unwrap_err();
    assert!(matches!(&error, Error::Bind { address, .. } if address == "nowhere"), "{error}");
}

#[test]
fn other_machines_are_let_in_only_when_asked_for() {
    let exporter = Exporter::new(fixture::filled("orders"));
    let error = exporter.clone().listen("0.0.0.0:0").unwrap_err();
    assert!(matches!(error, Error::NotLoopback(_)), "{error}");
    let server = exporter.allow_any_address().listen("0.0.0.0:0").unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.local_addr().port()));
    assert_eq!(
        exchange(address, "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").status,
        200
    );
}
