//! The registries that are shown together.

use crate::formats::json;
use crate::formats::text::Renderer;
use bettong_metrics::{MetricsSnapshot, Registry};
use std::sync::{Arc, Mutex, PoisonError};

/// Registries with different names, and what was prepared to show them.
///
/// Thread rules: `idle` is locked to take the renderer out and to put it back, never while it renders. Whoever finds none
/// there, because another thread is rendering, makes one: nobody waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    registries: Vec<Arc<Registry>>,
    /// The renderer that was used last, while nobody uses it. Clones share it, as they show the same.
    idle: Arc<Mutex<Option<Renderer>>>,
}

impl Sources {
    /// Adds a registry, in place of one with the same name: a database that was closed and opened again.
    pub(crate) fn add(&mut self, registry: Arc<Registry>) {
        match self.registries.iter_mut().find(|known| known.name() == registry.name()) {
            Some(known) => *known = registry,
            None => self.registries.push(registry),
        }
        self.idle = Arc::default();
    }

    /// Takes a snapshot of each and renders them as Prometheus text.
    pub(crate) fn text(&self) -> Arc<String> {
        let snapshots = self.snapshots();
        let mut renderer = self.replace_idle(None).unwrap_or_default();
        let text = renderer.render_all(&snapshots);
        self.replace_idle(Some(renderer));
        text
    }

    /// Takes a snapshot of each and renders them as JSON.
    pub(crate) fn json(&self) -> String {
        json::render_all(&self.snapshots())
    }

    fn snapshots(&self) -> Vec<MetricsSnapshot> {
        self.registries.iter().map(|registry| registry.snapshot()).collect()
    }

    fn replace_idle(&self, renderer: Option<Renderer>) -> Option<Renderer> {
        // What is in there is always whole: nothing can panic under the lock.
        std::mem::replace(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner), renderer)
    }
}
