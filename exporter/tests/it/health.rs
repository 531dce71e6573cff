//! What the built-in checks find, with the messages and thresholds of the guides.

use bettong_exporter::health::{CheckReport, HealthMonitor, HealthReport, HealthStatus};
use bettong_metrics::{DiskRoom, ErrorLabel, Gauge, Operation, Probe, ProbeFault, Registry};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A database as a probe finds it.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) write: Result<(), ProbeFault>,
    pub(crate) read: Result<(), ProbeFault>,
    pub(crate) disk: Result<Option<DiskRoom>, ProbeFault>,
}

pub(crate) struct FakeProbe(pub(crate) Mutex<Found>);

impl Probe for FakeProbe {
    fn write(&self) -> Result<(), ProbeFault> {
        self.0.lock().unwrap().write.clone()
    }

    fn read(&self) -> Result<(), ProbeFault> {
        self.0.lock().unwrap().read.clone()
    }

    fn disk(&self) -> Result<Option<DiskRoom>, ProbeFault> {
        self.0.lock().unwrap().disk.clone()
    }
}

pub(crate) fn well() -> Found {
    Found { write: Ok(()), read: Ok(()), disk: Ok(Some(DiskRoom { free: 1 << 40, capacity: 1 << 41 })) }
}

pub(crate) fn probed(name: &str, found: Found) -> (Arc<Registry>, Arc<FakeProbe>) {
    let (registry, probe) = (Registry::new(name), Arc::new(FakeProbe(Mutex::new(found))));
    registry.set_probe(probe.clone());
    (registry, probe)
}

/// What all checks find of one database. The time-out is for the write that has to wait.
fn report(registry: &Arc<Registry>) -> Arc<HealthReport> {
    let monitor = HealthMonitor::new().memory_limit(u64::MAX).threads_max(u64::MAX);
    monitor.timeout(Duration::from_secs(2)).start(std::slice::from_ref(registry)).check_now()
}

fn check(registry: &Arc<Registry>, name: &str) -> CheckReport {
    report(registry).check(name).unwrap().clone()
}

fn failed(reason: &str) -> ProbeFault {
    ProbeFault::Failed(reason.to_owned())
}

/// W27 to W31, K1, K23.
#[test]
fn storage_says_what_works_and_what_does_not() {
    use HealthStatus::{Critical, Healthy, Unhealthy, Unknown};
    let damaged = || ProbeFault::Damaged("000007.sst is damaged at byte 64".to_owned());
    for (write, read, status, message, reason) in [
        (Ok(()), Ok(()), Healthy, "Database is responsive", None),
        (Err(failed("a")), Ok(()), Critical, "Cannot write to database", Some("a")),
        (Err(failed("a")), Err(failed("b")), Critical, "Cannot write to database", Some("a")),
        (Ok(()), Err(failed("b")), Critical, "Cannot read from database", Some("b")),
        (Ok(()), Err(damaged()), Unhealthy, "Data integrity issue", Some("000007.sst is damaged at byte 64")),
        (
            Err(ProbeFault::ReadOnly),
            Ok(()),
            Healthy,
            "Database is responsive, and open for reading only",
            None,
        ),
        (Err(ProbeFault::ReadOnly), Err(failed("b")), Critical, "Cannot read from database", Some("b")),
        (Err(ProbeFault::Waiting("l0_files")), Ok(()), Unknown, "Writes have been waiting for 1.6 s", None),
        (
            Err(ProbeFault::Waiting("l0_files")),
            Err(failed("b")),
            Critical,
            "Cannot read from database",
            Some("b"),
        ),
        (Err(ProbeFault::Closed), Ok(()), Critical, "Database is closed", None),
    ] {
        let (registry, _) = probed("orders", Found { write, read, ..well() });
        let found = check(&registry, "storage");
        assert_eq!((found.status, &*found.message, found.critical), (status, message, true));
        assert_eq!(found.details.get("reason").and_then(|reason| reason.as_str()), reason);
        let figures = ["operation_time_ms", "total_size", "entries"];
        assert!(figures.iter().all(|name| found.details[*name].is_number()), "{:?}", found.details);
    }
    let (registry, _) = probed("orders", well());
    registry.recorder().set(Gauge::DiskUsageBytes.at(1), 1_048_576.0);
    registry.recorder().set(Gauge::Entries, 150.0);
    let details = check(&registry, "storage").details;
    assert_eq!((&details["total_size"], &details["entries"]), (&1_048_576.into(), &150.into()));
    registry.close_probe();
    assert_eq!(check(&registry, "storage").message, "Database is closed");
    assert_eq!(check(&Registry::new("orders"), "storage").status, Unknown);
}

/// A write that waits for a moment is nothing to speak of.
#[test]
fn a_stall_that_passes_in_time_is_none() {
    let stalled = Found { write: Err(ProbeFault::Waiting("memtables")), ..well() };
    let (registry, probe) = probed("orders", stalled);
    let monitor = HealthMonitor::new().timeout(Duration::from_secs(600));
    let health = monitor.start(std::slice::from_ref(&registry));
    let waited = std::thread::spawn(move || health.check_now());
    std::thread::sleep(Duration::from_millis(100));
    *probe.0.lock().unwrap() = well();
    let report = waited.join().unwrap();
    assert_eq!(report.check("storage").unwrap().message, "Database is responsive");
}

/// W32, W33.
#[test]
fn disk_is_judged_by_what_is_free() {
    use HealthStatus::{Critical, Degraded, Healthy};
    let room = |free: u64| Ok(Some(DiskRoom { free, capacity: 1 << 40 }));
    for (disk, status, message) in [
        (room((100 << 20) - 1), Critical, "Insufficient disk space"),
        (room(100 << 20), Degraded, "Low disk space"),
        (room((1 << 30) - 1), Degraded, "Low disk space"),
        (room(1 << 30), Healthy, "Sufficient disk space available"),
        (Ok(None), Degraded, "Cannot determine disk space"),
        (Err(failed("cannot list /db: no such directory")), Critical, "Cannot access database directory"),
    ] {
        let (registry, _) = probed("orders", Found { disk, ..well() });
        let found = check(&registry, "disk");
        assert_eq!((found.status, &*found.message, found.critical), (status, message, true));
    }
    // Where the probe cannot tell, the metrics may.
    let (registry, _) = probed("orders", Found { disk: Ok(None), ..well() });
    registry.recorder().set(Gauge::DiskCapacityBytes, 1e12);
    registry.recorder().set(Gauge::DiskFreeBytes, 5e8);
    let found = check(&registry, "disk");
    assert_eq!((found.status, &found.details["free_bytes"]), (Degraded, &500_000_000.into()));
}

/// W35.
#[test]
fn compaction_is_judged_by_what_it_does_to_writes() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let (registry, _) = probed("orders", well());
    let recorder = registry.recorder();
    let found = || {
        let found = check(&registry, "compaction");
        assert!(!found.critical);
        (found.status, found.message)
    };
    let is = |status: HealthStatus, message: &str| (status, message.to_owned());
    assert_eq!(found(), is(Healthy, "Compaction keeps up"));
    recorder.set(Gauge::CompactionOldestPendingAge, 601.0);
    assert_eq!(found(), is(Degraded, "Compaction is behind"));
    recorder.set(Gauge::BackgroundErrorSeverity, 1.0);
    assert_eq!(found(), is(Degraded, "Compaction fails, and is tried again"));
    recorder.set(Gauge::WriteStallActive.at2(2, 0), 1.0);
    assert_eq!(found(), is(Degraded, "Writes are slowed down"));
    recorder.set(Gauge::BackgroundErrorSeverity, 2.0);
    assert_eq!(found(), is(Unhealthy, "Background work fails, and writes depend on it"));
    recorder.set(Gauge::WriteStallActive.at2(0, 1), 1.0);
    assert_eq!(found(), is(Unhealthy, "Writes are stopped"));
    recorder.set(Gauge::LevelScore.at(2), 1.5);
    recorder.set(Gauge::CompactionPendingBytes, 4_096.0);
    let details = check(&registry, "compaction").details;
    let expected = serde_json::json!({"cause": "l0_files", "score": 1.5, "pending_bytes": 4096, "pending": 0,
        "oldest_pending_age_seconds": 601.0});
    assert_eq!(serde_json::Value::Object(details), expected);
}

/// W36.
#[test]
fn errors_are_judged_by_their_share_since_the_last_look() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let (registry, _) = probed("orders", well());
    let recorder = registry.recorder();
    let health = HealthMonitor::new().start(std::slice::from_ref(&registry));
    let found = |operations: u64, errors: u64, label: ErrorLabel| {
        (0..operations).for_each(|_| recorder.start(Operation::Get).finish());
        (0..errors).for_each(|_| recorder.fail(Operation::Get, label));
        health.check_now().check("errors").unwrap().status
    };
    assert_eq!(found(0, 0, ErrorLabel::Io), Healthy);
    assert_eq!(found(1_000, 9, ErrorLabel::Io), Healthy);
    assert_eq!(found(1_000, 10, ErrorLabel::Io), Degraded);
    assert_eq!(found(1_000, 50, ErrorLabel::Io), Unhealthy);
    assert_eq!(found(1_000, 0, ErrorLabel::Io), Healthy, "what was before does not count");
    assert_eq!(found(10, 4, ErrorLabel::Io), Degraded, "few errors");
    assert_eq!(found(1_000_000, 1, ErrorLabel::Corruption), Unhealthy);
}

/// K36, K37, B55.
#[test]
fn memory_and_threads_have_limits_that_can_be_set() {
    let (registry, _) = probed("orders", well());
    let monitor = HealthMonitor::new().memory_limit(1).threads_max(0);
    let report = monitor.start(std::slice::from_ref(&registry)).check_now();
    let found = |name: &str| report.check(name).unwrap().message.clone();
    if cfg!(target_os = "linux") {
        assert_eq!(found("memory"), "Memory usage is above the limit");
        assert_eq!(found("threads"), "There are too many threads");
    }
    assert_eq!(found("cpu"), "CPU usage has not been measured yet");
    assert_eq!(report.check("cpu").unwrap().status, HealthStatus::Healthy);
    assert_eq!(report.status(), HealthStatus::Degraded, "none of them is critical");
}
