//! How much is recorded: chosen when a registry is made, changed at any time.

/// How much a registry records. The order is that of the cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Instrumentation {
    /// Nothing is counted or timed; gauges go on saying how things stand. An operation still costs as much as with [`Counters`](Self::Counters), since it counts
    /// into cells that nobody reads; to pay nothing, compile with the feature `off`.
    Off,
    /// Operations, results, bytes and background work are counted, background work is timed; operations are not.
    Counters,
    /// Every operation that leaves the fast path is timed, and of the others as many as cost less than the budget.
    #[default]
    Sampled,
    /// Every operation is timed.
    Full,
}

impl Instrumentation {
    /// Every level, in index order.
    pub const ALL: [Self; 4] = [Self::Off, Self::Counters, Self::Sampled, Self::Full];

    /// The name: `off`, `counters`, `sampled` or `full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Counters => "counters",
            Self::Sampled => "sampled",
            Self::Full => "full",
        }
    }

    /// Position in [`Instrumentation::ALL`], and in the label set `level` of `db_instrumentation_level`.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether anything is counted.
    #[inline]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Whether operations are timed.
    #[inline]
    pub const fn times(self) -> bool {
        matches!(self, Self::Sampled | Self::Full)
    }

    /// The level at an index; the default one if there is none.
    #[inline]
    pub(crate) const fn at(index: u64) -> Self {
        match index {
            0 => Self::Off,
            1 => Self::Counters,
            3 => Self::Full,
            _ => Self::Sampled,
        }
    }
}

impl std::str::FromStr for Instrumentation {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == name)
            .ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

impl std::fmt::Display for Instrumentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No level has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel(String);

impl std::fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no instrumentation level is called \"{}\": use off, counters, sampled or full", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_name_and_number() {
        for level in Instrumentation::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(Instrumentation::at(level as u64), level);
        }
        let error = "verbose".parse::<Instrumentation>().unwrap_err();
        assert!(error.to_string().contains("off, counters, sampled or full"), "{error}");
    }
}
