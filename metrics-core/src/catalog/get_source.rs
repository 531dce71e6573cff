//! Where the search for a key ended.

use super::labels::GET_SOURCE;

/// Where a get was served: the label `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GetSource {
    /// The memtable that takes writes.
    Memtable,
    /// A full memtable that waits for its flush.
    Immutable,
    /// A table of this level, 0 to 6; larger numbers count as 6.
    Level(usize),
    /// Nowhere: the key has no value.
    Miss,
}

impl GetSource {
    /// The lowest level of the tree.
    const LAST_LEVEL: usize = 6;

    /// Number of different sources.
    pub(crate) const COUNT: usize = Self::LAST_LEVEL + 4;

    /// The label value at an index.
    pub(crate) fn name_at(index: usize) -> Option<&'static str> {
        GET_SOURCE.get(index).copied()
    }

    /// Position in the label set `source`.
    #[inline]
    pub const fn index(self) -> usize {
        match self {
            Self::Memtable => 0,
            Self::Immutable => 1,
            Self::Level(level) => 2 + if level < Self::LAST_LEVEL { level } else { Self::LAST_LEVEL },
            Self::Miss => Self::COUNT - 1,
        }
    }
}
