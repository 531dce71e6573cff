//! Which compaction comes next: a pure function of the version, the options and what is being compacted already.
//!
//! 1. The level furthest over its size, L0 by its number of tables.
//! 2. Of L0 everything, into the base level; of another level the table that has least to be merged with, for its size.
//! 3. Failing that, a table that is mostly tombstones, so that deleted data do not stay for ever.

use std::collections::HashSet;
use std::sync::Arc;

use super::plan::{Plan, Reason};
use crate::env::names::FileNumber;
use crate::levels::shape::Shape;
use crate::levels::table_file::TableFile;
use crate::levels::version::{Level, Version};
use crate::options::{LEVELS, Options};

/// A table is mostly tombstones from this share on.
const TOMBSTONE_SHARE: f64 = 0.5;

/// The compaction to do next, if one is due and none of its tables is `busy`.
pub(crate) fn pick(version: &Version, options: &Options, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let shape = Shape::of(version, options);
    let due = shape.by_score().into_iter();
    let by_size = due.filter_map(|level| match level {
        0 => pick_l0(version, &shape, busy),
        _ => pick_table(version, level, busy),
    });
    by_size.into_iter().next().or_else(|| pick_tombstones(version, busy))
}

/// Everything in `first ..= last` (all keys if `None`), merged into the lowest level that has any of it: for
/// [`Db::compact`](crate::Db::compact).
pub(crate) fn pick_all(
    version: &Version,
    options: &Options,
    first: Option<&[u8]>,
    last: Option<&[u8]>,
) -> Option<Plan> {
    let (first, last) = widen(version, first, last);
    let inside = |table: &&Arc<TableFile>| {
        let starts = last.as_deref().is_none_or(|last| table.meta.smallest.as_slice() <= last);
        starts && first.as_deref().is_none_or(|first| first <= table.meta.largest.as_slice())
    };
    let select = |level: &Level| level.tables.iter().filter(inside).cloned().collect::<Vec<_>>();
    let inputs: Vec<_> =
        version.levels.iter().map(select).enumerate().filter(|(_, t)| !t.is_empty()).collect();
    let output_level = inputs.last()?.0.max(Shape::of(version, options).base());
    Some(Plan { reason: Reason::Manual, inputs, output_level, grandparents: Vec::new() })
}

/// Tables of L0 that overlap what is chosen must come along with everything they overlap, or an older version of a key could
/// end up above a newer one.
fn widen(version: &Version, first: Option<&[u8]>, last: Option<&[u8]>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut first, mut last) = (first.map(<[u8]>::to_vec), last.map(<[u8]>::to_vec));
    loop {
        let before = (first.clone(), last.clone());
        for (_, table) in version.tables() {
            let meta = &table.meta;
            let starts = last.as_deref().is_none_or(|last| meta.smallest.as_slice() <= last);
            let ends = first.as_deref().is_none_or(|first| first <= meta.largest.as_slice());
            if starts && ends {
                first = first.map(|first| first.min(meta.smallest.clone()));
                last = last.map(|last| last.max(meta.largest.clone()));
            }
        }
        if before == (first.clone(), last.clone()) {
            return (first, last);
        }
    }
}

fn pick_l0(version: &Version, shape: &Shape, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let tables = version.levels.first()?.tables.to_vec();
    let first = tables.iter().map(|table| &table.meta.smallest).min()?.clone();
    let last = tables.iter().map(|table| &table.meta.largest).max()?.clone();
    finish(version, Reason::L0Tables, (0, tables), shape.base(), (&first, &last), busy)
}

fn pick_table(version: &Version, level: usize, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let (here, below) = (version.levels.get(level)?, version.levels.get(level + 1)?);
    let cost = |table: &Arc<TableFile>| {
        let merged: u64 =
            below.overlapping(&table.meta.smallest, &table.meta.largest).map(|t| t.meta.bytes).sum();
        // Tombstones make a table cheaper: compacting it frees space as well.
        let discount = 1.0 - 0.5 * tombstone_share(table);
        merged as f64 / table.meta.bytes.max(1) as f64 * discount
    };
    let mut candidates: Vec<_> = here.tables.iter().map(|table| (cost(table), table)).collect();
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
    candidates.into_iter().find_map(|(_, table)| into_next(version, Reason::LevelSize, level, table, busy))
}

fn pick_tombstones(version: &Version, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let last = version.last_level()?;
    let full = |(level, table): &(usize, &Arc<TableFile>)| {
        *level > 0 && *level < last && tombstone_share(table) >= TOMBSTONE_SHARE
    };
    version
        .tables()
        .filter(full)
        .find_map(|(level, table)| into_next(version, Reason::Tombstones, level, table, busy))
}

fn tombstone_share(table: &TableFile) -> f64 {
    table.meta.tombstones as f64 / table.meta.entries.max(1) as f64
}

fn into_next(
    version: &Version,
    reason: Reason,
    level: usize,
    table: &Arc<TableFile>,
    busy: &HashSet<FileNumber>,
) -> Option<Plan> {
    let bounds = (table.meta.smallest.as_slice(), table.meta.largest.as_slice());
    finish(version, reason, (level, vec![table.clone()]), level + 1, bounds, busy)
}

/// Adds the tables of the output level that are in the way; `None` if any table is busy.
fn finish(
    version: &Version,
    reason: Reason,
    upper: (usize, Vec<Arc<TableFile>>),
    output_level: usize,
    (first, last): (&[u8], &[u8]),
    busy: &HashSet<FileNumber>,
) -> Option<Plan> {
    let in_the_way: Vec<_> = version.levels.get(output_level)?.overlapping(first, last).cloned().collect();
    let start = in_the_way.first().map_or(first, |table| table.meta.smallest.as_slice().min(first));
    let end = in_the_way.last().map_or(last, |table| table.meta.largest.as_slice().max(last));
    let below = version.levels.get(output_level + 1).filter(|_| output_level + 1 < LEVELS);
    let grandparents = below.map_or(Vec::new(), |level| level.overlapping(start, end).cloned().collect());
    let mut inputs = vec![upper];
    if !in_the_way.is_empty() {
        inputs.push((output_level, in_the_way));
    }
    let plan = Plan { reason, inputs, output_level, grandparents };
    let free = plan.tables().all(|(_, table)| !busy.contains(&table.meta.number));
    free.then_some(plan)
}

#[cfg(test)]
mod tests;
