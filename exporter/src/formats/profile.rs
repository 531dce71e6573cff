//! Profiles: how many series a scrape brings.
//!
//! Most series of a database are the buckets of its histograms. A profile says which families are shown, and how finely
//! their buckets are cut. It concerns the formats of Prometheus: the JSON snapshot always has everything.

use bettong_metrics::{Counter, Family, Gauge, Histogram};
use std::fmt;
use std::str::FromStr;

/// Which families a scrape shows, and how finely. The families of the embedding application are always shown.
/// [`budget`](super::budget) counts the series of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// All families. The five latencies of operations have two buckets in each power of two, other histograms fewer.
    #[default]
    Standard,
    /// All families, histograms without classic buckets: for servers that scrape native histograms. In a text format
    /// only sum, count and the bucket of everything are left of a histogram.
    Native,
    /// Two dozen families that every store of this kind has: operations, latencies, errors, memory, levels,
    /// compactions, reclaimed space.
    Minimal,
    /// All families, all of them with two buckets in each power of two, or one for sizes and numbers.
    Full,
}

/// The families of [`Profile::Minimal`].
const MINIMAL: [Family; 24] = [
    Family::Counter(Counter::GetOperations),
    Family::Counter(Counter::SetOperations),
    Family::Counter(Counter::DeleteOperations),
    Family::Counter(Counter::GetErrors),
    Family::Counter(Counter::SetErrors),
    Family::Counter(Counter::DeleteErrors),
    Family::Counter(Counter::CompactionOperations),
    Family::Counter(Counter::CompactionInputFiles),
    Family::Counter(Counter::CompactionOutputFiles),
    Family::Counter(Counter::CompactionInputBytes),
    Family::Counter(Counter::CompactionOutputBytes),
    Family::Counter(Counter::SpaceReclaimOperations),
    Family::Counter(Counter::SpaceReclaimBytes),
    Family::Gauge(Gauge::MemtableBytes),
    Family::Gauge(Gauge::CacheBytes),
    Family::Gauge(Gauge::TotalMemoryBytes),
    Family::Gauge(Gauge::LevelFiles),
    Family::Gauge(Gauge::LevelBytes),
    Family::Histogram(Histogram::GetLatency),
    Family::Histogram(Histogram::SetLatency),
    Family::Histogram(Histogram::DeleteLatency),
    Family::Histogram(Histogram::CompactionDuration),
    Family::Histogram(Histogram::CompactionWriteAmplification),
    Family::Histogram(Histogram::SpaceReclaimDuration),
];

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Native, Self::Minimal, Self::Full];

    /// The name: `standard`, `native`, `minimal` or `full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Native => "native",
            Self::Minimal => "minimal",
            Self::Full => "full",
        }
    }

    /// Whether a family of the catalogue is shown.
    pub fn shows(self, family: Family) -> bool {
        self != Self::Minimal || MINIMAL.contains(&family)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no profile's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProfile(String);

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no profile is called `{}`: there are standard, native, minimal and full", self.0)
    }
}

impl std::error::Error for UnknownProfile {}

impl FromStr for Profile {
    type Err = UnknownProfile;

    /// # Examples
    /// ```
    /// use bettong_exporter::formats::Profile;
    /// assert_eq!("minimal".parse(), Ok(Profile::Minimal));
    /// assert!("tiny".parse::<Profile>().is_err());
    /// ```
    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == name);
        found.ok_or_else(|| UnknownProfile(name.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimal_profile_names_each_family_once() {
        for (at, family) in MINIMAL.iter().enumerate() {
            assert!(!MINIMAL.iter().skip(at + 1).any(|other| other == family), "{family:?}");
        }
        let shown = Family::all().filter(|family| Profile::Minimal.shows(*family)).count();
        assert_eq!(shown, MINIMAL.len());
    }

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        let error = "tiny".parse::<Profile>().unwrap_err();
        assert!(error.to_string().contains("`tiny`"), "{error}");
    }
}
