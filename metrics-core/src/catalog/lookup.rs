//! What a search learns from one table.

use super::labels::LEVEL;

/// What a get learnt from an open table of a level that could be asked for the key beforehand. One cell says what
/// `db_filter_checks_total`, `db_level_probes_total` and `db_table_cache_requests_total` want to know. [`Lookup::Found`] is mostly
/// counted with the end of the get, in a cell that says even more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Lookup {
    /// Filter or point index said that the key is not there.
    Denied,
    /// The key was there.
    Found,
    /// The key was not there, though it might have been.
    Absent,
    /// As [`Lookup::Found`], by a get that had looked into another table of the level.
    FoundLater,
    /// As [`Lookup::Absent`], by a get that had looked into another table of the level.
    AbsentLater,
}

impl Lookup {
    /// Every one, in order.
    pub(crate) const ALL: [Lookup; 5] =
        [Lookup::Denied, Lookup::Found, Lookup::Absent, Lookup::FoundLater, Lookup::AbsentLater];

    /// Number of cells: all for each level.
    pub(crate) const CELLS: usize = LEVEL.len() * Self::ALL.len();

    /// A look into a table, where the key was `found` or not, by a get that has looked into another one of the level or not.
    #[inline]
    pub fn into_table(found: bool, later: bool) -> Lookup {
        match (found, later) {
            (true, false) => Lookup::Found,
            (false, false) => Lookup::Absent,
            (true, true) => Lookup::FoundLater,
            (false, true) => Lookup::AbsentLater,
        }
    }

    /// The cell of a level, 0 to 6.
    #[inline]
    pub(crate) fn cell(self, level: usize) -> usize {
        level * Self::ALL.len() + self as usize
    }

    /// Position in the label set of filter results.
    pub fn filter_result(self) -> usize {
        match self {
            Lookup::Denied => 0,
            Lookup::Found | Lookup::FoundLater => 1,
            Lookup::Absent | Lookup::AbsentLater => 2,
        }
    }

    /// Whether the get had not looked into the level before.
    pub fn is_first_probe(self) -> bool {
        matches!(self, Lookup::Found | Lookup::Absent)
    }
}
