//! The registries that are shown together.

use crate::error::Result;
use crate::formats::own::OwnFamily;
use crate::formats::{GlobalLabels, Profile, Renderer, json};
use crate::process::Process;
use bettong_metrics::{MetricsSnapshot, Registry};
use std::sync::{Arc, Mutex, PoisonError};

/// Registries with different names, and what was prepared to show them.
///
/// Thread rules: a renderer's place is locked to take it out and to put it back, never while it renders. Whoever finds none
/// there, because another thread is rendering, makes one: nobody waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    registries: Vec<Arc<Registry>>,
    profile: Profile,
    /// Labels of all series: those that code gave, and those of the configuration.
    labels: (GlobalLabels, GlobalLabels),
    /// Both together.
    global: GlobalLabels,
    /// The renderers that were used last, while nobody uses them. Clones share them, as they show the same.
    idle: Arc<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    text: Mutex<Option<Renderer>>,
    open_metrics: Mutex<Option<Renderer>>,
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

    pub(crate) fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
        self.forget();
    }

    /// Adds a label of all series by code, or by configuration.
    ///
    /// # Errors
    /// As [`GlobalLabels::with`].
    pub(crate) fn add_label(&mut self, name: &str, value: &str, by_code: bool) -> Result<()> {
        let (code, configured) = &self.labels;
        let added = if by_code { code } else { configured }.clone().with(name, value)?;
        let labels = if by_code { (added, configured.clone()) } else { (code.clone(), added) };
        // What code says wins, in whatever order the two were asked.
        let global =
            labels.0.iter().try_fold(labels.1.clone(), |all, (name, value)| all.with(name, value))?;
        (self.labels, self.global) = (labels, global);
        self.forget();
        Ok(())
    }

    #[cfg(feature = "http")]
    pub(crate) fn global_labels(&self) -> &GlobalLabels {
        &self.global
    }

    /// Gives up what was prepared: other series will be shown with those of the registries.
    pub(crate) fn forget(&mut self) {
        self.idle = Arc::default();
    }

    #[cfg(any(feature = "http", feature = "prometheus-client", feature = "metrics"))]
    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    /// The registries, in the order in which they were added.
    #[cfg(feature = "http")]
    pub(crate) fn registries(&self) -> &[Arc<Registry>] {
        &self.registries
    }

    /// Takes a snapshot of each.
    pub(crate) fn snapshots(&self) -> Vec<MetricsSnapshot> {
        self.registries.iter().map(|registry| registry.snapshot()).collect()
    }

    /// Prometheus text of these snapshots, with what the exporter says of itself.
    pub(crate) fn text(&self, snapshots: &[MetricsSnapshot], own: &[OwnFamily]) -> Arc<String> {
        render(
            &self.idle.text,
            || Renderer::text(self.profile).with_labels(self.global.clone()),
            snapshots,
            own,
        )
    }

    /// OpenMetrics text of the same.
    pub(crate) fn open_metrics(&self, snapshots: &[MetricsSnapshot], own: &[OwnFamily]) -> Arc<String> {
        render(
            &self.idle.open_metrics,
            || Renderer::open_metrics(self.profile).with_labels(self.global.clone()),
            snapshots,
            own,
        )
    }

    /// The same as protobuf messages.
    #[cfg(feature = "protobuf")]
    pub(crate) fn protobuf(&self, snapshots: &[MetricsSnapshot], own: &[OwnFamily]) -> Vec<u8> {
        crate::formats::protobuf::render_with(snapshots, own, self.profile, &self.global)
    }

    /// JSON of the same: of the exporter it has the families of the process and of health alone.
    pub(crate) fn json(snapshots: &[MetricsSnapshot], health: &[OwnFamily]) -> String {
        json::render_with(snapshots, &Process::shown().families(), health)
    }
}

fn render(
    place: &Mutex<Option<Renderer>>,
    new: impl FnOnce() -> Renderer,
    snapshots: &[MetricsSnapshot],
    own: &[OwnFamily],
) -> Arc<String> {
    let mut renderer = replace(place, None).unwrap_or_else(new);
    let text = renderer.render_with(snapshots, own);
    replace(place, Some(renderer));
    text
}

fn replace(place: &Mutex<Option<Renderer>>, renderer: Option<Renderer>) -> Option<Renderer> {
    // What is in there is always whole: nothing can panic under the lock.
    std::mem::replace(&mut *place.lock().unwrap_or_else(PoisonError::into_inner), renderer)
}
