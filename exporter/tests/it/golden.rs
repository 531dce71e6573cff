//! The formats byte for byte, but for the values that differ from run to run.
//!
//! To accept a change: `BETTONG_UPDATE_GOLDEN=1 cargo test -p bettong-exporter golden`, and read the difference.

use crate::fixture::{self, VOLATILE};
use bettong_exporter::formats::{json, text};
use std::fs;
use std::path::Path;

#[test]
fn text_is_as_it_was() {
    let text = text::render(&fixture::filled("orders").snapshot());
    let stable = |line: &&str| !VOLATILE.iter().any(|name| line.contains(name));
    let lines: Vec<_> = text.lines().filter(stable).collect();
    compare("metrics.txt", &(lines.join("\n") + "\n"));
}

#[test]
fn json_is_as_it_was() {
    let text = json::render(&fixture::filled("orders").snapshot());
    // One metric a line; then without times and without the metrics that vary.
    let lines = text.replace("{\"name\":\"", "\n{\"name\":\"").replace("],\"levels\"", "\n],\"levels\"");
    let stable = |line: &&str| !VOLATILE.iter().any(|name| line.contains(name));
    let lines: Vec<_> = lines.lines().filter(stable).map(without_times).collect();
    compare("metrics.json.txt", &(lines.join("\n") + "\n"));
}

/// The line with `…` for its time stamp or window.
fn without_times(line: &str) -> String {
    let mut line = line.to_owned();
    for name in ["\"timestamp\":", "\"start\":", "\"end\":"] {
        if let Some(start) = line.find(name).map(|at| at + name.len()) {
            let length = line[start..].find([',', '}']).unwrap();
            line.replace_range(start..start + length, "…");
        }
    }
    line
}

fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(file);
    if std::env::var_os("BETTONG_UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "{file}, line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{file}");
}
