//! What is wrong with the database at the moment: the one place where faults of background work are weighed.
//!
//! | origin | full disk, I/O error | damage | failed sync, manifest in doubt, panic |
//! |---|---|---|---|
//! | flush | hard | unrecoverable, read-only | fatal |
//! | compaction, collection of values | soft; hard while it holds up writes | unrecoverable, writes go on | fatal |
//! | commit log | fatal | unrecoverable, read-only | fatal |
//!
//! Reads go on in all of them. See `docs/design/2026-11-21-errors-and-repair.md`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bettong_metrics::{Counter, Gauge, Recorder};

use crate::env::Clock;
use crate::error::{Error, ErrorKind};
use crate::sync::Mutex;

/// How bad a fault of background work is, mildest first. Reads go on in all four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Work failed and is tried again; writes go on.
    Soft = 1,
    /// Work that writes need failed and is tried again. Writes go on for as long as there is room in memory, then they are refused
    /// ([`Error::ReadOnly`] with a retryable reason), and resume by themselves as soon as the work succeeds.
    Hard = 2,
    /// What is on the disk is in doubt: read-only until the database is opened again.
    Fatal = 3,
    /// A file is damaged. What was lost stays lost until a copy or [`repair`](crate::repair::repair) is used. Writes go on where they do not need
    /// the damaged file.
    Unrecoverable = 4,
}

impl Severity {
    /// How bad `error` is for what met it.
    pub(crate) fn of(origin: Origin, error: &Error) -> Severity {
        match (origin, error.kind()) {
            (_, ErrorKind::Corruption | ErrorKind::Unsupported) => Severity::Unrecoverable,
            (Origin::Flush, ErrorKind::NoSpace | ErrorKind::Io) => Severity::Hard,
            (Origin::Compaction | Origin::Collection, ErrorKind::NoSpace | ErrorKind::Io) => Severity::Soft,
            // Whatever is wrapped is in doubt: a full disk in the middle of a sync is no full disk.
            (_, ErrorKind::ReadOnly) if wraps_damage(error) => Severity::Unrecoverable,
            _ => Severity::Fatal,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Severity::Soft => "soft",
            Severity::Hard => "hard",
            Severity::Fatal => "fatal",
            Severity::Unrecoverable => "unrecoverable",
        }
    }

    /// Label `severity` of `db_background_errors_total`.
    fn label(self) -> usize {
        self as usize - 1
    }
}

fn wraps_damage(error: &Error) -> bool {
    match error {
        Error::ReadOnly(reason) => wraps_damage(reason),
        other => other.kind() == ErrorKind::Corruption,
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What met a fault: label `origin` of `db_background_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Origin {
    Flush = 0,
    Compaction = 1,
    Collection = 2,
    Log = 3,
}

const ORIGINS: usize = 4;

impl Origin {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Origin::Flush => "flush",
            Origin::Compaction => "compaction",
            Origin::Collection => "vlog_gc",
            Origin::Log => "wal",
        }
    }
}

/// The worst fault there is at the moment: see [`Db::background_error`](crate::Db::background_error).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackgroundError {
    /// How bad it is.
    pub severity: Severity,
    /// What met it: `flush`, `compaction`, `vlog_gc` or `wal`.
    pub origin: &'static str,
    /// What happened, the last time.
    pub reason: Arc<Error>,
    /// How long it has been so.
    pub age: Duration,
    /// How often the work has failed since.
    pub failures: u64,
}

impl BackgroundError {
    /// Whether the work is being tried again, and all is well when it succeeds.
    pub fn resumes_by_itself(&self) -> bool {
        self.severity <= Severity::Hard
    }
}

impl fmt::Display for BackgroundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = match self.severity {
            Severity::Soft | Severity::Hard => "it is being tried again",
            Severity::Fatal => "open the database again",
            Severity::Unrecoverable => "verify and repair the database, or restore a copy",
        };
        write!(f, "{} {} error: {} ({advice})", self.severity, self.origin, self.reason)
    }
}

#[derive(Clone, Debug)]
struct Noted {
    severity: Severity,
    reason: Arc<Error>,
    since_nanos: u64,
    failures: u64,
}

/// The faults there are, by what met them.
#[derive(Debug)]
pub(crate) struct Condition {
    clock: Arc<dyn Clock>,
    recorder: Recorder,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    faults: [Option<Noted>; ORIGINS],
    /// Compaction is behind so far that writes wait for it.
    stopped: bool,
}

impl Inner {
    /// The worst, and what met it.
    fn worst(&self) -> Option<(usize, Noted)> {
        let noted = self.faults.iter().enumerate();
        let mut noted: Vec<_> = noted.filter_map(|(at, fault)| Some((at, fault.clone()?))).collect();
        for (_, fault) in &mut noted {
            if fault.severity == Severity::Soft && self.stopped {
                fault.severity = Severity::Hard;
            }
        }
        noted.into_iter().max_by_key(|(at, fault)| (fault.severity, std::cmp::Reverse(*at)))
    }
}

impl Condition {
    pub(crate) fn new(clock: &Arc<dyn Clock>, recorder: &Recorder) -> Condition {
        recorder.set(Gauge::BackgroundErrorSeverity, 0.0);
        Condition { clock: clock.clone(), recorder: recorder.clone(), inner: Mutex::default() }
    }

    /// Work failed; says how bad that is.
    pub(crate) fn note(&self, origin: Origin, reason: &Arc<Error>) -> Severity {
        let severity = Severity::of(origin, reason);
        self.recorder.add(Counter::BackgroundErrors.at2(origin as usize, severity.label()), 1);
        let mut inner = self.inner.lock();
        if let Some(place) = inner.faults.get_mut(origin as usize) {
            let before = place.take();
            let (since_nanos, failures) = match &before {
                Some(noted) => (noted.since_nanos, noted.failures + 1),
                None => (self.clock.monotonic_nanos(), 1),
            };
            *place = Some(match before {
                // What does not pass is not replaced by what does.
                Some(noted) if noted.severity > severity => Noted { failures, ..noted },
                _ => Noted { severity, reason: reason.clone(), since_nanos, failures },
            });
        }
        self.show(&inner);
        severity
    }

    /// Work succeeded: what could pass has passed.
    pub(crate) fn clear(&self, origin: Origin) {
        let mut inner = self.inner.lock();
        if let Some(place) = inner.faults.get_mut(origin as usize)
            && place.as_ref().is_some_and(|noted| noted.severity <= Severity::Hard)
        {
            *place = None;
            self.show(&inner);
        }
    }

    /// Says whether writes wait for compaction.
    pub(crate) fn set_stopped(&self, stopped: bool) {
        let mut inner = self.inner.lock();
        if inner.stopped != stopped {
            inner.stopped = stopped;
            self.show(&inner);
        }
    }

    fn show(&self, inner: &Inner) {
        let worst = inner.worst().map_or(0, |(_, noted)| noted.severity as u8);
        self.recorder.set(Gauge::BackgroundErrorSeverity, f64::from(worst));
    }

    /// The worst fault there is.
    pub(crate) fn present(&self) -> Option<BackgroundError> {
        let (at, noted) = self.inner.lock().worst()?;
        let origins = [Origin::Flush, Origin::Compaction, Origin::Collection, Origin::Log];
        Some(BackgroundError {
            severity: noted.severity,
            origin: origins.get(at)?.name(),
            reason: noted.reason,
            age: Duration::from_nanos(self.clock.monotonic_nanos().saturating_sub(noted.since_nanos)),
            failures: noted.failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// G7: the table of severities.
    #[test]
    fn g7_each_fault_has_its_severity() {
        let path = Path::new("/db/000007.sst");
        let full = || Error::NoSpace { path: path.into() };
        let io = || Error::io("write to", path, std::io::Error::from_raw_os_error(libc::EIO));
        let damage = || Error::corruption(path, 0, "a checksum");
        let doubt = |error| Error::ReadOnly(Arc::new(error));
        for (error, flush, compaction, log) in [
            (full(), Severity::Hard, Severity::Soft, Severity::Fatal),
            (io(), Severity::Hard, Severity::Soft, Severity::Fatal),
            (damage(), Severity::Unrecoverable, Severity::Unrecoverable, Severity::Unrecoverable),
            (doubt(io()), Severity::Fatal, Severity::Fatal, Severity::Fatal),
            (doubt(full()), Severity::Fatal, Severity::Fatal, Severity::Fatal),
            (doubt(damage()), Severity::Unrecoverable, Severity::Unrecoverable, Severity::Unrecoverable),
        ] {
            let found = [Origin::Flush, Origin::Compaction, Origin::Collection, Origin::Log]
                .map(|origin| Severity::of(origin, &error));
            assert_eq!(found, [flush, compaction, compaction, log], "{error}");
        }
    }
}
