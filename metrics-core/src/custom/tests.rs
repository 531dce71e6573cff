use super::*;
use crate::registry::Registry;
use std::sync::Arc;

fn counts(registry: &Registry, name: &str) -> Vec<(String, u64)> {
    let snapshot = registry.snapshot();
    let series = snapshot.custom_family(name).unwrap().series().iter().map(|series| {
        let values: Vec<_> = series.labels().iter().map(|(_, value)| value.as_str()).collect();
        let CustomValue::Counter(count) = series.value() else { panic!("{series:?}") };
        (values.join("/"), *count)
    });
    series.collect()
}

fn conflict(result: Result<impl Sized, RegisterError>) -> &'static str {
    match result.err() {
        Some(RegisterError::Conflict { differs, .. }) => differs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_name_and_labels_are_the_same_series_in_any_order() {
    let registry = Registry::new("custom");
    let labels = [("tenant", "a"), ("region", "eu")];
    let first = registry.counter("app_jobs_total", "Jobs done", &labels).unwrap();
    let second =
        registry.counter("app_jobs_total", "Jobs done", &[("region", "eu"), ("tenant", "a")]).unwrap();
    let other =
        registry.counter("app_jobs_total", "Jobs done", &[("tenant", "b"), ("region", "eu")]).unwrap();
    first.inc();
    second.add(2);
    other.add(10);
    registry.record_counter("app_jobs_total", 4, &labels);
    assert_eq!(counts(&registry, "app_jobs_total"), [("eu/a".into(), 7), ("eu/b".into(), 10)]);
}

#[test]
fn a_name_stands_for_one_kind_unit_help_and_set_of_label_names() {
    let registry = Registry::new("custom");
    registry.histogram_of(Measure::Bytes, "app_size", "Sizes", &[("kind", "a")]).unwrap();
    let labels = [("kind", "a")];
    assert_eq!(conflict(registry.gauge("app_size", "Sizes", &labels)), "kind");
    assert_eq!(conflict(registry.summary_of(Measure::Bytes, "app_size", "Sizes", &labels)), "kind");
    assert_eq!(conflict(registry.histogram_of(Measure::Count, "app_size", "Sizes", &labels)), "unit");
    assert_eq!(conflict(registry.histogram_of(Measure::Bytes, "app_size", "Other", &labels)), "help");
    for labels in [&[][..], &[("sort", "a")], &[("kind", "a"), ("sort", "a")]] {
        assert_eq!(
            conflict(registry.histogram_of(Measure::Bytes, "app_size", "Sizes", labels)),
            "label names"
        );
    }
    // OpenMetrics would call both families app_size.
    assert_eq!(conflict(registry.counter("app_size_total", "All sizes", &[])), "name but for `_total`");
    assert_eq!(registry.rejections(Rejection::Conflict), 8);
    assert_eq!(registry.snapshot().custom().len(), 1);
}

#[test]
fn what_is_not_valid_is_refused_with_a_reason_and_counted() {
    let registry = Registry::new("custom");
    let refused = |labels: &[(&str, &str)]| registry.gauge("app_g", "G", labels).unwrap_err().rejection();
    assert_eq!(registry.gauge("app-g", "G", &[]).unwrap_err().rejection(), Rejection::Name);
    assert_eq!(registry.gauge("app_g", " ", &[]).unwrap_err().rejection(), Rejection::Help);
    assert_eq!(refused(&[("le", "1")]), Rejection::Label);
    assert_eq!(refused(&[("a", "1"), ("b", "2"), ("a", "1")]), Rejection::Label);
    assert_eq!(refused(&[("a", ""); 9]), Rejection::Label);
    assert_eq!(Rejection::ALL.map(|reason| registry.rejections(reason)), [1, 1, 3, 0, 0]);
    let rejected = |reason| registry.snapshot().counter(crate::catalog::Counter::SeriesRejected.at(reason));
    assert_eq!([0, 1, 2].map(rejected), [0, 5, 0]);
    assert!(registry.snapshot().custom().is_empty());
    let error = registry.counter("app_logins", "Logins", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metric name \"app_logins\" is not valid: the name of a counter ends in `_total`"
    );
}

#[test]
fn by_name_nothing_fails_and_what_is_not_recorded_is_counted() {
    let registry = Registry::new("custom");
    registry.record_counter("bad name", 1, &[]);
    registry.set_gauge("app_level", 3.0, &[]);
    registry.set_gauge("app_level", f64::NAN, &[]);
    registry.observe("app_level", 1, &[]);
    registry.record_counter("app_level", 1, &[]);
    registry.observe("app_wait_seconds", 5, &[]);
    registry.observe("app_upload_bytes", 6, &[]);
    registry.summary_of(Measure::Seconds, "app_age", "Ages", &[]).unwrap();
    registry.observe("app_age", 7, &[]);
    assert_eq!(Rejection::ALL.map(|reason| registry.rejections(reason)), [1, 0, 0, 2, 0]);
    let snapshot = registry.snapshot();
    let shapes: Vec<_> = snapshot
        .custom()
        .iter()
        .map(|family| (family.name(), family.kind().as_str(), family.unit().as_str()))
        .collect();
    assert_eq!(
        shapes,
        [
            ("app_age", "summary", "seconds"),
            ("app_level", "gauge", ""),
            ("app_upload_bytes", "histogram", "bytes"),
            ("app_wait_seconds", "histogram", "seconds"),
        ]
    );
    assert_eq!(snapshot.custom_family("app_level").unwrap().value(&[]), Some(&CustomValue::Gauge(3.0)));
    assert!(snapshot.custom_family("app_age").is_some_and(|family| {
        matches!(family.value(&[]), Some(CustomValue::Histogram(ages)) if ages.count() == 1)
    }));
}

#[test]
fn a_family_recorded_by_name_is_described_later() {
    let registry = Registry::new("custom");
    registry.record_counter("app_jobs_total", 1, &[]);
    assert!(registry.snapshot().custom()[0].help().starts_with("Recorded by name"));
    registry.counter("app_jobs_total", "Jobs done", &[]).unwrap().inc();
    registry.record_counter("app_jobs_total", 1, &[]);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.custom()[0].help(), "Jobs done");
    assert_eq!(snapshot.custom()[0].value(&[]), Some(&CustomValue::Counter(3)));
    assert_eq!(conflict(registry.counter("app_jobs_total", "Other", &[])), "help");
}

#[test]
fn label_sets_beyond_the_limit_of_a_family_are_folded_and_nothing_is_lost() {
    let registry = Registry::new("custom");
    for tenant in 0..MAX_SERIES_PER_FAMILY + 50 {
        let tenant = tenant.to_string();
        registry.record_counter("app_jobs_total", 1, &[("tenant", &tenant), ("kind", "x")]);
    }
    let handle = registry.counter("app_jobs_total", "Jobs", &[("tenant", "new"), ("kind", "y")]).unwrap();
    handle.add(5);
    let series = counts(&registry, "app_jobs_total");
    assert_eq!(series.len(), MAX_SERIES_PER_FAMILY + 1);
    assert_eq!(series.iter().find(|(values, _)| values == "other/other").unwrap().1, 55);
    assert_eq!(series.iter().map(|(_, count)| count).sum::<u64>(), 155);
    assert_eq!(registry.rejections(Rejection::Limit), 51);
    // Those that are registered are still told apart, and other families have their own limit.
    registry.record_counter("app_jobs_total", 1, &[("tenant", "7"), ("kind", "x")]);
    registry.record_counter("app_other_total", 1, &[("tenant", "7")]);
    assert_eq!(registry.rejections(Rejection::Limit), 51);
}

#[test]
fn series_beyond_the_limit_of_the_registry_are_folded_and_new_families_refused() {
    let registry = Registry::new("custom");
    registry.limit_custom_series(3);
    for tenant in ["a", "b", "c", "d", "e"] {
        registry.record_counter("app_jobs_total", 1, &[("tenant", tenant)]);
    }
    let expected = [("a", 1), ("b", 1), ("c", 1), ("other", 2)].map(|(value, count)| (value.into(), count));
    assert_eq!(counts(&registry, "app_jobs_total"), expected);
    assert_eq!(registry.gauge("app_g", "G", &[]).unwrap_err(), RegisterError::Full { limit: 3 });
    registry.observe("app_h", 1, &[]);
    assert_eq!(registry.rejections(Rejection::Limit), 4);
    registry.limit_custom_series(10);
    registry.record_counter("app_jobs_total", 1, &[("tenant", "d")]);
    assert_eq!(counts(&registry, "app_jobs_total")[3], ("d".into(), 1));
}

#[test]
fn a_difference_is_what_was_recorded_in_between_and_new_series_start_from_zero() {
    let registry = Registry::new("custom");
    let old = registry.counter("app_jobs_total", "Jobs", &[("kind", "m")]).unwrap();
    let level = registry.gauge("app_level", "Level", &[]).unwrap();
    let waits = registry.summary_of(Measure::Seconds, "app_wait_seconds", "Waits", &[]).unwrap();
    old.add(100);
    level.set(1.0);
    waits.record(50);
    let before = registry.snapshot();
    old.add(3);
    level.set(9.0);
    waits.record(70);
    registry.record_counter("app_jobs_total", 4, &[("kind", "a")]);
    registry.record_counter("app_jobs_total", 5, &[("kind", "z")]);
    registry.record_counter("app_new_total", 6, &[]);
    let change = registry.snapshot().since(&before);
    let jobs = change.custom_family("app_jobs_total").unwrap();
    for (kind, count) in [("a", 4), ("m", 3), ("z", 5)] {
        assert_eq!(jobs.value(&[("kind", kind)]), Some(&CustomValue::Counter(count)));
    }
    assert_eq!(change.custom_family("app_new_total").unwrap().value(&[]), Some(&CustomValue::Counter(6)));
    assert_eq!(change.custom_family("app_level").unwrap().value(&[]), Some(&CustomValue::Gauge(9.0)));
    let Some(CustomValue::Histogram(waits)) = change.custom_family("app_wait_seconds").unwrap().value(&[])
    else {
        panic!()
    };
    assert_eq!((waits.count(), waits.sum(), waits.max()), (1, 70, Some(70)));
}

#[test]
fn registries_do_not_share_series() {
    let (first, second) = (Registry::new("first"), Registry::new("second"));
    first.record_counter("app_jobs_total", 1, &[]);
    assert!(second.snapshot().custom().is_empty());
    second.set_gauge("app_level", 1.0, &[]);
    assert_eq!(first.snapshot().custom().len(), 1);
}

#[test]
fn threads_that_register_the_same_at_once_get_the_same_series() {
    let registry = Registry::new("custom");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..60_u64 {
                    let kind = (n % 30).to_string();
                    registry.counter("app_jobs_total", "Jobs", &[("kind", &kind)]).unwrap().add(n);
                    registry.observe("app_wait_seconds", n, &[("kind", &kind)]);
                    let _ = registry.snapshot();
                }
            });
        }
    });
    let jobs = counts(&registry, "app_jobs_total");
    assert_eq!(jobs.len(), 30);
    assert_eq!(jobs.iter().map(|(_, count)| count).sum::<u64>(), 8 * 59 * 60 / 2);
    assert_eq!(Rejection::ALL.map(|reason| registry.rejections(reason)), [0; 5]);
}

#[test]
fn a_thread_that_panicked_in_the_table_stops_nobody() {
    let registry = Registry::new("custom");
    let table = Arc::clone(&registry);
    let panicked = std::thread::spawn(move || table.custom().poison()).join();
    assert!(panicked.is_err());
    registry.record_counter("app_jobs_total", 3, &[]);
    assert_eq!(counts(&registry, "app_jobs_total"), [(String::new(), 3)]);
}

#[test]
fn the_memory_of_custom_series_is_counted() {
    let registry = Registry::new("custom");
    let before = registry.snapshot().gauge(crate::catalog::Gauge::InstrumentationBytes);
    registry.observe("app_wait_seconds", 1, &[]);
    let after = registry.snapshot().gauge(crate::catalog::Gauge::InstrumentationBytes);
    assert!(after - before > 36_000.0, "{before} {after}");
}

/// The costs that the documentation states. `cargo test --release -p bettong-metrics cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, for machines that do nothing else"]
fn cost_of_recording() {
    let registry = Registry::new("custom");
    let counter = registry.counter("app_jobs_total", "Jobs", &[("tenant", "a"), ("kind", "b")]).unwrap();
    let gauge = registry.gauge("app_level", "Level", &[]).unwrap();
    let histogram = registry.histogram_of(Measure::Seconds, "app_wait_seconds", "Waits", &[]).unwrap();
    for family in 0..50 {
        registry.record_counter(&format!("app_filler_{family}_total"), 1, &[]);
    }
    let shared = std::sync::atomic::AtomicU64::new(0);
    let add_shared = || shared.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    time("a bare fetch_add", &|| {
        std::hint::black_box(add_shared());
    });
    time("counter.add", &|| std::hint::black_box(&counter).add(1));
    time("gauge.set", &|| std::hint::black_box(&gauge).set(3.0));
    time("histogram.record", &|| std::hint::black_box(&histogram).record(1_234));
    time("record_counter", &|| {
        registry.record_counter("app_jobs_total", 1, &[("tenant", "a"), ("kind", "b")]);
    });
}

/// Prints the time of one call, on one thread and on two: the median of many slices.
fn time(what: &str, work: &(impl Fn() + Sync)) {
    const CALLS: u32 = 20_000;
    let slice = || {
        let begun = std::time::Instant::now();
        (0..CALLS).for_each(|_| work());
        begun.elapsed().as_nanos()
    };
    let median = || {
        let mut slices: Vec<_> = (0..401).map(|_| slice()).collect();
        slices.sort_unstable();
        slices[200]
    };
    for threads in [1, 2] {
        let slowest = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(median)).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).max().unwrap()
        });
        println!("{what}, {threads} threads: {:.2} ns", slowest as f64 / f64::from(CALLS));
    }
}
