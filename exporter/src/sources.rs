//! The registries that are shown together.

use crate::formats::{json, text};
use bettong_metrics::{MetricsSnapshot, Registry};
use std::sync::Arc;

/// Registries with different names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Vec<Arc<Registry>>);

impl Sources {
    /// Adds a registry, in place of one with the same name: a database that was closed and opened again.
    pub(crate) fn add(&mut self, registry: Arc<Registry>) {
        match self.0.iter_mut().find(|known| known.name() == registry.name()) {
            Some(known) => *known = registry,
            None => self.0.push(registry),
        }
    }

    /// Takes a snapshot of each and renders them as Prometheus text.
    pub(crate) fn text(&self) -> String {
        text::render_all(&self.snapshots())
    }

    /// Takes a snapshot of each and renders them as JSON.
    pub(crate) fn json(&self) -> String {
        json::render_all(&self.snapshots())
    }

    fn snapshots(&self) -> Vec<MetricsSnapshot> {
        self.0.iter().map(|registry| registry.snapshot()).collect()
    }
}
