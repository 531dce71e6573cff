//! The custom families of several databases as one list.

use bettong_metrics::{CustomFamily, MetricsSnapshot};
use std::collections::BTreeMap;

/// The quantiles that a summary is shown by.
pub(crate) const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// The families of one name. A format has one header for them, so they must be of one kind and unit.
pub(super) struct Merged<'a> {
    /// The first: the header is its own.
    pub(super) first: &'a CustomFamily,
    /// Those of its kind and unit, itself included, with the names of their databases.
    pub(super) alike: Vec<(&'a str, &'a CustomFamily)>,
    /// Those of another kind or unit.
    pub(super) unlike: Vec<(&'a str, &'a CustomFamily)>,
}

/// The custom families of all databases, sorted by name; under each name in the order of the databases.
pub(super) fn merged(snapshots: &[MetricsSnapshot]) -> impl Iterator<Item = Merged<'_>> {
    let mut by_name: BTreeMap<&str, Merged<'_>> = BTreeMap::new();
    for snapshot in snapshots {
        for family in snapshot.custom() {
            let new = || Merged { first: family, alike: Vec::new(), unlike: Vec::new() };
            let merged = by_name.entry(family.name()).or_insert_with(new);
            let first = merged.first;
            let is_alike = first.kind() == family.kind() && first.unit() == family.unit();
            let list = if is_alike { &mut merged.alike } else { &mut merged.unlike };
            list.push((snapshot.database(), family));
        }
    }
    by_name.into_values()
}
