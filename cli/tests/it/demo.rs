//! The demo.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::tool::{Place, arg, command, run};

/// A metric of a snapshot: the series of this name and these labels.
fn metric<'a>(snapshot: &'a Value, name: &str, labels: &Value) -> &'a Value {
    let metrics = snapshot["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["name"] == name && metric["labels"] == *labels).unwrap()
}

/// The count that the table prints for an operation.
fn printed(text: &str, operation: &str) -> u64 {
    let row = text.lines().find(|line| line.split_whitespace().next() == Some(operation)).unwrap();
    row.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_snapshot_counts_what_is_printed() {
    let place = Place::new();
    let file = place.path("snapshot.json");
    let args = ["demo", "--seconds", "2", "--headless", "--listen", "127.0.0.1:0", "--json", arg(&file)];
    let demo = run(args).expect(0);
    let snapshot: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(snapshot["schema_version"], 1);
    let none = serde_json::json!({});
    for operation in ["get", "set", "delete", "batch", "scan"] {
        let latency = metric(&snapshot, &format!("db_{operation}_latency_seconds"), &none);
        let count = printed(demo.text(), operation);
        assert!(count > 0 && latency["count"] == count, "{operation}: {count} printed, {latency}");
    }
    let gets = metric(&snapshot, "db_get_operations_total", &none);
    assert_eq!(gets["value"], printed(demo.text(), "get"));
    let url = demo.text().lines().next().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/dashboard"), "{url}");
    for part in ["all right", "Levels", "write amplification", "space amplification", "stalls"] {
        assert!(demo.text().contains(part), "{part}: {demo:?}");
    }
    assert!(!demo.text().contains('\x1b'));
}

/// A demo under way, and the address of its metrics.
fn start(args: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let mut demo = command();
    demo.args(["demo", "--headless", "--listen", "127.0.0.1:0"]).args(args);
    let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap().strip_suffix("/dashboard").unwrap().to_owned();
    (demo, lines, address)
}

fn fetch(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_are_served_meanwhile_and_a_signal_ends_it_with_a_summary() {
    let (mut demo, mut lines, address) = start(&["--seconds", "60", "--rate", "2000"]);
    let metrics = fetch(&address, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("# TYPE db_set_latency_seconds histogram"));
    assert!(fetch(&address, "/livez").ends_with("ok\n"));
    let mut database = String::new();
    while !database.starts_with("database ") {
        database.clear();
        lines.read_line(&mut database).unwrap();
    }
    let directory = database.split_whitespace().nth(1).unwrap().to_owned();
    assert!(fs::metadata(&directory).unwrap().is_dir());
    let pid = demo.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut summary = String::new();
    lines.read_to_string(&mut summary).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    assert!(summary.contains("values checked, all right") && summary.contains("Levels"), "{summary}");
    assert!(fs::metadata(&directory).is_err(), "{directory} is left");
}

#[test]
fn top_shows_what_a_running_demo_does() {
    let (mut demo, _lines, address) = start(&["--seconds", "60", "--rate", "2000"]);
    let url = format!("http://{address}");
    let top = run(["top", &url, "--count", "2"]).expect(0);
    let gets: Vec<_> = top.text().lines().filter(|line| line.starts_with("get ")).collect();
    assert_eq!(gets.len(), 2, "{}", top.text());
    for line in gets {
        let rate: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((300.0..2_000.0).contains(&rate), "{line}");
        assert!(line.contains("µs") || line.contains("ns"), "{line}");
    }
    assert!(top.text().lines().all(|line| line.chars().count() <= 80), "{}", top.text());
    run(["top", &url, "--count", "1", "--db", "other"]).expect(2);
    demo.kill().unwrap();
    demo.wait().unwrap();
}

#[test]
fn a_rate_is_kept_to() {
    let demo =
        run(["demo", "--seconds", "2", "--headless", "--listen", "127.0.0.1:0", "--rate", "500"]).expect(0);
    let total: u64 =
        ["get", "set", "delete", "batch", "scan"].map(|name| printed(demo.text(), name)).iter().sum();
    assert!((500..=1100).contains(&total), "{total} operations");
}

#[test]
fn a_database_of_ones_own_is_kept_and_sound() {
    let place = Place::new();
    let db = place.db();
    for _ in 0..2 {
        run(["demo", "--seconds", "1", "--headless", "--listen", "127.0.0.1:0", "--dir", arg(&db)]).expect(0);
    }
    assert!(place.run(&["verify"]).expect(0).text().starts_with("sound"));
    let keys: u64 = place.run(&["count", "--prefix", "demo/"]).expect(0).text().trim().parse().unwrap();
    assert!(keys > 0);
}
