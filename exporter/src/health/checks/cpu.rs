//! The processors that the process takes.

use crate::health::check::{CheckResult, HealthCheck};
use crate::process::Process;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From this share of all processors on it is high, and very high.
const HIGH: f64 = 0.8;
const VERY_HIGH: f64 = 0.95;

/// Over less time a figure says nothing.
const LEAST: Duration = Duration::from_millis(500);

/// The check `cpu`: the share of all processors that the process took since the last run. Degraded from 80 % on, unhealthy from 95 %
/// on. Where the system does not say it is healthy.
#[derive(Debug)]
pub struct CpuCheck {
    before: Mutex<Option<Used>>,
}

/// Time of processors up to a moment.
#[derive(Clone, Copy, Debug)]
struct Used {
    seconds: f64,
    at: Instant,
}

impl Default for CpuCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuCheck {
    /// The check; its first run looks at the time since now.
    pub fn new() -> Self {
        Self { before: Mutex::new(Used::now()) }
    }
}

impl Used {
    fn now() -> Option<Self> {
        Process::read().cpu_nanos.map(|nanos| Self { seconds: nanos as f64 / 1e9, at: Instant::now() })
    }

    /// The share of so many processors, if enough time went by.
    fn share(self, before: Self, processors: usize) -> Option<f64> {
        let elapsed = self.at.saturating_duration_since(before.at);
        let seconds = elapsed.as_secs_f64() * processors as f64;
        (elapsed >= LEAST).then(|| (self.seconds - before.seconds).max(0.0) / seconds)
    }
}

fn judge(share: Option<f64>) -> CheckResult {
    let Some(share) = share else { return CheckResult::healthy("CPU usage has not been measured yet") };
    let found = if share >= VERY_HIGH {
        CheckResult::unhealthy("CPU usage is very high")
    } else if share >= HIGH {
        CheckResult::degraded("CPU usage is high")
    } else {
        CheckResult::healthy("CPU usage is normal")
    };
    found.detail("cpu_ratio", share)
}

impl HealthCheck for CpuCheck {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn check(&self) -> CheckResult {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let Some(now) = Used::now() else {
            return CheckResult::healthy("CPU usage is not known on this system");
        };
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let share = before.and_then(|before| now.share(before, processors));
        if share.is_some() || before.is_none() {
            *before = Some(now);
        }
        judge(share).detail("num_cpu", processors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::HealthStatus;

    /// B55.
    #[test]
    fn what_the_process_took_is_held_against_all_processors() {
        let before = Used { seconds: 10.0, at: Instant::now() };
        let after = |seconds: f64, millis: u64| {
            let now = Used { seconds: 10.0 + seconds, at: before.at + Duration::from_millis(millis) };
            judge(now.share(before, 4)).status
        };
        assert_eq!(after(31.9, 10_000), HealthStatus::Healthy);
        assert_eq!(after(32.1, 10_000), HealthStatus::Degraded);
        assert_eq!(after(38.1, 10_000), HealthStatus::Unhealthy);
        assert_eq!(after(40.0, 100), HealthStatus::Healthy, "too short a time to say anything");
    }
}
