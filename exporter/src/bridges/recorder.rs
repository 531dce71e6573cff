//! What an application counts through the crate `metrics`, into the registry of a database.
//!
//! The facade takes any name, any label and any number of series; the registry does not. What differs is changed as little
//! as it can be, what cannot be is refused, and the registry's limits hold.

use bettong_metrics::{CustomCounter, CustomGauge, CustomHistogram, Measure, RegisterError, Registry};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The most names of each kind of which is remembered what they are: as many as a registry has series.
const REMEMBERED_MAX: usize = 1_000;

/// The help text of what was not described before it was first used.
const UNDESCRIBED: &str = "Recorded through the metrics facade, without a description";

/// Records what an application counts through the crate `metrics` as custom metrics of a database: every format shows
/// them, with the label `db`. `metrics::set_global_recorder` installs it.
///
/// - **Names** are those of the application, with `_` for what Prometheus does not allow (`http.requests` is `http_requests`). Those of
///   counters get `_total` unless they end in it.
/// - **Histograms** record whole numbers, or seconds or bytes, if they are described with such a unit, or the name ends in `_seconds` or
///   `_bytes`. Other units of time and size are converted to these. The name gets `_seconds` or `_bytes` unless it ends in it.
///   Negative observations count as zero, those that are no numbers not at all.
/// - **Descriptions** have to come before the first use of a name; later ones are ignored.
/// - **Limits** are the registry's: 100 series of a family and 1,000 in all, then everything goes to the series `other`.
/// - **Refused** is what the registry refuses: names of the database's own (`db_`) and endings of other formats' (`_count`, `_sum`, …), labels
///   `db`, `le`, `quantile`, more than 8 labels, values of more than 128 bytes, the same name with other labels or as another kind.
///   It is not recorded; `db_series_rejected_total` counts it, and the first time of each name a warning goes to
///   `tracing`; beyond 1,000 names there is one for all the others.
///
/// The macros look a series up each time, which costs some hundred nanoseconds; a handle that is kept costs a few.
///
/// # Examples
/// ```
/// use bettong_exporter::bridges::FacadeRecorder;
/// use bettong_exporter::formats::text;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = bettong_metrics::Registry::new("orders"); // of an open database: `db.metrics()`
/// metrics::set_global_recorder(FacadeRecorder::new(registry.clone())).map_err(|error| error.to_string())?;
/// metrics::counter!("app.logins", "tenant" => "a").increment(2);
/// let text = text::render(&registry.snapshot());
/// assert!(text.contains("app_logins_total{db=\"orders\",tenant=\"a\"} 2\n"));
/// # Ok(())
/// # }
/// ```
pub struct FacadeRecorder {
    registry: Arc<Registry>,
    counters: Names,
    gauges: Names,
    histograms: Names,
    /// Held while a counter is raised to a value.
    raising: Arc<Mutex<()>>,
    /// Whether it was warned of any of the names that are not remembered.
    was_refused: Arc<AtomicBool>,
}

/// What is known by the facade's names.
type Names = RwLock<HashMap<String, Arc<Known>>>;

/// What a name of the facade stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What a name of the facade is in the registry.
#[derive(Debug)]
struct Known {
    name: String,
    help: String,
    scale: Scale,
    /// Whether it was warned of. Names that are not remembered share one.
    was_refused: Arc<AtomicBool>,
}

/// From observations to the registry's raw units.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    measure: Measure,
    raw_per_one: f64,
}

impl Scale {
    const PLAIN: Self = Self { measure: Measure::Count, raw_per_one: 1.0 };

    fn of(unit: Option<Unit>, name: &str) -> Self {
        let seconds = |raw_per_one| Self { measure: Measure::Seconds, raw_per_one };
        let bytes = |exponent| Self { measure: Measure::Bytes, raw_per_one: 1_024_f64.powi(exponent) };
        match unit {
            Some(Unit::Seconds) => seconds(1e9),
            Some(Unit::Milliseconds) => seconds(1e6),
            Some(Unit::Microseconds) => seconds(1e3),
            Some(Unit::Nanoseconds) => seconds(1.0),
            Some(Unit::Bytes) => bytes(0),
            Some(Unit::Kibibytes) => bytes(1),
            Some(Unit::Mebibytes) => bytes(2),
            Some(Unit::Gibibytes) => bytes(3),
            Some(Unit::Tebibytes) => bytes(4),
            None if name.ends_with("_seconds") => seconds(1e9),
            None if name.ends_with("_bytes") => bytes(0),
            _ => Self::PLAIN,
        }
    }

    /// `value` in raw units. Conversion keeps within the type's bounds.
    fn raw(self, value: f64) -> Option<u64> {
        value.is_finite().then(|| (value * self.raw_per_one).round() as u64)
    }

    fn suffix(self) -> &'static str {
        match self.measure {
            Measure::Seconds => "_seconds",
            Measure::Bytes => "_bytes",
            Measure::Count => "",
        }
    }
}

impl Known {
    fn of(kind: Kind, name: &str, unit: Option<Unit>, help: &str) -> Self {
        let mut name = identifier(name).into_owned();
        let scale = if kind == Kind::Histogram { Scale::of(unit, &name) } else { Scale::PLAIN };
        let suffix = if kind == Kind::Counter { "_total" } else { scale.suffix() };
        if !name.ends_with(suffix) {
            name.push_str(suffix);
        }
        let help = if help.trim().is_empty() { UNDESCRIBED } else { help };
        Self { name, help: help.to_owned(), scale, was_refused: Arc::default() }
    }
}

/// The name with `_` for every character that Prometheus does not allow in it.
fn identifier(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(fits) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.chars().map(|c| if fits(c) { c } else { '_' }).collect())
    }
}

impl FacadeRecorder {
    /// A recorder into the registry of one database.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            counters: Names::default(),
            gauges: Names::default(),
            histograms: Names::default(),
            raising: Arc::default(),
            was_refused: Arc::default(),
        }
    }

    fn names(&self, kind: Kind) -> &Names {
        match kind {
            Kind::Counter => &self.counters,
            Kind::Gauge => &self.gauges,
            Kind::Histogram => &self.histograms,
        }
    }

    /// What is known of the name, or what is to be known from now on.
    fn known(&self, kind: Kind, name: &str, unit: Option<Unit>, help: &str) -> Arc<Known> {
        let names = self.names(kind);
        if let Some(known) = names.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(known);
        }
        let new = || Known::of(kind, name, unit, help);
        let mut names = names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= REMEMBERED_MAX && !names.contains_key(name) {
            return Arc::new(Known { was_refused: Arc::clone(&self.was_refused), ..new() });
        }
        Arc::clone(names.entry(name.to_owned()).or_insert_with(|| Arc::new(new())))
    }

    /// Registers a series, and hands out what records into it, or what records nothing.
    fn register<T, H>(
        &self,
        kind: Kind,
        key: &Key,
        register: impl FnOnce(&Registry, &Known, &[(&str, &str)]) -> Result<T, RegisterError>,
        handle: impl FnOnce(T, &Known) -> H,
        none: impl FnOnce() -> H,
    ) -> H {
        let known = self.known(kind, key.name(), None, "");
        let names: Vec<_> = key.labels().map(|label| identifier(label.key())).collect();
        let values = key.labels().map(metrics::Label::value);
        let labels: Vec<_> = names.iter().map(|name| &**name).zip(values).collect();
        match register(&self.registry, &known, &labels) {
            Ok(cells) => handle(cells, &known),
            Err(error) => {
                if !known.was_refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(database = self.registry.name(), "not recorded: {error}");
                }
                none()
            }
        }
    }
}

impl fmt::Debug for FacadeRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FacadeRecorder").field("registry", &self.registry.name()).finish_non_exhaustive()
    }
}

impl Recorder for FacadeRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.known(Kind::Counter, key.as_str(), unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.known(Kind::Gauge, key.as_str(), unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.known(Kind::Histogram, key.as_str(), unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(
            Kind::Counter,
            key,
            |registry, known, labels| registry.counter(&known.name, &known.help, labels),
            |counter, _| {
                Counter::from_arc(Arc::new(Counting { counter, raising: Arc::clone(&self.raising) }))
            },
            Counter::noop,
        )
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(
            Kind::Gauge,
            key,
            |registry, known, labels| registry.gauge(&known.name, &known.help, labels),
            |gauge, _| Gauge::from_arc(Arc::new(Measuring(gauge))),
            Gauge::noop,
        )
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(
            Kind::Histogram,
            key,
            |registry, known, labels| {
                registry.histogram_of(known.scale.measure, &known.name, &known.help, labels)
            },
            |histogram, known| Histogram::from_arc(Arc::new(Observing { histogram, scale: known.scale })),
            Histogram::noop,
        )
    }
}

/// A counter of the registry, as the facade wants it.
struct Counting {
    counter: CustomCounter,
    raising: Arc<Mutex<()>>,
}

impl CounterFn for Counting {
    fn increment(&self, value: u64) {
        self.counter.add(value);
    }

    fn absolute(&self, value: u64) {
        // Of two that raise it at once the second sees what the first did.
        let _raising = self.raising.lock().unwrap_or_else(PoisonError::into_inner);
        self.counter.add(value.saturating_sub(self.counter.value()));
    }
}

struct Measuring(CustomGauge);

impl GaugeFn for Measuring {
    fn increment(&self, value: f64) {
        self.0.add(value);
    }

    fn decrement(&self, value: f64) {
        self.0.add(-value);
    }

    fn set(&self, value: f64) {
        self.0.set(value);
    }
}

struct Observing {
    histogram: CustomHistogram,
    scale: Scale,
}

impl HistogramFn for Observing {
    fn record(&self, value: f64) {
        if let Some(raw) = self.scale.raw(value) {
            self.histogram.record(raw);
        }
    }
}
