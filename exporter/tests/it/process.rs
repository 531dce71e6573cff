//! The families of the process, in every format, once for all databases.

use crate::exposition::{Family, parse};
use crate::fixture;
use bettong_exporter::Exporter;
use serde_json::Value;

const NAMES: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
    "process_threads",
];

/// The names that are known here.
fn expected() -> Vec<&'static str> {
    if cfg!(all(feature = "process", target_os = "linux")) { NAMES.to_vec() } else { Vec::new() }
}

fn exporter() -> Exporter {
    Exporter::new(fixture::filled("orders")).with(fixture::filled("stock"))
}

fn of_process(families: Vec<Family>) -> Vec<Family> {
    families.into_iter().filter(|family| family.name.starts_with("process_")).collect()
}

#[test]
fn the_process_is_shown_once_whatever_the_number_of_databases() {
    let families = of_process(parse(&exporter().text()));
    let names: Vec<_> = families.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names, expected());
    for family in &families {
        assert_eq!(family.samples.len(), 1, "{}", family.name);
        assert!(family.samples[0].labels.is_empty(), "it is no database's: {}", family.name);
    }
}

#[test]
fn every_format_has_the_process() {
    let exporter = exporter();
    let open_metrics = exporter.open_metrics();
    let whole: Value = serde_json::from_str(&exporter.json()).unwrap();
    let listed: Vec<_> = whole["process"].as_array().into_iter().flatten().collect();
    assert_eq!(listed.iter().map(|metric| metric["name"].as_str().unwrap()).collect::<Vec<_>>(), expected());
    for metric in listed {
        assert!(metric["value"].as_f64().is_some_and(|value| value >= 0.0), "{metric}");
        assert_eq!(metric["labels"], Value::Object(serde_json::Map::new()));
    }
    for name in expected() {
        assert!(open_metrics.contains(&format!("\n{name} ")), "{name}");
        #[cfg(feature = "protobuf")]
        assert!(exporter.protobuf().windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
    }
    if !expected().is_empty() {
        assert!(
            open_metrics.contains("# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n")
        );
    }
    let one: Value = serde_json::from_str(&Exporter::new(fixture::filled("orders")).json()).unwrap();
    assert_eq!(one["process"].as_array().map_or(0, Vec::len), expected().len());
}

/// This test's binary has threads of its own, and its memory and descriptors are what the kernel says a moment later.
#[cfg(all(feature = "process", target_os = "linux"))]
#[test]
fn the_figures_are_those_of_this_process() {
    let value = |name: &str| {
        let families = of_process(parse(&exporter().text()));
        families.iter().find(|family| family.name == name).unwrap().samples[0].value
    };
    let started = value("process_start_time_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(started < now + 2.0 && started > now - 24.0 * 3_600.0, "{started} {now}");
    let resident = value("process_resident_memory_bytes");
    assert!(resident > 1e6 && resident <= value("process_virtual_memory_bytes"), "{resident}");
    assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") <= value("process_max_fds"));
    // Others' work only adds to it.
    let before = value("process_cpu_seconds_total");
    let mut sum = 0_u64;
    while value("process_cpu_seconds_total") < before + 0.02 {
        sum = (0..1_000_000_u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
    }
    assert_ne!(std::hint::black_box(sum), 1);
}
