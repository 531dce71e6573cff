//! Why a series was not registered.

use crate::catalog::{Counter, CounterCell};
use std::fmt;

/// Why a series was not registered. The text says what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name breaks a rule of Prometheus, or is one that the database keeps for itself.
    InvalidName {
        /// The name.
        name: String,
        /// The rule, as what to do.
        rule: &'static str,
    },
    /// The help text is empty.
    EmptyHelp {
        /// The metric.
        name: String,
    },
    /// The name of a label breaks a rule of Prometheus, or is reserved.
    InvalidLabel {
        /// The label.
        label: String,
        /// The rule, as what to do.
        rule: &'static str,
    },
    /// A label appears twice.
    DuplicateLabel {
        /// The label.
        label: String,
    },
    /// The series has more labels than [`MAX_LABELS`](crate::custom::MAX_LABELS).
    TooManyLabels {
        /// Their number.
        labels: usize,
    },
    /// The value of a label is longer than [`MAX_LABEL_VALUE_BYTES`](super::MAX_LABEL_VALUE_BYTES).
    LabelValueTooLong {
        /// The label.
        label: String,
        /// The length of its value in bytes.
        bytes: usize,
    },
    /// The name is registered already, as something else.
    Conflict {
        /// The name.
        name: String,
        /// What differs: `kind`, `unit`, `help`, `label names` or `name`.
        differs: &'static str,
        /// What is registered.
        registered: String,
    },
    /// The registry holds as many series as it may, and none of this family.
    Full {
        /// The most series the registry may hold.
        limit: usize,
    },
}

/// The kinds of reasons for which a series is not registered, or folded into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The name is not valid.
    Name,
    /// The help text is empty.
    Help,
    /// The labels are not valid.
    Label,
    /// The name is registered as something else.
    Conflict,
    /// There are too many series: it was folded into the one with all values `other`, or rejected.
    Limit,
}

impl Rejection {
    /// Every reason, in the order of their indices.
    pub const ALL: [Self; 5] = [Self::Name, Self::Help, Self::Label, Self::Conflict, Self::Limit];

    /// The reason as the value of a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Help => "help",
            Self::Label => "label",
            Self::Conflict => "conflict",
            Self::Limit => "limit",
        }
    }

    /// The series of `db_series_rejected_total` that counts the reason.
    pub(super) fn cell(self) -> CounterCell {
        let label = match self {
            Self::Limit => 0,
            Self::Name | Self::Help | Self::Label => 1,
            Self::Conflict => 2,
        };
        Counter::SeriesRejected.at(label)
    }

    /// The position in [`Rejection::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl RegisterError {
    /// The kind of reason, under which the registry counts the rejection.
    pub const fn rejection(&self) -> Rejection {
        match self {
            Self::InvalidName { .. } => Rejection::Name,
            Self::EmptyHelp { .. } => Rejection::Help,
            Self::InvalidLabel { .. }
            | Self::DuplicateLabel { .. }
            | Self::TooManyLabels { .. }
            | Self::LabelValueTooLong { .. } => Rejection::Label,
            Self::Conflict { .. } => Rejection::Conflict,
            Self::Full { .. } => Rejection::Limit,
        }
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName { name, rule } => write!(f, "the metric name {name:?} is not valid: {rule}"),
            Self::EmptyHelp { name } => write!(f, "the metric {name} has no help text: say what it counts"),
            Self::InvalidLabel { label, rule } => write!(f, "the label name {label:?} is not valid: {rule}"),
            Self::DuplicateLabel { label } => write!(f, "the label {label} appears twice: give it once"),
            Self::TooManyLabels { labels } => {
                write!(f, "the series has {labels} labels: use at most {}", crate::custom::MAX_LABELS)
            }
            Self::LabelValueTooLong { label, bytes } => {
                let most = super::MAX_LABEL_VALUE_BYTES;
                write!(f, "the value of label {label} has {bytes} bytes: use at most {most}")
            }
            Self::Conflict { name, differs, registered } => write!(
                f,
                "the metric {name} is registered already, and its {differs} is {registered}: \
                 use the same {differs}, or another name"
            ),
            Self::Full { limit } => write!(
                f,
                "the registry holds {limit} custom series already: raise the limit, or use fewer label values"
            ),
        }
    }
}

impl std::error::Error for RegisterError {}
