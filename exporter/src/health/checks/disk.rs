//! The room on the file system.

use crate::health::check::{CheckResult, HealthCheck};
use bettong_metrics::{DiskRoom, Gauge, ProbeFault, Registry};
use std::sync::Arc;

/// Below so many free bytes it is critical.
const LEAST: u64 = 100 << 20;
/// Below so many it is low.
const LOW: u64 = 1 << 30;

/// The check `disk`: critical below 100 MiB of free room, degraded below 1 GiB.
#[derive(Debug)]
pub struct DiskCheck {
    registry: Arc<Registry>,
    least: u64,
    low: u64,
}

impl DiskCheck {
    /// The check of one database's file system.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::clone(registry), least: LEAST, low: LOW }
    }

    /// Below how many free bytes it is critical, and degraded.
    #[must_use]
    pub fn limits(mut self, critical: u64, degraded: u64) -> Self {
        (self.least, self.low) = (critical, degraded);
        self
    }

    fn judge(&self, room: DiskRoom) -> CheckResult {
        let found = match room.free {
            free if free < self.least => CheckResult::critical("Insufficient disk space"),
            free if free < self.low => CheckResult::degraded("Low disk space"),
            _ => CheckResult::healthy("Sufficient disk space available"),
        };
        let share = room.free as f64 / room.capacity.max(1) as f64;
        found
            .detail("free_bytes", room.free)
            .detail("capacity_bytes", room.capacity)
            .detail("free_ratio", share)
    }

    /// What the metrics say: as it was when they were refreshed last.
    fn measured(&self) -> Option<DiskRoom> {
        let snapshot = self.registry.snapshot();
        let bytes = |gauge: Gauge| snapshot.gauge(gauge) as u64;
        let room = DiskRoom { free: bytes(Gauge::DiskFreeBytes), capacity: bytes(Gauge::DiskCapacityBytes) };
        (room.capacity > 0).then_some(room)
    }
}

impl HealthCheck for DiskCheck {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn is_critical(&self) -> bool {
        true
    }

    fn check(&self) -> CheckResult {
        let room = match self.registry.probe().map(|probe| probe.disk()) {
            Some(Ok(Some(room))) => Some(room),
            Some(Err(ProbeFault::Failed(reason) | ProbeFault::Damaged(reason))) => {
                let message = "Cannot access database directory";
                return CheckResult::critical(message).detail("reason", reason);
            }
            _ => self.measured(),
        };
        room.map_or_else(|| CheckResult::degraded("Cannot determine disk space"), |room| self.judge(room))
    }
}
