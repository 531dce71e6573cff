//! Time-outs and bounds, with less patience than a real server has.

use super::super::guard::Patience;
use super::*;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
const LARGE: &str = "GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
const SLOW: &str = "GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

fn server(limits: Limits) -> Server {
    encrypted(limits, Encryption::default())
}

fn encrypted(limits: Limits, encryption: Encryption) -> Server {
    let large = || async { "x".repeat(64 << 20) };
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        "late"
    };
    let router = Router::new()
        .route("/", axum::routing::get(|| async { "hello" }))
        .route("/large", axum::routing::get(large))
        .route("/slow", axum::routing::get(slow));
    let connections = Connections::new(router, Hosts::default(), Arc::default(), encryption, limits);
    Server::with(vec![bind("127.0.0.1:0", false, false).unwrap()], &connections, None).unwrap()
}

fn impatient(patience: Patience) -> Server {
    server(Limits { patience, ..Limits::default() })
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Everything until the server closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is a way to close, too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(server: &Server, request: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    rest(&mut stream)
}

#[test]
fn e7_a_client_that_does_not_finish_its_headers_is_disconnected() {
    let head = Duration::from_millis(200);
    let server = impatient(Patience { head, ..Patience::default() });
    for (start, expected) in [("", ""), ("GET / HTTP/1.1\r\nHost: x\r\n", "HTTP/1.1 408 ")] {
        let begun = Instant::now();
        let answer = ask(&server, start);
        assert!(begun.elapsed() >= head && begun.elapsed() < Duration::from_secs(5), "{start:?}");
        assert!(answer.starts_with(expected) && answer.matches("HTTP/1.1").count() <= 1, "{answer}");
    }
}

#[cfg(all(feature = "tls", unix))]
#[test]
fn e12_a_handshake_has_no_more_time_than_a_head() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = std::env::temp_dir().join(format!("bettong-handshake-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = [("chain.pem", issued.cert.pem()), ("key.pem", issued.signing_key.serialize_pem())];
    let [chain, key] = files.map(|(name, text)| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    });
    let encryption = Encryption::load(&chain, &key).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let head = Duration::from_millis(200);
    let patience = Patience { head, ..Patience::default() };
    let server = encrypted(Limits { patience, ..Limits::default() }, encryption);
    // Nothing, and the beginning of a record that says it is longer.
    for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = connect(&server);
        let begun = Instant::now();
        stream.write_all(start).unwrap();
        assert_eq!(rest(&mut stream), "", "{start:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it was closed, and the client did not give up first"
        );
    }
}

#[test]
fn e7_a_head_that_drips_in_is_cut_off_all_the_same() {
    let server = impatient(Patience { head: Duration::from_millis(300), ..Patience::default() });
    let mut stream = connect(&server);
    let begun = Instant::now();
    for byte in "GET / HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'y')) {
        std::thread::sleep(Duration::from_millis(20));
        if stream.write_all(&[byte]).is_err() || begun.elapsed() > Duration::from_secs(5) {
            break;
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn e7_a_connection_that_asks_nothing_more_is_closed() {
    let server = impatient(Patience { idle: Duration::from_millis(200), ..Patience::default() });
    let mut stream = connect(&server);
    stream.write_all(REQUEST.as_bytes()).unwrap();
    let begun = Instant::now();
    let answer = rest(&mut stream);
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(begun.elapsed() >= Duration::from_millis(200) && begun.elapsed() < Duration::from_secs(4));
}

#[test]
fn e7_a_client_that_takes_no_byte_is_disconnected() {
    let server = impatient(Patience { write: Duration::from_millis(200), ..Patience::default() });
    let mut stream = connect(&server);
    stream.write_all(LARGE.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(rest(&mut stream).len() < 64 << 20, "what had been sent, and no more");
}

#[test]
fn e7_an_answer_that_takes_too_long_is_given_up() {
    let server = impatient(Patience { answer: Duration::from_millis(200), ..Patience::default() });
    let begun = Instant::now();
    assert!(!ask(&server, SLOW).contains("late"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn e7_a_connection_serves_so_many_requests_and_says_so_with_the_last() {
    let server = impatient(Patience { requests: 3, ..Patience::default() });
    let answer = ask(&server, &REQUEST.repeat(5)).to_ascii_lowercase();
    assert_eq!(answer.matches("http/1.1 200 ").count(), 3, "{answer}");
    assert_eq!(answer.matches("connection: close").count(), 1, "{answer}");
    let last = answer.rfind("http/1.1 200 ").unwrap();
    assert!(answer[last..].contains("connection: close"), "{answer}");
}

#[test]
fn e8_a_newcomer_takes_the_place_of_who_has_waited_longest_for_nothing() {
    let server = server(Limits { connections: 2, ..Limits::default() });
    let mut oldest = connect(&server);
    std::thread::sleep(Duration::from_millis(50));
    let mut slow_head = connect(&server);
    slow_head.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let begun = Instant::now();
    assert!(ask(&server, LAST).ends_with("hello"));
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(rest(&mut oldest), "", "it was evicted");
    // The other one is still there.
    slow_head.write_all(b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    assert!(rest(&mut slow_head).ends_with("hello"));
}

#[test]
fn e8_where_every_connection_is_being_answered_the_next_is_turned_away() {
    let server = server(Limits { connections: 2, ..Limits::default() });
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = connect(&server);
            stream.write_all(SLOW.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let answer = rest(&mut connect(&server));
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(held);
}

#[test]
fn e8_who_is_still_being_sent_an_answer_is_not_evicted() {
    let server = server(Limits { connections: 1, ..Limits::default() });
    let mut reader = connect(&server);
    reader.write_all(LARGE.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // All of the answer has been handed over, and most of it is not sent.
    let answer = rest(&mut connect(&server));
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let mut answer = vec![0; 64 << 20];
    reader.read_exact(&mut answer).unwrap();
    drop(reader);
    std::thread::sleep(Duration::from_millis(100));
    assert!(ask(&server, LAST).ends_with("hello"));
}

#[test]
fn e8_three_thousand_connections_that_ask_nothing_keep_nobody_out() {
    let server = server(Limits::default());
    let mut held = Vec::new();
    for n in 0..3_000 {
        // Without descriptors for so many, fewer must do.
        let Ok(mut stream) = TcpStream::connect(server.local_addr()) else { break };
        // Slow ones, and such as are refused and stay.
        match n % 5 {
            0 => drop(stream.write_all(b"GET / HTTP/1.1\r\nHost:")),
            1 => drop(stream.write_all(b"\n")),
            _ => {}
        }
        held.push(stream);
        if held.len() > 400 {
            // The server has closed it long ago.
            held.remove(0);
        }
    }
    assert!(held.len() > 300);
    let begun = Instant::now();
    assert!(ask(&server, LAST).ends_with("hello"));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn both_local_addresses_are_served_on_one_port() {
    let router = Router::new().route("/", axum::routing::get(|| async { "hello" }));
    let listeners = bind_local(0).unwrap();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let server =
        Server::start(listeners, router, None, Hosts::default(), Arc::default(), Encryption::default())
            .unwrap();
    for address in &addresses {
        assert!(address.ip().is_loopback() && address.port() == server.local_addr().port());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(LAST.as_bytes()).unwrap();
        assert!(rest(&mut stream).ends_with("hello"), "{address}");
    }
    assert!(matches!(bind_local(server.local_addr().port()), Err(Error::Bind { .. })));
}
