//! Health: checks that run on a timer, and what they found.
//!
//! A [`HealthMonitor`] says what is checked and how often; [`HealthMonitor::start`] runs it on a thread of its own, and
//! [`Health::report`] tells what was found last, at no cost. `docs/exporter.md` lists the checks that are built in, with
//! their thresholds.
//!
//! | module | owns |
//! | --- | --- |
//! | `status` | the five states, and which is worse |
//! | `time` | moments as RFC 3339 |
//! | `check` | what a check is, and what it answers |
//! | `report` | what all checks found, and what follows for the whole |
//! | [`checks`] | the checks that are built in |
//! | `dependency` | the check of another service over HTTP (feature `http-check`) |
//! | `worker` | the thread that runs checks, and can be left behind |
//! | `monitor` | the timer |
//!
//! # Examples
//! ```
//! use bettong_exporter::health::{CheckResult, HealthCheck, HealthMonitor, HealthStatus};
//!
//! struct Queue;
//!
//! impl HealthCheck for Queue {
//!     fn name(&self) -> &str {
//!         "queue"
//!     }
//!
//!     fn check(&self) -> CheckResult {
//!         CheckResult::degraded("The queue is long").detail("jobs", 4_000)
//!     }
//! }
//!
//! let health = HealthMonitor::new().without_built_in().register(Queue).start(&[]);
//! let report = health.check_now();
//! assert_eq!(report.status(), HealthStatus::Degraded);
//! assert_eq!(report.check("queue").unwrap().details["jobs"], 4_000);
//! ```

mod status;
mod time;
mod check;
mod report;
pub mod checks;
#[cfg(feature = "http-check")]
mod dependency;
mod worker;
mod monitor;

pub use check::{CheckResult, HealthCheck};
#[cfg(feature = "http-check")]
pub use dependency::HttpDependencyCheck;
pub use monitor::{Health, HealthMonitor};
pub use report::{CheckReport, HealthReport};
pub use status::HealthStatus;
