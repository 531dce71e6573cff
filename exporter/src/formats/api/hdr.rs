//! One histogram in the formats of HdrHistogram's tools.

use bettong_metrics::{
    CustomValue, Family, Histogram, HistogramSnapshot, Kind, MetricsSnapshot, Unit, Value as Measured,
};
use serde_json::{Map, Value, json};
use std::fmt;

/// Which histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HdrQuery {
    /// The name of its family, as in the Prometheus formats.
    pub metric: String,
    /// Its labels, all of them, without `db`.
    pub labels: Vec<(String, String)>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HdrError {
    /// The parameter that is wrong: `metric`, or the name of a label.
    pub parameter: String,
    /// What is wrong with it: a sentence without a full stop.
    pub message: String,
}

impl fmt::Display for HdrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.parameter, self.message)
    }
}

impl std::error::Error for HdrError {}

/// One histogram of a database: its V2 encoding, compressed, in base64, and its percentile distribution as `.hgrm` text.
/// Values are in `raw_unit`; those of the distribution in `hgrm_unit`. Of nanoseconds that is microseconds: the distribution has three decimals, so
/// nothing is lost, where a get of 300 ns would be 0.000 milliseconds.
///
/// # Errors
/// [`HdrError`] if there is no histogram of that name, a label is not one of its own or has no such value, or one is missing.
///
/// # Examples
/// ```
/// use bettong_exporter::formats::api::{self, HdrQuery};
///
/// let snapshot = bettong_metrics::Registry::new("orders").snapshot();
/// let query = HdrQuery { metric: "db_get_latency_seconds".into(), ..HdrQuery::default() };
/// assert!(api::hdr(&snapshot, &query).unwrap()["histogram"].as_str().unwrap().starts_with("HISTFAA"));
/// let query = HdrQuery { metric: "db_entries".into(), ..HdrQuery::default() };
/// assert_eq!(api::hdr(&snapshot, &query).unwrap_err().parameter, "metric");
/// ```
pub fn hdr(snapshot: &MetricsSnapshot, query: &HdrQuery) -> Result<Value, HdrError> {
    let (histogram, unit) = find(snapshot, query)?;
    let (raw_unit, hgrm_unit, scale) = match unit {
        Unit::Nanoseconds => ("nanoseconds", "microseconds", 1e3),
        Unit::Thousandths => ("thousandths", "", 1e3),
        other => (other.as_str(), other.as_str(), 1.0),
    };
    let labels: Map<String, Value> =
        query.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    Ok(json!({
        "database": snapshot.database(),
        "metric": query.metric,
        "labels": labels,
        "raw_unit": raw_unit,
        "count": histogram.count(),
        "encoding": "HdrHistogram V2, compressed, base64",
        "histogram": histogram.to_hdr_v2_base64(),
        "hgrm_unit": hgrm_unit,
        "hgrm": histogram.to_hgrm(scale),
    }))
}

fn find<'a>(
    snapshot: &'a MetricsSnapshot,
    query: &HdrQuery,
) -> Result<(&'a HistogramSnapshot, Unit), HdrError> {
    let built_in = Histogram::ALL.iter().find(|family| family.desc().name == query.metric);
    if let Some(family) = built_in {
        check(query, &family.desc().labels.iter().map(|label| label.name).collect::<Vec<_>>())?;
        let matches = |sample: &bettong_metrics::Sample<'_>| {
            sample.labels.iter().all(|(name, value)| query.has(name, value))
        };
        let found = snapshot.samples(Family::Histogram(*family)).find(matches);
        return match found.map(|sample| sample.value) {
            Some(Measured::Histogram(histogram)) => Ok((histogram, family.desc().unit)),
            _ => Err(query.no_such_series()),
        };
    }
    let custom = snapshot.custom().iter().find(|family| family.name() == query.metric);
    let Some(family) = custom else {
        let other = Family::all()
            .any(|family| family.desc().name == query.metric && family.kind() != Kind::Histogram);
        let message = if other { "is no histogram" } else { "is not the name of a histogram" };
        return Err(HdrError { parameter: "metric".to_owned(), message: message.to_owned() });
    };
    let labels: Vec<_> = query.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match family.value(&labels) {
        Some(CustomValue::Histogram(histogram)) => Ok((histogram, family.unit())),
        Some(_) => Err(HdrError { parameter: "metric".to_owned(), message: "is no histogram".to_owned() }),
        None => Err(query.no_such_series()),
    }
}

/// Makes sure that the labels are those of the family.
fn check(query: &HdrQuery, names: &[&str]) -> Result<(), HdrError> {
    let strange = query.labels.iter().find(|(name, _)| !names.contains(&name.as_str()));
    if let Some((name, _)) = strange {
        return Err(HdrError { parameter: name.clone(), message: "is not a label of the metric".to_owned() });
    }
    let missing = names.iter().find(|name| !query.labels.iter().any(|(given, _)| given == *name));
    missing.map_or(Ok(()), |name| {
        Err(HdrError {
            parameter: (*name).to_owned(),
            message: "is a label of the metric and missing".to_owned(),
        })
    })
}

impl HdrQuery {
    fn has(&self, name: &str, value: &str) -> bool {
        self.labels.iter().any(|(given, wanted)| given == name && wanted == value)
    }

    fn no_such_series(&self) -> HdrError {
        let parameter = self.labels.first().map_or("metric", |(name, _)| name).to_owned();
        HdrError { parameter, message: "has no series with these labels".to_owned() }
    }
}
