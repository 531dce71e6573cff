//! What all checks found, and what follows for the whole.

use super::check::CheckResult;
use super::status::HealthStatus;
use super::time::{rfc3339, unix};
use crate::formats::own::{OwnFamily, OwnSeries, OwnValue};
use crate::formats::{openmetrics, text};
use crate::process::Process;
use bettong_metrics::{Gauge, Kind, Unit};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const BYTES_PER_MEBIBYTE: u64 = 1 << 20;

/// What one check found, the last time it ran.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// Its name. If several databases are shown, that of a check of one of them begins with the database: `orders/storage`.
    pub name: Arc<str>,
    /// The database that it is about, if it is about one.
    pub database: Option<Arc<str>>,
    /// Whether the whole is as unwell as this.
    pub critical: bool,
    /// How it is.
    pub status: HealthStatus,
    /// A sentence for people.
    pub message: String,
    /// Figures, for programs.
    pub details: Map<String, Value>,
    /// How long the check took, or was waited for.
    pub duration: Duration,
    /// When that was.
    pub last_check: SystemTime,
}

impl CheckReport {
    /// Whether all is well.
    pub fn is_healthy(&self) -> bool {
        self.status == HealthStatus::Healthy
    }

    /// Takes over what was found now.
    pub(super) fn update(&mut self, found: CheckResult, duration: Duration) {
        (self.status, self.message, self.details) = (found.status, found.message, found.details);
        (self.duration, self.last_check) = (duration, SystemTime::now());
    }

    fn json(&self) -> Value {
        json!({
            "name": &*self.name,
            "status": self.status.as_str(),
            "message": self.message,
            "duration_ms": millis(self.duration),
            "timestamp": rfc3339(self.last_check),
            "details": self.details,
            "critical": self.critical,
        })
    }
}

/// What all checks found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HealthReport {
    /// The checks: those of databases, then those of the process, then those of the application.
    pub checks: Vec<CheckReport>,
    /// When the monitor was started.
    pub started: SystemTime,
    pub(super) process: Process,
}

impl HealthReport {
    /// How the whole is: as unwell as the worst critical check; and degraded if any check is not well.
    ///
    /// So a check that is not critical can degrade the whole, and no more; and a critical one that gave no answer makes the
    /// whole `unknown`, unless something is known that is worse. Without checks all is well.
    pub fn status(&self) -> HealthStatus {
        let of = |check: &CheckReport| {
            if check.critical { check.status } else { check.status.min(HealthStatus::Degraded) }
        };
        self.checks.iter().map(of).max().unwrap_or(HealthStatus::Healthy)
    }

    /// The check of this name.
    pub fn check(&self, name: &str) -> Option<&CheckReport> {
        self.checks.iter().find(|check| *check.name == *name)
    }

    /// The report on one database: its checks, and those that are about no database.
    #[must_use]
    pub fn of_database(&self, database: &str) -> Self {
        let is_about = |check: &&CheckReport| check.database.as_ref().is_none_or(|name| **name == *database);
        let checks = self.checks.iter().filter(is_about).cloned().collect();
        Self { checks, started: self.started, process: self.process }
    }

    /// The report as JSON: `{"status":…,"version":…,"uptime_seconds":…,"timestamp":…,"checks":{…},"summary":{…},"system_info":{…}}`.
    ///
    /// In the summary `unhealthy` counts the checks that are unhealthy or critical, and `critical` those of them that are marked
    /// critical. What is missing to `total` is unknown.
    pub fn json(&self) -> Value {
        let now = SystemTime::now();
        let count = |is: &dyn Fn(&CheckReport) -> bool| self.checks.iter().filter(|check| is(check)).count();
        let checks: Map<String, Value> =
            self.checks.iter().map(|check| (check.name.to_string(), check.json())).collect();
        json!({
            "status": self.status().as_str(),
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": now.duration_since(self.started).unwrap_or_default().as_secs(),
            "timestamp": rfc3339(now),
            "checks": checks,
            "summary": {
                "total": self.checks.len(),
                "healthy": count(&CheckReport::is_healthy),
                "degraded": count(&|check| check.status == HealthStatus::Degraded),
                "unhealthy": count(&|check| check.status.is_failing()),
                "critical": count(&|check| check.status.is_failing() && check.critical),
            },
            "system_info": {
                "rustc_version": rustc(),
                "os": std::env::consts::OS,
                "arch": std::env::consts::ARCH,
                "num_cpu": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
                "num_threads": self.process.threads,
                "memory_mb": self.process.resident_bytes.map(|bytes| bytes / BYTES_PER_MEBIBYTE),
                "start_time": rfc3339(self.started),
            },
        })
    }

    /// The metrics of health in the Prometheus text format, and no others.
    pub fn text(&self) -> String {
        text::render_own(&self.families())
    }

    /// The same as OpenMetrics text.
    pub fn open_metrics(&self) -> String {
        openmetrics::render_own(&self.families())
    }

    /// The families of metrics: always the same series.
    pub(crate) fn families(&self) -> Vec<OwnFamily> {
        let family = |name, help, unit, series| OwnFamily { name, help, unit, kind: Kind::Gauge, series };
        let of_checks = |value: fn(&CheckReport) -> f64| {
            let one = |check: &CheckReport| gauge(vec![("check", named(check))], value(check));
            self.checks.iter().map(one).collect()
        };
        let states = self.checks.iter().flat_map(|check| states(&[("check", named(check))], check.status));
        vec![
            family(
                "db_health_status",
                "1 for the state that the whole is in, 0 for the others",
                Unit::Count,
                states_of_all(self.status()),
            ),
            family(
                "db_health_check",
                "1 for the state that a check found, 0 for the others",
                Unit::Count,
                states.collect(),
            ),
            family(
                "db_health_check_duration_seconds",
                "Time that the last run of a check took",
                Unit::Seconds,
                of_checks(|check| check.duration.as_secs_f64()),
            ),
            family(
                "db_health_check_timestamp_seconds",
                "Unix time of the last run of a check",
                Unit::Seconds,
                of_checks(|check| unix(check.last_check).as_secs_f64()),
            ),
        ]
    }
}

type Labels = Vec<(&'static str, Cow<'static, str>)>;

fn named(check: &CheckReport) -> Cow<'static, str> {
    check.name.to_string().into()
}

fn gauge(labels: Labels, value: f64) -> OwnSeries {
    OwnSeries { labels, value: OwnValue::Gauge(value) }
}

fn states_of_all(status: HealthStatus) -> Vec<OwnSeries> {
    states(&[], status)
}

/// A series for each state.
fn states(labels: &[(&'static str, Cow<'static, str>)], status: HealthStatus) -> Vec<OwnSeries> {
    let one = |state: HealthStatus| {
        let labels = labels.iter().cloned().chain([("status", state.as_str().into())]).collect();
        gauge(labels, f64::from(u8::from(state == status)))
    };
    HealthStatus::ALL.into_iter().map(one).collect()
}

/// The compiler that built the metrics.
fn rustc() -> &'static str {
    let labels = Gauge::BuildInfo.desc().labels.iter();
    labels.filter(|label| label.name == "rustc").find_map(|label| label.values.first()).unwrap_or(&"unknown")
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::{Critical, Degraded, Healthy, Unhealthy, Unknown};

    fn report(checks: &[(bool, HealthStatus)]) -> HealthReport {
        let check = |(at, (critical, status)): (usize, &(bool, HealthStatus))| CheckReport {
            name: format!("check {at}").into(),
            database: (at > 0).then(|| format!("db {at}").into()),
            critical: *critical,
            status: *status,
            message: String::new(),
            details: Map::new(),
            duration: Duration::from_micros(1_500),
            last_check: SystemTime::UNIX_EPOCH,
        };
        let checks = checks.iter().enumerate().map(check).collect();
        HealthReport { checks, started: SystemTime::now(), process: Process::default() }
    }

    /// K5.
    #[test]
    fn the_worst_critical_check_decides_and_others_degrade_the_whole() {
        let status = |checks: &[(bool, HealthStatus)]| report(checks).status();
        assert_eq!(status(&[]), Healthy);
        assert_eq!(status(&[(true, Healthy), (false, Healthy)]), Healthy);
        for other in [Degraded, Unknown, Unhealthy, Critical] {
            assert_eq!(status(&[(true, Healthy), (false, other)]), Degraded, "{other}");
            assert_eq!(status(&[(false, Healthy), (true, other)]), other, "{other}");
        }
        assert_eq!(status(&[(true, Unknown), (true, Degraded)]), Unknown);
        assert_eq!(status(&[(true, Unknown), (true, Unhealthy)]), Unhealthy);
        assert_eq!(status(&[(true, Unhealthy), (true, Critical), (false, Unknown)]), Critical);
    }

    /// K24.
    #[test]
    fn the_summary_counts_what_fails_and_what_of_it_is_marked_critical() {
        let checks =
            [(true, Healthy), (true, Critical), (false, Unhealthy), (true, Unknown), (false, Degraded)];
        let summary = &report(&checks).json()["summary"];
        let expected = json!({"total": 5, "healthy": 1, "degraded": 1, "unhealthy": 2, "critical": 1});
        assert_eq!(*summary, expected);
    }

    #[test]
    fn a_report_on_one_database_has_its_checks_and_those_of_none() {
        let all = report(&[(true, Healthy), (true, Critical), (true, Degraded)]);
        let one = all.of_database("db 2");
        let names: Vec<_> = one.checks.iter().map(|check| &*check.name).collect();
        assert_eq!((names, one.status()), (vec!["check 0", "check 2"], Degraded));
    }

    #[test]
    fn each_check_has_one_series_for_each_state_and_one_of_them_is_1() {
        let families = report(&[(true, Unknown), (false, Healthy)]).families();
        let values = |at: usize| -> Vec<f64> {
            let value = |series: &OwnSeries| match series.value {
                OwnValue::Gauge(value) => value,
                ref other => panic!("{other:?}"),
            };
            families[at].series.iter().map(value).collect()
        };
        assert_eq!(values(0), [0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(values(1), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(values(2), [0.0015, 0.0015]);
        let (text, open) = (report(&[]).text(), report(&[]).open_metrics());
        assert!(
            text.contains("\ndb_health_status{status=\"healthy\"} 1\n") && open.ends_with("# EOF\n"),
            "{text}"
        );
        let labels = &families[1].series[4].labels;
        assert_eq!(*labels, [("check", Cow::from("check 0")), ("status", Cow::from("unknown"))]);
    }
}
