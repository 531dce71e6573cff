//! The metrics in the application's log, again and again.
//!
//! ```text
//! INFO bettong_exporter::log_sink: {"amplification":{…},"database":"orders","operations":{…},"seconds":60.0,…} database="orders"
//! ```
//! Each line is about one database and the time since the line before. As JSON it is what
//! [`api::performance`] says, on one line, for whoever collects logs; as text it is [`table`], for people.
//! Lines go through `tracing`, to whatever the application has installed there; without that nothing is written.

use crate::formats::{api, table};
use bettong_metrics::{MetricsSnapshot, Registry};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::Level;

const INTERVAL: Duration = Duration::from_secs(60);

/// The bounds of what can be set.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(24 * 3_600));

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// One JSON document on one line.
    #[default]
    Json,
    /// A table of several lines.
    Text,
}

impl LogFormat {
    /// The name: `json` or `text`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// From its name.
impl FromStr for LogFormat {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Json, Self::Text].into_iter().find(|format| format.as_str() == name).ok_or(())
    }
}

/// What is logged, and how often.
///
/// Unless told otherwise: JSON, every 60 s, with the level `INFO`.
///
/// # Examples
/// ```
/// use bettong_exporter::log_sink::{LogFormat, LogSink};
/// use std::time::Duration;
///
/// let registry = bettong_metrics::Registry::new("orders");
/// let log = LogSink::new().interval(Duration::from_secs(600)).format(LogFormat::Text).start(&[registry]);
/// // … until it is dropped
/// drop(log);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is logged before `start`"]
pub struct LogSink {
    /// As set; `None` is the usual one. So of the others.
    interval: Option<Duration>,
    format: Option<LogFormat>,
    level: Option<Level>,
}

impl LogSink {
    /// A JSON line every minute.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time from one line to the next: 60 s unless it is set, at least 10 ms, at most a day.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval.clamp(INTERVALS.0, INTERVALS.1));
        self
    }

    /// How a line looks: JSON unless it is set.
    pub fn format(mut self, format: LogFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// The level of the lines: `INFO` unless it is set.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// What was set: milliseconds, the names of format and level.
    #[cfg(feature = "http")]
    pub(crate) fn settings(self) -> (Option<u64>, Option<String>, Option<String>) {
        let level = self.level.map(|level| level.as_str().to_ascii_lowercase());
        (
            self.interval.map(|time| time.as_millis() as u64),
            self.format.map(|format| format.to_string()),
            level,
        )
    }

    /// Logs these databases, on a thread of its own, until the answer is dropped. The first line comes after one interval. If the operating
    /// system gives no thread, a warning is all there is.
    pub fn start(self, registries: &[Arc<Registry>]) -> Logging {
        let (stop, stopped) = mpsc::channel();
        let mut seen: Vec<_> =
            registries.iter().map(|registry| (Arc::clone(registry), registry.snapshot())).collect();
        let interval = self.interval.unwrap_or(INTERVAL);
        let run = move || {
            let mut next = Instant::now() + interval;
            while stopped.recv_timeout(next.saturating_duration_since(Instant::now()))
                == Err(RecvTimeoutError::Timeout)
            {
                // What takes the lines may panic: the next ones are logged all the same.
                let round = AssertUnwindSafe(|| {
                    seen.iter_mut().for_each(|(registry, before)| self.log(registry, before));
                });
                let _ = panic::catch_unwind(round);
                // Lines that were missed, while the machine slept, are not made up for.
                next = (next + interval).max(Instant::now());
            }
        };
        let thread = thread::Builder::new().name("bettong-log".to_owned()).spawn(run);
        let thread = thread.inspect_err(|error| {
            tracing::warn!(%error, "metrics are not logged: there is no thread for it");
        });
        Logging { stop: Some(stop), thread: thread.ok() }
    }

    fn log(self, registry: &Registry, before: &mut MetricsSnapshot) {
        if !self.is_wanted() {
            return;
        }
        let now = registry.snapshot();
        let window = now.since(before);
        *before = now;
        let line = match self.format.unwrap_or_default() {
            LogFormat::Json => api::performance(&window).to_string(),
            LogFormat::Text => table::render(&window),
        };
        let database = registry.name();
        match self.level.unwrap_or(Level::INFO) {
            Level::ERROR => tracing::error!(database, "{line}"),
            Level::WARN => tracing::warn!(database, "{line}"),
            Level::INFO => tracing::info!(database, "{line}"),
            Level::DEBUG => tracing::debug!(database, "{line}"),
            Level::TRACE => tracing::trace!(database, "{line}"),
        }
    }

    /// Whether anybody listens: a snapshot that nobody gets to see is not taken.
    fn is_wanted(self) -> bool {
        match self.level.unwrap_or(Level::INFO) {
            Level::ERROR => tracing::enabled!(Level::ERROR),
            Level::WARN => tracing::enabled!(Level::WARN),
            Level::INFO => tracing::enabled!(Level::INFO),
            Level::DEBUG => tracing::enabled!(Level::DEBUG),
            Level::TRACE => tracing::enabled!(Level::TRACE),
        }
    }
}

/// Logs until it is dropped.
#[derive(Debug)]
#[must_use = "nothing is logged any more when it is dropped"]
pub struct Logging {
    /// Dropped to make the thread leave.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}
