//! What happened, one by one, and who holds an old state.

use crate::formats::activity::{EventDocument, HolderDocument, SlowDocument, seconds};
use bettong_metrics::{Counter, EventsSince, HolderKind, MetricsSnapshot, Operation};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The newest `limit` operations that took `threshold` and longer, oldest first: where their time went, and never a key. A
/// registry keeps 128; `counts` has all of them.
pub fn slow(snapshot: &MetricsSnapshot, threshold: Duration, limit: usize) -> Value {
    let kept = &snapshot.activity().slow_operations;
    let newest = kept.iter().skip(kept.len().saturating_sub(limit));
    let count = |operation: &Operation| {
        let count = snapshot.counter(Counter::SlowOperations.at(operation.index()));
        (operation.as_str().to_owned(), Value::from(count))
    };
    json!({
        "database": snapshot.database(),
        "threshold_seconds": threshold.as_secs_f64(),
        "counts": Operation::ALL.iter().map(count).collect::<Map<_, _>>(),
        "operations": newest.map(|slow| SlowDocument::new(slow)).collect::<Vec<_>>(),
    })
}

/// Events from a number on, the first `limit` of them. A reader who comes again asks for those from `next` on; `lost` are those up to there
/// that are kept no longer.
///
/// # Examples
/// ```
/// use bettong_exporter::formats::api;
/// use bettong_metrics::{Event, EventKind, Registry};
///
/// let registry = Registry::new("orders");
/// registry.recorder().emit(Event::new(EventKind::Open));
/// let answer = api::events(registry.name(), &registry.events_since(0), 100);
/// assert_eq!((&answer["events"][0]["event"], &answer["next"]), (&"open".into(), &1.into()));
/// ```
pub fn events(database: &str, since: &EventsSince, limit: usize) -> Value {
    let shown: Vec<_> = since.events.iter().take(limit).collect();
    // If some are left, the next request begins with the first of them.
    let next = since.events.get(limit).map_or(since.next, |event| event.number);
    let asked = since.next - since.lost - since.events.len() as u64;
    json!({
        "database": database,
        "lost": next - asked - shown.len() as u64,
        "next": next,
        "events": shown.iter().map(|event| EventDocument::new(event)).collect::<Vec<_>>(),
    })
}

/// The iterators and snapshots that are held: how many, and the oldest `limit` of those that are known one by one (256).
pub fn readers(snapshot: &MetricsSnapshot, limit: usize) -> Value {
    let holders = &snapshot.activity().holders;
    let kind = |kind: HolderKind| json!({"open": holders.count(kind), "oldest_age_seconds": seconds(holders.oldest_age_nanos(kind))});
    json!({
        "database": snapshot.database(),
        "iterators": kind(HolderKind::Iterator),
        "snapshots": kind(HolderKind::Snapshot),
        "oldest": holders.known.iter().take(limit).map(HolderDocument::new).collect::<Vec<_>>(),
    })
}
