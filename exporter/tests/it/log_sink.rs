//! The metrics in the log: how often, how they look, and when there are none.

use crate::fixture;
use crate::logged;
use bettong_exporter::formats::table;
use bettong_exporter::log_sink::{LogFormat, LogSink};
use bettong_metrics::{Operation, Registry};
use std::time::{Duration, Instant};

/// Waits until there are so many lines of this database.
fn wait_for(database: &str, count: usize) -> Vec<String> {
    let began = Instant::now();
    loop {
        let lines = logged::lines(&["bettong_exporter::log_sink", &format!("database={database:?}")]);
        if lines.len() >= count {
            return lines;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{} lines of {database}", lines.len());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The JSON document in a line.
fn document(line: &str) -> serde_json::Value {
    let (from, to) = (line.find('{').unwrap(), line.rfind('}').unwrap());
    serde_json::from_str(&line[from..=to]).unwrap()
}

#[test]
fn each_line_is_a_document_about_the_time_since_the_line_before() {
    logged::listen();
    let registry = Registry::new("logged as json");
    let other = Registry::new("logged beside it");
    let count = || registry.recorder().start(Operation::Get).finish();
    (0..5).for_each(|_| count());
    let sink = LogSink::new().interval(Duration::from_millis(100));
    let log = sink.start(&[registry.clone(), other]);
    (0..3).for_each(|_| count());
    let first = wait_for("logged as json", 1);
    assert!(first[0].starts_with("INFO "), "{}", first[0]);
    assert!(!first[0].trim_end().contains('\n'), "one line: {}", first[0]);
    wait_for("logged beside it", 1);
    let seen = wait_for("logged as json", 3);
    let gets = |line: &String| document(line)["operations"]["get"]["count"].as_u64().unwrap();
    assert_eq!(seen.iter().map(gets).sum::<u64>(), 3, "what came before the log began is not in it");
    drop(log);
    let all = wait_for("logged as json", 0).len();
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(wait_for("logged as json", 0).len(), all, "nothing is logged any more");
}

#[test]
fn a_table_is_logged_for_people() {
    logged::listen();
    let registry = fixture::filled("logged as text");
    let sink = LogSink::new().interval(Duration::from_millis(20)).format(LogFormat::Text);
    let _log = sink.level(tracing::Level::DEBUG).start(&[registry]);
    let line = &wait_for("logged as text", 1)[0];
    assert!(line.starts_with("DEBUG "), "{line}");
    assert!(line.contains("logged as text, in the last 0.0 s\nno operations\n"), "{line}");
}

#[test]
fn a_table_has_operations_levels_and_totals_and_no_line_of_somebody_elses() {
    let snapshot = fixture::filled("or\nders\u{1b}[31m").snapshot();
    let text = table::render(&snapshot);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("or\\nders\\u{1b}[31m, in the last "), "{text}");
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>(),
        ["operation", "count", "per", "s", "mean", "p50", "p99", "p99.9", "max"]
    );
    let get: Vec<_> = lines[2].split_whitespace().collect();
    assert_eq!(get[..2], ["get", "1,000"], "{text}");
    assert!(
        text.contains("written 3.91 KiB by callers, 13.7 KiB to disk: write amplification 3.50"),
        "{text}"
    );
    assert!(text.contains("block cache 100.0 % of 17 hit; stalls 0"), "{text}");
    assert!(text.contains("errors 1"), "{text}");
    // Columns stand below their heads.
    let ends = |line: &str| line.chars().count();
    assert!(
        lines[2..].iter().take_while(|line| !line.is_empty()).all(|line| ends(line) == ends(lines[1])),
        "{text}"
    );
}
