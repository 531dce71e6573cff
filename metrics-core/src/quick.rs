//! Gets that end on the fast path in one of the usual ways.
//!
//! One cell says of such a get all that is counted at its end, but for the bytes it found: that it is finished, where it was
//! served, and what it learnt from the table that served it. The get touches two cache lines and not four. Gets that end in
//! other ways count each in a cell of its own.

use crate::cell::{self, Writers};
use crate::sync::AtomicU64;

/// Levels of a tree.
const LEVELS: usize = 7;

/// The usual ways for a get to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuickEnd {
    /// There is a value in the memtable.
    MemtableValue,
    /// There is a tombstone in the memtable.
    MemtableTombstone,
    /// There is nothing anywhere. What the tables said is counted elsewhere.
    Missing,
    /// There is a value in a table.
    TableValue(TableHit),
}

/// A table that has what a get looks for: its level, and whether the look into it is counted. One word, that a get carries to
/// its end.
#[cfg_attr(feature = "off", expect(unreachable_pub, reason = "a twin stands in for it"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableHit(usize);

#[cfg_attr(feature = "off", expect(unreachable_pub, reason = "as above"))]
impl TableHit {
    const CELLS: usize = 2 * LEVELS;

    /// In a table of `level`, 0 to 6. The look into it is to be counted with the end of the get, as
    /// [`Lookup::Found`](crate::Lookup::Found).
    #[inline]
    pub fn new(level: usize) -> TableHit {
        debug_assert!(level < LEVELS, "there is no level {level}");
        TableHit(level)
    }

    /// In a table of `level`, 0 to 6. The look into it is counted.
    #[inline]
    pub fn counted(level: usize) -> TableHit {
        debug_assert!(level < LEVELS, "there is no level {level}");
        TableHit(level + LEVELS)
    }

    /// The level of the table.
    #[inline]
    pub fn level(self) -> usize {
        if self.is_counted() { self.0 - LEVELS } else { self.0 }
    }

    /// Whether the look into the table is counted.
    #[inline]
    pub fn is_counted(self) -> bool {
        self.0 >= LEVELS
    }
}

impl QuickEnd {
    /// Number of cells.
    const CELLS: usize = 3 + TableHit::CELLS;

    /// Every one, in the order of their cells.
    pub(crate) fn all() -> impl Iterator<Item = QuickEnd> {
        let elsewhere = [QuickEnd::MemtableValue, QuickEnd::MemtableTombstone, QuickEnd::Missing];
        let in_tables = (0..TableHit::CELLS).map(TableHit).map(QuickEnd::TableValue);
        elsewhere.into_iter().chain(in_tables)
    }

    #[inline]
    fn cell(self) -> usize {
        match self {
            QuickEnd::MemtableValue => 0,
            QuickEnd::MemtableTombstone => 1,
            QuickEnd::Missing => 2,
            QuickEnd::TableValue(hit) => 3 + hit.0,
        }
    }
}

/// How often gets ended in these ways, and what they found.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct QuickCells {
    /// Bytes of the values found.
    bytes: AtomicU64,
    ends: [AtomicU64; QuickEnd::CELLS],
}

impl Default for QuickCells {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), ends: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl QuickCells {
    /// Counts the end of a get that found a value of so many bytes, or none.
    #[inline]
    pub(crate) fn count(&self, end: QuickEnd, value_bytes: Option<u64>) {
        if let Some(bytes) = value_bytes {
            cell::raise(&self.bytes, bytes, Writers::One);
        }
        if let Some(cell) = self.ends.get(end.cell()) {
            cell::raise(cell, 1, Writers::One);
        }
    }

    /// Gets that ended in any of these ways.
    pub(crate) fn total(&self) -> u64 {
        self.ends.iter().map(cell::read).sum()
    }

    /// Gets that ended like this.
    pub(crate) fn ended(&self, end: QuickEnd) -> u64 {
        self.ends.get(end.cell()).map_or(0, cell::read)
    }

    /// Bytes of the values found: at least those of all that [ended](QuickCells::ended) says was found, if it was asked before.
    pub(crate) fn bytes(&self) -> u64 {
        cell::read(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_a_cell_of_its_own() {
        assert!(QuickEnd::all().map(QuickEnd::cell).eq(0..QuickEnd::CELLS));
        let cells = QuickCells::default();
        for (n, end) in (1..).zip(QuickEnd::all()) {
            (0..n).for_each(|_| cells.count(end, Some(10)));
        }
        assert!(QuickEnd::all().map(|end| cells.ended(end)).eq(1..=QuickEnd::CELLS as u64));
        assert_eq!((cells.total(), cells.bytes()), (153, 1530));
    }

    #[test]
    fn a_hit_knows_its_level() {
        for level in 0..LEVELS {
            let (hit, counted) = (TableHit::new(level), TableHit::counted(level));
            assert_eq!((hit.level(), hit.is_counted()), (level, false));
            assert_eq!((counted.level(), counted.is_counted()), (level, true));
        }
    }
}
