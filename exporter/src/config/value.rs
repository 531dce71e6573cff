//! A value, and where it comes from.

use crate::secret::Secret;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;

/// Where a value was set. What is later here wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Nowhere.
    #[default]
    Default,
    /// In a file.
    File,
    /// By an environment variable.
    Environment,
    /// By the application.
    Code,
}

impl Source {
    /// The name: `default`, `file`, `environment` or `code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Code => "code",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value that fits its key.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Switch(bool),
    Number(u64),
    Text(String),
    Words(Vec<String>),
    /// Of a file. Where it lies is nobody's business.
    Path(PathBuf),
    Hidden(Secret),
}

impl Value {
    /// As it is shown.
    pub(crate) fn shown(&self) -> serde_json::Value {
        match self {
            Self::Nothing => serde_json::Value::Null,
            Self::Switch(value) => json!(value),
            Self::Number(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::Words(value) => json!(value),
            Self::Path(_) => json!("<path>"),
            Self::Hidden(value) => json!(value.to_string()),
        }
    }
}
