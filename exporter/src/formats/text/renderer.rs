//! A text that is rendered again and again.

use super::frame::{Draft, Frame};
use super::lines;
use bettong_metrics::{MetricsSnapshot, Shape};
use std::sync::Arc;

/// Renders again and again, and writes only the numbers that changed since the last time: the text is byte for byte that of
/// [`render_all`](super::render_all), for a small part of its cost.
///
/// A text is shared with the renderer, so that nobody need copy it. The renderer keeps two, and 24 bytes for every line: some
/// 500 KB for a database without metrics of the application's own. When other databases are shown, or series were registered,
/// it begins anew.
///
/// # Examples
/// ```
/// use bettong_exporter::formats::text::{self, Renderer};
/// use bettong_metrics::{Counter, Registry};
///
/// let registry = Registry::new("orders");
/// let mut renderer = Renderer::default();
/// for _ in 0..3 {
///     registry.recorder().add(Counter::UserReadBytes, 120);
///     let snapshot = registry.snapshot();
///     assert_eq!(*renderer.render(&snapshot), text::render(&snapshot));
/// }
/// ```
#[derive(Debug, Default)]
pub struct Renderer {
    /// Those of the snapshots that the frame was made for; `None` at first.
    shapes: Option<Vec<Shape>>,
    frame: Frame,
}

impl Renderer {
    /// One database's snapshot as text.
    pub fn render(&mut self, snapshot: &MetricsSnapshot) -> Arc<String> {
        self.render_all(std::slice::from_ref(snapshot))
    }

    /// The snapshots of several databases as one text. Their names must differ.
    pub fn render_all(&mut self, snapshots: &[MetricsSnapshot]) -> Arc<String> {
        if !self.fits(snapshots) || !self.update(snapshots) {
            self.begin(snapshots);
        }
        Arc::clone(self.frame.text())
    }

    fn fits(&self, snapshots: &[MetricsSnapshot]) -> bool {
        self.shapes.as_ref().is_some_and(|shapes| {
            let mut pairs = shapes.iter().zip(snapshots);
            shapes.len() == snapshots.len() && pairs.all(|(shape, snapshot)| shape.fits(snapshot))
        })
    }

    fn update(&mut self, snapshots: &[MetricsSnapshot]) -> bool {
        let updated = self.frame.update(|update| lines::write(update, snapshots));
        debug_assert!(updated, "equal shapes have equal numbers of lines");
        updated
    }

    fn begin(&mut self, snapshots: &[MetricsSnapshot]) {
        self.frame = draft(snapshots).into_frame();
        self.shapes = Some(snapshots.iter().map(MetricsSnapshot::shape).collect());
    }
}

/// The snapshots rendered for the first time.
pub(super) fn draft(snapshots: &[MetricsSnapshot]) -> Draft {
    let mut draft = Draft::with_capacity(snapshots.len() * 220_000);
    lines::write(&mut draft, snapshots);
    draft
}
