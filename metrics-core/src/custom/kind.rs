//! How values of a custom family behave, and what they measure.

use crate::catalog::Unit;

/// How values of a custom family behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CustomKind {
    /// Only grows while the database is open.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, exported as the counts of buckets.
    Histogram,
    /// A distribution, exported as quantiles.
    Summary,
}

impl CustomKind {
    /// The Prometheus type name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// What the observations of a custom histogram or summary are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Durations: recorded in nanoseconds, exported in seconds. The name should end in `_seconds`.
    Seconds,
    /// Sizes in bytes. The name should end in `_bytes`.
    Bytes,
    /// Plain numbers.
    Count,
}

impl Measure {
    /// The unit that observations are recorded in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Seconds => Unit::Nanoseconds,
            Self::Bytes => Unit::Bytes,
            Self::Count => Unit::Count,
        }
    }

    /// What a histogram of this name most likely measures.
    pub(crate) fn named_by(name: &str) -> Self {
        match unit_named_by(name) {
            Unit::Seconds => Self::Seconds,
            Unit::Bytes => Self::Bytes,
            _ => Self::Count,
        }
    }
}

/// The unit that the name of a counter or gauge ends in, which says nothing about how it is recorded: the value is
/// exported as it is.
pub(crate) fn unit_named_by(name: &str) -> Unit {
    let stem = name.strip_suffix("_total").unwrap_or(name);
    if stem.ends_with("_seconds") {
        Unit::Seconds
    } else if stem.ends_with("_bytes") {
        Unit::Bytes
    } else if stem.ends_with("_ratio") {
        Unit::Ratio
    } else {
        Unit::Count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_last_word_of_the_name() {
        for (name, unit) in [
            ("app_sent_bytes_total", Unit::Bytes),
            ("app_cpu_seconds_total", Unit::Seconds),
            ("app_hit_ratio", Unit::Ratio),
            ("app_bytes_lost", Unit::Count),
            ("app_jobs", Unit::Count),
        ] {
            assert_eq!(unit_named_by(name), unit, "{name}");
        }
        assert_eq!(Measure::named_by("app_render_seconds"), Measure::Seconds);
        assert_eq!(Measure::named_by("app_hit_ratio"), Measure::Count);
    }
}
