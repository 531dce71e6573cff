//! The values of all keys, each with its source.

use super::keys::{self, KEYS, Key, Kind, PREFIX};
use super::nearest::nearest;
use super::value::{Source, Value};
use crate::error::{Error, Result};
use crate::secret::Secret;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::ffi::OsString;

/// What a file and the environment say. [`Exporter::config`](crate::Exporter::config) takes it over, but for what was set in code.
///
/// # Examples
/// ```
/// # fn main() -> bettong_exporter::Result<()> {
/// use bettong_exporter::{Config, Exporter};
///
/// let config = Config::default().environment()?; // BETTONG_METRICS_PORT=9465 …
/// let registry = bettong_metrics::Registry::new("orders");
/// let exporter = Exporter::new(registry).config(&config)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: BTreeMap<&'static str, (Value, Source)>,
}

impl Config {
    /// Takes over what a TOML file says in its table `exporter`.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that is wrong, each with its line: keys that nobody knows, values that do not fit,
    /// text that is no TOML; a file that cannot be read, is longer than 1 MiB, or has secrets in it and can be read by others than its owner.
    #[cfg(feature = "config")]
    pub fn file(mut self, path: impl AsRef<std::path::Path>) -> Result<Self> {
        let path = path.as_ref();
        let place = path.display();
        let (text, file) =
            contents(path).map_err(|error| Error::Config(vec![format!("{place}: {error}")]))?;
        let found = super::file::read(&text);
        let mut faults: Vec<_> = found.faults.iter().map(|fault| format!("{place}, {fault}")).collect();
        if found.values.iter().any(|(key, _)| matches!(key.kind, Kind::Secret))
            && let Err(error) = crate::secret::check_mode(&file)
        {
            faults.push(format!("{place}: {error}"));
        }
        found.values.into_iter().for_each(|(key, value)| self.set(key, value, Source::File));
        self.or(faults)
    }

    /// Takes over the environment variables that begin with `BETTONG_METRICS_`.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that is wrong: variables that nobody knows, values that do not fit.
    pub fn environment(self) -> Result<Self> {
        self.variables(std::env::vars_os())
    }

    /// The same with these variables.
    ///
    /// # Errors
    /// As [`environment`](Self::environment).
    pub fn variables(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self> {
        let mut faults = Vec::new();
        for (name, text) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
                let known: Vec<_> = KEYS.iter().map(Key::variable).collect();
                let meant = nearest(name, known.iter().map(String::as_str));
                let meant = meant.map(|near| format!("; is {near} meant?")).unwrap_or_default();
                let shown: String = name.chars().take(64).collect();
                faults.push(format!("environment: {} is not known{meant}", shown.escape_debug()));
                continue;
            };
            if let Some(value) = text.to_str().and_then(|text| key.parse(text)) {
                self.set(key, value, Source::Environment);
            } else {
                let given = match (&key.kind, text.to_str()) {
                    (Kind::Secret, _) | (_, None) => String::new(),
                    (_, Some(text)) => format!(", not {:?}", text.chars().take(64).collect::<String>()),
                };
                faults.push(format!("environment: {name} must be {}{given}", key.wanted()));
            }
        }
        self.or(faults)
    }

    /// The value of the first of two keys, or the contents of the file that the second names, and whether either is set; what is
    /// said closer to the run wins.
    pub(crate) fn secret(&self, words: &'static str, file: &'static str) -> Result<Option<(Secret, Source)>> {
        let fault = |what: String| Error::Config(vec![what]);
        let (words_at, file_at) = (self.values.get(words), self.values.get(file));
        let source = |value: Option<&(Value, Source)>| value.map(|(_, source)| *source);
        match (words_at, file_at) {
            (Some(_), Some(_)) if source(words_at) == source(file_at) => {
                Err(fault(format!("{words} and {file} are both set: one of them is enough")))
            }
            (Some((Value::Hidden(secret), source)), other)
                if other.is_none_or(|(_, other)| other < source) =>
            {
                Ok(Some((secret.clone(), *source)))
            }
            (_, Some((Value::Path(path), source))) => match Secret::from_file(path) {
                Ok(secret) => Ok(Some((secret, *source))),
                Err(error) => Err(fault(format!("{file}: {}: {error}", path.display()))),
            },
            _ => Ok(None),
        }
    }

    /// A value, if it is set.
    pub(crate) fn value(&self, name: &str) -> Option<(&Value, Source)> {
        self.values.get(name).map(|(value, source)| (value, *source))
    }

    fn or(self, faults: Vec<String>) -> Result<Self> {
        if faults.is_empty() { Ok(self) } else { Err(Error::Config(faults)) }
    }

    /// What is said closer to the run stays.
    fn set(&mut self, key: &'static Key, value: Value, source: Source) {
        let old = self.values.get(key.name).map(|(_, source)| *source).unwrap_or_default();
        if source >= old {
            self.values.insert(key.name, (value, source));
        }
    }

    /// What was set, and where.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &Value, Source)> {
        self.values.iter().map(|(name, (value, source))| (*name, value, *source))
    }
}

#[cfg(feature = "config")]
fn contents(path: &std::path::Path) -> std::io::Result<(String, std::fs::File)> {
    use std::io::{Error, ErrorKind, Read as _};
    const BYTES_MAX: u64 = 1 << 20;
    let mut file = std::fs::File::open(path)?;
    let mut text = String::new();
    file.by_ref().take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Error::new(ErrorKind::InvalidData, "it is longer than 1 MiB"));
    }
    Ok((text, file))
}

/// The values in force, each with its source: what is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted(BTreeMap<&'static str, (Value, Source)>);

impl Noted {
    /// That this is in force.
    pub(crate) fn note(&mut self, name: &'static str, value: Value, source: Source) {
        debug_assert!(keys::of(name).is_some(), "{name} is a key");
        self.0.insert(name, (value, source));
    }

    /// That code says nothing of these any more.
    pub(crate) fn forget_code(&mut self, names: &[&str]) {
        self.0.retain(|name, (_, source)| !(names.contains(name) && *source == Source::Code));
    }

    /// Where a value was set.
    pub(crate) fn source(&self, name: &str) -> Source {
        self.0.get(name).map(|(_, source)| *source).unwrap_or_default()
    }

    /// The value in force.
    pub(crate) fn value(&self, name: &str) -> Value {
        let set = self.0.get(name).map(|(value, _)| value.clone());
        set.or_else(|| keys::of(name).map(Key::default)).unwrap_or(Value::Nothing)
    }

    /// All keys: `{"port":{"value":9464,"source":"default"},…}`.
    pub(crate) fn shown(&self) -> Map<String, serde_json::Value> {
        let shown = |key: &Key| {
            let (value, source) = (self.value(key.name).shown(), self.source(key.name).as_str());
            (key.name.to_owned(), json!({"value": value, "source": source}))
        };
        KEYS.iter().map(shown).collect()
    }
}

#[cfg(test)]
mod tests;
