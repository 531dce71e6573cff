//! What is written, read back; and, byte for byte, what the numbers of fields mean.

use super::*;
use crate::formats::{json, text};
use bettong_metrics::{Counter, Gauge, Histogram, Measure, Registry};

/// The families of a text of messages.
fn parse(mut bytes: &[u8]) -> Vec<proto::MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(proto::MetricFamily::decode_length_delimited(&mut bytes).unwrap());
    }
    families
}

fn filled() -> MetricsSnapshot {
    let registry = Registry::new("orders \"1\"");
    let recorder = registry.recorder();
    recorder.add(Counter::CompactionThrottledNanos, 1_250_000_000);
    recorder.set(Gauge::LevelScore.at(1), 0.75);
    (1..=1_000).for_each(|micros| recorder.record(Histogram::GetLatency, micros * 1_000));
    registry.counter("app_logins_total", "Logins", &[("tenant", "a\\b")]).unwrap().add(7);
    let sizes = registry.summary_of(Measure::Bytes, "app_upload_bytes", "Uploads", &[]).unwrap();
    (1..=100).for_each(|bytes| sizes.record(bytes));
    let waits = registry.histogram_of(Measure::Seconds, "app_wait_seconds", "Waits", &[]).unwrap();
    waits.record(1_000);
    registry.snapshot()
}

/// The fields of Prometheus' `metrics.proto`, put together by hand.
#[test]
fn a_family_is_encoded_as_the_schema_of_prometheus_says() {
    let family = header(
        "app_x_bytes",
        "X",
        proto::MetricType::Histogram,
        Unit::Bytes,
        vec![proto::Metric::histogram(
            labels(Some("o"), std::iter::empty()),
            proto::Histogram {
                sample_count: Some(3),
                sample_sum: Some(2.0),
                bucket: vec![proto::Bucket::new(1.0, 2)],
                schema: Some(4),
                zero_threshold: Some(0.5),
                zero_count: Some(1),
                positive_span: vec![proto::BucketSpan::new(-2, 2)],
                positive_delta: vec![1, -1],
            },
        )],
    );
    let one = [0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
    let half = [0, 0, 0, 0, 0, 0, 0xe0, 0x3f];
    let two = [0, 0, 0, 0, 0, 0, 0, 0x40];
    let bucket = [&[0x1a, 11, 0x08, 2, 0x11][..], &one].concat();
    let span = [0x62, 4, 0x08, 3, 0x10, 2];
    let histogram =
        [&[0x08, 3, 0x11][..], &two, &bucket, &[0x28, 8, 0x31], &half, &[0x38, 1], &span, &[0x6a, 2, 2, 1]]
            .concat();
    let label = [0x0a, 7, 0x0a, 2, b'd', b'b', 0x12, 1, b'o'];
    let metric = [&label[..], &[0x3a, histogram.len() as u8], &histogram].concat();
    let expected = [
        &[0x0a, 11][..],
        b"app_x_bytes",
        &[0x12, 1, b'X', 0x18, 4, 0x22, metric.len() as u8],
        &metric,
        &[0x2a, 5],
        b"bytes",
    ]
    .concat();
    assert_eq!(family.encode_to_vec(), expected);
}

#[test]
fn families_and_series_are_those_of_the_text_format() {
    for profile in Profile::ALL {
        let snapshots = [filled(), Registry::new("stock").snapshot()];
        let families = parse(&render_all(&snapshots, profile));
        let text = text::render_profile(&snapshots, profile);
        let names: Vec<_> = families.iter().map(|family| family.name.clone().unwrap_or_default()).collect();
        let expected: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
        assert_eq!(names, expected);
        for family in &families {
            let name = family.name.as_deref().unwrap();
            for metric in &family.metric {
                let quoted = |pair: &proto::LabelPair| {
                    let value = pair.value.as_deref().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
                    format!("{}=\"{value}\"", pair.name.as_deref().unwrap())
                };
                let labels: Vec<_> = metric.label.iter().map(quoted).collect();
                let labels = labels.join(",");
                let value = metric.counter.or(metric.gauge).and_then(|number| number.value);
                let line = match (value, &metric.histogram) {
                    (Some(value), _) => format!("\n{name}{{{labels}}} {value}\n"),
                    (_, Some(histogram)) => {
                        format!("\n{name}_count{{{labels}}} {}\n", histogram.sample_count.unwrap())
                    }
                    _ => format!(
                        "\n{name}_count{{{labels}}} {}\n",
                        metric.summary.as_ref().unwrap().sample_count.unwrap()
                    ),
                };
                assert!(text.contains(&line), "{line}");
            }
        }
    }
}

#[test]
fn classic_and_native_buckets_count_the_same_observations() {
    for (profile, classic) in [(Profile::Standard, 58), (Profile::Native, 0)] {
        let families = parse(&render_all(&[filled()], profile));
        let latency = families.iter().find(|family| family.name.as_deref() == Some("db_get_latency_seconds"));
        let histogram = latency.unwrap().metric[0].histogram.clone().unwrap();
        assert_eq!(histogram.bucket.len(), classic);
        assert_eq!((histogram.sample_count, histogram.sample_sum), (Some(1_000), Some(0.5005)));
        assert_eq!((histogram.schema, histogram.zero_count), (Some(4), Some(0)));
        let mut count = 0;
        let counts = histogram.positive_delta.iter().map(|delta| {
            count += delta;
            count
        });
        assert_eq!(counts.sum::<i64>(), 1_000);
        let buckets: u32 = histogram.positive_span.iter().filter_map(|span| span.length).sum();
        assert_eq!(buckets as usize, histogram.positive_delta.len());
    }
}

/// A server interpolates within a bucket: wherever it ends up, it is within the bound of what JSON says.
#[test]
fn quantiles_of_native_buckets_agree_with_those_of_the_document() {
    let snapshot = filled();
    let document = json::to_value(&snapshot);
    let metrics = document["metrics"].as_array().unwrap();
    let exact = metrics.iter().find(|metric| metric["name"] == "db_get_latency_seconds").unwrap();
    let families = parse(&render(&snapshot));
    let latency = families.iter().find(|family| family.name.as_deref() == Some("db_get_latency_seconds"));
    let histogram = latency.unwrap().metric[0].histogram.clone().unwrap();
    for quantile in ["0.5", "0.9", "0.99", "0.999"] {
        let rank = (quantile.parse::<f64>().unwrap() * 1_000.0).ceil() as i64;
        let (mut index, mut count, mut seen, mut deltas) = (0, 0, 0, histogram.positive_delta.iter());
        'spans: for span in &histogram.positive_span {
            index += span.offset.unwrap();
            for _ in 0..span.length.unwrap() {
                count += deltas.next().unwrap();
                seen += count;
                if seen >= rank {
                    break 'spans;
                }
                index += 1;
            }
        }
        let exact = exact["quantiles"][quantile].as_f64().unwrap();
        for edge in [index - 1, index] {
            let edge = (f64::from(edge) / 16.0).exp2();
            let error = (edge - exact).abs() / exact;
            assert!(
                error <= MAX_RELATIVE_ERROR + bettong_metrics::histogram::RELATIVE_ERROR,
                "{quantile}: {error}"
            );
        }
    }
}
