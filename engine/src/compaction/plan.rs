//! What a compaction is to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::env::names::FileNumber;
use crate::levels::table_file::TableFile;
use crate::options::Options;

/// A table should not meet more of the level below than so many tables' worth.
const GRANDPARENT_TABLES: u64 = 10;

/// The most that a table should meet of the level below, in bytes.
pub(crate) fn grandparent_bytes_max(options: &Options) -> u64 {
    options.table_bytes.saturating_mul(GRANDPARENT_TABLES)
}

/// Why a compaction was chosen: label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Reason {
    L0Tables = 0,
    LevelSize = 1,
    Tombstones = 2,
    Manual = 3,
    /// Value files are mostly garbage, or may be.
    Garbage = 4,
    /// Most of a table has expired.
    Expired = 5,
    /// Scans have lost more by meeting several runs than it takes to make fewer of them.
    Scans = 6,
}

/// Tables to merge and the level the result goes to.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) reason: Reason,
    /// Levels with the tables to read, upper levels first; L0 newest first.
    pub(crate) inputs: Vec<(usize, Vec<Arc<TableFile>>)>,
    pub(crate) output_level: usize,
    /// The tables below the output level that its result will meet later.
    pub(crate) grandparents: Vec<Arc<TableFile>>,
    /// Value files to collect: what lives on of them is moved.
    pub(crate) collect: Arc<BTreeSet<FileNumber>>,
}

impl Plan {
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &Arc<TableFile>)> {
        self.inputs.iter().flat_map(|(level, tables)| tables.iter().map(move |table| (*level, table)))
    }

    /// Bytes of all tables.
    pub(crate) fn bytes(&self) -> u64 {
        self.tables().map(|(_, table)| table.meta.bytes).sum()
    }

    /// Whether the tables of a level are written anew on the same level, each for itself.
    pub(crate) fn is_in_place(&self) -> bool {
        // A manual compaction has the tree for itself: nobody puts anything between its tables.
        let one_level = self.inputs.iter().all(|(level, _)| *level == self.output_level);
        one_level && self.output_level > 0 && self.reason != Reason::Manual
    }

    /// Bytes read from levels above the output, or from the output level itself.
    pub(crate) fn input_bytes(&self, from_output_level: bool) -> u64 {
        let of = |(level, table): (usize, &Arc<TableFile>)| {
            ((level == self.output_level) == from_output_level).then_some(table.meta.bytes)
        };
        self.tables().filter_map(of).sum()
    }

    /// The one table that can go down as it is: nothing of the output level is in its way, and it will not later meet so much
    /// of the level below that cutting it now would have been better.
    pub(crate) fn trivial_move(&self, options: &Options) -> Option<(usize, &Arc<TableFile>)> {
        let mut tables = self.tables();
        let only = tables.next().filter(|_| tables.next().is_none())?;
        let ahead: u64 = self.grandparents.iter().map(|table| table.meta.bytes).sum();
        let worth_rewriting = !matches!(self.reason, Reason::L0Tables | Reason::LevelSize | Reason::Scans);
        (only.0 != self.output_level && !worth_rewriting && ahead <= grandparent_bytes_max(options))
            .then_some(only)
    }
}
