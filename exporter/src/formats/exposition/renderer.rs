//! A text that is rendered again and again.

use super::dialect::{Dialect, Style};
use super::frame::{Draft, Frame};
use super::lines;
use crate::formats::own::OwnFamily;
use crate::formats::{GlobalLabels, Profile};
use bettong_metrics::{MetricsSnapshot, Shape};
use std::sync::Arc;

/// Renders again and again, and writes only the numbers that changed since the last time: the text is byte for byte that of
/// [`text::render_all`](crate::formats::text::render_all), for a small part of its cost.
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
    style: Style,
    /// Those of the snapshots that the frame was made for; `None` at first.
    shapes: Option<Vec<Shape>>,
    /// The families of the exporter and of the process that the frame has.
    own: Vec<&'static str>,
    frame: Frame,
}

impl Renderer {
    /// One that writes Prometheus text 0.0.4 with the series of `profile`.
    pub fn text(profile: Profile) -> Self {
        Self::of(Style { dialect: Dialect::Prometheus, profile, ..Style::default() })
    }

    /// One that writes OpenMetrics text 1.0 with the series of `profile`.
    ///
    /// # Examples
    /// ```
    /// use bettong_exporter::formats::{Profile, Renderer, openmetrics};
    ///
    /// let snapshot = bettong_metrics::Registry::new("orders").snapshot();
    /// let mut renderer = Renderer::open_metrics(Profile::Standard);
    /// assert_eq!(*renderer.render(&snapshot), openmetrics::render(&snapshot));
    /// ```
    pub fn open_metrics(profile: Profile) -> Self {
        Self::of(Style { dialect: Dialect::OpenMetrics, profile, ..Style::default() })
    }

    fn of(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// The same, and every series has these labels, too.
    #[must_use]
    pub fn with_labels(self, global: GlobalLabels) -> Self {
        Self::of(Style { global, ..self.style })
    }

    /// One database's snapshot as text.
    pub fn render(&mut self, snapshot: &MetricsSnapshot) -> Arc<String> {
        self.render_all(std::slice::from_ref(snapshot))
    }

    /// The snapshots of several databases as one text. Their names must differ.
    pub fn render_all(&mut self, snapshots: &[MetricsSnapshot]) -> Arc<String> {
        self.render_with(snapshots, &[])
    }

    /// The same, with what the exporter says of itself and of the process: a family always has the same series.
    pub(crate) fn render_with(&mut self, snapshots: &[MetricsSnapshot], own: &[OwnFamily]) -> Arc<String> {
        let names = own.iter().map(|family| family.name);
        if !names.eq(self.own.iter().copied()) || !self.fits(snapshots) || !self.update(snapshots, own) {
            self.begin(snapshots, own);
        }
        Arc::clone(self.frame.text())
    }

    fn fits(&self, snapshots: &[MetricsSnapshot]) -> bool {
        self.shapes.as_ref().is_some_and(|shapes| {
            let mut pairs = shapes.iter().zip(snapshots);
            shapes.len() == snapshots.len() && pairs.all(|(shape, snapshot)| shape.fits(snapshot))
        })
    }

    fn update(&mut self, snapshots: &[MetricsSnapshot], own: &[OwnFamily]) -> bool {
        let style = &self.style;
        let updated = self.frame.update(|update| lines::write(update, snapshots, own, style));
        debug_assert!(updated, "equal shapes have equal numbers of lines");
        updated
    }

    fn begin(&mut self, snapshots: &[MetricsSnapshot], own: &[OwnFamily]) {
        self.frame = draft_with(snapshots, own, &self.style).into_frame();
        self.shapes = Some(snapshots.iter().map(MetricsSnapshot::shape).collect());
        self.own = own.iter().map(|family| family.name).collect();
    }
}

/// The snapshots rendered once.
pub(in crate::formats) fn draft(snapshots: &[MetricsSnapshot], style: &Style) -> String {
    draft_with(snapshots, &[], style).into_text()
}

/// What the exporter says of itself, and nothing else.
pub(in crate::formats) fn draft_own(own: &[OwnFamily], style: &Style) -> String {
    let mut draft = Draft::with_capacity(8_192);
    lines::write_all_own(&mut draft, own, style);
    draft.into_text()
}

fn draft_with(snapshots: &[MetricsSnapshot], own: &[OwnFamily], style: &Style) -> Draft {
    let mut draft = Draft::with_capacity(snapshots.len() * 220_000);
    lines::write(&mut draft, snapshots, own, style);
    draft
}
