//! What must hold for every text, whatever the values.

use crate::custom;
use crate::exposition::{Sample, parse};
use crate::fixture;
use bettong_exporter::Exporter;
use bettong_exporter::formats::{json, text};
use bettong_metrics::{Family, Gauge, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

const AWKWARD_NAME: &str = "a\\b \"c\"\nd=1,e}";

fn two_databases() -> String {
    Exporter::new(fixture::filled("orders")).with(fixture::filled(AWKWARD_NAME)).text()
}

#[test]
fn every_family_of_the_catalogue_appears_once_and_in_order() {
    let families = parse(&two_databases());
    let names = families.iter().map(|family| family.name.as_str());
    let names: Vec<_> = names.filter(|name| !name.starts_with("process_")).collect();
    let expected: Vec<_> = Family::all().map(|family| family.desc().name).collect();
    assert_eq!(names, expected);
    for (parsed, family) in families.iter().zip(Family::all()) {
        assert_eq!(parsed.kind, family.kind().as_str());
    }
}

#[test]
fn every_series_is_unique_and_names_its_database_first() {
    let mut seen = BTreeSet::new();
    let samples = parse(&two_databases()).into_iter().flat_map(|family| family.samples);
    for sample in samples.filter(|sample| !sample.name.starts_with("process_")) {
        assert_eq!(sample.first_label, "db");
        assert!(["orders", AWKWARD_NAME].contains(&sample.labels["db"].as_str()), "{sample:?}");
        assert!(seen.insert((sample.name, sample.labels)));
    }
}

#[test]
fn buckets_are_cumulative_and_the_last_one_is_the_count() {
    for family in parse(&two_databases()).iter().filter(|family| family.kind == "histogram") {
        let mut series: BTreeMap<_, Vec<&Sample>> = BTreeMap::new();
        for sample in &family.samples {
            let mut labels = sample.labels.clone();
            labels.remove("le");
            series.entry(labels).or_default().push(sample);
        }
        for (labels, samples) in series {
            let [buckets @ .., sum, count] = samples.as_slice() else { panic!("{labels:?}") };
            assert!(sum.name.ends_with("_sum") && count.name.ends_with("_count"));
            assert_eq!(buckets.last().unwrap().labels["le"], "+Inf");
            let edges: Vec<f64> = buckets.iter().map(|bucket| bucket.labels["le"].parse().unwrap()).collect();
            assert!(edges.is_sorted_by(|a, b| a < b), "{} {labels:?}", family.name);
            assert!(buckets.is_sorted_by_key(|bucket| bucket.value), "{} {labels:?}", family.name);
            assert_eq!(buckets.last().unwrap().value, count.value, "{} {labels:?}", family.name);
        }
    }
}

#[test]
fn counts_below_an_edge_are_those_recorded() {
    // One observation at each full microsecond from 1 to 1000.
    let families = parse(&text::render(&fixture::filled("orders").snapshot()));
    let latency = families.iter().find(|family| family.name == "db_get_latency_seconds").unwrap();
    let buckets = latency.samples.iter().filter(|sample| sample.name.ends_with("_bucket"));
    for bucket in buckets.filter(|bucket| bucket.labels["le"] != "+Inf") {
        let edge: f64 = bucket.labels["le"].parse().unwrap();
        assert_eq!(bucket.value, (edge * 1e6).floor().min(1_000.0), "at {edge}");
    }
    let sum = latency.samples.iter().find(|sample| sample.name.ends_with("_sum")).unwrap();
    assert_eq!(sum.value, 0.5005);
}

#[test]
fn a_database_opened_again_takes_the_place_of_the_closed_one() {
    let (old, new) = (Registry::new("orders"), Registry::new("orders"));
    new.recorder().set(Gauge::Entries, 5.0);
    let text = Exporter::new(old).with(new).text();
    let entries: Vec<_> = text.lines().filter(|line| line.starts_with("db_entries{")).collect();
    assert_eq!(entries, ["db_entries{db=\"orders\"} 5"]);
}

#[test]
fn json_of_several_databases_is_a_list_of_the_documents_of_each() {
    let exporter = Exporter::new(fixture::filled("orders")).with(fixture::filled(AWKWARD_NAME));
    let value: serde_json::Value = serde_json::from_str(&exporter.json()).unwrap();
    let names: Vec<_> =
        value["databases"].as_array().unwrap().iter().map(|db| db["database"].as_str()).collect();
    assert_eq!(names, [Some("orders"), Some(AWKWARD_NAME)]);
}

#[test]
fn json_has_every_series_and_no_number_that_is_none() {
    let snapshot = fixture::filled("orders").snapshot();
    let value = json::to_value(&snapshot);
    let metrics = value["metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), Family::all().map(|family| family.desc().series()).sum::<usize>());
    for metric in metrics {
        let is_histogram = metric["type"] == "histogram";
        assert_eq!(is_histogram, metric.get("value").is_none(), "{metric}");
        if is_histogram {
            let counts =
                metric["buckets"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap());
            assert_eq!(counts.sum::<u64>(), metric["count"].as_u64().unwrap());
            assert_eq!(metric.get("quantiles").is_some(), metric["count"] != 0);
        } else {
            assert!(metric["value"].is_number(), "{metric}");
        }
    }
    // Not compared as a whole: the parser may read a fraction one step away from what was written.
    let read: serde_json::Value = serde_json::from_str(&json::render(&snapshot)).unwrap();
    assert_eq!(read["levels"], value["levels"]);
    assert_eq!(read["metrics"].as_array().unwrap().len(), metrics.len());
    for (read, metric) in read["metrics"].as_array().unwrap().iter().zip(metrics) {
        for member in ["name", "type", "unit", "help", "labels", "count"] {
            assert_eq!(read.get(member), metric.get(member));
        }
    }
}

/// Prometheus' own linter, where it is installed (Debian: `apt-get install prometheus`).
#[test]
fn promtool_has_nothing_to_say() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        assert!(std::env::var_os("CI").is_none(), "CI installs promtool: its absence is a failure");
        println!("promtool is not installed: skipped");
        return;
    };
    let custom = Exporter::new(custom::filled("orders")).with(custom::filled(AWKWARD_NAME)).text();
    // Both end with the process.
    let text = two_databases();
    let text = text.split("# HELP process_").next().unwrap().to_owned();
    let text = text + &custom[custom.find("# HELP app_").unwrap()..];
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}
