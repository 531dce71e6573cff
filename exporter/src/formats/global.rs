//! Labels that all series have, beside their own.

use crate::error::{Error, Result};
use std::sync::Arc;

/// The most bytes of a label's value.
const VALUE_BYTES_MAX: usize = 128;

/// The most labels that all series can have.
const LABELS_MAX: usize = 16;

/// Names and values, in the order in which they were given. A server adds labels of its own to what it scrapes; these are for
/// those that cannot, and for what is pushed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GlobalLabels(Arc<Vec<(String, String)>>);

impl GlobalLabels {
    /// The same with another label, in the place of one with that name.
    ///
    /// # Errors
    /// [`Error::Config`] if the name is not made of letters, digits and `_`, begins with a digit or `__`, or is one that series
    /// have by themselves (`db`, `le`, `quantile`); if the value is empty or longer than 128 bytes; and from the 17th label on.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self> {
        let fault = |what: &str| {
            let shown: String = name.chars().take(64).collect();
            Error::Config(vec![format!("global_labels: {shown:?} {what}")])
        };
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
        if name.is_empty()
            || !name.bytes().all(fits)
            || name.as_bytes().first().is_some_and(u8::is_ascii_digit)
        {
            return Err(fault(
                "is no name of a label: letters, digits and _ are, and no digit at the beginning",
            ));
        }
        if name.starts_with("__") || ["db", "le", "quantile"].contains(&name) {
            return Err(fault("is a name that is taken"));
        }
        if value.is_empty() || value.len() > VALUE_BYTES_MAX {
            return Err(fault("must have a value of 1 to 128 bytes"));
        }
        let labels = Arc::make_mut(&mut self.0);
        if let Some((_, old)) = labels.iter_mut().find(|(known, _)| known == name) {
            value.clone_into(old);
        } else if labels.len() < LABELS_MAX {
            labels.push((name.to_owned(), value.to_owned()));
        } else {
            return Err(fault("is one too many: there may be 16"));
        }
        Ok(self)
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Those that go with the labels of a series: a name that a series has itself keeps its own value.
    pub(super) fn beside<'a>(
        &'a self,
        own: &[(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter(move |(name, _)| own.iter().all(|(taken, _)| taken != name))
    }

    /// As they are set: `name=value`.
    #[cfg(feature = "http")]
    pub(crate) fn words(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}
