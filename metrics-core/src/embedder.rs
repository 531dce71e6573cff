//! What an embedding application does with a registry: it registers metrics of its own, records them, and reads them in
//! the snapshots.

use crate::catalog::Unit;
use crate::custom::{
    Cells, CustomCounter, CustomFamily, CustomGauge, CustomHistogram, CustomKind, Measure, RegisterError,
    Rejection, Request, unit_named_by,
};
use crate::registry::Registry;
use crate::snapshot::MetricsSnapshot;

/// Metrics of the embedding application.
///
/// A family is known by its name, a series by its name and labels: who registers the same again gets a handle on the
/// same cells. Names follow Prometheus' rules; they begin neither with a digit nor with `db_`, and those of counters
/// alone end in `_total`. Values of labels are few and known beforehand: never what a user typed. Up to
/// [100](crate::custom::MAX_SERIES_PER_FAMILY) series of a family, and [1,000](crate::custom::DEFAULT_MAX_SERIES) of a
/// registry, are told apart; what is beyond is recorded in one series of the family, all of whose labels have the value
/// [`other`](crate::custom::OTHER).
impl Registry {
    /// Registers a counter, or finds it if it is there.
    ///
    /// # Errors
    /// A [`RegisterError`] that says which rule the name, help or labels break, or what is registered under the name.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{CustomValue, Registry};
    ///
    /// # fn main() -> Result<(), bettong_metrics::RegisterError> {
    /// let registry = Registry::new("orders"); // of an open database: `db.metrics()`
    /// let logins = registry.counter("app_logins_total", "Logins finished", &[("tenant", "a")])?;
    /// logins.inc();
    /// logins.add(2);
    ///
    /// let snapshot = registry.snapshot();
    /// let family = snapshot.custom_family("app_logins_total").unwrap();
    /// assert_eq!(family.value(&[("tenant", "a")]), Some(&CustomValue::Counter(3)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<CustomCounter, RegisterError> {
        let counter = Request { help: Some(help), ..by_name(CustomKind::Counter, name, labels) };
        match self.custom().register(&counter)? {
            Cells::Counter(counter) => Ok(counter),
            other => Err(mixed_up(name, &other)),
        }
    }

    /// Registers a gauge, or finds it if it is there.
    ///
    /// # Errors
    /// As [`Registry::counter`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), bettong_metrics::RegisterError> {
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let queue = registry.gauge("app_queue_length", "Jobs that wait", &[])?;
    /// queue.set(7.0);
    /// queue.add(-1.0);
    /// queue.set(f64::NAN); // ignored
    /// assert_eq!(queue.value(), 6.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<CustomGauge, RegisterError> {
        let gauge = Request { help: Some(help), ..by_name(CustomKind::Gauge, name, labels) };
        match self.custom().register(&gauge)? {
            Cells::Gauge(gauge) => Ok(gauge),
            other => Err(mixed_up(name, &other)),
        }
    }

    /// Registers a histogram, or finds it if it is there.
    ///
    /// # Errors
    /// As [`Registry::counter`].
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{CustomValue, Measure, Registry};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), bettong_metrics::RegisterError> {
    /// let registry = Registry::new("orders");
    /// let render =
    ///     registry.histogram_of(Measure::Seconds, "app_render_seconds", "Time to render a page", &[])?;
    /// render.record_duration(Duration::from_millis(3));
    /// render.record(4_000_000); // nanoseconds
    ///
    /// let snapshot = registry.snapshot();
    /// let family = snapshot.custom_family("app_render_seconds").unwrap();
    /// let Some(CustomValue::Histogram(histogram)) = family.value(&[]) else { panic!("{family:?}") };
    /// assert_eq!(histogram.max(), Some(4_000_000));
    /// # Ok(())
    /// # }
    /// ```
    pub fn histogram_of(
        &self,
        measure: Measure,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<CustomHistogram, RegisterError> {
        self.distribution(CustomKind::Histogram, measure, name, help, labels)
    }

    /// Registers a summary, or finds it if it is there: a histogram that is exported as its quantiles 0.5, 0.9, 0.99
    /// and 0.999 instead of its buckets. Quantiles of several databases or processes cannot be added up; buckets can.
    ///
    /// # Errors
    /// As [`Registry::counter`].
    ///
    /// # Examples
    /// ```
    /// # use bettong_metrics::{Measure, Registry};
    /// # fn main() -> Result<(), bettong_metrics::RegisterError> {
    /// let registry = Registry::new("orders");
    /// let sizes =
    ///     registry.summary_of(Measure::Bytes, "app_upload_bytes", "Sizes of uploads", &[("kind", "image")])?;
    /// sizes.record(120_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn summary_of(
        &self,
        measure: Measure,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<CustomHistogram, RegisterError> {
        self.distribution(CustomKind::Summary, measure, name, help, labels)
    }

    /// Adds to the counter of this name and labels, registering it if need be. A handle is faster by a factor of fifty:
    /// this looks the name up each time.
    ///
    /// Never fails: what cannot be registered is not recorded, and counted in [`Registry::rejections`].
    ///
    /// # Examples
    /// ```
    /// let registry = bettong_metrics::Registry::new("orders");
    /// registry.record_counter("app_logins_total", 1, &[("tenant", "a")]);
    /// registry.set_gauge("app_queue_length", 7.0, &[]);
    /// registry.observe("app_render_seconds", 3_000_000, &[]); // nanoseconds
    /// assert_eq!(registry.snapshot().custom().len(), 3);
    /// ```
    pub fn record_counter(&self, name: &str, value: u64, labels: &[(&str, &str)]) {
        if let Ok(Cells::Counter(counter)) =
            self.custom().register(&by_name(CustomKind::Counter, name, labels))
        {
            counter.add(value);
        }
    }

    /// Sets the gauge of this name and labels, registering it if need be. Never fails, as
    /// [`Registry::record_counter`].
    pub fn set_gauge(&self, name: &str, value: f64, labels: &[(&str, &str)]) {
        if let Ok(Cells::Gauge(gauge)) = self.custom().register(&by_name(CustomKind::Gauge, name, labels)) {
            gauge.set(value);
        }
    }

    /// Records into the histogram or summary of this name and labels, in its raw unit. If the name is new, it becomes
    /// a histogram of seconds, recorded in nanoseconds, if the name ends in `_seconds`; of bytes, if it ends in
    /// `_bytes`; and of plain numbers otherwise. Never fails, as [`Registry::record_counter`].
    pub fn observe(&self, name: &str, value: u64, labels: &[(&str, &str)]) {
        let known = self.custom().shape_of(name).filter(|(kind, _)| is_distribution(*kind));
        let (kind, unit) = known.unwrap_or((CustomKind::Histogram, Measure::named_by(name).unit()));
        let request = Request { unit, ..by_name(kind, name, labels) };
        if let Ok(Cells::Histogram(histogram)) = self.custom().register(&request) {
            histogram.record(value);
        }
    }

    /// How often a custom series was not registered for this reason, or folded into the series `other`. By name, every
    /// call counts.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Registry, Rejection};
    ///
    /// let registry = Registry::new("orders");
    /// registry.record_counter("app_logins", 1, &[]); // a counter's name ends in _total
    /// assert_eq!(registry.rejections(Rejection::Name), 1);
    /// ```
    pub fn rejections(&self, reason: Rejection) -> u64 {
        self.custom().rejections(reason)
    }

    /// Sets the most custom series of this registry; the default is
    /// [`DEFAULT_MAX_SERIES`](crate::custom::DEFAULT_MAX_SERIES). Series that are registered already stay.
    pub fn limit_custom_series(&self, max_series: usize) {
        self.custom().limit(max_series);
    }

    fn distribution(
        &self,
        kind: CustomKind,
        measure: Measure,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Result<CustomHistogram, RegisterError> {
        let request = Request { help: Some(help), unit: measure.unit(), ..by_name(kind, name, labels) };
        match self.custom().register(&request)? {
            Cells::Histogram(histogram) => Ok(histogram),
            other => Err(mixed_up(name, &other)),
        }
    }
}

/// Metrics of the embedding application.
impl MetricsSnapshot {
    /// The custom families, sorted by name, their series by labels. In a difference, counters and histograms are what
    /// changed in between; a series that was not there before counts from zero.
    pub fn custom(&self) -> &[CustomFamily] {
        &self.custom
    }

    /// The custom family of this name.
    pub fn custom_family(&self, name: &str) -> Option<&CustomFamily> {
        self.custom.iter().find(|family| family.name() == name)
    }
}

/// A request for a series by name, without a description. Counters and gauges are exported in what they are recorded
/// in: the unit is a matter of the name.
fn by_name<'a>(kind: CustomKind, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> Request<'a> {
    let unit = if is_distribution(kind) { Unit::Count } else { unit_named_by(name) };
    Request { kind, unit, name, help: None, labels }
}

fn is_distribution(kind: CustomKind) -> bool {
    matches!(kind, CustomKind::Histogram | CustomKind::Summary)
}

/// The table checks the kind before it hands out cells, so that this is never needed. If it were, an error is what the
/// caller can live with.
#[cold]
fn mixed_up(name: &str, found: &Cells) -> RegisterError {
    RegisterError::Conflict { name: name.to_owned(), differs: "kind", registered: format!("{found:?}") }
}
