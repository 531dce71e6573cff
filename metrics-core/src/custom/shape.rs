//! What stays the same of a custom family while only its values change.

use super::kind::CustomKind;
use super::reading::CustomFamily;
use super::series::OwnedLabels;
use crate::catalog::Unit;
use std::sync::Arc;

/// One family without its values.
#[derive(Clone, Debug)]
pub(crate) struct FamilyShape {
    name: Arc<str>,
    help: Arc<str>,
    kind: CustomKind,
    unit: Unit,
    series: Vec<OwnedLabels>,
}

impl FamilyShape {
    /// The shape of a family. Nothing is copied: names and labels are shared.
    pub(crate) fn of(family: &CustomFamily) -> Self {
        Self {
            name: Arc::clone(&family.name),
            help: Arc::clone(&family.help),
            kind: family.kind,
            unit: family.unit,
            series: family.series.iter().map(|series| Arc::clone(&series.labels)).collect(),
        }
    }

    /// Whether it is the shape of `family` too.
    pub(crate) fn fits(&self, family: &CustomFamily) -> bool {
        // Pointers are compared first, and are the same as long as the registry is.
        self.name == family.name
            && self.help == family.help
            && (self.kind, self.unit) == (family.kind, family.unit)
            && self.series.iter().eq(family.series.iter().map(|series| &series.labels))
    }
}
