//! The keys: name, what fits, default.

use super::value::Value;
use crate::formats::{GlobalLabels, Profile};
use crate::log_sink::LogFormat;
use crate::secret::Secret;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// What every environment variable begins with; the key's name in capitals follows.
pub(super) const PREFIX: &str = "BETTONG_METRICS_";

/// The table of a file that has the keys.
#[cfg(feature = "config")]
pub(super) const TABLE: &str = "exporter";

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    default: Default,
}

/// What fits.
#[derive(Debug)]
pub(super) enum Kind {
    Switch,
    Number(RangeInclusive<u64>),
    /// What is wanted, and whether a text is that.
    Text(&'static str, fn(&str) -> bool),
    /// Names, separated by commas in the environment.
    Words(&'static str, fn(&str) -> bool),
    File,
    Secret,
}

#[derive(Debug)]
enum Default {
    Nothing,
    Switch(bool),
    Number(u64),
    Text(&'static str),
    Words,
}

const fn key(name: &'static str, kind: Kind, default: Default) -> Key {
    Key { name, kind, default }
}

/// The longest wait that can be set, in milliseconds: an hour.
const MILLIS_MAX: u64 = 3_600_000;

/// A day, in milliseconds.
const DAY_MILLIS: u64 = 86_400_000;

/// More memory than a machine has.
const BYTES_MAX: u64 = 1 << 62;

/// All of them.
pub(super) static KEYS: [Key; 27] = [
    key("enabled", Kind::Switch, Default::Switch(true)),
    key("address", Kind::Text("an IP address", |text| text.parse::<IpAddr>().is_ok()), Default::Nothing),
    key("port", Kind::Number(0..=65_535), Default::Number(9_464)),
    key("path", Kind::Text(PATH, is_path), Default::Text("/metrics")),
    key("prometheus_enabled", Kind::Switch, Default::Switch(true)),
    key("json_api_enabled", Kind::Switch, Default::Switch(true)),
    key("allow_any_address", Kind::Switch, Default::Switch(false)),
    key("hosts", Kind::Words("names of hosts", is_host), Default::Words),
    key("profile", Kind::Text("standard, native, minimal or full", is_profile), Default::Text("standard")),
    key("native_histograms", Kind::Switch, Default::Switch(false)),
    key("slow_threshold_ms", Kind::Number(0..=MILLIS_MAX), Default::Nothing),
    key("global_labels", Kind::Words("labels such as region=eu", is_label), Default::Words),
    key("health_check_interval_ms", Kind::Number(100..=DAY_MILLIS), Default::Number(30_000)),
    key("health_check_timeout_ms", Kind::Number(1..=MILLIS_MAX), Default::Number(5_000)),
    key("memory_limit_bytes", Kind::Number(1..=BYTES_MAX), Default::Nothing),
    key("threads_max", Kind::Number(1..=1_000_000), Default::Number(1_000)),
    key("performance_log", Kind::Switch, Default::Switch(false)),
    key("log_interval_ms", Kind::Number(1_000..=DAY_MILLIS), Default::Number(60_000)),
    key("log_format", Kind::Text("json or text", is_log_format), Default::Text("json")),
    key("log_level", Kind::Text("error, warn, info, debug or trace", is_level), Default::Text("info")),
    key("bearer_token", Kind::Secret, Default::Nothing),
    key("bearer_token_file", Kind::File, Default::Nothing),
    key("basic_auth_user", Kind::Text("a user's name", |text| !text.is_empty()), Default::Nothing),
    key("basic_auth_hash", Kind::Secret, Default::Nothing),
    key("basic_auth_hash_file", Kind::File, Default::Nothing),
    key("tls_certificates", Kind::File, Default::Nothing),
    key("tls_key", Kind::File, Default::Nothing),
];

const PATH: &str =
    "a path of letters, digits and -._~ that begins with / and is none of those that docs/exporter.md lists";

/// Whether the formats of Prometheus can be served here: any path but those that are something else.
pub(crate) fn is_path(text: &str) -> bool {
    let is_taken =
        |path: &str| path.starts_with("/api/") || path.starts_with("/schema/") || TAKEN.contains(&path);
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-._~/".contains(&letter);
    text == "/metrics"
        || (text.len() > 1
            && text.len() <= 128
            && text.starts_with('/')
            && text.bytes().all(fits)
            && !is_taken(text))
}

const TAKEN: [&str; 7] = ["/metrics.json", "/livez", "/readyz", "/health", "/events", "/dashboard", "/"];

fn is_profile(text: &str) -> bool {
    text.parse::<Profile>().is_ok()
}

fn is_label(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| GlobalLabels::default().with(name, value).is_ok())
}

fn is_log_format(text: &str) -> bool {
    text.parse::<LogFormat>().is_ok()
}

fn is_level(text: &str) -> bool {
    ["error", "warn", "info", "debug", "trace"].contains(&text)
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-._".contains(&letter))
}

/// The key of this name.
pub(super) fn of(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// The environment variable.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// What it is if nobody sets it.
    pub(super) fn default(&self) -> Value {
        match self.default {
            Default::Nothing => Value::Nothing,
            Default::Switch(value) => Value::Switch(value),
            Default::Number(value) => Value::Number(value),
            Default::Text(value) => Value::Text(value.to_owned()),
            Default::Words => Value::Words(Vec::new()),
        }
    }

    /// What fits, as a part of a sentence.
    pub(super) fn wanted(&self) -> String {
        match &self.kind {
            Kind::Switch => "true or false".to_owned(),
            Kind::Number(range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Kind::Text(wanted, _) => (*wanted).to_owned(),
            Kind::Words(wanted, _) => format!("a list of {wanted}"),
            Kind::File => "the path of a file".to_owned(),
            Kind::Secret => "a text that is not empty".to_owned(),
        }
    }

    pub(super) fn switch(&self, value: bool) -> Option<Value> {
        matches!(self.kind, Kind::Switch).then_some(Value::Switch(value))
    }

    pub(super) fn number(&self, value: u64) -> Option<Value> {
        matches!(&self.kind, Kind::Number(range) if range.contains(&value)).then_some(Value::Number(value))
    }

    pub(super) fn text(&self, text: &str) -> Option<Value> {
        match &self.kind {
            Kind::Text(_, fits) if fits(text) => Some(Value::Text(text.to_owned())),
            Kind::File if !text.is_empty() => Some(Value::Path(text.into())),
            Kind::Secret if !text.is_empty() => Some(Value::Hidden(Secret::new(text))),
            _ => None,
        }
    }

    pub(super) fn words<'a>(&self, mut words: impl Iterator<Item = &'a str> + Clone) -> Option<Value> {
        match &self.kind {
            Kind::Words(_, fits) if words.clone().all(fits) => {
                Some(Value::Words(words.by_ref().map(str::to_owned).collect()))
            }
            _ => None,
        }
    }

    /// What an environment variable says.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Switch => self.switch(match text {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return None,
            }),
            // A sign is no digit.
            Kind::Number(_) if text.bytes().all(|letter| letter.is_ascii_digit()) => {
                self.number(text.parse().ok()?)
            }
            Kind::Number(_) => None,
            Kind::Words(..) => self.words(text.split(',').map(str::trim).filter(|word| !word.is_empty())),
            Kind::Text(..) | Kind::File | Kind::Secret => self.text(text),
        }
    }
}
