//! The rules E1 to E23 of `docs/exporter.md` that concern HTTP, as far as a client can see them. Those about time are in
//! `http/server/tests.rs`, where nobody has to wait for half a minute.

use crate::client::{Answer, ask, ask_with, connect, exchange, get, raw};
use crate::exposition::parse;
use crate::{custom, fixture, logged};
use bettong_exporter::{Error, Exporter, Secret, Server};
use bettong_metrics::{Counter, Registry};
use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const PATHS: [&str; 20] = [
    "/",
    "/health",
    "/api/v1/health",
    "/metrics",
    "/api/v1/metrics",
    "/metrics.json",
    "/schema/metrics.json",
    "/livez",
    "/readyz",
    "/events",
    "/api/v1/performance",
    "/api/v1/levels",
    "/api/v1/values",
    "/api/v1/events",
    "/api/v1/slow",
    "/api/v1/errors",
    "/api/v1/readers",
    "/api/v1/hdr",
    "/api/v1/config",
    "/api/v1/info",
];

fn start() -> Server {
    Exporter::new(fixture::filled("orders")).listen("127.0.0.1:0").unwrap()
}

#[test]
fn e1_other_machines_are_let_in_only_when_asked_for_and_with_a_warning() {
    let exporter = Exporter::new(fixture::filled("orders"));
    for address in ["0.0.0.0:0", "[::]:0"] {
        let error = exporter.clone().listen(address).unwrap_err();
        assert!(matches!(error, Error::NotLoopback(_)), "{error}");
    }
    logged::listen();
    let warnings = |server: &Server| {
        let port = format!(":{} ", server.local_addr().port());
        logged::lines(&["WARN ", &port])
    };
    assert_eq!(warnings(&exporter.clone().listen("127.0.0.1:0").unwrap()), Vec::<String>::new());
    let server = exporter.clone().allow_any_address().listen("0.0.0.0:0").unwrap();
    let said = warnings(&server).join("\n");
    assert!(said.contains("address=0.0.0.0:") && said.contains("without authentication"), "{said}");
    let secured = exporter.clone().allow_any_address().bearer_token(Secret::new("x"));
    let secured = secured.listen("0.0.0.0:0").unwrap();
    assert_eq!(warnings(&secured), Vec::<String>::new(), "with a token there is nothing to warn of");
    let address = SocketAddr::from(([127, 0, 0, 1], server.local_addr().port()));
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert_eq!(exchange(address, &request).status, 200);
}

#[test]
fn e2_a_server_answers_to_its_own_names_alone() {
    let server =
        Exporter::new(fixture::filled("orders")).allow_host("db1.example").listen("127.0.0.1:0").unwrap();
    let ask = |host: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(server.local_addr(), &request)
    };
    for host in ["127.0.0.1", "localhost:9464", "[::1]:9464", "10.1.2.3", "db1.example:80"] {
        assert_eq!(ask(host).status, 200, "{host}");
    }
    for host in ["attacker.example", "attacker.example:9464", "localhost.attacker.example", "x", ""] {
        let answer = ask(host);
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("db_get"), "{host}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn e3_no_other_site_reads_anything() {
    let server = start();
    for path in PATHS {
        let answer = ask_with(&server, "HEAD", path, "Origin: https://attacker.example\r\n");
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{path}");
        let refused =
            ask_with(&server, "GET", path, "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n");
        assert_eq!(refused.status, 403, "{path}");
    }
    for site in ["same-origin", "none"] {
        let headers = format!("Sec-Fetch-Site: {site}\r\n");
        assert_eq!(ask_with(&server, "GET", "/metrics", &headers).status, 200, "{site}");
    }
}

#[test]
fn e4_nothing_is_changed_by_any_method() {
    let server = start();
    for path in PATHS {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let answer = ask(&server, method, path);
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")), "{method} {path}");
        }
    }
    for path in ["/-/reload", "/-/quit", "/admin", "/debug/pprof/", "/api/v1/admin"] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
}

#[test]
fn e5_no_path_leads_out_of_the_table() {
    let server = start();
    for path in [
        "/../etc/passwd",
        "/..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/metrics/../../etc/passwd",
        "/metrics/",
        "//metrics",
        "/METRICS",
        "/metrics.json/",
        "/metrics%00",
        "/metrics;x=1",
        "/./metrics",
        "/schema/",
        "/schema/../metrics",
        "/api/v1/../v1/info",
        "/etc/passwd",
    ] {
        let answer = get(&server, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("root:"), "{path}");
    }
    // A whole address, an authority or an asterisk in place of a path is none.
    for target in
        ["http://127.0.0.1/metrics", "127.0.0.1:80", "*", "metrics", "/<x>", "/a\\b", "/a#b", "/\"", "/ä"]
    {
        assert_eq!(get(&server, target).status, 400, "{target}");
    }
}

/// Sends a request and makes sure that it has one answer, after which the server closes.
fn refused(server: &Server, request: &[u8], what: &str) -> Answer {
    // What follows would be answered, too, if anybody read on.
    let follower = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let bytes = raw(server.local_addr(), &[request, follower].concat());
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{what}: {text}");
    let answer = crate::client::parse(&bytes);
    assert_eq!(answer.header("connection"), Some("close"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert!(answer.json()["error"].is_string(), "{what}");
    answer
}

#[test]
fn e6_requests_are_small_and_have_no_body() {
    let server = start();
    let long = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "a".repeat(bytes));
    assert_eq!(refused(&server, long(9_000).as_bytes(), "line").status, 414);
    assert_eq!(refused(&server, long(200_000).as_bytes(), "endless line").status, 414);
    assert_eq!(get(&server, &format!("/{}", "a".repeat(8_000))).status, 404);
    let header = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {}\r\n\r\n", "y".repeat(40 << 10));
    assert_eq!(refused(&server, header.as_bytes(), "large header").status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n", "X: y\r\n".repeat(64));
    assert_eq!(refused(&server, many.as_bytes(), "many headers").status, 431);
    assert_eq!(ask_with(&server, "GET", "/livez", &"X: y\r\n".repeat(62)).status, 200);
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 18446744073709551616\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n{body}");
        assert_eq!(refused(&server, request.as_bytes(), body).status, 400, "{body}");
    }
    assert_eq!(ask_with(&server, "GET", "/livez", "Content-Length: 0\r\n").status, 200);
}

#[test]
fn e8_who_measures_for_seconds_keeps_no_scrape_waiting() {
    let server = Exporter::new(fixture::filled("orders")).listen("127.0.0.1:0").unwrap();
    let path = "/api/v1/performance?window=5";
    let mut waiting: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = connect(server.local_addr());
            let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    for path in [path, "/events"] {
        let answer = get(&server, path);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{path}");
    }
    for path in ["/metrics", "/metrics.json", "/api/v1/performance", "/livez"] {
        assert_eq!(get(&server, path).status, 200, "{path}");
    }
    for stream in &mut waiting {
        stream.set_nonblocking(true).unwrap();
        assert!(stream.peek(&mut [0]).is_err(), "they measure still");
        stream.set_nonblocking(false).unwrap();
    }
    for stream in &mut waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// A process with few file descriptors, which are all taken.
#[test]
fn e8_without_descriptors_the_server_waits_and_does_not_spin() {
    let test = std::env::current_exe().unwrap();
    let name = "security::in_a_process_with_few_descriptors";
    let script = format!("ulimit -n 64 && exec \"$0\" --exact {name} --ignored --nocapture");
    let output = Command::new("sh").arg("-c").arg(script).arg(test).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "part of e8_without_descriptors_the_server_waits_and_does_not_spin, which takes the descriptors away"]
fn in_a_process_with_few_descriptors() {
    let server = start();
    let mut stat = std::fs::File::open("/proc/self/stat").unwrap();
    // In ticks of a hundredth of a second.
    let mut processor_time = || -> u64 {
        let mut text = String::new();
        stat.seek(std::io::SeekFrom::Start(0)).unwrap();
        stat.read_to_string(&mut text).unwrap();
        let fields: Vec<_> = text.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < 1_000, "the limit is in force");
    }
    // The only descriptor left is the client's: the kernel has the connection, and the server cannot take it.
    taken.pop();
    // Others of the process open a file for a moment: who reads /proc has the descriptor just then.
    let mut tries = (0..1_000).map(|_| TcpStream::connect(server.local_addr()));
    let mut stream = tries
        .find_map(|tried| tried.map_err(|_| std::thread::sleep(Duration::from_millis(1))).ok())
        .expect("one descriptor is free");
    let request = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let before = processor_time();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    assert!(stream.read(&mut [0]).is_err(), "nobody can answer");
    let spent = processor_time() - before;
    assert!(spent < 20, "{spent} ticks in two seconds of waiting");
    drop(taken);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn e9_a_request_that_can_be_read_in_two_ways_is_not_read_at_all() {
    let server = start();
    let cases: [(&str, &[u8]); 28] = [
        ("bare LF", b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n"),
        ("bare LF in the headers", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n"),
        ("bare CR", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rb\r\n\r\n"),
        ("CR CR LF", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\r\n\r\n"),
        ("NUL in a value", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n"),
        ("NUL in the target", b"GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ("DEL", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: \x7f\r\n\r\n"),
        ("no host", b"GET / HTTP/1.1\r\nX: y\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ("two hosts in other letters", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nhOST: evil\r\n\r\n"),
        ("a folded header", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n\r\n"),
        ("a folded first header", b"GET / HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n"),
        ("a space before the colon", b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n"),
        ("no colon", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nnonsense\r\n\r\n"),
        ("no name", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n: x\r\n\r\n"),
        ("two lengths", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        ("a list of lengths", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0, 0\r\n\r\n"),
        ("a negative length", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n"),
        ("a signed length", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: +0\r\n\r\n"),
        ("both", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("an encoding with a tab", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding:\tchunked\r\n\r\n"),
        ("HTTP/1.0", b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"),
        ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n"),
        ("no version", b"GET /\r\nHost: 127.0.0.1\r\n\r\n"),
        ("a strange version", b"GET / HTTP/1.1x\r\nHost: 127.0.0.1\r\n\r\n"),
        ("two spaces", b"GET  / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ("an empty line first", b"\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ];
    for (what, request) in cases {
        assert_eq!(refused(&server, request, what).status, 400, "{what}");
    }
    // HTTP/2 begins with a request whose target is no path.
    assert_eq!(refused(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2").status, 400);
}

#[test]
fn e10_a_bad_request_behind_good_ones_has_one_answer_and_nothing_after_it_is_read() {
    let server = start();
    let good = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let bad = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 46\r\n\r\n";
    let smuggled = "GET /metrics.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let answers = raw(server.local_addr(), format!("{good}{good}{bad}{smuggled}").as_bytes());
    let answers = String::from_utf8(answers).unwrap();
    let statuses: Vec<_> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answers}");
    assert!(!answers.contains("schema_version"), "{answers}");
}

#[test]
fn e11_who_brings_no_token_or_a_wrong_one_learns_nothing() {
    let token = Secret::new("open sesame");
    let exporter = Exporter::new(fixture::filled("orders")).bearer_token(token);
    assert!(!format!("{exporter:?}").contains("sesame"), "{exporter:?}");
    let server = exporter.listen("127.0.0.1:0").unwrap();
    let mut refusals = Vec::new();
    for credentials in [
        "",
        "Authorization: Bearer open sesam\r\n",
        "Authorization: Bearer open sesame!\r\n",
        "Authorization: Bearer  open sesame\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Basic b3BlbiBzZXNhbWU=\r\n",
        "Authorization: open sesame\r\n",
        "Authorization: Bearer open sesame\r\nAuthorization: Bearer x\r\n",
        "X-Token: open sesame\r\n",
    ] {
        for path in
            PATHS.into_iter().chain(["/nothing"]).filter(|path| !path.ends_with('z') && *path != "/health")
        {
            let answer = ask_with(&server, "GET", path, credentials);
            assert_eq!(answer.status, 401, "{path} {credentials}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"bettong\""));
            refusals.push(answer.body);
        }
    }
    refusals.dedup();
    assert_eq!(refusals, ["{\"error\":\"authentication is needed\"}\n"]);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let credentials = format!("Authorization: {scheme} open sesame\r\n");
        let config = ask_with(&server, "GET", "/api/v1/config", &credentials);
        assert_eq!((config.status, &config.json()["exporter"]["authentication"]), (200, &"bearer".into()));
        assert!(!config.body.contains("sesame"));
        assert_eq!(ask_with(&server, "GET", "/nothing", &credentials).status, 404);
    }
    assert_eq!((get(&server, "/livez").body, get(&server, "/readyz").status), ("ok\n".to_owned(), 200));
}

#[cfg(feature = "basic-auth")]
#[test]
fn e11_a_name_and_its_password_are_let_in_and_nobody_else_learns_anything() {
    // As Apache's htpasswd writes it.
    let hash = bcrypt::hash("open sesame", 4).unwrap().replacen("$2b$", "$2y$", 1);
    let exporter =
        Exporter::new(fixture::filled("orders")).basic_auth("ada", &Secret::new(hash.clone())).unwrap();
    assert!(!format!("{exporter:?}").contains(&hash), "{exporter:?}");
    let server = exporter.clone().listen("127.0.0.1:0").unwrap();
    let basic = |words: &str| format!("Authorization: Basic {words}\r\n");
    // ada:open sesame, the same without its last letter, of another, of nobody, without a password, and no base64.
    let right = "YWRhOm9wZW4gc2VzYW1l";
    let wrong = [
        "YWRhOm9wZW4gc2VzYW0=",
        "ZXZlOm9wZW4gc2VzYW1l",
        "Om9wZW4gc2VzYW1l",
        "YWRhOg==",
        "YWRh",
        "ada:open sesame",
        "",
    ];
    let mut refusals = Vec::new();
    for credentials in
        wrong.map(basic).into_iter().chain([String::new(), "Authorization: Bearer open sesame\r\n".into()])
    {
        for path in ["/metrics", "/api/v1/config", "/nothing"] {
            let answer = ask_with(&server, "GET", path, &credentials);
            assert_eq!(answer.status, 401, "{path} {credentials}");
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"bettong\", charset=\"UTF-8\""));
            refusals.push(answer.body);
        }
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1);
    for _ in 0..2 {
        let config = ask_with(&server, "GET", "/api/v1/config", &basic(right));
        assert_eq!((config.status, &config.json()["exporter"]["authentication"]), (200, &"basic".into()));
        assert!(!config.body.contains(&hash));
        let shown = &config.json()["exporter"]["settings"]["basic_auth_hash"];
        assert_eq!((&shown["value"], &shown["source"]), (&"<secret>".into(), &"code".into()));
    }
    assert_eq!((get(&server, "/livez").status, get(&server, "/readyz").status), (200, 200));
    let both = exporter.bearer_token(Secret::new("token")).listen("127.0.0.1:0").unwrap();
    for credentials in [basic(right), "Authorization: Bearer token\r\n".to_owned()] {
        assert_eq!(ask_with(&both, "GET", "/metrics", &credentials).status, 200);
    }
    let refused = get(&both, "/metrics");
    let challenges = refused.headers.iter().filter(|(name, _)| name == "www-authenticate");
    assert_eq!((refused.status, challenges.count()), (401, 2));
}

#[test]
fn e13_every_answer_has_the_headers_that_keep_a_browser_from_harm() {
    let server = start();
    let answers = PATHS.iter().map(|path| ask(&server, "HEAD", path));
    let others = [get(&server, "/nothing"), ask(&server, "POST", "/metrics"), get(&server, "/api/v1/hdr")];
    for answer in answers.chain(others) {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{}", answer.status);
        }
        assert!(answer.header("content-type").is_some());
    }
}

#[test]
fn e15_nothing_that_others_chose_leaves_its_place_in_a_text() {
    let name = "a\\b \"c\"\nd=1,e}\u{202e}";
    let registry = Registry::new(name);
    registry.counter("app_a_total", "first\n# TYPE evil gauge\nevil 1", &[("x", "\"} 1\nevil 2\n")]).unwrap();
    for bad in ["a b", "a\nb", "a{}", "1a", "a-b", ""] {
        assert!(registry.counter(&format!("{bad}_total\n"), "", &[]).is_err(), "{bad:?}");
        assert!(registry.counter("app_b_total", "", &[(bad, "x")]).is_err(), "{bad:?}");
    }
    let server = Exporter::new(registry).listen("127.0.0.1:0").unwrap();
    let families = parse(&get(&server, "/metrics").body);
    let family = families.iter().find(|family| family.name == "app_a_total").unwrap();
    assert_eq!(
        family.samples[0].labels,
        BTreeMap::from([("db".into(), name.into()), ("x".into(), "\"} 1\nevil 2\n".into())])
    );
    assert!(families.iter().all(|family| family.name != "evil"));
    let answer = ask_with(&server, "GET", "/metrics", "Accept: application/openmetrics-text\r\n").body;
    assert!(answer.lines().all(|line| !line.starts_with("evil") && !line.starts_with("# TYPE evil")));
}

#[test]
fn e16_an_application_cannot_make_a_scrape_grow_without_bounds() {
    let registry = Registry::new("orders");
    for user in 0..5_000 {
        registry.record_counter("app_logins_total", 1, &[("user", &user.to_string())]);
        registry.record_counter(&format!("app_{user}_total"), 1, &[("long", &"x".repeat(10_000))]);
    }
    let server = Exporter::new(registry).listen("127.0.0.1:0").unwrap();
    let families = parse(&get(&server, "/metrics").body);
    let logins = families.iter().find(|family| family.name == "app_logins_total").unwrap();
    assert!(logins.samples.len() <= 101, "{}", logins.samples.len());
    let other = logins.samples.iter().find(|sample| sample.labels["user"] == "other");
    let all: f64 = logins.samples.iter().map(|sample| sample.value).sum();
    assert!(other.is_some_and(|other| other.value > 4_000.0) && (all - 5_000.0).abs() < 1e-9);
    let custom = families.iter().filter(|family| family.name.starts_with("app_"));
    assert!(custom.map(|family| family.samples.len()).sum::<usize>() <= 1_100);
    let rejected = families.iter().find(|family| family.name == "db_series_rejected_total").unwrap();
    assert!(rejected.samples.iter().map(|sample| sample.value).sum::<f64>() > 4_000.0);
}

#[test]
fn e22_a_slow_reader_holds_nobody_up() {
    let registry = custom::filled("orders");
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    // Asks for a large answer again and again, and reads none of it.
    let mut slow = connect(server.local_addr());
    let request = "GET /metrics.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    slow.write_all(request.repeat(60).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let recorder = registry.recorder();
    let mut shown = 0.0;
    for n in 1..=20 {
        let begun = Instant::now();
        recorder.add(Counter::UserReadBytes, 1);
        let body = get(&server, "/metrics").body;
        let read =
            body.lines().find_map(|line| line.strip_prefix("db_user_read_bytes_total{db=\"orders\"} "));
        let read: f64 = read.unwrap().parse().unwrap();
        // So many scrapes in a row may share documents.
        assert!(read >= shown && read <= f64::from(n), "a scrape shows what is now, or was a moment ago");
        shown = read;
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
    assert!(shown > 0.0);
    // What it did not read is one answer, not sixty: the next is rendered when there is room for it.
    recorder.add(Counter::UserReadBytes, 1_000_000);
    let counted = get(&server, "/metrics").body;
    let api = counted
        .lines()
        .find(|line| line.starts_with("db_exporter_requests_total{endpoint=\"api\",code=\"200\"}"));
    let rendered: f64 = api.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1.0..60.0).contains(&rendered), "{rendered}");
}

#[test]
fn e23_the_exporters_own_series_are_always_the_same() {
    let server = start();
    let own = |server: &Server| {
        let body = get(server, "/metrics").body;
        let lines = body.lines().filter(|line| line.starts_with("db_exporter_"));
        let names = lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        names.collect::<Vec<_>>()
    };
    let before = own(&server);
    assert_eq!(before.len(), 110, "closed sets of endpoints and codes");
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (server, asked) = (&server, &asked);
            scope.spawn(move || {
                for n in 0..50 {
                    get(server, &format!("/{thread}/{n}?key={n}"));
                    ask(server, &format!("M{n}"), "/metrics");
                    asked.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(own(&server), before);
    let body = get(&server, "/metrics").body;
    assert!(body.contains("db_exporter_requests_total{endpoint=\"other\",code=\"404\"} 200\n"));
    assert!(body.contains("db_exporter_requests_total{endpoint=\"metrics\",code=\"405\"} 200\n"));
    assert_eq!(asked.into_inner(), 400);
}
