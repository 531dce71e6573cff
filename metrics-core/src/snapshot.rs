//! All values of one database at one moment, and differences between two moments.
//!
//! Values only grow and are never reset: every reader keeps the snapshot it took before and subtracts. Any number of
//! readers may do so, none disturbs another.
//!
//! A snapshot is not an instant but a short window, during which operations go on. What holds for each kind of
//! operation all the same: finished ≤ latencies recorded ≤ entered, and finished ≤ results counted ≤ entered.

use crate::activity::Activity;
use crate::catalog::{Counter, CounterCell, Family, Gauge, GaugeCell, HistogramCell, Labels, Operation};
use crate::clock::Clock;
use crate::custom::{self, CustomFamily};
use crate::histogram::HistogramSnapshot;
use crate::published::PublishedState;
use crate::strata::Strata;
use std::sync::Arc;

/// The time during which a snapshot was taken, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// When the first value was read. In a difference: when the earlier snapshot was complete.
    pub start: f64,
    /// When the last value was read.
    pub end: f64,
}

/// Operations of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) entered: u64,
    pub(crate) exited: u64,
}

/// All values of one database at one moment; or, from [`MetricsSnapshot::since`], what changed between two.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    pub(crate) database: Arc<str>,
    pub(crate) window: Window,
    pub(crate) span_nanos: u64,
    pub(crate) flows: [Flow; Operation::ALL.len()],
    pub(crate) strata: [Strata; Operation::ALL.len()],
    pub(crate) counters: Vec<u64>,
    pub(crate) gauges: Vec<f64>,
    pub(crate) histograms: Vec<HistogramSnapshot>,
    pub(crate) published: Arc<PublishedState>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) custom: Vec<CustomFamily>,
    pub(crate) clock: Clock,
    pub(crate) clock_frequency: String,
}

/// The value of one series.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A counter, in raw units: divide by [`Unit::raw_per_unit`](crate::catalog::Unit::raw_per_unit).
    Counter(u64),
    /// A gauge, in the unit of its family; always finite.
    Gauge(f64),
    /// A histogram, in raw units.
    Histogram(&'a HistogramSnapshot),
}

/// One series of a family.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its labels, without the database's name.
    pub labels: Labels<'a>,
    /// Its value.
    pub value: Value<'a>,
}

impl MetricsSnapshot {
    /// The name of the database, as given to its registry.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// When the values were read.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The time the counts were collected over, in nanoseconds of the monotonic clock: since the registry was created,
    /// or, for a difference, since the earlier snapshot.
    pub fn span_nanos(&self) -> u64 {
        self.span_nanos
    }

    /// One counter, in raw units.
    pub fn counter(&self, cell: impl Into<CounterCell>) -> u64 {
        self.counters.get(cell.into().position()).copied().unwrap_or_default()
    }

    /// A counter family summed over all its labels, in raw units.
    pub fn counter_total(&self, family: Counter) -> u64 {
        total(&self.counters, family)
    }

    /// One gauge.
    pub fn gauge(&self, cell: impl Into<GaugeCell>) -> f64 {
        self.gauges.get(cell.into().position()).copied().unwrap_or_default()
    }

    /// One histogram; empty if nothing was recorded.
    pub fn histogram(&self, cell: impl Into<HistogramCell>) -> &HistogramSnapshot {
        static EMPTY: HistogramSnapshot = HistogramSnapshot::EMPTY;
        self.histograms.get(cell.into().position()).unwrap_or(&EMPTY)
    }

    /// Operations of this kind that were entered and not finished. The same in a difference: it is a state, not a count.
    pub fn in_flight(&self, operation: Operation) -> u64 {
        let flow = self.flow(operation);
        flow.entered.saturating_sub(flow.exited)
    }

    /// Operations of this kind ever begun. The same in a difference.
    pub fn entered(&self, operation: Operation) -> u64 {
        self.flow(operation).entered
    }

    /// Operations of this kind ever finished; never more than were begun. The same in a difference.
    pub fn exited(&self, operation: Operation) -> u64 {
        self.flow(operation).exited
    }

    /// How the operations of this kind were timed: those ever finished or, in a difference, those finished in between.
    pub fn strata(&self, operation: Operation) -> Strata {
        self.strata.get(operation.index()).copied().unwrap_or_default()
    }

    /// The state of the tree as announced last.
    pub fn published(&self) -> &Arc<PublishedState> {
        &self.published
    }

    /// What went on when the snapshot was taken: jobs, holders, slow operations and events. The same in a difference.
    ///
    /// # Examples
    /// ```
    /// # use bettong_metrics::Registry;
    /// let registry = Registry::new("orders");
    /// let snapshot = registry.snapshot();
    /// for job in &snapshot.activity().jobs.running {
    ///     println!("{} because of {}: {} bytes read", job.kind().as_str(), job.reason(), job.bytes_done());
    /// }
    /// assert!(snapshot.activity().holders.known.is_empty());
    /// ```
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// The clock that took the time stamps.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The series of one family, the last label running fastest.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Counter, Family, Registry};
    ///
    /// let registry = Registry::new("orders");
    /// registry.recorder().add(Counter::GetResults.at(2), 5);
    /// let snapshot = registry.snapshot();
    /// let samples: Vec<_> = snapshot.samples(Family::Counter(Counter::GetResults)).collect();
    /// assert_eq!(samples.len(), 3);
    /// assert_eq!(samples[2].labels.get("result"), Some("miss"));
    /// ```
    pub fn samples(&self, family: Family) -> impl Iterator<Item = Sample<'_>> {
        let values = self.values(family).enumerate();
        values.map(move |(series, value)| Sample { labels: self.labels(family, series), value })
    }

    /// The values of [`samples`](Self::samples) alone, for who knows the labels already.
    pub fn values(&self, family: Family) -> impl Iterator<Item = Value<'_>> {
        let (mut counters, mut gauges, mut histograms) = (&[][..], &[][..], &[][..]);
        let series = family.desc().series();
        match family {
            Family::Counter(family) => counters = part(&self.counters, family.series(0).position(), series),
            Family::Gauge(family) => gauges = part(&self.gauges, family.series(0).position(), series),
            Family::Histogram(family) => {
                histograms = part(&self.histograms, family.series(0).position(), series);
            }
        }
        let counters = counters.iter().map(|counter| Value::Counter(*counter));
        let gauges = gauges.iter().map(|gauge| Value::Gauge(*gauge));
        counters.chain(gauges).chain(histograms.iter().map(Value::Histogram))
    }

    /// The labels of the family's `series`-th series, counted from 0.
    pub fn labels(&self, family: Family, series: usize) -> Labels<'_> {
        let labels = family.desc().labels_of(series);
        if family == Family::Gauge(Gauge::ClockInfo) {
            // The only labels that are known at run time alone: `Shape` knows them.
            labels.with("source", self.clock.source().as_str()).with("frequency_hz", &self.clock_frequency)
        } else {
            labels
        }
    }

    /// What changed after `previous` was taken from the same registry: counters and histograms are differences, and
    /// the derived amplifications and rank errors are those of the window alone. All other gauges are as they are now.
    #[must_use]
    pub fn since(&self, previous: &Self) -> Self {
        let pairs = self.counters.iter().zip(&previous.counters);
        let counters: Vec<_> = pairs.map(|(now, before)| now.saturating_sub(*before)).collect();
        let pairs = self.histograms.iter().zip(&previous.histograms);
        let histograms = pairs.map(|(now, before)| now.since(before)).collect();
        let mut gauges = self.gauges.clone();
        derive_amplifications(&counters, &mut gauges);
        let mut strata = self.strata;
        for (now, before) in strata.iter_mut().zip(&previous.strata) {
            *now = now.since(before);
        }
        for (strata, cell) in strata.iter().zip(Gauge::LatencyRankErrorRatio.cells()) {
            store(&mut gauges, cell, strata.rank_error());
        }
        Self {
            window: Window { start: previous.window.end, end: self.window.end },
            span_nanos: self.span_nanos.saturating_sub(previous.span_nanos),
            strata,
            counters,
            gauges,
            histograms,
            custom: custom::since(&self.custom, &previous.custom),
            ..self.clone()
        }
    }

    fn flow(&self, operation: Operation) -> Flow {
        self.flows.get(operation.index()).copied().unwrap_or_default()
    }
}

/// The cells of a family, which lie next to each other.
fn part<T>(cells: &[T], first: usize, series: usize) -> &[T] {
    cells.get(first..first + series).unwrap_or_default()
}

/// Stores a gauge in a snapshot's array.
pub(crate) fn store(gauges: &mut [f64], cell: impl Into<GaugeCell>, value: f64) {
    if let Some(gauge) = gauges.get_mut(cell.into().position()) {
        *gauge = value;
    }
}

/// Computes the gauges that are quotients of counters:
///
/// - write amplification = bytes written to storage, by whatever part of the engine / bytes accepted from the caller;
/// - a level's write amplification = bytes written to the level / bytes that arrived from the level above.
pub(crate) fn derive_amplifications(counters: &[u64], gauges: &mut [f64]) {
    let written = total(counters, Counter::StorageWrittenBytes);
    let accepted = total(counters, Counter::UserWrittenBytes);
    store(gauges, Gauge::WriteAmplification, quotient(written, accepted));
    let levels = Counter::LevelWrittenBytes.cells().zip(Counter::LevelInputBytes.cells());
    for ((written, arrived), gauge) in levels.zip(Gauge::LevelWriteAmplification.cells()) {
        let [written, arrived] = [written, arrived].map(|cell| counters.get(cell.position()).copied());
        store(gauges, gauge, quotient(written.unwrap_or_default(), arrived.unwrap_or_default()));
    }
}

/// `above / below`, and 0 where nothing is below.
fn quotient(above: u64, below: u64) -> f64 {
    if below == 0 { 0.0 } else { above as f64 / below as f64 }
}

fn total(counters: &[u64], family: Counter) -> u64 {
    let cells = family.cells().filter_map(|cell| counters.get(cell.position()));
    cells.fold(0, |sum, cell| sum.wrapping_add(*cell))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are small integers or exact quotients")]
mod tests {
    use super::*;

    #[test]
    fn amplifications_are_quotients_of_counters() {
        let mut counters = vec![0; Counter::CELLS];
        let mut gauges = vec![9.0; Gauge::CELLS];
        derive_amplifications(&counters, &mut gauges);
        assert_eq!(gauges[Gauge::WriteAmplification.at(0).position()], 0.0);

        counters[Counter::UserWrittenBytes.at(0).position()] = 100;
        counters[Counter::StorageWrittenBytes.at(0).position()] = 110;
        counters[Counter::StorageWrittenBytes.at(2).position()] = 240;
        counters[Counter::LevelInputBytes.at(3).position()] = 10;
        counters[Counter::LevelWrittenBytes.at(3).position()] = 45;
        derive_amplifications(&counters, &mut gauges);
        assert_eq!(gauges[Gauge::WriteAmplification.at(0).position()], 3.5);
        assert_eq!(gauges[Gauge::LevelWriteAmplification.at(3).position()], 4.5);
        assert_eq!(gauges[Gauge::LevelWriteAmplification.at(2).position()], 0.0);
    }
}
