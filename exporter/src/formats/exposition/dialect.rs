//! How a text is to look.

use crate::formats::{GlobalLabels, Profile};

/// Which of the text formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    /// Prometheus text 0.0.4.
    #[default]
    Prometheus,
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
}

/// Format and profile of a text, and what all series have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Style {
    pub(crate) dialect: Dialect,
    pub(crate) profile: Profile,
    pub(crate) global: GlobalLabels,
}

impl Style {
    /// Whether it is OpenMetrics.
    pub(crate) fn is_open_metrics(&self) -> bool {
        self.dialect == Dialect::OpenMetrics
    }
}
