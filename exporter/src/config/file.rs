//! The keys of a TOML file: those of its table `exporter`.

use super::keys::{self, KEYS, Key, Kind, TABLE};
use super::nearest::nearest;
use super::value::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file sets, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) values: Vec<(&'static Key, Value)>,
    pub(super) faults: Vec<String>,
}

/// Reads the text of a file. No text makes it panic.
pub(super) fn read(text: &str) -> Found {
    let mut found = Found::default();
    let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            // What is written there may be a secret: it is not repeated.
            let at = error.span().map_or(text.len(), |span| span.start);
            found.faults.push(format!("line {}: {}", line(at), error.message()));
            return found;
        }
    };
    for (name, value) in document.get_ref() {
        let at = line(name.span().start);
        match (name.get_ref().as_ref(), value.get_ref()) {
            (TABLE, DeValue::Table(table)) => members(table, &line, &mut found),
            (TABLE, _) => found.faults.push(format!("line {at}: {TABLE} must be a table: [{TABLE}]")),
            (other, _) => {
                let known = [TABLE].into_iter();
                found.faults.push(format!("line {at}: {}", unknown(other, "", known)));
            }
        }
    }
    found
}

fn members(table: &DeTable<'_>, line: &dyn Fn(usize) -> usize, found: &mut Found) {
    for (name, value) in table {
        let at = line(name.span().start);
        let name = name.get_ref().as_ref();
        let Some(key) = keys::of(name) else {
            let known = KEYS.iter().map(|key| key.name);
            found.faults.push(format!("line {at}: {}", unknown(name, "exporter.", known)));
            continue;
        };
        if let Some(value) = fit(key, value) {
            found.values.push((key, value));
        } else {
            let given = given(key, value.get_ref());
            found.faults.push(format!("line {at}: {TABLE}.{name} must be {}{given}", key.wanted()));
        }
    }
}

/// That a name is nobody's, and whose it may be.
pub(super) fn unknown<'a>(name: &str, before: &str, known: impl Iterator<Item = &'a str>) -> String {
    let shown: String = name.chars().take(64).collect();
    let meant = nearest(name, known).map(|near| format!("; is {before}{near} meant?"));
    format!("{before}{} is not known{}", shown.escape_debug(), meant.unwrap_or_default())
}

fn fit(key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Value> {
    match value.get_ref() {
        DeValue::Boolean(value) => key.switch(*value),
        DeValue::Integer(value) => key.number(u64::from_str_radix(value.as_str(), value.radix()).ok()?),
        DeValue::String(value) => key.text(value),
        DeValue::Array(values) => {
            let words: Option<Vec<&str>> = values.iter().map(|value| value.get_ref().as_str()).collect();
            key.words(words?.into_iter())
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// A value that does not fit, where it can be shown.
fn given(key: &Key, value: &DeValue<'_>) -> String {
    let text = match value {
        _ if matches!(key.kind, Kind::Secret) => return String::new(),
        DeValue::Integer(value) => value.as_str().to_owned(),
        DeValue::String(value) => format!("{:?}", value.chars().take(64).collect::<String>()),
        DeValue::Boolean(value) => value.to_string(),
        other => format!("a value of type {}", other.type_str()),
    };
    format!(", not {text}")
}
