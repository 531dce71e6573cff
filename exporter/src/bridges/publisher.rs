//! Databases into the recorder that an application has installed behind the crate `metrics`.
//!
//! The facade has counters of whole numbers, gauges, and histograms that take one observation after the other. A histogram
//! that is there already cannot be handed over as one: giving its observations again, or the middle of each bucket as often as it counts,
//! would cost more than recording them did, and add one library's errors to the other's.

use crate::error::{Error, Result};
use crate::formats::{Profile, QUANTILES};
use crate::sources::Sources;
use bettong_metrics::{
    CustomFamily, CustomKind, CustomValue, Family, HistogramSnapshot, Kind, MetricsSnapshot, Registry, Unit,
    Value,
};
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The shortest time between two rounds of a [`PublisherThread`].
const INTERVAL_MIN: Duration = Duration::from_millis(100);

static METADATA: Metadata<'_> = Metadata::new("bettong", Level::INFO, Some(module_path!()));

/// Publishes the metrics of one or more databases through the facade of the crate `metrics`.
///
/// | of a database | through the facade |
/// | --- | --- |
/// | counter | counter, set by `absolute` |
/// | counter of seconds | gauge of the same name, since what is behind the point would be lost |
/// | gauge | gauge |
/// | histogram or summary `x` | counter `x_count`; `x_sum`, a counter, or a gauge of seconds or ratios; gauges `x{quantile="0.5"}`, 0.9, 0.99, 0.999 |
///
/// Quantiles are of what was observed since the round before, or, in the first round, since the database was opened. They are NaN if
/// nothing was, and a series that never had an observation has none. Every series has the label `db`. Names, labels and units are
/// those of `docs/metrics.md`. Metrics of the process, of health checks and of the HTTP server are no part of it.
///
/// A round takes a snapshot and looks every series up in the recorder, as the macros of the facade do; the databases wait for
/// neither. It is not for a [`FacadeRecorder`](super::FacadeRecorder): that refuses what belongs to databases.
///
/// # Examples
/// ```
/// use bettong_exporter::bridges::FacadePublisher;
///
/// let registry = bettong_metrics::Registry::new("orders"); // of an open database: `db.metrics()`
/// let publisher = FacadePublisher::new(registry);
/// publisher.publish(); // now, on this thread
/// ```
#[derive(Debug)]
pub struct FacadePublisher {
    sources: Sources,
    /// As they were published last. Held while the recorder is called, so that rounds follow one another.
    previous: Mutex<Vec<MetricsSnapshot>>,
}

impl FacadePublisher {
    /// A publisher for one database.
    pub fn new(registry: Arc<Registry>) -> Self {
        let mut sources = Sources::default();
        sources.add(registry);
        Self { sources, previous: Mutex::default() }
    }

    /// Publishes another database too. A registry with a name that is known already takes the place of the earlier one.
    #[must_use]
    pub fn with(mut self, registry: Arc<Registry>) -> Self {
        self.sources.add(registry);
        self
    }

    /// Publishes the families of this profile: there are no buckets, so only [`Profile::Minimal`] makes a difference.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.sources.set_profile(profile);
        self
    }

    /// Publishes everything as it is now, into the recorder of this thread if there is one, or else the global one. Nothing
    /// happens where none is installed.
    pub fn publish(&self) {
        let mut previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots = self.sources.snapshots();
        metrics::with_recorder(|recorder| {
            for (at, snapshot) in snapshots.iter().enumerate() {
                let window = previous.get(at).map(|before| snapshot.since(before));
                let window = window.as_ref().unwrap_or(snapshot);
                Round { recorder, snapshot, window, database: snapshot.database().to_owned().into() }
                    .run(self.sources.profile());
            }
        });
        *previous = snapshots;
    }

    /// Publishes at once and then at this interval, on a thread of its own, into the global recorder; a last time when the
    /// thread is stopped or dropped. Intervals shorter than 100 ms are 100 ms.
    ///
    /// A recorder that panics is called again in the next round.
    ///
    /// # Errors
    /// [`Error::Start`] if the thread could not be started.
    ///
    /// # Examples
    /// ```
    /// use bettong_exporter::bridges::FacadePublisher;
    /// use std::time::Duration;
    ///
    /// # fn main() -> bettong_exporter::Result<()> {
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let publishing = FacadePublisher::new(registry).every(Duration::from_secs(10))?;
    /// // … and when the application ends:
    /// publishing.stop();
    /// # Ok(())
    /// # }
    /// ```
    pub fn every(self, interval: Duration) -> Result<PublisherThread> {
        let interval = interval.max(INTERVAL_MIN);
        let (stop, stopped) = mpsc::channel::<()>();
        let publish = move || {
            // It has been told on the standard error output already.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| self.publish()));
        };
        let work = move || {
            publish();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                publish();
            }
            publish();
        };
        let thread = std::thread::Builder::new().name("bettong-publish".into()).spawn(work);
        let action = "start the thread that publishes metrics";
        let thread = thread.map_err(|source| Error::Start { action, source })?;
        Ok(PublisherThread { stop: Some(stop), thread: Some(thread) })
    }
}

/// A thread that publishes, from [`FacadePublisher::every`]. It ends when this is dropped.
#[derive(Debug)]
pub struct PublisherThread {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PublisherThread {
    /// Publishes a last time and ends the thread. Returns when that is done.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for PublisherThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it runs catches panics.
            let _ = thread.join();
        }
    }
}

/// One database, published once.
struct Round<'a> {
    recorder: &'a dyn Recorder,
    snapshot: &'a MetricsSnapshot,
    /// What changed since the last round.
    window: &'a MetricsSnapshot,
    database: Arc<str>,
}

impl Round<'_> {
    fn run(&self, profile: Profile) {
        for family in Family::all().filter(|family| profile.shows(*family)) {
            self.family(family);
        }
        for (now, window) in self.snapshot.custom().iter().zip(self.window.custom()) {
            self.custom(now, window);
        }
    }

    fn family(&self, family: Family) {
        let desc = family.desc();
        let names = Names { name: desc.name.into(), help: desc.help.into(), unit: desc.unit };
        match family.kind() {
            Kind::Counter => names.describe_scaled(self.recorder, ""),
            Kind::Gauge => names.describe_gauge(self.recorder, ""),
            Kind::Histogram => names.describe_distribution(self.recorder),
        }
        for (sample, window) in self.snapshot.samples(family).zip(self.window.values(family)) {
            let labels = || self.labels(sample.labels.iter());
            let series = Series { recorder: self.recorder, names: &names, labels: &labels };
            match (sample.value, window) {
                (Value::Counter(raw), _) => series.scaled("", raw),
                (Value::Gauge(value), _) => series.set("", None, value),
                (Value::Histogram(values), Value::Histogram(window)) => series.distribution(values, window),
                // A window has the families of its snapshot.
                (Value::Histogram(_), _) => {}
            }
        }
    }

    fn custom(&self, now: &CustomFamily, window: &CustomFamily) {
        let (name, help) = (now.name().to_owned().into(), now.help().to_owned().into());
        let names = Names { name, help, unit: now.unit() };
        match now.kind() {
            CustomKind::Counter => names.describe_counter(self.recorder, ""),
            CustomKind::Gauge => names.describe_gauge(self.recorder, ""),
            CustomKind::Histogram | CustomKind::Summary => names.describe_distribution(self.recorder),
        }
        for (series, window) in now.series().iter().zip(window.series()) {
            let pairs = || series.labels().iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let labels = || self.labels(pairs());
            let out = Series { recorder: self.recorder, names: &names, labels: &labels };
            match (series.value(), window.value()) {
                // Counted in the unit that it is shown in.
                (CustomValue::Counter(count), _) => out.count("", *count),
                (CustomValue::Gauge(value), _) => out.set("", None, *value),
                (CustomValue::Histogram(values), CustomValue::Histogram(window)) => {
                    out.distribution(values, window);
                }
                (CustomValue::Histogram(_), _) => {}
            }
        }
    }

    fn labels<'l>(&self, pairs: impl Iterator<Item = (&'l str, &'l str)>) -> Vec<Label> {
        let mut labels = vec![Label::new("db", Arc::clone(&self.database))];
        labels.extend(pairs.map(|(name, value)| Label::new(name.to_owned(), value.to_owned())));
        labels
    }
}

/// What all series of a family share.
struct Names {
    name: SharedString,
    help: SharedString,
    unit: Unit,
}

impl Names {
    fn name(&self, suffix: &str) -> KeyName {
        match suffix {
            "" => self.name.clone().into(),
            suffix => format!("{}{suffix}", self.name).into(),
        }
    }

    fn describe_counter(&self, recorder: &dyn Recorder, suffix: &str) {
        recorder.describe_counter(self.name(suffix), self.unit(suffix), self.help.clone());
    }

    fn describe_gauge(&self, recorder: &dyn Recorder, suffix: &str) {
        recorder.describe_gauge(self.name(suffix), self.unit(suffix), self.help.clone());
    }

    fn describe_scaled(&self, recorder: &dyn Recorder, suffix: &str) {
        if self.is_whole() {
            self.describe_counter(recorder, suffix);
        } else {
            self.describe_gauge(recorder, suffix);
        }
    }

    fn describe_distribution(&self, recorder: &dyn Recorder) {
        self.describe_counter(recorder, "_count");
        self.describe_scaled(recorder, "_sum");
        self.describe_gauge(recorder, "");
    }

    /// Whether values are whole numbers in the unit that they are shown in.
    fn is_whole(&self) -> bool {
        self.unit.raw_per_unit() == 1
    }

    /// The unit, where the facade has it: it knows neither ratios nor bytes per second.
    fn unit(&self, suffix: &str) -> Option<metrics::Unit> {
        match self.unit {
            _ if suffix == "_count" => Some(metrics::Unit::Count),
            Unit::Count => Some(metrics::Unit::Count),
            Unit::Bytes => Some(metrics::Unit::Bytes),
            Unit::Seconds | Unit::Nanoseconds => Some(metrics::Unit::Seconds),
            Unit::BytesPerSecond | Unit::Ratio | Unit::Thousandths => None,
        }
    }
}

/// One series, and what it is given to.
struct Series<'a, L> {
    recorder: &'a dyn Recorder,
    names: &'a Names,
    labels: &'a L,
}

impl<L: Fn() -> Vec<Label>> Series<'_, L> {
    /// A number in raw units: a counter, or a gauge where it would have to be rounded.
    fn scaled(&self, suffix: &str, raw: u64) {
        if self.names.is_whole() {
            self.count(suffix, raw);
        } else {
            self.set(suffix, None, raw as f64 / self.names.unit.raw_per_unit() as f64);
        }
    }

    fn distribution(&self, values: &HistogramSnapshot, window: &HistogramSnapshot) {
        self.count("_count", values.count());
        self.scaled("_sum", values.sum());
        if values.count() > 0 {
            let per_unit = self.names.unit.raw_per_unit() as f64;
            for quantile in QUANTILES {
                let value = window.quantile(quantile).map_or(f64::NAN, |raw| raw as f64 / per_unit);
                self.set("", Some(quantile), value);
            }
        }
    }

    fn count(&self, suffix: &str, count: u64) {
        let key = Key::from_parts(self.names.name(suffix), (self.labels)());
        self.recorder.register_counter(&key, &METADATA).absolute(count);
    }

    fn set(&self, suffix: &str, quantile: Option<f64>, value: f64) {
        let mut labels = (self.labels)();
        labels.extend(quantile.map(|quantile| Label::new("quantile", quantile.to_string())));
        let key = Key::from_parts(self.names.name(suffix), labels);
        self.recorder.register_gauge(&key, &METADATA).set(value);
    }
}
