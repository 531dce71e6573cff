//! The metrics of an embedding application, as the formats show them.

use crate::exposition::parse;
use bettong_exporter::Exporter;
use bettong_exporter::formats::{json, text};
use bettong_metrics::{Family, Measure, Registry};
use std::sync::Arc;

const AWKWARD: &str = "a\\b \"c\"\nd=1,e}";

/// A registry with custom families of every kind.
pub(crate) fn filled(name: &str) -> Arc<Registry> {
    let registry = Registry::new(name);
    let waits = registry.histogram_of(Measure::Seconds, "app_wait_seconds", "Waits", &[]).unwrap();
    for micros in 1..=1_000 {
        waits.record(micros * 1_000);
    }
    let sizes =
        registry.summary_of(Measure::Bytes, "app_upload_bytes", "Uploads", &[("kind", "image")]).unwrap();
    (1..=100).for_each(|bytes| sizes.record(bytes));
    registry.summary_of(Measure::Seconds, "app_idle_seconds", "Nothing yet", &[]).unwrap();
    let labels = [("tenant", AWKWARD), ("region", "eu")];
    registry.counter("app_logins_total", "Logins \\ finished", &labels).unwrap().add(7);
    registry.counter("app_logins_total", "Logins \\ finished", &[("tenant", "b"), ("region", "eu")]).unwrap();
    registry.gauge("app_queue_length", "Jobs that wait", &[]).unwrap().set(-2.5);
    registry
}

/// The lines that do not begin with the database's own prefix.
fn custom_lines(text: &str) -> Vec<&str> {
    let own =
        |line: &&str| ["app_", "# HELP app_", "# TYPE app_"].iter().any(|start| line.starts_with(start));
    text.lines().filter(own).collect()
}

#[test]
fn custom_families_follow_the_built_in_ones_sorted_by_name() {
    let text = text::render(&filled("orders").snapshot());
    let first = text.find("# HELP app_").unwrap();
    assert!(!text[first..].contains("# HELP db_"));
    let lines = custom_lines(&text);
    let without_buckets: Vec<_> = lines.iter().filter(|line| !line.contains("_bucket")).copied().collect();
    assert_eq!(
        without_buckets,
        [
            "# HELP app_idle_seconds Nothing yet",
            "# TYPE app_idle_seconds summary",
            "app_idle_seconds{db=\"orders\",quantile=\"0.5\"} NaN",
            "app_idle_seconds{db=\"orders\",quantile=\"0.9\"} NaN",
            "app_idle_seconds{db=\"orders\",quantile=\"0.99\"} NaN",
            "app_idle_seconds{db=\"orders\",quantile=\"0.999\"} NaN",
            "app_idle_seconds_sum{db=\"orders\"} 0",
            "app_idle_seconds_count{db=\"orders\"} 0",
            "# HELP app_logins_total Logins \\\\ finished",
            "# TYPE app_logins_total counter",
            "app_logins_total{db=\"orders\",region=\"eu\",tenant=\"a\\\\b \\\"c\\\"\\nd=1,e}\"} 7",
            "app_logins_total{db=\"orders\",region=\"eu\",tenant=\"b\"} 0",
            "# HELP app_queue_length Jobs that wait",
            "# TYPE app_queue_length gauge",
            "app_queue_length{db=\"orders\"} -2.5",
            "# HELP app_upload_bytes Uploads",
            "# TYPE app_upload_bytes summary",
            "app_upload_bytes{db=\"orders\",kind=\"image\",quantile=\"0.5\"} 50",
            "app_upload_bytes{db=\"orders\",kind=\"image\",quantile=\"0.9\"} 90",
            "app_upload_bytes{db=\"orders\",kind=\"image\",quantile=\"0.99\"} 99",
            "app_upload_bytes{db=\"orders\",kind=\"image\",quantile=\"0.999\"} 100",
            "app_upload_bytes_sum{db=\"orders\",kind=\"image\"} 5050",
            "app_upload_bytes_count{db=\"orders\",kind=\"image\"} 100",
            "# HELP app_wait_seconds Waits",
            "# TYPE app_wait_seconds histogram",
            "app_wait_seconds_sum{db=\"orders\"} 0.5005",
            "app_wait_seconds_count{db=\"orders\"} 1000",
        ]
    );
    let buckets: Vec<_> = lines.iter().filter(|line| line.contains("_bucket")).collect();
    assert_eq!(buckets.len(), 28);
    assert_eq!(*buckets[0], "app_wait_seconds_bucket{db=\"orders\",le=\"0.000001023\"} 1");
    assert_eq!(*buckets[27], "app_wait_seconds_bucket{db=\"orders\",le=\"+Inf\"} 1000");
}

#[test]
fn the_families_of_two_databases_share_a_header() {
    let (first, second) = (filled("orders"), Registry::new("stock"));
    second.counter("app_logins_total", "Another text", &[]).unwrap().add(9);
    second.record_counter("app_a_total", 1, &[]);
    let text = Exporter::new(first).with(second).text();
    let families = parse(&text);
    let custom: Vec<_> =
        families.iter().skip(Family::all().count()).map(|family| family.name.as_str()).collect();
    let expected =
        ["app_a_total", "app_idle_seconds", "app_logins_total", "app_queue_length", "app_upload_bytes"];
    assert_eq!(custom[..5], expected);
    assert!(text.contains("# HELP app_logins_total Logins"));
    let logins = families.iter().find(|family| family.name == "app_logins_total").unwrap();
    assert_eq!(logins.samples.last().unwrap().labels["db"], "stock");
}

#[test]
fn where_databases_disagree_about_a_name_the_first_is_shown() {
    let (first, second) = (Registry::new("a"), Registry::new("b"));
    first.set_gauge("app_size", 1.0, &[]);
    second.observe("app_size", 5, &[]);
    let text = text::render_all(&[first.snapshot(), second.snapshot()]);
    let start = text.find("# HELP app_").unwrap();
    let lines: Vec<_> = text[start..].lines().skip(1).collect();
    let expected = [
        "# TYPE app_size gauge",
        "app_size{db=\"a\"} 1",
        "# app_size of db=\"b\" has another kind or unit: not shown",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn json_shows_custom_families_in_the_shape_of_the_others() {
    let value = json::to_value(&filled("orders").snapshot());
    let metrics = value["metrics"].as_array().unwrap();
    let custom: Vec<_> =
        metrics.iter().filter(|metric| metric["name"].as_str().unwrap().starts_with("app_")).collect();
    let names: Vec<_> = custom.iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    let logins = ["app_idle_seconds", "app_logins_total", "app_logins_total"];
    assert_eq!(names, [&logins[..], &["app_queue_length", "app_upload_bytes", "app_wait_seconds"]].concat());
    assert_eq!(metrics[metrics.len() - custom.len()]["name"], "app_idle_seconds");
    let built_in = |kind: &str| metrics.iter().find(|metric| metric["type"] == kind).unwrap();
    let members = |metric: &serde_json::Value| -> Vec<String> {
        let optional = |name: &&String| !["min", "max", "quantiles"].contains(&name.as_str());
        metric.as_object().unwrap().keys().filter(optional).cloned().collect()
    };
    for (metric, kind) in
        custom.iter().zip(["histogram", "counter", "counter", "gauge", "histogram", "histogram"])
    {
        assert_eq!(members(metric), members(built_in(kind)), "{metric}");
    }
    assert_eq!(custom[1]["labels"], serde_json::json!({"region": "eu", "tenant": AWKWARD}));
    assert_eq!((&custom[1]["value"], &custom[3]["value"]), (&7.into(), &(-2.5).into()));
    assert_eq!((&custom[4]["type"], &custom[4]["unit"]), (&"summary".into(), &"bytes".into()));
    assert_eq!(custom[4]["quantiles"]["0.99"], 99);
    assert_eq!(custom[5]["max"], 0.001);
}
