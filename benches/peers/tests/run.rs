//! Every engine through every workload, with few keys: nothing is lost, and the report can be read.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

fn peers(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bettong-peers")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs with these arguments and returns the figures, by engine and workload.
fn figures(arguments: &[&str]) -> (Value, String) {
    let dir = tempfile::tempdir().unwrap();
    let (json, svg) = (dir.path().join("out.json"), dir.path().join("plots"));
    let here = [
        "--dir",
        dir.path().to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
        "--svg",
        svg.to_str().unwrap(),
    ];
    let tables = peers(&[&here, arguments].concat());
    let record: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    for figures in record["figures"].as_array().unwrap() {
        let plot = svg.join(format!("{}.svg", figures["workload"].as_str().unwrap()));
        assert!(std::fs::read_to_string(plot).unwrap().ends_with("</svg>\n"));
    }
    assert_eq!(peers(&["report", json.to_str().unwrap()]), tables);
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "databases are removed: {left:?}");
    (record, tables)
}

fn every_workload(engine: &str, extra: &[&str]) {
    let few = ["--keys", "1000", "--ops", "200", "--rounds", "1", "--workloads", "all", "--engines", engine];
    let (record, tables) = figures(&[&few, extra].concat());
    let measured: BTreeSet<&str> = record["figures"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|figures| figures["workload"].as_str())
        .collect();
    assert_eq!(measured.len(), if engine == "plain" { 7 } else { 27 }, "{measured:?}");
    for figures in record["figures"].as_array().unwrap() {
        assert!(
            figures["ops"].as_u64() > Some(0) && figures["ops_per_second"].as_f64() > Some(0.0),
            "{figures}"
        );
        assert!(tables.contains(&format!("\n| {} | ", figures["workload"].as_str().unwrap())));
    }
}

#[test]
fn bettong_does_everything() {
    every_workload("bettong", &[]);
}

#[test]
fn bettong_does_everything_with_two_threads_and_mixed_values() {
    every_workload("bettong", &["--threads", "2", "--value-size", "mixed", "--consume"]);
}

#[test]
fn rocksdb_does_everything() {
    every_workload("rocksdb", &[]);
}

#[test]
fn rocksdb_with_blobs_does_everything() {
    every_workload("rocksdb-blob", &["--value-size", "8K"]);
}

#[test]
fn fjall_does_everything() {
    every_workload("fjall", &["--threads", "2"]);
}

#[test]
fn fjall_with_separated_values_does_everything() {
    every_workload("fjall-kv", &["--value-size", "8K"]);
}

#[test]
fn redb_does_everything() {
    every_workload("redb", &["--threads", "2"]);
}

#[test]
fn lmdb_does_everything() {
    every_workload("lmdb", &["--threads", "2", "--value-size", "mixed"]);
}

#[test]
fn a_plain_file_is_filled() {
    every_workload("plain", &[]);
}

#[test]
fn an_open_loop_reports_the_rate_that_it_was_asked_for() {
    let open =
        ["--keys", "1000", "--seconds", "0.2", "--rounds", "1", "--engines", "bettong", "--rate", "5k"];
    let (record, tables) = figures(&[&open[..], &["--workloads", "readrandom,ycsba"]].concat());
    for figures in record["figures"].as_array().unwrap() {
        assert_eq!(figures["rate"].as_f64(), Some(5000.0));
        assert_eq!(figures["ops"].as_u64(), figures["latency"]["timed"].as_u64(), "all are timed");
    }
    assert!(tables.contains("Open loop: 5000 operations a second"));
}
