//! OpenMetrics text, read by a strict reader and compared with the text format.

use crate::custom;
use crate::exposition::{self, Sample};
use crate::fixture;
use bettong_exporter::formats::{Profile, openmetrics, text};
use bettong_metrics::{MetricsSnapshot, Registry};
use std::collections::BTreeSet;

const AWKWARD_NAME: &str = "a\\b \"c\"\nd=1,e}";

pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// The families of a text. Panics on what OpenMetrics 1.0 does not allow.
pub(crate) fn parse(text: &str) -> Vec<Family> {
    let body = text.strip_suffix("# EOF\n").expect("ends with # EOF");
    assert!(!body.contains("# EOF"), "a second end");
    let mut families: Vec<Family> = Vec::new();
    let mut names = BTreeSet::new();
    for line in body.lines() {
        let Some(meta) = line.strip_prefix("# ") else {
            let sample = exposition::parse_sample(line);
            let family = families.last_mut().unwrap();
            let suffix = sample.name.strip_prefix(&family.name).unwrap_or_else(|| panic!("{line}"));
            let suffixes: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                "summary" => &["", "_sum", "_count"],
                "counter" => &["_total"],
                "gauge" | "unknown" => &[""],
                kind => panic!("{kind}"),
            };
            assert!(suffixes.contains(&suffix), "{line}");
            family.samples.push(sample);
            continue;
        };
        let mut words = meta.splitn(3, ' ');
        let (keyword, name, rest) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
        match keyword {
            "TYPE" => {
                assert!(names.insert(name.to_owned()), "{name} twice");
                assert!(!name.ends_with("_total") || rest == "unknown", "{name}");
                families.push(Family {
                    name: name.to_owned(),
                    kind: rest.to_owned(),
                    unit: None,
                    samples: Vec::new(),
                });
            }
            "UNIT" => {
                let family = families.last_mut().filter(|family| family.name == name).unwrap();
                assert!(name.ends_with(&format!("_{rest}")), "{line}");
                family.unit = Some(rest.to_owned());
            }
            "HELP" => assert_eq!(families.last().unwrap().name, name),
            other => panic!("OpenMetrics knows no # {other}"),
        }
    }
    families
}

fn snapshots() -> Vec<MetricsSnapshot> {
    let second = Registry::new(AWKWARD_NAME);
    second.set_gauge("app_queue_length", 1.0, &[]);
    second.observe("app_logins", 5, &[]);
    let registries = [fixture::filled("orders"), custom::filled("stock"), second];
    registries.iter().map(|registry| registry.snapshot()).collect()
}

#[test]
fn it_says_what_the_text_format_says() {
    for profile in Profile::ALL {
        let snapshots = snapshots();
        let text = text::render_profile(&snapshots, profile);
        let found = parse(&openmetrics::render_profile(&snapshots, profile));
        let expected = exposition::parse(&text);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let stem = expected.name.strip_suffix("_total").unwrap_or(&expected.name);
            // The second database has a histogram `app_logins`, which the counter of the first must not be taken for.
            let clashes = expected.name == "app_logins_total";
            let (name, kind) =
                if clashes { (expected.name.as_str(), "unknown") } else { (stem, expected.kind.as_str()) };
            assert_eq!((found.name.as_str(), found.kind.as_str()), (name, kind));
            assert_eq!(found.samples.len(), expected.samples.len(), "{name}");
            for (found, expected) in found.samples.iter().zip(&expected.samples) {
                assert_eq!((&found.name, found.value.to_bits()), (&expected.name, expected.value.to_bits()));
                let numbers = |sample: &Sample| -> Vec<(String, String)> {
                    let pair = |(name, value): (&String, &String)| match name.as_str() {
                        "le" if value != "+Inf" => (name.clone(), value.parse::<f64>().unwrap().to_string()),
                        _ => (name.clone(), value.clone()),
                    };
                    sample.labels.iter().map(pair).collect()
                };
                assert_eq!(numbers(found), numbers(expected));
            }
        }
    }
}

#[test]
fn a_unit_is_said_where_the_name_ends_in_it_and_nowhere_else() {
    let families = parse(&openmetrics::render(&fixture::filled("orders").snapshot()));
    let unit = |name: &str| {
        let family = families.iter().find(|family| family.name == name);
        family.unwrap_or_else(|| panic!("{name}")).unit.as_deref()
    };
    assert_eq!(unit("db_wal_written_bytes"), Some("bytes"));
    assert_eq!(unit("db_get_latency_seconds"), Some("seconds"));
    assert_eq!(unit("db_write_delay_rate_bytes_per_second"), Some("bytes_per_second"));
    assert_eq!(unit("db_latency_value_error_ratio"), Some("ratio"));
    assert_eq!(unit("db_write_amplification"), None);
    assert_eq!(unit("db_get_operations"), None);
}

#[test]
fn edges_are_canonical_numbers() {
    let text = openmetrics::render(&custom::filled("orders").snapshot());
    for line in ["le=\"1.0\"", "le=\"255.0\"", "le=\"1.023e-06\"", "le=\"1.099511627775e+12\"", "le=\"+Inf\""]
    {
        assert!(text.contains(line), "{line}");
    }
    for edge in text.split(",le=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(edge == "+Inf" || edge.contains(['.', 'e']), "{edge}");
    }
}

#[test]
fn help_texts_have_their_quotes_escaped_and_there_are_no_comments() {
    let snapshots = snapshots();
    let text = openmetrics::render_all(&snapshots);
    assert!(!text.contains("not shown"));
    let registry = Registry::new("orders");
    registry.counter("app_a_total", "say \"when\"\nor \\ not", &[]).unwrap();
    let text = openmetrics::render(&registry.snapshot());
    assert!(text.contains("# HELP app_a say \\\"when\\\"\\nor \\\\ not\n"), "{text}");
}
