//! What went wrong: counts by kind, and the newest events that tell of it.

use crate::formats::activity::EventDocument;
use bettong_metrics::{Counter, Family, Gauge, MetricsSnapshot, Severity};
use serde_json::{Map, Value, json};

/// The counters of things that went wrong.
const COUNTERS: [Counter; 6] = [
    Counter::GetErrors,
    Counter::SetErrors,
    Counter::DeleteErrors,
    Counter::IoErrors,
    Counter::BackgroundErrors,
    Counter::ChecksumFailures,
];

/// The errors of a database: every counter of them that is not zero, and the newest `limit` events of severity `error`,
/// oldest first. What a registry keeps of each kind is told at [`Registry::events`](bettong_metrics::Registry::events).
///
/// # Examples
/// ```
/// use bettong_exporter::formats::api;
/// use bettong_metrics::{ErrorLabel, Operation, Registry};
///
/// let registry = Registry::new("orders");
/// registry.recorder().fail(Operation::Set, ErrorLabel::NoSpace);
/// let answer = api::errors(&registry.snapshot(), 10);
/// assert_eq!(answer["counts"][0]["labels"]["kind"], "no_space");
/// ```
pub fn errors(snapshot: &MetricsSnapshot, limit: usize) -> Value {
    let counts: Vec<Value> = COUNTERS.iter().flat_map(|family| counted(snapshot, *family)).collect();
    let events = &snapshot.activity().events;
    let wrong: Vec<_> = events.iter().filter(|event| event.severity == Severity::Error).collect();
    let newest = wrong.iter().skip(wrong.len().saturating_sub(limit));
    json!({
        "database": snapshot.database(),
        "total": COUNTERS.iter().map(|family| snapshot.counter_total(*family)).sum::<u64>(),
        "counts": counts,
        "events": newest.map(|event| EventDocument::new(event)).collect::<Vec<_>>(),
        "read_only": snapshot.gauge(Gauge::ReadOnly) > 0.0,
        "background_error_severity": severity(snapshot),
    })
}

fn counted(snapshot: &MetricsSnapshot, family: Counter) -> Vec<Value> {
    let samples = snapshot.samples(Family::Counter(family));
    let counted = samples.filter_map(|sample| match sample.value {
        bettong_metrics::Value::Counter(count) if count > 0 => {
            let pairs = sample.labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
            let labels: Map<String, Value> = pairs.collect();
            Some(json!({"name": family.desc().name, "labels": labels, "value": count}))
        }
        _ => None,
    });
    counted.collect()
}

/// The worst fault of background work at the moment.
fn severity(snapshot: &MetricsSnapshot) -> &'static str {
    match snapshot.gauge(Gauge::BackgroundErrorSeverity) as u8 {
        0 => "none",
        1 => "soft",
        2 => "hard",
        3 => "fatal",
        _ => "unrecoverable",
    }
}
