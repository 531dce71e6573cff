//! Databases and applications on the two sides of the crate `metrics`.

use crate::exposition::{self, parse};
use crate::{custom, fixture};
use bettong_exporter::bridges::{FacadePublisher, FacadeRecorder};
use bettong_exporter::formats::{Profile, text};
use bettong_metrics::{Counter, CustomValue, Measure, Registry, Rejection};
use metrics::{
    CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const UNDESCRIBED: &str = "Recorded through the metrics facade, without a description";

/// A series as a recorder sees it.
type Series = (String, BTreeMap<String, String>);

/// Kind, unit and help text.
type Description = (&'static str, Option<Unit>, String);

/// A recorder that keeps what it is told.
#[derive(Clone, Default)]
struct Notes {
    values: Arc<Mutex<BTreeMap<Series, (&'static str, f64)>>>,
    described: Arc<Mutex<BTreeMap<String, Description>>>,
}

struct Cell {
    notes: Notes,
    series: Series,
    kind: &'static str,
}

impl Cell {
    fn of(notes: &Notes, key: &Key, kind: &'static str) -> Arc<Self> {
        let mut labels = BTreeMap::new();
        for label in key.labels() {
            assert!(labels.insert(label.key().to_owned(), label.value().to_owned()).is_none(), "{key}");
        }
        Arc::new(Self { notes: notes.clone(), series: (key.name().to_owned(), labels), kind })
    }

    fn note(&self, value: f64) {
        self.notes.values.lock().unwrap().insert(self.series.clone(), (self.kind, value));
    }
}

impl CounterFn for Cell {
    fn increment(&self, _: u64) {
        panic!("a database's counter is set, not raised");
    }

    fn absolute(&self, value: u64) {
        self.note(value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, _: f64) {
        panic!("a database's gauge is set, not raised");
    }

    fn decrement(&self, _: f64) {
        panic!("a database's gauge is set, not lowered");
    }

    fn set(&self, value: f64) {
        self.note(value);
    }
}

impl HistogramFn for Cell {
    fn record(&self, _: f64) {
        panic!("nothing is published as a histogram");
    }
}

impl Notes {
    fn describe(&self, kind: &'static str, key: &KeyName, unit: Option<Unit>, help: &SharedString) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), (kind, unit, help.to_string()));
    }

    fn values(&self) -> BTreeMap<Series, (&'static str, f64)> {
        self.values.lock().unwrap().clone()
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.values.lock().unwrap().get(&(name.to_owned(), labels)).map(|(_, value)| *value)
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("counter", &key, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("gauge", &key, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("histogram", &key, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        metrics::Counter::from_arc(Cell::of(self, key, "counter"))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::from_arc(Cell::of(self, key, "gauge"))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::from_arc(Cell::of(self, key, "histogram"))
    }
}

/// The type of a sample as the facade can have it.
fn kind_of(family: &exposition::Family, sample: &exposition::Sample) -> &'static str {
    let whole = !family.name.contains("_seconds") && !family.name.ends_with("_amplification");
    match (family.kind.as_str(), sample.name.strip_prefix(&family.name)) {
        ("counter", _) | ("histogram" | "summary", Some("_sum")) if whole => "counter",
        (_, Some("_count")) => "counter",
        _ => "gauge",
    }
}

#[test]
fn everything_is_published_as_the_text_has_it_but_for_buckets() {
    let registries = [fixture::filled("orders"), custom::filled("stock")];
    let notes = Notes::default();
    let publisher = FacadePublisher::new(registries[0].clone()).with(registries[1].clone());
    with_local_recorder(&notes, || publisher.publish());
    let text = text::render_all(&registries.map(|registry| registry.snapshot()));

    let mut published = notes.values();
    let described = notes.described.lock().unwrap();
    for family in parse(&text) {
        for sample in family.samples.iter().filter(|sample| !sample.name.ends_with("_bucket")) {
            if sample.value.is_nan() {
                continue; // a quantile of nothing
            }
            let series = (sample.name.clone(), sample.labels.clone());
            let (kind, value) = published.remove(&series).unwrap_or_else(|| panic!("{series:?}"));
            assert_eq!(kind, kind_of(&family, sample), "{series:?}");
            if !fixture::VOLATILE.contains(&sample.name.as_str()) {
                assert_eq!(value.to_bits(), sample.value.to_bits(), "{series:?}");
            }
            assert_eq!(described[&sample.name].0, kind, "{series:?}");
        }
    }
    // What is left are quantiles of histograms, four of each that has an observation.
    assert!(published.keys().all(|(_, labels)| labels.contains_key("quantile")), "{published:?}");
    assert_eq!(published.len() % 4, 0);
    assert!(published.keys().any(|(name, _)| name == "db_get_latency_seconds"));
    assert_eq!(described["db_get_latency_seconds"].1, Some(Unit::Seconds));
    assert_eq!(described["app_logins_total"].2, "Logins \\ finished");
}

#[test]
fn a_profile_with_fewer_families_publishes_fewer() {
    let notes = Notes::default();
    let publisher = FacadePublisher::new(Registry::new("orders")).profile(Profile::Minimal);
    with_local_recorder(&notes, || publisher.publish());
    let names: BTreeSet<_> = notes.described.lock().unwrap().keys().cloned().collect();
    assert!(names.contains("db_get_operations_total") && !names.contains("db_entries"), "{names:?}");
}

#[test]
fn quantiles_are_of_what_was_observed_since_the_round_before() {
    let registry = Registry::new("orders");
    let sizes = registry.histogram_of(Measure::Count, "app_sizes", "Sizes", &[]).unwrap();
    let publisher = FacadePublisher::new(registry.clone());
    let notes = Notes::default();
    let median = || {
        with_local_recorder(&notes, || publisher.publish());
        notes.value("app_sizes", &[("db", "orders"), ("quantile", "0.5")])
    };
    assert_eq!(median(), None, "there was no observation yet");
    sizes.record(10);
    assert_eq!(median(), Some(10.0));
    (0..5).for_each(|_| sizes.record(100));
    assert_eq!(median(), Some(100.0));
    assert!(median().is_some_and(f64::is_nan), "there was none since");
    assert_eq!(notes.value("app_sizes_count", &[("db", "orders")]), Some(6.0));
    assert_eq!(notes.value("app_sizes_sum", &[("db", "orders")]), Some(510.0));
}

/// The one test that installs a global recorder, which threads see.
#[test]
fn a_thread_publishes_again_and_again_and_a_last_time_and_survives_a_panic() {
    static FAILS: AtomicBool = AtomicBool::new(true);

    struct Shy(Notes);

    impl Recorder for Shy {
        fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
            self.0.describe_counter(key, unit, help);
        }

        fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
            self.0.describe_gauge(key, unit, help);
        }

        fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
            self.0.describe_histogram(key, unit, help);
        }

        fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> metrics::Counter {
            assert!(!FAILS.swap(false, Ordering::Relaxed), "on purpose");
            self.0.register_counter(key, metadata)
        }

        fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> metrics::Gauge {
            self.0.register_gauge(key, metadata)
        }

        fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> metrics::Histogram {
            self.0.register_histogram(key, metadata)
        }
    }

    let notes = Notes::default();
    assert!(metrics::set_global_recorder(Shy(notes.clone())).is_ok());
    let registry = Registry::new("threaded");
    let gets = || notes.value("db_get_operations_total", &[("db", "threaded")]);
    let publishing = FacadePublisher::new(registry.clone()).every(Duration::ZERO).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while gets() != Some(0.0) {
        assert!(Instant::now() < deadline, "the round after the one that panicked never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!FAILS.load(Ordering::Relaxed));
    registry.recorder().add(Counter::GetOperations, 7);
    publishing.stop();
    assert_eq!(gets(), Some(7.0), "what came before the end was published");
    registry.recorder().add(Counter::GetOperations, 1);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(gets(), Some(7.0), "nothing is published after the end");
}

fn lines(registry: &Registry) -> Vec<String> {
    let text = text::render(&registry.snapshot());
    text.lines().skip_while(|line| !line.starts_with("# HELP app_")).map(str::to_owned).collect()
}

#[test]
fn what_an_application_counts_is_shown_with_the_database() {
    let registry = Registry::new("orders");
    with_local_recorder(&FacadeRecorder::new(registry.clone()), || {
        metrics::describe_counter!("app.logins", "Logins finished");
        metrics::describe_histogram!("app_render", Unit::Milliseconds, "Time to render a page");
        let logins = metrics::counter!("app.logins", "tenant-name" => "a \"b\"");
        logins.increment(2);
        metrics::counter!("app.logins", "tenant-name" => "a \"b\"").increment(1);
        metrics::counter!("app_sent_total").absolute(9);
        metrics::gauge!("app_queue").set(5);
        metrics::gauge!("app_queue").increment(2.5);
        metrics::gauge!("app_queue").decrement(0.5);
        let render = metrics::histogram!("app_render");
        render.record(1.5);
        render.record_many(3.0, 2);
        for odd in [f64::NAN, f64::INFINITY] {
            render.record(odd);
            metrics::gauge!("app_queue").set(odd);
        }
    });
    let shown: Vec<_> = lines(&registry).into_iter().filter(|line| !line.contains("_bucket")).collect();
    assert_eq!(
        shown,
        [
            "# HELP app_logins_total Logins finished",
            "# TYPE app_logins_total counter",
            "app_logins_total{db=\"orders\",tenant_name=\"a \\\"b\\\"\"} 3",
            "# HELP app_queue Recorded through the metrics facade, without a description",
            "# TYPE app_queue gauge",
            "app_queue{db=\"orders\"} 7",
            "# HELP app_render_seconds Time to render a page",
            "# TYPE app_render_seconds histogram",
            "app_render_seconds_sum{db=\"orders\"} 0.0075",
            "app_render_seconds_count{db=\"orders\"} 3",
            "# HELP app_sent_total Recorded through the metrics facade, without a description",
            "# TYPE app_sent_total counter",
            "app_sent_total{db=\"orders\"} 9",
        ]
    );
}

#[test]
fn histograms_measure_what_their_unit_or_name_says() {
    let registry = Registry::new("orders");
    with_local_recorder(&FacadeRecorder::new(registry.clone()), || {
        metrics::describe_histogram!("a_size", Unit::Kibibytes, "");
        metrics::describe_histogram!("a_share", Unit::Percent, "Shares");
        metrics::histogram!("a_size").record(2.0);
        metrics::histogram!("a_share").record(49.6);
        metrics::histogram!("a_wait_seconds").record(Duration::from_micros(3));
        metrics::histogram!("a_sent_bytes").record(7.0);
        metrics::histogram!("a_depth").record(-3.0);
    });
    let snapshot = registry.snapshot();
    let found = snapshot.custom().iter().map(|family| {
        let CustomValue::Histogram(values) = family.series()[0].value() else { panic!("{family:?}") };
        (family.name(), family.unit().as_str(), values.sum())
    });
    let expected = [
        ("a_depth", "", 0),
        ("a_sent_bytes", "bytes", 7),
        ("a_share", "", 50),
        ("a_size_bytes", "bytes", 2_048),
        ("a_wait_seconds", "seconds", 3_000),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn a_counter_that_two_set_to_the_same_value_at_once_has_that_value() {
    const ROUNDS: u64 = 20_000;
    let registry = Registry::new("orders");
    let recorder = FacadeRecorder::new(registry.clone());
    let seen = || with_local_recorder(&recorder, || metrics::counter!("app_seen"));
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let wait = |for_it: &AtomicU64, round| {
        while for_it.load(Ordering::Acquire) < round {
            std::thread::yield_now();
        }
    };
    let counter = registry.counter("app_seen_total", UNDESCRIBED, &[]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let seen = seen();
            for round in 1..=ROUNDS {
                wait(&begun, round);
                seen.absolute(round * 10);
                done.store(round, Ordering::Release);
            }
        });
        let seen = seen();
        for round in 1..=ROUNDS {
            begun.store(round, Ordering::Release);
            seen.absolute(round * 10);
            wait(&done, round);
            if counter.value() != round * 10 {
                // The other thread would wait for ever.
                begun.store(ROUNDS, Ordering::Release);
                panic!("{} instead of {}", counter.value(), round * 10);
            }
        }
    });
}

#[test]
fn what_a_registry_refuses_is_counted_and_nothing_else_is_lost() {
    let registry = Registry::new("orders");
    let recorder = FacadeRecorder::new(registry.clone());
    with_local_recorder(&recorder, || {
        metrics::counter!("db_get_operations_total").increment(1);
        metrics::gauge!("app_jobs_count").set(1);
        metrics::counter!("app_jobs", "db" => "x").increment(1);
        metrics::counter!("app_jobs", "kind" => "x".repeat(200)).increment(1);
        metrics::counter!("app_jobs", "kind" => "a").increment(4);
        metrics::counter!("app_jobs", "sort" => "a").increment(1);
    });
    assert_eq!(Rejection::ALL.map(|reason| registry.rejections(reason)), [2, 0, 2, 1, 0]);
    let rejected = |reason| registry.snapshot().counter(Counter::SeriesRejected.at(reason));
    assert_eq!([0, 1, 2].map(rejected), [0, 4, 1]);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.custom().len(), 1);
    assert_eq!(snapshot.custom()[0].value(&[("kind", "a")]), Some(&CustomValue::Counter(4)));
}

#[cfg(feature = "log-sink")]
#[test]
fn who_counts_what_is_refused_is_warned_once() {
    crate::logged::listen();
    let recorder = FacadeRecorder::new(Registry::new("refusals"));
    with_local_recorder(&recorder, || {
        (0..5).for_each(|_| metrics::counter!("db_mine").increment(1));
        (0..5).for_each(|_| metrics::counter!("app_mine").increment(1));
        metrics::gauge!("app_mine_sum").set(1);
    });
    let warnings = crate::logged::lines(&["WARN ", "database=\"refusals\""]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("\"db_mine_total\" is not valid"), "{warnings:?}");
    assert!(warnings[1].contains("app_mine_sum"), "{warnings:?}");
}

/// Beyond the names that are remembered every use of another one was warned of, on paths that may be hot.
#[test]
fn names_without_number_bring_one_warning() {
    crate::logged::listen();
    let recorder = FacadeRecorder::new(Registry::new("crowded"));
    with_local_recorder(&recorder, || {
        (0..1_000).for_each(|n| metrics::counter!(format!("app_{n}")).increment(1));
        for n in 0..300 {
            metrics::counter!("app_one_more").increment(1);
            metrics::counter!(format!("app_more_{n}")).increment(1);
        }
    });
    let warnings = crate::logged::lines(&["WARN ", "database=\"crowded\""]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn a_name_is_what_it_was_at_its_first_use() {
    let registry = Registry::new("orders");
    with_local_recorder(&FacadeRecorder::new(registry.clone()), || {
        metrics::describe_counter!("app_jobs", "Jobs done");
        metrics::counter!("app_jobs").increment(1);
        metrics::histogram!("app_wait").record(3.0);
        metrics::describe_counter!("app_jobs", "Something else");
        metrics::describe_histogram!("app_wait", Unit::Seconds, "Waits");
        metrics::counter!("app_jobs").increment(1);
        metrics::histogram!("app_wait").record(3.0);
    });
    let snapshot = registry.snapshot();
    let helps: Vec<_> = snapshot.custom().iter().map(|family| (family.name(), family.help())).collect();
    assert_eq!(helps, [("app_jobs_total", "Jobs done"), ("app_wait", UNDESCRIBED)]);
    assert_eq!(snapshot.custom()[0].value(&[]), Some(&CustomValue::Counter(2)));
}

#[test]
fn series_and_names_without_end_end_at_the_limits() {
    let registry = Registry::new("orders");
    let recorder = FacadeRecorder::new(registry.clone());
    with_local_recorder(&recorder, || {
        for user in 0..500 {
            metrics::counter!("app_jobs", "user" => user.to_string()).increment(1);
        }
        for name in 0..3_000 {
            metrics::counter!(format!("app_{name}")).increment(1);
        }
    });
    let snapshot = registry.snapshot();
    let jobs = snapshot.custom_family("app_jobs_total").unwrap();
    assert_eq!(jobs.series().len(), 101);
    assert_eq!(jobs.value(&[("user", "other")]), Some(&CustomValue::Counter(400)));
    let series: usize = snapshot.custom().iter().map(|family| family.series().len()).sum();
    assert!(series <= 1_001, "{series}");
    assert_eq!(registry.rejections(Rejection::Limit), 400 + 3_000 - (1_000 - 101));
    // Names beyond those that are remembered are still recorded where they are known to the registry.
    let counted = |name: &str| snapshot.custom_family(name).map(|family| family.value(&[]).cloned());
    assert_eq!(counted("app_5_total"), Some(Some(CustomValue::Counter(1))));
    assert_eq!(counted("app_2999_total"), None);
}
