//! One immutable state of the tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::edit::VersionEdit;
use super::manifest::ManifestState;
use super::table_file::{TableFile, TableMeta};
use super::tables::Tables;
use crate::env::names::FileNumber;
use crate::options::LEVELS;
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;
use crate::values::usage::{Usage, ValueFileMeta};
use crate::values::writer::ValueWriter;

/// The tables of one level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) tables: Tables,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) tombstones: u64,
    /// Bytes of keys and values, uncompressed; of a separated value those of its pointer.
    pub(crate) payload_bytes: u64,
    /// Bytes that the entries use of the value files.
    pub(crate) value_bytes: u64,
}

impl Level {
    fn new(mut tables: Vec<Arc<TableFile>>, level: usize) -> Level {
        if level == 0 {
            tables.sort_by_key(|table| std::cmp::Reverse((table.meta.newest_seq, table.meta.number)));
        } else {
            tables.sort_by(|a, b| a.meta.smallest.cmp(&b.meta.smallest));
        }
        let sum = |field: fn(&TableMeta) -> u64| tables.iter().map(|table| field(&table.meta)).sum();
        let (bytes, entries, tombstones) =
            (sum(|meta| meta.bytes), sum(|meta| meta.entries), sum(|meta| meta.tombstones));
        let payload_bytes = sum(|meta| meta.payload_bytes);
        let value_bytes = tables.iter().map(|table| table.meta.usage.bytes()).sum();
        Level { tables: Tables::new(tables), bytes, entries, tombstones, payload_bytes, value_bytes }
    }

    /// The tables that may hold user keys from `first` to `last`.
    pub(crate) fn overlapping(&self, first: &[u8], last: &[u8]) -> impl Iterator<Item = &Arc<TableFile>> {
        self.tables.iter().filter(move |table| table.meta.overlaps(first, last))
    }

    /// On a level below L0, the one table that may hold `user`.
    #[inline]
    pub(crate) fn table_for(&self, user: &[u8]) -> Option<&Arc<TableFile>> {
        self.table_if_covers(self.tables.position(user), user)
    }

    /// The same, without a detour where they are few.
    #[inline]
    pub(crate) fn table_among_few(&self, user: &[u8]) -> Option<&Arc<TableFile>> {
        self.table_if_covers(self.tables.position_among_few(user), user)
    }

    #[inline]
    fn table_if_covers(&self, at: usize, user: &[u8]) -> Option<&Arc<TableFile>> {
        self.tables.get(at).filter(|table| table.meta.smallest.as_slice() <= user)
    }
}

/// A value file, and how much of it is in use.
#[derive(Clone, Debug)]
pub(crate) struct ValuesInUse {
    pub(crate) file: Arc<ValueFile>,
    pub(crate) meta: ValueFileMeta,
    pub(crate) used: Usage,
}

impl ValuesInUse {
    /// Bytes of the file that nothing points to, but for what any file needs: collecting it must not seem to pay for ever.
    pub(crate) fn garbage_bytes(&self) -> u64 {
        self.meta.bytes.saturating_sub(self.used.bytes + ValueWriter::framing_bytes(self.meta.bytes))
    }

    pub(crate) fn garbage_ratio(&self) -> f64 {
        self.garbage_bytes() as f64 / self.meta.bytes.max(1) as f64
    }
}

/// The tables of all levels, and the files that their values lie in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    pub(crate) levels: [Level; LEVELS],
    pub(crate) values: Arc<BTreeMap<FileNumber, ValuesInUse>>,
    /// A bit for each level that has tables: what gets come by first.
    occupied: u8,
    /// See [`Version::foresees`].
    foresees: bool,
}

impl Version {
    /// The version that `edit` makes of this one. `open` turns the description of a new table into a table; tables that the
    /// edit moves are kept. Tables that are gone are returned beside it.
    pub(crate) fn after(
        &self,
        edit: &VersionEdit,
        mut open: impl FnMut(&TableMeta) -> TableFile,
    ) -> (Version, Vec<Arc<TableFile>>) {
        let mut next = self.clone();
        let mut taken: Vec<Arc<TableFile>> = Vec::new();
        for (at, level) in next.levels.iter_mut().enumerate() {
            let gone = |table: &TableFile| edit.removed_tables.contains(&(at, table.meta.number));
            let added: Vec<&TableMeta> =
                edit.added_tables.iter().filter(|(to, _)| *to == at).map(|(_, t)| t).collect();
            let changed = level.tables.iter().any(|table| gone(table)) || !added.is_empty();
            if !changed {
                continue;
            }
            let (removed, mut kept): (Vec<_>, Vec<_>) =
                level.tables.iter().cloned().partition(|table| gone(table));
            taken.extend(removed);
            for meta in added {
                // A moved table comes from the level above, which has been handled already.
                let moved = taken.iter().position(|table| table.meta.number == meta.number);
                kept.push(moved.map_or_else(|| Arc::new(open(meta)), |at| taken.swap_remove(at)));
            }
            *level = Level::new(kept, at);
            next.occupied = next.occupied & !(1 << at) | u8::from(!level.tables.is_empty()) << at;
        }
        next.foresees = next.sorted_runs() > 1 || next.levels.iter().any(|level| level.tables.are_many());
        (next, taken)
    }

    /// The same tables with the value files of `state`; `open` makes those that this version does not have yet. Returns beside it
    /// those that are gone.
    pub(crate) fn with_values(
        mut self,
        state: &ManifestState,
        mut open: impl FnMut(&ValueFileMeta) -> Arc<ValueFile>,
    ) -> (Version, Vec<Arc<ValueFile>>) {
        let in_use = |(number, (meta, used)): (&FileNumber, &(ValueFileMeta, Usage))| {
            let known = self.values.get(number).map(|values| values.file.clone());
            let file = known.unwrap_or_else(|| open(meta));
            (*number, ValuesInUse { file, meta: *meta, used: *used })
        };
        let values: BTreeMap<_, _> = state.values.iter().map(in_use).collect();
        let gone = self.values.iter().filter(|(number, _)| !values.contains_key(number));
        let gone = gone.map(|(_, values)| values.file.clone()).collect();
        self.values = Arc::new(values);
        (self, gone)
    }

    /// The file that a pointer in a table leads to.
    pub(crate) fn value_file(&self, pointer: ValuePointer) -> Option<&Arc<ValueFile>> {
        self.values.get(&pointer.file).map(|values| &values.file)
    }

    /// An estimate of the bytes that would be left if everything were compacted: the last level holds each key once, what is
    /// above it mostly replaces what is in it.
    pub(crate) fn live_bytes_estimate(&self) -> u64 {
        self.last_level()
            .and_then(|last| self.levels.get(last))
            .map_or(0, |level| level.bytes + level.value_bytes)
    }

    /// The levels from `first` on that have tables, from top to bottom.
    #[inline]
    pub(crate) fn levels_with_tables(&self, first: usize) -> impl Iterator<Item = (usize, &Level)> {
        let mut left = self.occupied & !((1 << first) - 1);
        std::iter::from_fn(move || {
            let at = left.trailing_zeros() as usize;
            let level = self.levels.get(at)?;
            left &= left - 1;
            Some((at, level))
        })
    }

    /// Whether gets look for the tables that may have their key before they ask any: there are several, or many to choose from.
    #[inline]
    pub(crate) fn foresees(&self) -> bool {
        self.foresees
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.levels.iter().map(|level| level.bytes).sum()
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &Arc<TableFile>)> {
        self.levels
            .iter()
            .enumerate()
            .flat_map(|(at, level)| level.tables.iter().map(move |table| (at, table)))
    }

    /// The lowest level with a table, if any.
    pub(crate) fn last_level(&self) -> Option<usize> {
        self.levels.iter().rposition(|level| !level.tables.is_empty())
    }

    /// Sorted runs that a get may have to look into.
    pub(crate) fn sorted_runs(&self) -> usize {
        let (l0, below) =
            self.levels.split_first().map_or((0, &[][..]), |(l0, below)| (l0.tables.len(), below));
        l0 + below.iter().filter(|level| !level.tables.is_empty()).count()
    }

    /// The first two tables of a level below L0 whose ranges overlap: there must be none.
    pub(crate) fn overlap(&self) -> Option<(usize, &TableMeta, &TableMeta)> {
        self.levels.iter().enumerate().skip(1).find_map(|(at, level)| {
            level.tables.windows(2).find_map(|pair| match pair {
                [a, b] if a.meta.largest >= b.meta.smallest => Some((at, &a.meta, &b.meta)),
                _ => None,
            })
        })
    }
}
