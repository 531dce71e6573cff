//! The labels of one series, wherever they come from.

use bettong_metrics::{CustomSeries, Labels};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// The labels of one series, without the label `db`.
#[derive(Clone, Copy)]
pub(super) enum Pairs<'a> {
    /// Of a family of the catalogue.
    Catalogue(Labels<'a>),
    /// Of a family of the embedding application.
    Custom(&'a [(String, String)]),
    /// Of a family of the exporter's own.
    Own(&'a [(&'static str, Cow<'static, str>)]),
}

impl<'a> Pairs<'a> {
    /// The labels of a custom series.
    pub(super) fn of(series: &'a CustomSeries) -> Self {
        Self::Custom(series.labels())
    }

    /// Name and value of each label, in the order in which they are shown.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        let (catalogue, custom, own) = match self {
            Self::Catalogue(labels) => (Some(labels.iter()), &[][..], &[][..]),
            Self::Custom(pairs) => (None, *pairs, &[][..]),
            Self::Own(pairs) => (None, &[][..], *pairs),
        };
        let custom = custom.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let own = own.iter().map(|(name, value)| (*name, &**value));
        catalogue.into_iter().flatten().chain(custom).chain(own)
    }
}

/// A map from name to value.
impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
