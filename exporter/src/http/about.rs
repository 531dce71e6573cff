//! What the exporter is, what it shows, and with which options: `info`, `config`, and whether databases are ready.

use super::app::{App, SCRAPES_MAX, STREAMS_MAX};
use crate::formats::budget;
use crate::formats::own::OwnFamily;
use crate::process::{self, Process};
use bettong_metrics::{EventKind, Family, Gauge, MetricsSnapshot, OptionState, Registry};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// What runs here.
pub(super) fn info(app: &App, registries: &[Arc<Registry>]) -> Value {
    let snapshots = app.snapshots(registries);
    let profile = app.settings.sources.profile();
    let process = Process::shown();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "build": snapshots.first().map(build),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "num_cpu": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "pid": std::process::id(),
        "process": {
            "started": process.started,
            "threads": process.threads,
            "resident_memory_bytes": process.resident_bytes,
            "virtual_memory_bytes": process.virtual_bytes,
            "open_fds": process.open_fds,
            "max_fds": process.max_fds,
            "cpu_usage_percent": process.cpu_percent(None),
            "memory_usage_percent": process.memory_percent(),
        },
        "memory_bytes": process::machine_bytes(),
        "started": app.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        "databases": snapshots.iter().zip(registries).map(|(snapshot, registry)| json!({
            "database": snapshot.database(),
            "uptime_seconds": snapshot.gauge(Gauge::UptimeSeconds),
            "ready": is_ready(registry),
            "series": budget::series(std::slice::from_ref(snapshot), profile),
        })).collect::<Vec<_>>(),
        "series": {
            "profile": profile.as_str(),
            "databases": budget::series(&snapshots, profile),
            "with_native_histograms": budget::native_series(&snapshots, profile),
            "exporter": series(&app.settings.stats.families()) + series(&app.health()),
            "process": series(&process.families()),
        },
    })
}

fn series(families: &[OwnFamily]) -> usize {
    families.iter().flat_map(|family| &family.series).map(|series| series.value.series()).sum()
}

/// What the process uses of the machine, and a database of its disk: percentages of one processor, of the machine's memory and
/// of the file system. Processor time is that since `before`, so many seconds ago, or since the process was started.
pub(super) fn system(
    snapshot: &MetricsSnapshot,
    process: &Process,
    before: Option<(&Process, f64)>,
) -> Value {
    let disk: f64 = Gauge::DiskUsageBytes.cells().map(|cell| snapshot.gauge(cell)).sum();
    let capacity = snapshot.gauge(Gauge::DiskCapacityBytes);
    json!({
        "cpu_usage_percent": process.cpu_percent(before),
        "memory_usage_bytes": process.resident_bytes,
        "memory_usage_percent": process.memory_percent(),
        "disk_usage_bytes": disk as u64,
        "disk_usage_percent": (capacity > 0.0).then(|| disk / capacity * 100.0),
    })
}

/// The labels of `db_build_info`.
fn build(snapshot: &MetricsSnapshot) -> Map<String, Value> {
    let samples = snapshot.samples(Family::Gauge(Gauge::BuildInfo));
    let labels = samples.flat_map(|sample| sample.labels.iter().collect::<Vec<_>>());
    labels.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// The settings of the exporter, each with its source, and the options in force. Those of a database are what the engine announced, as it prints them, with their defaults: what
/// is none was set by the program, which alone sets any.
pub(super) fn config(app: &App, registries: &[Arc<Registry>]) -> Value {
    let database = |registry: &Arc<Registry>| {
        let published = registry.published();
        let options = published.options.iter().map(|option| {
            let OptionState { name, value, default } = option;
            (name.clone(), json!({"value": value, "default": default, "source": option.source()}))
        });
        json!({
            "database": registry.name(),
            "options": options.collect::<Map<_, _>>(),
            "instrumentation": registry.level().to_string(),
            "slow_threshold_seconds": registry.slow_threshold().as_secs_f64(),
        })
    };
    let methods = app.settings.access.methods();
    let authentication = (!methods.is_empty()).then(|| methods.join(", "));
    json!({
        "exporter": {
            "profile": app.settings.sources.profile().as_str(),
            "native_histograms": app.settings.native_histograms,
            "hosts": app.settings.hosts.names(),
            "authentication": authentication,
            "tls": app.settings.tls,
            "settings": app.settings.noted.shown(),
            "scrapes_max": SCRAPES_MAX,
            "streams_max": STREAMS_MAX,
        },
        "databases": registries.iter().map(database).collect::<Vec<_>>(),
    })
}

/// Whether a database was opened, and not closed since.
pub(super) fn is_ready(registry: &Arc<Registry>) -> bool {
    let events = registry.events();
    let kinds = events.iter().rev().map(|event| event.kind);
    let last = kinds.into_iter().find(|kind| matches!(kind, EventKind::Open | EventKind::Close));
    !registry.published().levels.is_empty() && last != Some(EventKind::Close)
}
