//! The memory of the process, and of the databases in it.

use crate::health::check::{CheckResult, HealthCheck};
use crate::process::{self, Process};
use bettong_metrics::{Gauge, Registry};
use std::sync::Arc;

/// From this share of the limit on it is high.
const HIGH: f64 = 0.8;

/// The share of all memory that there is which is the limit unless one is set.
const OF_ALL: f64 = 0.95;

/// The check `memory`: what the process has, and what the databases account for, against a limit. Degraded from 80 % of it on,
/// unhealthy above it.
#[derive(Clone, Debug)]
pub struct MemoryCheck {
    limit: Option<u64>,
    registries: Vec<Arc<Registry>>,
}

/// The limit is 95 % of the memory that the machine has, or the container if that is less.
impl Default for MemoryCheck {
    fn default() -> Self {
        let limit = process::memory_there_is().map(|bytes| (bytes as f64 * OF_ALL) as u64);
        Self { limit, registries: Vec::new() }
    }
}

impl MemoryCheck {
    /// The check against a limit in bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit: Some(limit), registries: Vec::new() }
    }

    /// Looks at what this database accounts for, too.
    #[must_use]
    pub fn with(mut self, registry: &Arc<Registry>) -> Self {
        self.registries.push(Arc::clone(registry));
        self
    }

    fn judge(&self, process: Process) -> CheckResult {
        let of = |registry: &Arc<Registry>| registry.snapshot().gauge(Gauge::TotalMemoryBytes) as u64;
        let databases: u64 = self.registries.iter().map(of).sum();
        // A table that is read is mapped, and one byte of it can make 2 MiB resident: no reason to worry.
        let held = process.resident_bytes.unwrap_or(0).saturating_sub(process.file_bytes.unwrap_or(0));
        let used = held.max(databases);
        let found = match self.limit {
            None => CheckResult::unknown("It is not known how much memory there is"),
            Some(limit) if used > limit => CheckResult::unhealthy("Memory usage is above the limit"),
            Some(limit) if used as f64 >= limit as f64 * HIGH => {
                CheckResult::degraded("Memory usage is high")
            }
            Some(_) => CheckResult::healthy("Memory usage is normal"),
        };
        found
            .detail_if("resident_bytes", process.resident_bytes)
            .detail_if("file_bytes", process.file_bytes)
            .detail("database_bytes", databases)
            .detail_if("limit_bytes", self.limit)
    }
}

impl HealthCheck for MemoryCheck {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn check(&self) -> CheckResult {
        self.judge(Process::read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::HealthStatus;

    /// K2, K36.
    #[test]
    fn the_larger_of_process_and_databases_is_held_against_the_limit() {
        let registry = Registry::new("orders");
        let check = MemoryCheck::new(1_000).with(&registry);
        let status = |bytes: u64, total: f64| {
            registry.recorder().set(Gauge::TotalMemoryBytes, total);
            check.judge(Process { resident_bytes: Some(bytes), ..Process::default() }).status
        };
        assert_eq!(status(799, 0.0), HealthStatus::Healthy);
        assert_eq!(status(800, 0.0), HealthStatus::Degraded);
        assert_eq!(status(1_001, 0.0), HealthStatus::Unhealthy);
        assert_eq!(status(100, 2_000.0), HealthStatus::Unhealthy);
        let reads_tables =
            Process { resident_bytes: Some(5_000), file_bytes: Some(4_500), ..Process::default() };
        registry.recorder().set(Gauge::TotalMemoryBytes, 0.0);
        assert_eq!(check.judge(reads_tables).status, HealthStatus::Healthy);
        let nothing_known = MemoryCheck { limit: None, registries: Vec::new() };
        assert_eq!(nothing_known.judge(Process::default()).status, HealthStatus::Unknown);
    }
}
