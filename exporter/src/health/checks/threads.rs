//! What leaks: threads, and what they hold.

use crate::health::check::{CheckResult, HealthCheck};
use crate::process::Process;
use bettong_metrics::{Family, Gauge, MetricsSnapshot, Registry, Value};
use std::sync::Arc;
use std::time::Duration;

const THREADS_MAX: u64 = 1_000;

/// From this share of the limit on there are many.
const MANY: f64 = 0.8;

/// An iterator or snapshot that is held for so long was most likely forgotten.
const HELD_FOR: Duration = Duration::from_secs(3_600);

/// The check `threads`: the threads of the process against a limit, and for how long iterators and snapshots have been held.
/// Degraded from 80 % of the limit on, unhealthy above it; degraded when something has been held for an hour.
#[derive(Clone, Debug)]
pub struct ThreadCheck {
    max: u64,
    held_for: Duration,
    registries: Vec<Arc<Registry>>,
}

/// A thousand threads.
impl Default for ThreadCheck {
    fn default() -> Self {
        Self::new(THREADS_MAX)
    }
}

/// What readers hold of all databases.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    iterators: u64,
    snapshots: u64,
    oldest_seconds: f64,
    leased_shards: u64,
}

impl Held {
    fn add(&mut self, snapshot: &MetricsSnapshot) {
        let oldest = [Gauge::IteratorOldestAge, Gauge::SnapshotOldestAge].map(|gauge| snapshot.gauge(gauge));
        self.oldest_seconds = oldest.into_iter().fold(self.oldest_seconds, f64::max);
        self.iterators += snapshot.gauge(Gauge::IteratorsOpen) as u64;
        self.snapshots += snapshot.gauge(Gauge::SnapshotsOpen) as u64;
        let shards = snapshot.samples(Family::Gauge(Gauge::InstrumentationShards));
        for shard in shards.filter(|shard| shard.labels.get("state") == Some("leased")) {
            self.leased_shards += if let Value::Gauge(shards) = shard.value { shards as u64 } else { 0 };
        }
    }
}

impl ThreadCheck {
    /// The check against a number of threads.
    pub fn new(max: u64) -> Self {
        Self { max, held_for: HELD_FOR, registries: Vec::new() }
    }

    /// Looks at what readers hold of this database, too.
    #[must_use]
    pub fn with(mut self, registry: &Arc<Registry>) -> Self {
        self.registries.push(Arc::clone(registry));
        self
    }

    /// For how long iterators and snapshots may be held.
    #[must_use]
    pub fn held_for(mut self, age: Duration) -> Self {
        self.held_for = age;
        self
    }

    fn judge(&self, process: Process) -> CheckResult {
        let mut held = Held::default();
        self.registries.iter().for_each(|registry| held.add(&registry.snapshot()));
        let threads = process.threads.unwrap_or(0);
        let found = if threads > self.max {
            CheckResult::unhealthy("There are too many threads")
        } else if threads as f64 >= self.max as f64 * MANY {
            CheckResult::degraded("There are many threads")
        } else if held.oldest_seconds > self.held_for.as_secs_f64() {
            CheckResult::degraded("An iterator or snapshot has been held for long")
        } else {
            CheckResult::healthy("Number of threads is normal")
        };
        found
            .detail_if("threads", process.threads)
            .detail("limit", self.max)
            .detail("leased_shards", held.leased_shards)
            .detail("iterators", held.iterators)
            .detail("snapshots", held.snapshots)
            .detail("oldest_held_seconds", held.oldest_seconds)
    }
}

impl HealthCheck for ThreadCheck {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn check(&self) -> CheckResult {
        self.judge(Process::read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::HealthStatus;
    use bettong_metrics::HolderKind;

    /// K3, K37.
    #[test]
    fn threads_are_held_against_the_limit_and_what_is_held_against_its_age() {
        let registry = Registry::new("orders");
        let check = ThreadCheck::new(100).with(&registry);
        let status = |check: &ThreadCheck, threads: u64| {
            check.judge(Process { threads: Some(threads), ..Process::default() }).status
        };
        assert_eq!(status(&check, 79), HealthStatus::Healthy);
        assert_eq!(status(&check, 80), HealthStatus::Degraded);
        assert_eq!(status(&check, 101), HealthStatus::Unhealthy);
        let _held = registry.recorder().hold(HolderKind::Snapshot, 1);
        assert_eq!(status(&check, 1), HealthStatus::Healthy);
        assert_eq!(status(&check.held_for(Duration::ZERO), 1), HealthStatus::Degraded);
    }
}
