use super::*;
use std::collections::HashSet;

/// Words that promlint takes for units other than the base ones, or for abbreviations of them.
const FORBIDDEN_WORDS: &[&str] = &[
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "minutes",
    "hours",
    "days",
    "weeks",
    "bits",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "kibibytes",
    "mebibytes",
    "gibibytes",
    "percent",
    "s",
    "ms",
    "us",
    "ns",
    "sec",
    "b",
    "kb",
    "mb",
    "gb",
    "tb",
    "pb",
    "m",
    "h",
    "d",
    "counter",
    "gauge",
    "histogram",
    "summary",
];

#[test]
fn every_name_obeys_the_rules_promtool_checks() {
    for family in Family::all() {
        let desc = family.desc();
        let name = desc.name;
        assert!(name.starts_with("db_"), "{name}");
        assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'), "{name}");
        assert!(!desc.help.is_empty() && !desc.help.ends_with('.') && !desc.help.contains('\n'), "{name}");
        assert_eq!(family.kind() == Kind::Counter, name.ends_with("_total"), "{name}");
        for suffix in ["_bucket", "_count", "_sum", "_created", "_gsum", "_gcount"] {
            assert!(!name.ends_with(suffix), "{name}");
        }
        for word in name.split('_') {
            assert!(!FORBIDDEN_WORDS.contains(&word), "{word} in {name}");
        }
        let stem = name.strip_suffix("_total").unwrap_or(name);
        let unit = desc.unit.as_str();
        if matches!(unit, "bytes" | "seconds") {
            let group = ["db_compaction_last_success_timestamp_seconds"];
            assert!(stem.ends_with(unit) || group.contains(&name), "{name} is in {unit}");
        } else {
            assert!(!stem.ends_with("_bytes") && !stem.ends_with("_seconds"), "{name} is not in {unit}");
        }
    }
}

#[test]
fn labels_are_few_distinct_and_not_reserved() {
    for family in Family::all() {
        let desc = family.desc();
        assert!(desc.labels.len() <= family::MAX_LABELS, "{}", desc.name);
        let names: HashSet<_> = desc.labels.iter().map(|label| label.name).collect();
        assert_eq!(names.len(), desc.labels.len(), "{}", desc.name);
        for label in desc.labels {
            assert!(!["le", "quantile", "db"].contains(&label.name), "{}", desc.name);
            assert!(label.name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{}", label.name);
            let values: HashSet<_> = label.values.iter().collect();
            assert!(!label.values.is_empty() && values.len() == label.values.len(), "{}", label.name);
        }
    }
}

#[test]
fn names_are_unique() {
    let names: Vec<_> = Family::all().map(|family| family.desc().name).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
}

#[test]
fn every_series_has_a_cell_of_its_own() {
    let mut next = 0;
    for family in Counter::ALL {
        for (series, cell) in family.cells().enumerate() {
            assert_eq!(cell.position(), next, "{}", family.desc().name);
            assert_eq!(family.desc().labels_of(series).iter().count(), family.desc().labels.len());
            next += 1;
        }
    }
    assert_eq!(next, Counter::CELLS);
}

#[test]
fn three_indices_find_the_series_with_those_labels() {
    let family = Counter::CacheRequests;
    for (series, cell) in family.cells().enumerate() {
        let labels = family.desc().labels_of(series);
        let index = |label: usize| {
            let label = &family.desc().labels[label];
            label.values.iter().position(|value| labels.get(label.name) == Some(value)).unwrap()
        };
        assert_eq!(family.at3(index(0), index(1), index(2)), cell);
    }
    assert_eq!(
        family.desc().labels_of(1).iter().collect::<Vec<_>>(),
        [("level", "0"), ("block_type", "data"), ("result", "miss")]
    );
}

#[test]
fn an_index_past_the_end_means_the_last_value() {
    assert_eq!(Counter::GetResults.at(99), Counter::GetResults.at(2));
    assert_eq!(Counter::FilterChecks.at2(99, 99), Counter::FilterChecks.at2(6, 2));
    assert_eq!(Counter::CacheRequests.at3(99, 99, 99), Counter::CacheRequests.at3(6, 3, 1));
    assert_eq!(Counter::UserReadBytes.at(5), CounterCell::from(Counter::UserReadBytes));
}

#[test]
fn the_latencies_of_operations_are_the_first_histograms() {
    for operation in Operation::ALL {
        let family = Histogram::latency(operation);
        assert_eq!(family.at(0).position(), operation.index());
        assert_eq!(family.desc().home, Home::Shard);
        assert_eq!(family.desc().name, format!("db_{}_latency_seconds", operation.as_str()));
    }
    let shared = Histogram::ALL.iter().filter(|family| family.desc().home == Home::Shared);
    assert!(shared.clone().all(|family| family.at(0).position() >= Histogram::SHARD_CELLS));
    assert_eq!(shared.map(|family| family.desc().series()).sum::<usize>(), Histogram::SHARED_CELLS);
}

#[test]
fn enum_indices_match_their_label_sets() {
    let operations: Vec<_> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    assert_eq!(Gauge::OperationsInFlight.desc().labels[0].values, operations);
    let events: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(Counter::Events.desc().labels[0].values, events);
    assert!(EventKind::ALL.iter().enumerate().all(|(at, kind)| kind.index() == at));
    let kinds = Counter::GetErrors.desc().labels[0].values;
    assert_eq!(kinds[ErrorLabel::Io.index()], "io");
    assert_eq!(kinds[ErrorLabel::NoSpace.index()], "no_space");
    assert_eq!(kinds[ErrorLabel::Other.index()], "other");
    assert_eq!(kinds.len(), ErrorLabel::Other.index() + 1);
    let [operations, files] = Counter::IoOperations.desc().labels else { panic!("two labels") };
    assert_eq!(operations.values[IoOperation::Unlink.index()], "unlink");
    assert_eq!(operations.values.len(), IoOperation::ALL.len());
    assert_eq!(files.values[IoFile::Directory.index()], "directory");
    assert_eq!(files.values.len(), IoFile::Other.index() + 1);
}
