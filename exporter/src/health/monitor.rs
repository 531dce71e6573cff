//! The timer: which checks run, how often, and how long each is waited for.

use super::check::{CheckResult, HealthCheck};
use super::checks;
use super::report::{CheckReport, HealthReport};
use super::status::HealthStatus;
use super::worker::{Answer, Message, Worker};
use crate::process::Process;
use bettong_metrics::Registry;
use serde_json::Map;
use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);

/// The bounds of what can be set: a check is no load, and a time-out is one.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(24 * 3_600));
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3_600));

/// The most characters of a check's name that are kept.
const NAME_CHARS: usize = 128;

/// What is checked, how often, and how long each check is waited for.
///
/// Unless told otherwise: the checks that are built in ([`checks`]), every 30 s, 5 s each.
#[derive(Clone)]
#[must_use = "nothing is checked before `start`"]
pub struct HealthMonitor {
    /// As set; `None` is the usual one. So of the others.
    interval: Option<Duration>,
    timeout: Option<Duration>,
    built_in: bool,
    memory_limit: Option<u64>,
    threads_max: Option<u64>,
    registered: Vec<Arc<dyn HealthCheck>>,
}

impl Default for HealthMonitor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HealthMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthMonitor")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("built_in", &self.built_in)
            .field("registered", &self.registered.len())
            .finish_non_exhaustive()
    }
}

impl HealthMonitor {
    /// A monitor with the checks that are built in.
    pub fn new() -> Self {
        Self {
            interval: None,
            timeout: None,
            built_in: true,
            memory_limit: None,
            threads_max: None,
            registered: Vec::new(),
        }
    }

    /// Only the checks that are registered, none of those that are built in.
    pub fn without_built_in(mut self) -> Self {
        self.built_in = false;
        self
    }

    /// The time from one round of checks to the next: 30 s unless it is set, at least 100 ms, at most a day.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval.clamp(INTERVALS.0, INTERVALS.1));
        self
    }

    /// How long each check is waited for: 5 s unless it is set, at least 1 ms, at most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.clamp(TIMEOUTS.0, TIMEOUTS.1));
        self
    }

    /// The bytes of memory that the check `memory` allows: 95 % of what machine or container have, unless it is set.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// The threads that the check `threads` allows the process: 1,000 unless it is set.
    pub fn threads_max(mut self, threads: u64) -> Self {
        self.threads_max = Some(threads);
        self
    }

    /// What was set, by the keys of the configuration.
    #[cfg(feature = "http")]
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
        let all = [
            ("health_check_interval_ms", millis(self.interval)),
            ("health_check_timeout_ms", millis(self.timeout)),
            ("memory_limit_bytes", self.memory_limit),
            ("threads_max", self.threads_max),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Adds a check. It takes the place of one with the same name, of those that are built in too.
    pub fn register(mut self, check: impl HealthCheck + 'static) -> Self {
        self.registered.push(Arc::new(check));
        self
    }

    /// Runs the checks, those that are built in for these databases, on a thread of its own until the answer is dropped. The first
    /// round begins at once; before its end checks are `unknown`.
    ///
    /// If the operating system gives no thread, they stay so, and say why.
    pub fn start(&self, registries: &[Arc<Registry>]) -> Health {
        let slots = self.slots(registries);
        let (inbox, messages) = mpsc::channel();
        let report = HealthReport {
            checks: slots.iter().map(|slot| slot.found.clone()).collect(),
            started: SystemTime::now(),
            process: Process::read(),
        };
        let shared = Arc::new(Mutex::new(Arc::new(report)));
        let timer = Timer {
            slots,
            interval: self.interval.unwrap_or(INTERVAL),
            timeout: self.timeout.unwrap_or(TIMEOUT),
            messages,
            inbox: inbox.clone(),
            worker: None,
            asking: Vec::new(),
            shared: Arc::clone(&shared),
        };
        let builder = thread::Builder::new().name("bettong-health".to_owned());
        let thread = match builder.spawn(move || timer.run()) {
            Ok(thread) => Some(thread),
            Err(error) => {
                give_up(&shared, &error);
                None
            }
        };
        Health { inbox, thread, shared }
    }

    fn slots(&self, registries: &[Arc<Registry>]) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::new();
        if self.built_in {
            for registry in registries {
                for check in checks::of_database(registry, self.timeout.unwrap_or(TIMEOUT)) {
                    let name = match registries {
                        [_] => check.name().to_owned(),
                        _ => format!("{}/{}", registry.name(), check.name()),
                    };
                    slots.push(Slot::new(&name, Some(registry.name()), check));
                }
            }
            for check in checks::of_process(registries, self.memory_limit, self.threads_max) {
                slots.push(Slot::new(check.name(), None, Arc::clone(&check)));
            }
        }
        for check in &self.registered {
            let slot = Slot::new(check.name(), None, Arc::clone(check));
            match slots.iter_mut().find(|known| known.found.name == slot.found.name) {
                Some(known) => *known = slot,
                None => slots.push(slot),
            }
        }
        slots
    }
}

/// A check, and what it found last.
struct Slot {
    check: Arc<dyn HealthCheck>,
    found: CheckReport,
    /// Since when it has been running without an answer.
    late_since: Option<Instant>,
    /// The state that the log has.
    told: Option<HealthStatus>,
}

impl Slot {
    fn new(name: &str, database: Option<&str>, check: Arc<dyn HealthCheck>) -> Self {
        let found = CheckReport {
            name: name.chars().take(NAME_CHARS).collect::<String>().into(),
            database: database.map(Into::into),
            critical: check.is_critical(),
            status: HealthStatus::Unknown,
            message: "It has not been checked yet".to_owned(),
            details: Map::new(),
            duration: Duration::ZERO,
            last_check: SystemTime::now(),
        };
        Self { check, found, late_since: None, told: None }
    }
}

type Shared = Arc<Mutex<Arc<HealthReport>>>;

/// A running monitor. Dropping it stops it, without waiting for checks that run.
#[must_use = "the checks stop when it is dropped"]
pub struct Health {
    inbox: Sender<Message>,
    thread: Option<JoinHandle<()>>,
    shared: Shared,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("status", &self.report().status()).finish_non_exhaustive()
    }
}

impl Health {
    /// What was found last. It costs nothing: no check is run for it.
    pub fn report(&self) -> Arc<HealthReport> {
        // What is in there is always whole: it is replaced in one step.
        Arc::clone(&self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs all checks now, waits for them, and says what they found. It takes as long as they take, a time-out for each at the most.
    pub fn check_now(&self) -> Arc<HealthReport> {
        let (done, waiting) = mpsc::channel();
        if self.inbox.send(Message::Check(done)).is_ok() {
            // An error says that the thread is gone: then there is nothing newer.
            let _ = waiting.recv();
        }
        self.report()
    }
}

/// The checks of the process alone.
impl Default for Health {
    fn default() -> Self {
        HealthMonitor::new().start(&[])
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        // An error says that the thread is gone already.
        let _ = self.inbox.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says of all checks that there is no thread to run them.
fn give_up(shared: &Shared, error: &std::io::Error) {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut report = HealthReport::clone(&shared);
    for check in &mut report.checks {
        check
            .update(CheckResult::unknown(format!("There is no thread to check it: {error}")), Duration::ZERO);
    }
    *shared = Arc::new(report);
}

/// What the monitor's thread has.
struct Timer {
    slots: Vec<Slot>,
    interval: Duration,
    timeout: Duration,
    messages: Receiver<Message>,
    inbox: Sender<Message>,
    worker: Option<Worker>,
    /// Those that wait for the end of a round that begins after they asked.
    asking: Vec<Sender<()>>,
    shared: Shared,
}

/// Nobody wants to know any more.
struct Stopped;

/// What the timer waits for.
enum Event {
    Answer(Answer),
    Asked,
    /// The time is up.
    Time,
}

impl Timer {
    fn run(mut self) {
        loop {
            let asking = std::mem::take(&mut self.asking);
            let Ok(()) = self.round() else { return };
            for asking in asking {
                // Whoever asked and went away does not listen.
                let _ = asking.send(());
            }
            let Ok(()) = self.pause() else { return };
        }
    }

    /// Runs all checks, one after the other.
    fn round(&mut self) -> Result<(), Stopped> {
        for at in 0..self.slots.len() {
            let (found, took) = self.check(at)?;
            self.show(at, found, took);
        }
        Ok(())
    }

    /// Waits until it is time for the next round, or somebody asks for one.
    fn pause(&mut self) -> Result<(), Stopped> {
        let until = Instant::now() + self.interval;
        while self.asking.is_empty() {
            if let Event::Time = self.next(until)? {
                break;
            }
        }
        Ok(())
    }

    /// Runs one check and waits for it, unless it is running still.
    fn check(&mut self, at: usize) -> Result<(CheckResult, Duration), Stopped> {
        if let Some(since) = self.slots.get(at).and_then(|slot| slot.late_since) {
            let late = since.elapsed();
            let message = format!("Still no answer, after {} s", late.as_secs());
            return Ok((CheckResult::unknown(message), late));
        }
        let began = Instant::now();
        if let Err(error) = self.hand_over(at) {
            let message = format!("There is no thread to check it: {error}");
            return Ok((CheckResult::unknown(message), began.elapsed()));
        }
        loop {
            match self.next(began + self.timeout)? {
                Event::Answer(answer) if answer.slot == at => return Ok((answer.result, answer.took)),
                Event::Answer(_) | Event::Asked => {}
                Event::Time => break,
            }
        }
        // The thread stays with its check, and ends with it.
        self.worker = None;
        self.slots.get_mut(at).into_iter().for_each(|slot| slot.late_since = Some(began));
        let message = format!("No answer within {} s", self.timeout.as_secs_f64());
        Ok((CheckResult::unknown(message), began.elapsed()))
    }

    /// Gives a check to the worker, and starts one if there is none.
    fn hand_over(&mut self, at: usize) -> std::io::Result<()> {
        let Some(slot) = self.slots.get(at) else { return Ok(()) };
        if self.worker.as_ref().is_some_and(|worker| worker.run(at, &slot.check)) {
            return Ok(());
        }
        let worker = Worker::start(self.inbox.clone())?;
        worker.run(at, &slot.check);
        self.worker = Some(worker);
        Ok(())
    }

    /// What happens next, until then.
    fn next(&mut self, until: Instant) -> Result<Event, Stopped> {
        match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Answer(answer)) => {
                self.slots.get_mut(answer.slot).into_iter().for_each(|slot| slot.late_since = None);
                Ok(Event::Answer(answer))
            }
            Ok(Message::Check(asking)) => {
                self.asking.push(asking);
                Ok(Event::Asked)
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => Err(Stopped),
            Err(RecvTimeoutError::Timeout) => Ok(Event::Time),
        }
    }

    /// Shows what a check found, and says in the log if it is not what it found before.
    fn show(&mut self, at: usize, found: CheckResult, took: Duration) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let before = slot.told.replace(found.status);
        slot.found.update(found, took);
        if before.unwrap_or(HealthStatus::Healthy) != slot.found.status {
            log_change(&slot.found, before);
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let checks = self.slots.iter().map(|slot| slot.found.clone()).collect();
        *shared = Arc::new(HealthReport { checks, started: shared.started, process: Process::read() });
    }
}

/// A line when the state of a check is another one; the first counts if it is not healthy.
#[cfg(feature = "http")]
fn log_change(check: &CheckReport, before: Option<HealthStatus>) {
    let before = before.map_or("not checked", HealthStatus::as_str);
    let (name, status, message) = (&*check.name, check.status.as_str(), &*check.message);
    if check.is_healthy() {
        tracing::info!(check = name, status, before, message, "a health check is well again");
    } else {
        tracing::warn!(check = name, status, before, message, "a health check is not well");
    }
}

/// There is nobody to tell.
#[cfg(not(feature = "http"))]
fn log_change(_: &CheckReport, _: Option<HealthStatus>) {}

#[cfg(test)]
mod tests;
