//! Whether the database can be written to and read.

use crate::health::check::{CheckResult, HealthCheck};
use crate::health::report::millis;
use bettong_metrics::{Family, Gauge, Probe, ProbeFault, Registry, Value};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a write that has to wait is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// The check `storage`: does what a write does, without a key, and reads a block of a table.
#[derive(Debug)]
pub struct StorageCheck {
    registry: Arc<Registry>,
    /// How long a write may have to wait.
    patience: Duration,
}

impl StorageCheck {
    /// The check of one database, by a monitor that waits for it no longer than `timeout`.
    pub fn new(registry: &Arc<Registry>, timeout: Duration) -> Self {
        Self { registry: Arc::clone(registry), patience: timeout * 4 / 5 }
    }

    /// Tries to write, again and again while writes have to wait: a moment's stall is nothing to speak of.
    fn write(&self, probe: &dyn Probe, began: Instant) -> Result<(), ProbeFault> {
        loop {
            match probe.write() {
                Err(ProbeFault::Waiting(_)) if began.elapsed() < self.patience => thread::sleep(AGAIN),
                answer => return answer,
            }
        }
    }

    fn judge(&self, probe: &dyn Probe, began: Instant) -> CheckResult {
        let (written, read) = (self.write(probe, began), probe.read());
        match (written, read) {
            (Err(ProbeFault::Closed), _) | (_, Err(ProbeFault::Closed)) => {
                CheckResult::critical("Database is closed")
            }
            (Err(ProbeFault::Failed(reason) | ProbeFault::Damaged(reason)), _) => {
                CheckResult::critical("Cannot write to database").detail("reason", reason)
            }
            (_, Err(ProbeFault::Damaged(reason))) => {
                CheckResult::unhealthy("Data integrity issue").detail("reason", reason)
            }
            (_, Err(fault)) => {
                CheckResult::critical("Cannot read from database").detail("reason", fault.to_string())
            }
            (Err(ProbeFault::Waiting(cause)), Ok(())) => {
                let message = format!("Writes have been waiting for {} s", self.patience.as_secs_f64());
                CheckResult::unknown(message).detail("cause", cause)
            }
            (Err(ProbeFault::ReadOnly), Ok(())) => {
                CheckResult::healthy("Database is responsive, and open for reading only")
            }
            (Err(fault), Ok(())) => {
                CheckResult::critical("Cannot write to database").detail("reason", fault.to_string())
            }
            (Ok(()), Ok(())) => CheckResult::healthy("Database is responsive"),
        }
    }
}

impl HealthCheck for StorageCheck {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn is_critical(&self) -> bool {
        true
    }

    fn check(&self) -> CheckResult {
        let Some(probe) = self.registry.probe() else {
            return CheckResult::unknown("Database is not open");
        };
        let began = Instant::now();
        let found = self.judge(&*probe, began);
        let took = began.elapsed();
        let snapshot = self.registry.snapshot();
        let on_disk = snapshot.samples(Family::Gauge(Gauge::DiskUsageBytes));
        let total_size: f64 =
            on_disk.map(|file| if let Value::Gauge(size) = file.value { size } else { 0.0 }).sum();
        found
            .detail("operation_time_ms", millis(took))
            .detail("total_size", total_size as u64)
            .detail("entries", snapshot.gauge(Gauge::Entries) as u64)
    }
}
