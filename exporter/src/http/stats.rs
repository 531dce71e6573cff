//! What the exporter counts of itself: as many series as there are kinds of endpoints and codes, whatever is asked.

use crate::formats::own::{OwnFamily, OwnHistogram, OwnSeries, OwnValue};
use bettong_metrics::{Kind, Unit};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The kinds of endpoints: the label `endpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The formats of Prometheus.
    Metrics,
    /// JSON documents.
    Api,
    /// `/events` and `/api/v1/live`.
    Stream,
    /// Everything else: probes, the list of paths, what is not found, what was refused before its path was looked at.
    Other,
}

impl Endpoint {
    const NAMES: [&str; 4] = ["metrics", "api", "stream", "other"];

    /// The kind of a path.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/metrics" | "/api/v1/metrics" => Self::Metrics,
            "/events" | "/api/v1/live" => Self::Stream,
            "/metrics.json" | "/schema/metrics.json" => Self::Api,
            path if path.starts_with("/api/v1/") => Self::Api,
            _ => Self::Other,
        }
    }
}

/// The codes that are told apart: the label `code`.
const CODES: [&str; 7] = ["200", "400", "403", "404", "405", "503", "other"];

fn place_of(code: u16) -> usize {
    match code {
        200 => 0,
        400 => 1,
        403 => 2,
        404 => 3,
        405 => 4,
        503 => 5,
        _ => 6,
    }
}

/// From 0.26 ms to 4.3 s, powers of four.
const DURATIONS: [u64; 8] = [
    (1 << 18) - 1,
    (1 << 20) - 1,
    (1 << 22) - 1,
    (1 << 24) - 1,
    (1 << 26) - 1,
    (1 << 28) - 1,
    (1 << 30) - 1,
    (1 << 32) - 1,
];

/// From 1 KiB to 1 MiB, powers of four.
const SIZES: [u64; 6] =
    [(1 << 10) - 1, (1 << 12) - 1, (1 << 14) - 1, (1 << 16) - 1, (1 << 18) - 1, (1 << 20) - 1];

/// The counts of one exporter.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    endpoints: [OfEndpoint; Endpoint::NAMES.len()],
    in_flight: AtomicU64,
    snapshot_nanos: AtomicU64,
    /// When the formats of Prometheus were answered last, in Unix milliseconds; 0 if never.
    scraped_millis: AtomicU64,
}

#[derive(Debug, Default)]
struct OfEndpoint {
    codes: [AtomicU64; CODES.len()],
    durations: Cells<8>,
    sizes: Cells<6>,
}

#[derive(Debug)]
struct Cells<const N: usize> {
    buckets: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Cells<N> {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; N], above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

// Every cell publishes nothing but itself: relaxed throughout.
impl<const N: usize> Cells<N> {
    fn record(&self, value: u64, edges: &[u64; N]) {
        let at = edges.iter().position(|edge| value <= *edge);
        let bucket = at.and_then(|at| self.buckets.get(at)).unwrap_or(&self.above);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn read(&self, edges: &'static [u64; N]) -> OwnHistogram {
        let mut count = 0;
        let cumulative = self.buckets.iter().map(|bucket| {
            count += bucket.load(Ordering::Relaxed);
            count
        });
        let cumulative = cumulative.collect();
        count += self.above.load(Ordering::Relaxed);
        OwnHistogram { edges, cumulative, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Request {
    stats: Arc<Stats>,
    endpoint: Endpoint,
    began: Instant,
}

impl Stats {
    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>, endpoint: Endpoint) -> Request {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Request { stats: Arc::clone(self), endpoint, began: Instant::now() }
    }

    /// Something was answered before its path was looked at.
    pub(super) fn refused(&self, code: u16) {
        self.count(Endpoint::Other, code);
    }

    /// Taking snapshots of all databases took so long.
    pub(super) fn snapshots_took(&self, time: Duration) {
        self.snapshot_nanos.store(nanos(time), Ordering::Relaxed);
    }

    /// The same in few words, for the dashboard.
    pub(super) fn brief(&self) -> Value {
        let requests =
            |of: &OfEndpoint| of.codes.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>();
        let by_endpoint = Endpoint::NAMES.into_iter().zip(&self.endpoints);
        let render = self.endpoints.first().map(|of| of.durations.read(&DURATIONS));
        let render = render
            .filter(|render| render.count > 0)
            .map(|render| render.sum as f64 / 1e9 / render.count as f64);
        let scraped = self.scraped_millis.load(Ordering::Relaxed);
        json!({
            "requests": by_endpoint.map(|(name, of)| (name.to_owned(), requests(of).into())).collect::<Map<_, _>>(),
            "in_flight": self.in_flight.load(Ordering::Relaxed),
            "snapshot_seconds": self.snapshot_nanos.load(Ordering::Relaxed) as f64 / 1e9,
            "scrape_seconds_mean": render,
            "last_scrape": (scraped > 0).then_some(scraped as f64 / 1e3),
        })
    }

    fn count(&self, endpoint: Endpoint, code: u16) {
        let codes = self.endpoints.get(endpoint as usize).map(|of| &of.codes);
        if let Some(count) = codes.and_then(|codes| codes.get(place_of(code))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is shown of them: always the same families and series.
    pub(super) fn families(&self) -> Vec<OwnFamily> {
        let by_endpoint = || Endpoint::NAMES.into_iter().zip(&self.endpoints);
        let requests = by_endpoint().flat_map(|(name, of)| {
            let counts = CODES.into_iter().zip(&of.codes);
            counts.map(move |(code, count)| OwnSeries {
                labels: vec![("endpoint", name.into()), ("code", code.into())],
                value: OwnValue::Counter(count.load(Ordering::Relaxed)),
            })
        });
        let histogram = |read: fn(&OfEndpoint) -> OwnHistogram| -> Vec<OwnSeries> {
            let series = by_endpoint().map(|(name, of)| OwnSeries {
                labels: vec![("endpoint", name.into())],
                value: OwnValue::Histogram(read(of)),
            });
            series.collect()
        };
        let gauge = |value| vec![OwnSeries { labels: Vec::new(), value: OwnValue::Gauge(value) }];
        let snapshot_seconds = self.snapshot_nanos.load(Ordering::Relaxed) as f64 / 1e9;
        vec![
            OwnFamily {
                name: "db_exporter_requests_total",
                help: "HTTP requests answered, by kind of endpoint and status",
                unit: Unit::Count,
                kind: Kind::Counter,
                series: requests.collect(),
            },
            OwnFamily {
                name: "db_exporter_requests_in_flight",
                help: "HTTP requests being answered",
                unit: Unit::Count,
                kind: Kind::Gauge,
                series: gauge(self.in_flight.load(Ordering::Relaxed) as f64),
            },
            OwnFamily {
                name: "db_exporter_snapshot_duration_seconds",
                help: "Time that the last snapshots of all databases took",
                unit: Unit::Seconds,
                kind: Kind::Gauge,
                series: gauge(snapshot_seconds),
            },
            OwnFamily {
                name: "db_exporter_request_duration_seconds",
                help: "Time from a request to its answer, sending not included",
                unit: Unit::Nanoseconds,
                kind: Kind::Histogram,
                series: histogram(|of| of.durations.read(&DURATIONS)),
            },
            OwnFamily {
                name: "db_exporter_response_bytes",
                help: "Bytes of the bodies of answers, as they are sent; streams are not counted",
                unit: Unit::Bytes,
                kind: Kind::Histogram,
                series: histogram(|of| of.sizes.read(&SIZES)),
            },
        ]
    }
}

impl Request {
    /// It was answered, with a body of so many bytes if that is known.
    pub(super) fn answered(self, code: u16, bytes: Option<u64>) {
        self.stats.count(self.endpoint, code);
        if self.endpoint == Endpoint::Metrics && code == 200 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.stats.scraped_millis.store(now.as_millis() as u64, Ordering::Relaxed);
        }
        if let Some(of) = self.stats.endpoints.get(self.endpoint as usize) {
            of.durations.record(nanos(self.began.elapsed()), &DURATIONS);
            bytes.into_iter().for_each(|bytes| of.sizes.record(bytes, &SIZES));
        }
    }
}

/// It is no longer under way, answered or given up.
impl Drop for Request {
    fn drop(&mut self) {
        self.stats.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_of_endpoint_and_code() {
        let stats = Arc::new(Stats::default());
        let series = |stats: &Stats| -> usize {
            stats
                .families()
                .iter()
                .flat_map(|family| &family.series)
                .map(|series| series.value.series())
                .sum()
        };
        let before = series(&stats);
        stats.begin(Endpoint::of("/metrics")).answered(200, Some(5_000));
        stats.begin(Endpoint::of("/api/v1/levels")).answered(418, None);
        let _open = stats.begin(Endpoint::of("/nowhere"));
        stats.refused(400);
        let families = stats.families();
        let count = |endpoint: &str, code: &str| {
            let wanted = [("endpoint", endpoint.to_owned().into()), ("code", code.to_owned().into())];
            let found = families[0].series.iter().find(|one| one.labels == wanted);
            match found.unwrap().value {
                OwnValue::Counter(count) => count,
                ref other => panic!("{other:?}"),
            }
        };
        let counts =
            [count("metrics", "200"), count("api", "other"), count("other", "400"), count("other", "404")];
        assert_eq!(counts, [1, 1, 1, 0]);
        assert!(matches!(families[1].series[0].value, OwnValue::Gauge(open) if (open - 1.0).abs() < 1e-9));
        match &families[4].series[0].value {
            OwnValue::Histogram(sizes) => {
                assert_eq!(
                    (&sizes.cumulative[..], sizes.count, sizes.sum),
                    (&[0, 0, 1, 1, 1, 1][..], 1, 5_000)
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(series(&stats), before);
    }
}
