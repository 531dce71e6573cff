//! `bettong health`: of a directory, of a server, and what plugins of Nagios exit with.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::tool::{Place, run};

/// A server that answers this once.
fn server(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            request.extend_from_slice(&byte);
        }
        assert!(request.starts_with(b"GET /health HTTP/1.1\r\n"));
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}

fn check(name: &str, status: &str, message: &str, details: &str) -> String {
    format!(
        "\"{name}\":{{\"name\":\"{name}\",\"status\":\"{status}\",\"message\":\"{message}\",\"details\":{{{details}}}}}"
    )
}

#[test]
fn a_database_that_nobody_has_open_is_checked_where_it_lies() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let shown = place.run(&["health", "--json"]);
    let health = shown.json();
    assert_eq!(
        health["checks"]["storage"]["message"], "Database is responsive, and open for reading only",
        "{shown:?}"
    );
    assert_eq!(health["checks"]["storage"]["details"]["entries"], 1);
    let text = place.run(&["health"]);
    assert!(text.text().contains("storage"), "{text:?}");
    // What is free on this disk is not for this test to say.
    let line = place.run(&["health", "--nagios"]);
    assert!(line.text().starts_with("BETTONG ") && line.text().lines().count() == 1, "{line:?}");
    place.run(&["get", "k"]).expect(0);
}

#[test]
fn nagios_is_told_by_the_exit_code() {
    let storage = check("storage", "critical", "Cannot write to database", "\"reason\":\"a | b\\u001b[31m\"");
    let disk = check("disk", "degraded", "Low disk space", "");
    for (status, body, code, line) in [
        (
            "200 OK",
            format!("{{\"status\":\"healthy\",\"checks\":{{{}}}}}", check("cpu", "healthy", "x", "")),
            0,
            "BETTONG OK - healthy | checks=1 unwell=0\n",
        ),
        ("200 OK", "{\"status\":\"ok\"}".to_owned(), 0, "BETTONG OK - ok | checks=0 unwell=0\n"),
        (
            "200 OK",
            format!("{{\"status\":\"degraded\",\"checks\":{{{disk}}}}}"),
            1,
            "BETTONG WARNING - disk: Low disk space | checks=1 unwell=1\n",
        ),
        (
            "503 Service Unavailable",
            format!("{{\"status\":\"critical\",\"checks\":{{{storage},{disk}}}}}"),
            2,
            "BETTONG CRITICAL - disk: Low disk space; storage: Cannot write to database (a / b?[31m) | checks=2 unwell=2\n",
        ),
        (
            "200 OK",
            "{\"status\":\"unknown\"}".to_owned(),
            3,
            "BETTONG UNKNOWN - unknown | checks=0 unwell=0\n",
        ),
    ] {
        let run = run(["health", &server(status, &body), "--nagios"]).expect(code);
        assert_eq!(run.text(), line);
    }
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let down = run(["health", &gone, "--nagios"]).expect(2);
    assert!(down.text().starts_with("BETTONG CRITICAL - cannot ask http://"), "{down:?}");
    let strange = run(["health", &server("200 OK", "<html>"), "--nagios"]).expect(3);
    assert!(strange.text().starts_with("BETTONG UNKNOWN - "), "{strange:?}");
    run(["health", "ftp://x", "--nagios"]).expect(3);
}

#[test]
fn people_see_each_check_and_scripts_whether_something_fails() {
    let storage = check("storage", "unhealthy", "Data integrity issue", "\"reason\":\"000007.sst\"");
    let body = format!("{{\"status\":\"unhealthy\",\"checks\":{{{storage}}}}}");
    let shown = run(["health", &server("503 Service Unavailable", &body)]).expect(1);
    assert_eq!(shown.text(), "unhealthy\n  storage  unhealthy  Data integrity issue (000007.sst)\n");
    let json = run(["health", &server("200 OK", "{\"status\":\"degraded\"}\n"), "--json"]).expect(0);
    assert_eq!(json.text(), "{\"status\":\"degraded\"}\n");
    run(["health", "ftp://x"]).expect(2);
}
