//! Databases in a registry of the crate `prometheus-client`, compared with our own OpenMetrics text.

use crate::exposition::Sample;
use crate::openmetrics::{self, Family, parse};
use crate::{custom, fixture};
use bettong_exporter::Exporter;
use bettong_exporter::bridges::BettongCollector;
use bettong_exporter::formats::Profile;
use bettong_metrics::{Measure, Registry};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Several databases with every kind of family, awkward texts, and a counter that could be taken for another family.
fn registries() -> [Arc<Registry>; 3] {
    let second = Registry::new("a\\b \"c\"\nd=1,e}");
    second.set_gauge("app_queue_length", 1.0, &[]);
    second.observe("app_logins", 5, &[]);
    second.counter("app_sent_bytes_total", "say \"when\"\nor \\ not", &[]).unwrap().add(u64::MAX);
    second.summary_of(Measure::Seconds, "app_age", "A name without its unit", &[]).unwrap().record(7);
    [fixture::filled("orders"), custom::filled("stock"), second]
}

fn collected(collector: BettongCollector) -> String {
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(collector));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

/// The families of a text of that crate: it says HELP before TYPE, and the strict reader wants it behind.
fn read(text: &str) -> Vec<Family> {
    let mut lines: Vec<_> = text.lines().collect();
    for at in 1..lines.len() {
        if lines[at].starts_with("# TYPE ") {
            lines.swap(at - 1, at);
        }
    }
    parse(&(lines.join("\n") + "\n"))
}

type Labels = BTreeMap<String, String>;

/// Name and labels of each sample, with its value. Edges as numbers: the two write them differently.
fn samples(families: &[Family]) -> BTreeMap<(String, Labels), u64> {
    let mut found = BTreeMap::new();
    for Sample { name, labels, value, .. } in families.iter().flat_map(|family| &family.samples) {
        let mut labels = labels.clone();
        labels.entry("le".into()).and_modify(|edge| *edge = edge.parse::<f64>().unwrap().to_string());
        labels.retain(|name, value| name != "le" || !value.is_empty());
        let value = if fixture::VOLATILE.contains(&name.as_str()) { 0 } else { value.to_bits() };
        assert!(found.insert((name.clone(), labels), value).is_none(), "{name} twice");
    }
    found
}

fn helps(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| line.starts_with("# HELP ")).collect()
}

#[test]
fn a_collector_says_what_open_metrics_says() {
    for profile in Profile::ALL {
        let [first, second, third] = registries();
        let collector = BettongCollector::new(first.clone()).with(second.clone()).with(third.clone());
        let found = collected(collector.profile(profile));
        let snapshots = [first.snapshot(), second.snapshot(), third.snapshot()];
        let expected = bettong_exporter::formats::openmetrics::render_profile(&snapshots, profile);
        let missing: Vec<_> = helps(&expected).difference(&helps(&found)).copied().collect();
        assert!(missing.is_empty(), "{missing:?}");

        let (found, expected) = (read(&found), parse(&expected));
        assert_eq!(samples(&found), samples(&expected), "{profile}");
        let found: BTreeMap<_, _> = found.iter().map(|family| (family.name.as_str(), family)).collect();
        let mut families = 0;
        for family in &expected {
            let same = found[family.name.as_str()];
            let summary = family.kind == "summary";
            let kind = if summary { "unknown" } else { family.kind.as_str() };
            assert_eq!((same.kind.as_str(), &same.unit), (kind, &family.unit), "{}", family.name);
            families += if summary { 3 } else { 1 };
        }
        assert_eq!(found.len(), families, "a summary is three families, and there is no other");
    }
}

#[test]
fn samples_follow_their_families_and_are_all_there() {
    let families = read(&collected(BettongCollector::new(fixture::filled("orders"))));
    let latency = families.iter().find(|family| family.name == "db_get_latency_seconds").unwrap();
    assert_eq!((latency.kind.as_str(), latency.unit.as_deref()), ("histogram", Some("seconds")));
    assert_eq!(latency.samples.len(), 58 + 3);
    let buckets: Vec<_> = latency.samples.iter().filter(|sample| sample.name.ends_with("_bucket")).collect();
    assert!(buckets.is_sorted_by_key(|sample| sample.value));
    assert_eq!(buckets.last().unwrap().labels["le"], "+Inf");
    assert_eq!(buckets.last().unwrap().value.to_bits(), 1_000_f64.to_bits());
}

#[test]
fn databases_stand_beside_the_applications_own_metrics() {
    let logins: Counter = Counter::default();
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register("shop_logins", "Logins", logins.clone());
    registry.register_collector(Box::new(BettongCollector::new(fixture::filled("orders"))));
    logins.inc_by(3);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let families = read(&text);
    assert_eq!(families[0].name, "shop_logins");
    assert_eq!(families[0].samples[0].value.to_bits(), 3_f64.to_bits());
    assert_eq!(families.len(), 1 + bettong_metrics::Family::all().count());
}

#[test]
fn every_scrape_shows_what_is_now() {
    let database = Registry::new("orders");
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(BettongCollector::new(database.clone())));
    for gets in 1..=3 {
        database.recorder().add(bettong_metrics::Counter::GetOperations, 1);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains(&format!("\ndb_get_operations_total{{db=\"orders\"}} {gets}\n")));
    }
}

#[test]
fn the_process_is_shown_when_it_is_asked_for() {
    let names = |families: &[Family]| -> Vec<String> {
        families
            .iter()
            .map(|family| family.name.clone())
            .filter(|name| name.starts_with("process_"))
            .collect()
    };
    let database = Registry::new("orders");
    let without = read(&collected(BettongCollector::new(database.clone())));
    assert!(names(&without).is_empty());
    let with = read(&collected(BettongCollector::new(database.clone()).with_process()));
    let own = openmetrics::parse(&Exporter::new(database).open_metrics());
    assert_eq!(names(&with), names(&own));
    assert_eq!(names(&with).is_empty(), !cfg!(all(feature = "process", target_os = "linux")));
}
