//! The JSON snapshot: every series with its labels and value, and the state of the tree.
//!
//! ```json
//! {"schema_version":1, "database":"orders", "window":{"start":…,"end":…},
//!  "metrics":[
//!    {"name":"db_get_results_total","type":"counter","unit":"","help":"…","labels":{"result":"hit"},"value":42,"timestamp":…},
//!    {"name":"db_get_latency_seconds","type":"histogram","unit":"seconds","help":"…","labels":{},
//!     "buckets":[{"le":0.000000191,"count":7}],"sum":…,"count":7,"min":…,"max":…,
//!     "quantiles":{"0.5":…,"0.9":…,"0.99":…,"0.999":…,"0.9999":…},
//!     "relative_error":0.00390625,"rank_error":0.0,"sampled":false,"timestamp":…}],
//!  "levels":[{"level":0,"tables":[…]}], "value_files":[…], "options":{…}, "option_defaults":{…}, "recovery":{…},
//!  "jobs":{"running":[{"id":3,"kind":"compaction","reason":"l0_files","inputs":[{"level":0,"count":4,"bytes":…,
//!     "tables":[{"number":12,"bytes":…}]}],"output_level":1,"started":…,"seconds":…,"bytes_total":…,"bytes_done":…}],
//!     "recent":[{…,"result":"ok","bytes_read":…,"bytes_written":…,"outputs":{…},"entries_read":…,…}]},
//!  "holders":{"iterators":1,"snapshots":0,"oldest":[{"kind":"iterator","sequence":9,"since":…,"age_seconds":…}]},
//!  "slow_operations":[{"operation":"get","ended":…,"seconds":…,"stages":{"data":…},"source":"2",…}],
//!  "events":[{"number":7,"at":…,"event":"flush_end","severity":"info","job":3,…}]}
//! ```
//! - `buckets` are the non-empty ones at full resolution. A `count` is that of its own bucket alone, of the values up
//!   to and including `le` and above the bucket before. The topmost bucket (4398 s, 4 TiB) also counts what is above.
//! - `min`, `max` and `quantiles` are absent while nothing was observed. `relative_error` bounds the quantiles' values.
//! - `sampled` says that some observations stand for several. `rank_error` is how far the rank of a quantile can be off
//!   then, as a share of the observations, with 95 % confidence: 0 where every one was taken, absent where it is not known.
//! - `health` has the metrics of the health checks, as a server shows them; without one it is absent. If there are several databases it stands
//!   beside the list of them.
//! - Values are in `unit`; times are Unix seconds. Key prefixes are in hexadecimal.
//! - `process` has the series of the process, in the shape of `metrics`. It is there where a whole exporter is rendered on Linux,
//!   once, whatever the number of databases.
//! - The families of the embedding application follow the others, sorted by name. Those of `"type":"summary"` look like
//!   histograms.
//! - Jobs, slow operations and events are the newest, oldest first, at most 32 each; so are holders, the oldest first.
//!   At most 64 tables of a level are listed: `count` and `bytes` are those of all. A job that failed has an `error`.
//! - The order of members and elements is always the same, and every number is finite.
//!
//! [`SCHEMA`] is the JSON Schema of all of it.

use super::activity::ActivityDocument;
use super::labels::Pairs;
use super::own::{OwnFamily, OwnValue};
use super::scaled;
use bettong_metrics::histogram::RELATIVE_ERROR;
use bettong_metrics::{
    CustomFamily, CustomValue, Family, Histogram, HistogramSnapshot, LevelState, MetricsSnapshot, Operation,
    Sample, TableState, Unit, Value, ValueFileState, Window,
};
use serde::{Serialize, Serializer};

/// The version of the document's schema. It grows when a member changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// The JSON Schema (draft 2020-12) of the document, of one database or several. It is exact for this version of the crate:
/// it allows no other members.
pub const SCHEMA: &str = include_str!("../../schema/metrics.schema.json");

/// The `Content-Type` of [`SCHEMA`].
pub const SCHEMA_CONTENT_TYPE: &str = "application/schema+json; charset=utf-8";

/// Families of which some or all observations stand for several: what is traced of sampled operations, steps of iterators,
/// short calls of the file system.
const SAMPLED: [Histogram; 11] = [
    Histogram::GetServedLatency,
    Histogram::GetStageDuration,
    Histogram::GetTablesChecked,
    Histogram::GetBlocksRead,
    Histogram::CommitStageDuration,
    Histogram::IteratorStepLatency,
    Histogram::KeySize,
    Histogram::ValueSize,
    Histogram::VlogReadLatency,
    Histogram::WalAppendDuration,
    Histogram::IoLatency,
];

/// The `Content-Type` of the format.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// One database's snapshot as a JSON text.
///
/// # Examples
/// ```
/// let registry = bettong_metrics::Registry::new("orders");
/// let text = bettong_exporter::formats::json::render(&registry.snapshot());
/// assert!(text.starts_with(r#"{"schema_version":1,"database":"orders","#));
/// ```
pub fn render(snapshot: &MetricsSnapshot) -> String {
    to_text(&Document::new(snapshot))
}

/// The snapshots of several databases as one JSON text: `{"schema_version":1,"databases":[…]}` with the document of
/// [`render`] for each. A single snapshot is rendered as by [`render`].
pub fn render_all(snapshots: &[MetricsSnapshot]) -> String {
    render_with(snapshots, &[], &[])
}

/// The same with what is known of the process, and what health checks found: counters and gauges.
pub(crate) fn render_with(
    snapshots: &[MetricsSnapshot],
    process: &[OwnFamily],
    health: &[OwnFamily],
) -> String {
    let now = snapshots.iter().map(|snapshot| snapshot.window().end).fold(0.0, f64::max);
    let metrics = |family| Metric::own(family, now);
    let (process, health) =
        (process.iter().flat_map(metrics).collect(), health.iter().flat_map(metrics).collect());
    match snapshots {
        [snapshot] => to_text(&Document { process, health, ..Document::new(snapshot) }),
        _ => to_text(&Collection {
            schema_version: SCHEMA_VERSION,
            databases: snapshots.iter().map(Document::new).collect(),
            process,
            health,
        }),
    }
}

/// One database's snapshot as a JSON value, for callers that pick from it or add to it.
pub fn to_value(snapshot: &MetricsSnapshot) -> serde_json::Value {
    let value = serde_json::to_value(Document::new(snapshot));
    debug_assert!(value.is_ok(), "the document has string keys and finite numbers");
    value.unwrap_or_default()
}

/// The member `levels` of the document.
#[cfg(feature = "http")]
pub(crate) fn levels(levels: &[LevelState]) -> serde_json::Value {
    serde_json::to_value(levels.iter().map(Level::new).collect::<Vec<_>>()).unwrap_or_default()
}

/// What changed from one snapshot to a later one of the same registry: `{"schema_version":1,"database":…,"window":{…},
/// "metrics":[…]}` with the counters that grew and by how much, the histograms with observations of that time alone, and the
/// gauges that have another value.
///
/// # Examples
/// ```
/// use bettong_exporter::formats::json;
/// use bettong_metrics::{Counter, Registry};
///
/// let registry = Registry::new("orders");
/// let before = registry.snapshot();
/// registry.recorder().add(Counter::UserReadBytes, 120);
/// let text = json::delta(&before, &registry.snapshot());
/// assert!(text.contains(r#""name":"db_user_read_bytes_total""#) && text.contains(r#""value":120"#));
/// assert!(!text.contains("db_user_written_bytes_total"));
/// ```
pub fn delta(before: &MetricsSnapshot, now: &MetricsSnapshot) -> String {
    let since = now.since(before);
    let mut document = Document::new(&since);
    // Series only ever appear, and their order stays: the two lists are walked side by side.
    let mut old = Document::new(before).metrics.into_iter().peekable();
    document.metrics.retain(|metric| {
        let known = old.next_if(|old| old.name == metric.name && old.labels.iter().eq(metric.labels.iter()));
        match &metric.value {
            Measured::Distribution(values) => values.count > 0,
            Measured::Number { value } if metric.r#type == "counter" => value.to_f64() > 0.0,
            Measured::Number { value } => match known.map(|old| old.value) {
                Some(Measured::Number { value: old }) => old.to_f64().to_bits() != value.to_f64().to_bits(),
                _ => true,
            },
        }
    });
    let Document { database, window, metrics, .. } = document;
    to_text(&Delta { schema_version: SCHEMA_VERSION, database, window, metrics })
}

#[derive(Serialize)]
struct Delta<'a> {
    schema_version: u32,
    database: &'a str,
    window: WindowDocument,
    metrics: Vec<Metric<'a>>,
}

fn to_text(document: &impl Serialize) -> String {
    let text = serde_json::to_string(document);
    debug_assert!(text.is_ok(), "the document has string keys and finite numbers");
    text.unwrap_or_default()
}

#[derive(Serialize)]
struct Collection<'a> {
    schema_version: u32,
    databases: Vec<Document<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    process: Vec<Metric<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    health: Vec<Metric<'a>>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    database: &'a str,
    window: WindowDocument,
    metrics: Vec<Metric<'a>>,
    levels: Vec<Level<'a>>,
    value_files: Vec<ValueFile>,
    options: ByName<'a>,
    option_defaults: ByName<'a>,
    recovery: ByName<'a>,
    #[serde(flatten)]
    activity: ActivityDocument<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    process: Vec<Metric<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    health: Vec<Metric<'a>>,
}

#[derive(Serialize)]
struct WindowDocument {
    start: f64,
    end: f64,
}

#[derive(Serialize)]
struct Metric<'a> {
    name: &'a str,
    r#type: &'static str,
    unit: &'static str,
    help: &'a str,
    labels: Pairs<'a>,
    #[serde(flatten)]
    value: Measured,
    timestamp: f64,
}

/// A number that stays an integer where it is one.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Integer(u64),
    Fraction(f64),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Measured {
    Number { value: Number },
    Distribution(Box<Distribution>),
}

#[derive(Serialize)]
struct Distribution {
    buckets: Vec<BucketDocument>,
    sum: Number,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantiles: Option<Quantiles>,
    relative_error: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank_error: Option<f64>,
    sampled: bool,
}

/// How the observations of a histogram were taken.
#[derive(Clone, Copy)]
struct Taken {
    rank_error: Option<f64>,
    sampled: bool,
}

#[derive(Serialize)]
struct BucketDocument {
    le: Number,
    count: u64,
}

#[derive(Serialize)]
struct Quantiles {
    #[serde(rename = "0.5")]
    p50: Number,
    #[serde(rename = "0.9")]
    p90: Number,
    #[serde(rename = "0.99")]
    p99: Number,
    #[serde(rename = "0.999")]
    p999: Number,
    #[serde(rename = "0.9999")]
    p9999: Number,
}

#[derive(Serialize)]
struct Level<'a> {
    level: u32,
    tables: Vec<Table<'a>>,
}

#[derive(Serialize)]
struct Table<'a> {
    number: u64,
    bytes: u64,
    entries: u64,
    tombstones: u64,
    #[serde(serialize_with = "hexadecimal")]
    smallest_key_prefix: &'a [u8],
    #[serde(serialize_with = "hexadecimal")]
    largest_key_prefix: &'a [u8],
}

#[derive(Serialize)]
struct ValueFile {
    number: u64,
    bytes: u64,
    live_bytes: u64,
    live_entries: u64,
    standing: &'static str,
}

impl ValueFile {
    fn new(state: &ValueFileState) -> Self {
        let ValueFileState { number, bytes, live_bytes, live_entries, standing } = *state;
        Self { number, bytes, live_bytes, live_entries, standing: standing.as_str() }
    }
}

impl<'a> Document<'a> {
    fn new(snapshot: &'a MetricsSnapshot) -> Self {
        let Window { start, end } = snapshot.window();
        let metric = |family: Family| {
            let desc = family.desc();
            let taken = Taken::of(family, snapshot);
            snapshot.samples(family).map(move |Sample { labels, value }| Metric {
                name: desc.name,
                r#type: family.kind().as_str(),
                unit: desc.unit.as_str(),
                help: desc.help,
                labels: Pairs::Catalogue(labels),
                value: Measured::new(value, desc.unit, taken),
                timestamp: end,
            })
        };
        let custom = snapshot.custom().iter().flat_map(|family| Metric::custom(family, end));
        let published = snapshot.published();
        Self {
            schema_version: SCHEMA_VERSION,
            database: snapshot.database(),
            window: WindowDocument { start, end },
            metrics: Family::all().flat_map(metric).chain(custom).collect(),
            levels: published.levels.iter().map(Level::new).collect(),
            value_files: published.value_files.iter().map(ValueFile::new).collect(),
            options: ByName(published.options.iter().map(|one| (&*one.name, &*one.value)).collect()),
            option_defaults: ByName(
                published.options.iter().map(|one| (&*one.name, &*one.default)).collect(),
            ),
            recovery: ByName(published.recovery.iter().map(|(name, value)| (&**name, &**value)).collect()),
            activity: ActivityDocument::new(snapshot.activity()),
            health: Vec::new(),
            process: Vec::new(),
        }
    }
}

impl<'a> Metric<'a> {
    /// The series of a custom family.
    fn custom(family: &'a CustomFamily, timestamp: f64) -> impl Iterator<Item = Self> {
        family.series().iter().map(move |series| Self {
            name: family.name(),
            r#type: family.kind().as_str(),
            unit: family.unit().as_str(),
            help: family.help(),
            labels: Pairs::of(series),
            value: Measured::custom(series.value(), family.unit()),
            timestamp,
        })
    }

    /// The series of a family of the exporter's own that are plain numbers.
    fn own(family: &'a OwnFamily, timestamp: f64) -> impl Iterator<Item = Self> {
        family.series.iter().filter_map(move |series| {
            let value = match series.value {
                OwnValue::Counter(raw) => Number::in_unit(raw, family.unit),
                OwnValue::Gauge(value) => Number::Fraction(value),
                OwnValue::Histogram(_) => return None,
            };
            Some(Self {
                name: family.name,
                r#type: family.kind.as_str(),
                unit: family.unit.as_str(),
                help: family.help,
                labels: Pairs::Own(&series.labels),
                value: Measured::Number { value },
                timestamp,
            })
        })
    }
}

impl Number {
    fn to_f64(&self) -> f64 {
        match self {
            Self::Integer(value) => *value as f64,
            Self::Fraction(value) => *value,
        }
    }

    fn in_unit(raw: u64, unit: Unit) -> Self {
        match unit.raw_per_unit() {
            1 => Self::Integer(raw),
            raw_per_unit => Self::Fraction(scaled(raw, raw_per_unit)),
        }
    }
}

impl Measured {
    fn new(value: Value<'_>, unit: Unit, taken: Taken) -> Self {
        match value {
            Value::Counter(raw) => Self::Number { value: Number::in_unit(raw, unit) },
            Value::Gauge(value) => Self::Number { value: Number::Fraction(value) },
            Value::Histogram(histogram) => {
                Self::Distribution(Box::new(Distribution::new(histogram, unit, taken)))
            }
        }
    }
}

impl Measured {
    fn custom(value: &CustomValue, unit: Unit) -> Self {
        Self::new(
            match value {
                CustomValue::Counter(raw) => Value::Counter(*raw),
                CustomValue::Gauge(value) => Value::Gauge(*value),
                CustomValue::Histogram(histogram) => Value::Histogram(histogram),
            },
            unit,
            Taken::ALL,
        )
    }
}

impl Taken {
    /// Every observation was taken.
    const ALL: Self = Self { rank_error: Some(0.0), sampled: false };

    fn of(family: Family, snapshot: &MetricsSnapshot) -> Self {
        let Family::Histogram(histogram) = family else { return Self::ALL };
        if SAMPLED.contains(&histogram) {
            return Self { rank_error: None, sampled: true };
        }
        let operation = Operation::ALL.into_iter().find(|one| Histogram::latency(*one) == histogram);
        operation.map_or(Self::ALL, |operation| {
            let strata = snapshot.strata(operation);
            Self { rank_error: Some(strata.rank_error()), sampled: strata.samples < strata.fast }
        })
    }
}

impl Distribution {
    fn new(histogram: &HistogramSnapshot, unit: Unit, taken: Taken) -> Self {
        let in_unit = |raw| Number::in_unit(raw, unit);
        let bucket = |bucket: bettong_metrics::Bucket| BucketDocument {
            le: in_unit(bucket.highest),
            count: bucket.count,
        };
        Self {
            buckets: histogram.buckets().map(bucket).collect(),
            sum: in_unit(histogram.sum()),
            count: histogram.count(),
            min: histogram.min().map(in_unit),
            max: histogram.max().map(in_unit),
            quantiles: Quantiles::new(|q| histogram.quantile(q).map(in_unit)),
            relative_error: RELATIVE_ERROR,
            rank_error: taken.rank_error,
            sampled: taken.sampled,
        }
    }
}

impl Quantiles {
    fn new(at: impl Fn(f64) -> Option<Number>) -> Option<Self> {
        Some(Self { p50: at(0.5)?, p90: at(0.9)?, p99: at(0.99)?, p999: at(0.999)?, p9999: at(0.9999)? })
    }
}

impl<'a> Level<'a> {
    fn new(state: &'a LevelState) -> Self {
        let table = |table: &'a TableState| Table {
            number: table.number,
            bytes: table.bytes,
            entries: table.entries,
            tombstones: table.tombstones,
            smallest_key_prefix: &table.smallest_key_prefix,
            largest_key_prefix: &table.largest_key_prefix,
        };
        Self { level: state.level, tables: state.tables.iter().map(table).collect() }
    }
}

/// An object whose members are in this order.
struct ByName<'a>(Vec<(&'a str, &'a str)>);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

fn hexadecimal<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in *bytes {
        write!(text, "{byte:02x}").map_err(serde::ser::Error::custom)?;
    }
    serializer.serialize_str(&text)
}
