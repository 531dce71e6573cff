//! How busy a database is, and how fast.

use super::{share, total, whole};
use crate::formats::activity::seconds;
use bettong_metrics::{Counter, Family, Gauge, Histogram, MetricsSnapshot, Operation, Unit};
use serde_json::{Map, Value, json};

const MILLIS_PER_SECOND: f64 = 1e3;

/// Rates and latencies over the time of a snapshot: since the database was opened, or of a difference
/// ([`MetricsSnapshot::since`]) the time between two. Gauges are as they are now.
///
/// # Examples
/// ```
/// use bettong_exporter::formats::api;
/// use bettong_metrics::{Operation, Registry};
///
/// let registry = Registry::new("orders");
/// let before = registry.snapshot();
/// registry.recorder().start(Operation::Get).finish();
/// let answer = api::performance(&registry.snapshot().since(&before));
/// assert_eq!(answer["operations"]["get"]["count"], 1);
/// assert_eq!(answer["query_metrics"]["total_queries"], 1);
/// ```
pub fn performance(snapshot: &MetricsSnapshot) -> Value {
    let window = snapshot.window();
    let operations: Map<String, Value> =
        Operation::ALL.iter().map(|one| (one.as_str().to_owned(), operation(snapshot, *one))).collect();
    json!({
        "database": snapshot.database(),
        "window": {"start": window.start, "end": window.end},
        "seconds": seconds(snapshot.span_nanos()),
        "uptime_seconds": snapshot.gauge(Gauge::UptimeSeconds),
        "operations": operations,
        "query_metrics": queries(snapshot),
        "storage_metrics": storage(snapshot),
        "queues": {
            "write_queue_depth": whole(snapshot, Gauge::WriteQueueDepth),
            "write_stalled_writers": total(snapshot, Gauge::WriteStalledWriters),
            "background_jobs_queued": total(snapshot, Gauge::BackgroundJobsQueued),
            "background_jobs_running": total(snapshot, Gauge::BackgroundJobsRunning),
        },
        "amplification": {
            "write": snapshot.gauge(Gauge::WriteAmplification),
            "read": snapshot.gauge(Gauge::ReadAmplification),
            "space": snapshot.gauge(Gauge::SpaceAmplification),
        },
        "memory_bytes": whole(snapshot, Gauge::TotalMemoryBytes),
    })
}

fn operation(snapshot: &MetricsSnapshot, operation: Operation) -> Value {
    let finished = Counter::operations(operation);
    let latency = snapshot.histogram(Histogram::latency(operation));
    let strata = snapshot.strata(operation);
    let at = |quantile| latency.quantile(quantile).map(seconds);
    json!({
        "count": snapshot.counter_total(finished),
        "per_second": snapshot.rate_total(finished),
        "in_flight": snapshot.in_flight(operation),
        "slow": snapshot.counter(Counter::SlowOperations.at(operation.index())),
        "mean_seconds": strata.mean_nanos().map(|nanos| nanos / 1e9),
        "p50_seconds": at(0.5),
        "p95_seconds": at(0.95),
        "p99_seconds": at(0.99),
        "p999_seconds": at(0.999),
        "p9999_seconds": at(0.9999),
        "max_seconds": latency.max().map(seconds),
        "sampled": strata.samples < strata.fast,
        "rank_error": strata.rank_error(),
    })
}

/// All operations together. Members of batches are counted one by one, latencies are those of what was called.
fn queries(snapshot: &MetricsSnapshot) -> Value {
    let counted =
        [Operation::Get, Operation::Set, Operation::Delete, Operation::Scan].map(Counter::operations);
    let failed = [Counter::GetErrors, Counter::SetErrors, Counter::DeleteErrors];
    let sum =
        |families: &[Counter]| families.iter().map(|family| snapshot.counter_total(*family)).sum::<u64>();
    let (count, failed) = (sum(&counted), sum(&failed));
    let per_second: f64 = counted.iter().map(|family| snapshot.rate_total(*family)).sum();
    let latencies = Operation::ALL.map(|operation| snapshot.histogram(Histogram::latency(operation)));
    let mut filled = latencies.iter().filter(|latency| latency.count() > 0);
    let mut merged = filled.next().map(|latency| latency.to_hdr());
    if let Some(all) = &mut merged {
        for latency in filled {
            // Their bounds are equal: adding cannot fail.
            let added = all.add(latency.to_hdr());
            debug_assert!(added.is_ok(), "{added:?}");
        }
    }
    let millis = |nanos: f64| nanos / 1e9 * MILLIS_PER_SECOND;
    let at = |quantile| merged.as_ref().map(|all| millis(all.value_at_quantile(quantile) as f64));
    let observed: u64 = latencies.iter().map(|latency| latency.count()).sum();
    let sum: u64 = latencies.iter().fold(0, |sum, latency| sum.wrapping_add(latency.sum()));
    json!({
        "total_queries": count,
        "queries_per_second": per_second,
        "avg_query_latency_ms": (observed > 0).then(|| millis(sum as f64 / observed as f64)),
        "p95_query_latency_ms": at(0.95),
        "p99_query_latency_ms": at(0.99),
        "slow_queries": snapshot.counter_total(Counter::SlowOperations),
        "failed_queries": failed,
        "error_ratio": share(failed, count),
    })
}

fn storage(snapshot: &MetricsSnapshot) -> Value {
    let lookups = Family::Counter(Counter::CacheRequests);
    let (mut hits, mut requests) = (0, 0);
    for sample in snapshot.samples(lookups) {
        if let bettong_metrics::Value::Counter(count) = sample.value {
            requests += count;
            hits += if sample.labels.get("result") == Some("hit") { count } else { 0 };
        }
    }
    let calls = |name: &str| -> u64 {
        let named = snapshot.samples(Family::Counter(Counter::IoOperations));
        let of = named.filter(|sample| sample.labels.get("operation") == Some(name));
        of.map(|sample| match sample.value {
            bettong_metrics::Value::Counter(count) => count,
            _ => 0,
        })
        .sum()
    };
    let latencies: Vec<_> = Histogram::IoLatency.cells().map(|cell| snapshot.histogram(cell)).collect();
    let observed: u64 = latencies.iter().map(|latency| latency.count()).sum();
    let nanos: u64 = latencies.iter().fold(0, |sum, latency| sum.wrapping_add(latency.sum()));
    json!({
        "total_size_bytes": total(snapshot, Gauge::DiskUsageBytes),
        "used_size_bytes": whole(snapshot, Gauge::LiveDataBytes),
        "entries": whole(snapshot, Gauge::Entries),
        "read_operations": calls("read"),
        "write_operations": calls("write"),
        "read_bytes_per_sec": snapshot.rate_total(Counter::StorageReadBytes),
        "write_bytes_per_sec": snapshot.rate_total(Counter::StorageWrittenBytes),
        "cache_hit_rate": share(hits, requests),
        "io_latency_ms": (observed > 0).then(|| nanos as f64 / observed as f64 / Unit::Nanoseconds.raw_per_unit() as f64 * MILLIS_PER_SECOND),
    })
}
