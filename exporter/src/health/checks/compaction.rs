//! Whether compaction keeps up with what is written.

use crate::health::check::{CheckResult, HealthCheck};
use bettong_metrics::{Family, Gauge, MetricsSnapshot, Registry, Value};
use std::sync::Arc;
use std::time::Duration;

/// A level that has been due for so long is behind.
const BEHIND_AFTER: Duration = Duration::from_secs(600);

/// From this severity on writes depend on work that fails.
const HARD: f64 = 2.0;

/// The check `compaction`: unhealthy while writes are stopped, or work that they need fails; degraded while they are slowed down,
/// while compaction fails and is tried again, or when a level has been due for ten minutes.
#[derive(Debug)]
pub struct CompactionCheck {
    registry: Arc<Registry>,
    behind_after: Duration,
}

impl CompactionCheck {
    /// The check of one database.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::clone(registry), behind_after: BEHIND_AFTER }
    }

    /// For how long a level may be due.
    #[must_use]
    pub fn behind_after(mut self, age: Duration) -> Self {
        self.behind_after = age;
        self
    }

    fn judge(&self, snapshot: &MetricsSnapshot) -> CheckResult {
        let severity = snapshot.gauge(Gauge::BackgroundErrorSeverity);
        let age = snapshot.gauge(Gauge::CompactionOldestPendingAge);
        if let Some(cause) = stall(snapshot, "stop") {
            CheckResult::unhealthy("Writes are stopped").detail("cause", cause)
        } else if severity >= HARD {
            CheckResult::unhealthy("Background work fails, and writes depend on it")
        } else if let Some(cause) = stall(snapshot, "slowdown") {
            CheckResult::degraded("Writes are slowed down").detail("cause", cause)
        } else if severity > 0.0 {
            CheckResult::degraded("Compaction fails, and is tried again")
        } else if age > self.behind_after.as_secs_f64() {
            CheckResult::degraded("Compaction is behind")
        } else {
            CheckResult::healthy("Compaction keeps up")
        }
    }
}

/// The cause for which writes are held back like this.
fn stall(snapshot: &MetricsSnapshot, condition: &str) -> Option<&'static str> {
    let mut stalls = gauges(snapshot, Gauge::WriteStallActive);
    let (labels, _) =
        stalls.find(|(labels, active)| *active > 0.0 && labels.get("condition") == Some(condition))?;
    // Labels of the catalogue are constants, but for those of the clock: the name is looked up there.
    let causes = Gauge::WriteStallActive.desc().labels.iter().find(|label| label.name == "cause")?;
    causes.values.iter().copied().find(|cause| labels.get("cause") == Some(cause))
}

fn gauges(
    snapshot: &MetricsSnapshot,
    gauge: Gauge,
) -> impl Iterator<Item = (bettong_metrics::Labels<'_>, f64)> {
    snapshot.samples(Family::Gauge(gauge)).map(|sample| {
        let value = if let Value::Gauge(value) = sample.value { value } else { 0.0 };
        (sample.labels, value)
    })
}

impl HealthCheck for CompactionCheck {
    fn name(&self) -> &'static str {
        "compaction"
    }

    fn check(&self) -> CheckResult {
        let snapshot = self.registry.snapshot();
        let score = gauges(&snapshot, Gauge::LevelScore).map(|(_, score)| score).fold(0.0, f64::max);
        let succeeded = snapshot.gauge(Gauge::CompactionLastSuccess);
        self.judge(&snapshot)
            .detail("score", score)
            .detail("pending_bytes", snapshot.gauge(Gauge::CompactionPendingBytes) as u64)
            .detail("pending", snapshot.gauge(Gauge::CompactionsPending) as u64)
            .detail("oldest_pending_age_seconds", snapshot.gauge(Gauge::CompactionOldestPendingAge))
            .detail_if("last_success_timestamp_seconds", (succeeded > 0.0).then_some(succeeded))
    }
}
