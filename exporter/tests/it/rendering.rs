//! A renderer that is used again and again writes what one that is used once would.

use crate::custom;
use crate::exposition::parse;
use crate::fixture;
use bettong_exporter::Exporter;
use bettong_exporter::formats::text::{self, Renderer};
use bettong_exporter::formats::{Profile, openmetrics};
use bettong_metrics::{
    Counter, Gauge, Histogram, Instrumentation, Measure, MetricsSnapshot, Operation, Registry,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Something that changes what a scrape shows.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Count(usize, usize, u64),
    Set(usize, usize, f64),
    Record(usize, usize, u64),
    Operate(usize, u64),
    Level(usize),
    CustomCounter(usize, usize, u64),
    CustomGauge(usize, f64),
    CustomHistogram(usize, usize, u64),
    CustomSummary(usize, u64),
    Describe(usize),
    /// The next scrape shows what changed, not what is.
    Difference,
    /// The second database appears, or goes.
    Second,
    /// The first database is opened again.
    Reopen,
}

const NAMES: [&str; 4] = ["app_a", "app_b", "app_c", "app_d"];
const VALUES: [&str; 4] = ["x", "y \"quoted\"", "z\n", ""];

fn change() -> impl Strategy<Value = Change> {
    let value = (0..64_u32, any::<u64>()).prop_map(|(shift, value)| value >> shift);
    let (at, to) = (0..1_000_usize, 0..200_usize);
    prop_oneof![
        2 => Just(Change::Nothing),
        4 => (at.clone(), to.clone(), value.clone()).prop_map(|(f, s, n)| Change::Count(f, s, n)),
        4 => (at.clone(), to.clone(), any::<f64>()).prop_map(|(f, s, v)| Change::Set(f, s, v)),
        6 => (at.clone(), to, value.clone()).prop_map(|(f, s, v)| Change::Record(f, s, v)),
        3 => (at.clone(), 0..500_u64).prop_map(|(o, n)| Change::Operate(o, n)),
        2 => at.clone().prop_map(Change::Level),
        2 => (at.clone(), at.clone(), value.clone()).prop_map(|(f, s, n)| Change::CustomCounter(f, s, n)),
        2 => (at.clone(), any::<f64>()).prop_map(|(f, v)| Change::CustomGauge(f, v)),
        2 => (at.clone(), at.clone(), value.clone()).prop_map(|(f, s, v)| Change::CustomHistogram(f, s, v)),
        2 => (at.clone(), value).prop_map(|(f, v)| Change::CustomSummary(f, v)),
        1 => at.prop_map(Change::Describe),
        1 => Just(Change::Difference),
        1 => Just(Change::Second),
        1 => Just(Change::Reopen),
    ]
}

fn pick<T: Copy>(all: &[T], at: usize) -> T {
    all[at % all.len()]
}

/// Registration fails where a name is taken by another kind, which changes nothing.
fn apply(registry: &Arc<Registry>, change: &Change) {
    let recorder = registry.recorder();
    match *change {
        Change::Count(family, series, n) => recorder.add(pick(Counter::ALL, family).at(series), n),
        Change::Set(family, series, value) => recorder.set(pick(Gauge::ALL, family).at(series), value),
        Change::Record(family, series, value) => {
            recorder.record(pick(Histogram::ALL, family).at(series), value);
        }
        Change::Operate(operation, n) => {
            (0..n).for_each(|_| recorder.start(pick(&Operation::ALL, operation)).finish());
        }
        Change::Level(at) => registry.set_level(pick(&Instrumentation::ALL, at)),
        Change::CustomCounter(family, series, n) => {
            let name = format!("{}_total", pick(&NAMES, family));
            registry.record_counter(&name, n, &[("kind", pick(&VALUES, series))]);
        }
        Change::CustomGauge(family, value) => registry.set_gauge(pick(&NAMES, family), value, &[]),
        Change::CustomHistogram(family, series, value) => {
            let name = format!("{}_seconds", pick(&NAMES, family));
            let labels = [("kind", pick(&VALUES, series))];
            if let Ok(histogram) = registry.histogram_of(Measure::Seconds, &name, "Waits", &labels) {
                histogram.record(value);
            }
        }
        Change::CustomSummary(family, value) => {
            if let Ok(summary) = registry.summary_of(Measure::Bytes, pick(&NAMES, family), "Sizes", &[]) {
                summary.record(value);
            }
        }
        Change::Describe(family) => {
            let name = format!("{}_total", pick(&NAMES, family));
            let _ = registry.counter(&name, "What\nit is", &[("kind", "x")]);
        }
        Change::Nothing | Change::Difference | Change::Second | Change::Reopen => {}
    }
}

/// Databases that change, and what was seen of them last.
struct World {
    registries: Vec<Arc<Registry>>,
    seen: Vec<MetricsSnapshot>,
}

impl World {
    fn snapshots(&mut self, change: &Change) -> Vec<MetricsSnapshot> {
        match change {
            Change::Second if self.registries.len() > 1 => drop(self.registries.pop()),
            Change::Second => self.registries.push(custom::filled("stock")),
            Change::Reopen => self.registries[0] = fixture::filled("orders"),
            change => apply(self.registries.last().unwrap(), change),
        }
        let now: Vec<_> = self.registries.iter().map(|registry| registry.snapshot()).collect();
        let shown = match change {
            Change::Difference => now.iter().zip(&self.seen).map(|(now, seen)| now.since(seen)).collect(),
            _ => now.clone(),
        };
        self.seen = now;
        shown
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_renderer_writes_the_same_as_a_fresh_one_whatever_changes(
        changes in prop::collection::vec(change(), 1..40),
        profile in (0..Profile::ALL.len()).prop_map(|at| Profile::ALL[at]),
    ) {
        let mut world = World { registries: vec![fixture::filled("orders")], seen: Vec::new() };
        let (mut plain, mut open) = (Renderer::text(profile), Renderer::open_metrics(profile));
        for change in changes {
            let snapshots = world.snapshots(&change);
            let fresh = text::render_profile(&snapshots, profile);
            prop_assert!(*plain.render_all(&snapshots) == fresh, "after {:?}", change);
            let fresh = openmetrics::render_profile(&snapshots, profile);
            prop_assert!(*open.render_all(&snapshots) == fresh, "after {:?}", change);
        }
    }
}

#[test]
fn a_renderer_shows_no_databases_as_a_fresh_one_does() {
    let mut renderer = Renderer::default();
    assert_eq!(*renderer.render_all(&[]), text::render_all(&[]));
    let snapshot = fixture::filled("orders").snapshot();
    assert_eq!(*renderer.render(&snapshot), text::render(&snapshot));
    assert_eq!(*renderer.render_all(&[]), text::render_all(&[]));
}

#[test]
fn scrapes_at_the_same_time_are_all_whole() {
    let registry = custom::filled("orders");
    let exporter = Exporter::new(Arc::clone(&registry));
    let families = parse(&exporter.text()).len();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let recorder = registry.recorder();
                let mut before = -1.0;
                for n in 0..20 {
                    recorder.add(Counter::UserWrittenBytes, 1 << n);
                    recorder.record(Histogram::FlushDuration, 1 << n);
                    let parsed = parse(&exporter.text());
                    assert_eq!(parsed.len(), families);
                    let written = parsed.iter().find(|family| family.name == "db_user_written_bytes_total");
                    let now = written.unwrap().samples[0].value;
                    assert!(now > before, "{now} after {before}");
                    before = now;
                }
            });
        }
    });
}
