//! All families of all kinds, in the order in which formats list them.

use super::counters::Counter;
use super::family::{Desc, Kind};
use super::gauges::Gauge;
use super::group::Group;
use super::histograms::Histogram;

/// A family of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A counter family.
    Counter(Counter),
    /// A gauge family.
    Gauge(Gauge),
    /// A histogram family.
    Histogram(Histogram),
}

impl Family {
    /// Every family: counters, then gauges, then histograms.
    pub fn all() -> impl Iterator<Item = Self> {
        let counters = Counter::ALL.iter().copied().map(Self::Counter);
        let gauges = Gauge::ALL.iter().copied().map(Self::Gauge);
        let histograms = Histogram::ALL.iter().copied().map(Self::Histogram);
        counters.chain(gauges).chain(histograms)
    }

    /// What all series of the family share.
    pub const fn desc(self) -> &'static Desc {
        match self {
            Self::Counter(family) => family.desc(),
            Self::Gauge(family) => family.desc(),
            Self::Histogram(family) => family.desc(),
        }
    }

    /// The chapter of the catalogue that it belongs to.
    pub const fn group(self) -> Group {
        match self {
            Self::Counter(family) => family.group(),
            Self::Gauge(family) => family.group(),
            Self::Histogram(family) => family.group(),
        }
    }

    /// How its values behave.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
        }
    }
}
