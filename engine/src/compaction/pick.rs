//! Which compaction comes next: a pure function of the version, the options and what is being compacted already.
//!
//! 1. The level furthest over its size, L0 by its number of tables.
//! 2. Of L0 everything, into the base level; of another level the table that has least to be merged with, for its size.
//! 3. If the values take too much disk: what brings hidden garbage to light, or collects what is known.
//! 4. Failing that, a table that is mostly tombstones or expired, so that deleted data do not stay for ever.
//! 5. Last, what makes scans meet fewer runs, once they have lost as much as it takes.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::plan::{Plan, Reason};
use crate::env::names::FileNumber;
use crate::levels::shape::Shape;
use crate::levels::space::{Circumstances, Space, candidates};
use crate::levels::table_file::TableFile;
use crate::levels::version::{Level, Version};
use crate::options::{LEVELS, Options};
use crate::scan_loss::price_of;

/// A table is mostly tombstones, or expired, from this share on.
const TOMBSTONE_SHARE: f64 = 0.5;
/// A collection rewrites at most so many tables' worth of pointers at a time: others wait for its tables.
const TABLES_PER_COLLECTION: u64 = 4;

/// The compaction to do next, if one is due and none of its tables is `busy`.
pub(crate) fn pick(
    version: &Version,
    options: &Options,
    busy: &HashSet<FileNumber>,
    circumstances: Circumstances,
) -> Option<Plan> {
    let space = Space::of(version, circumstances.log_bytes, options);
    let collect = if space.is_due(options) { candidates(version, options, false) } else { Arc::default() };
    let plan = pick_by_size(version, options, busy)
        .or_else(|| pick_garbage(version, options, &space, &collect, busy))
        .or_else(|| pick_tombstones(version, busy))
        .or_else(|| pick_expired(version, circumstances.time, busy))
        .or_else(|| pick_paid_by_scans(version, options, busy, circumstances.scan_loss_nanos))?;
    // What is marked for collection is moved by whoever rewrites its keys anyway.
    Some(Plan { collect, ..plan })
}

fn pick_by_size(version: &Version, options: &Options, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let shape = Shape::of(version, options);
    let due = shape.by_score().into_iter();
    let mut by_size = due.filter_map(|level| match level {
        0 => pick_l0(version, Reason::L0Tables, &shape, busy),
        _ => pick_table(version, level, Reason::LevelSize, busy),
    });
    by_size.next()
}

/// What brings the values back below their ceiling.
fn pick_garbage(
    version: &Version,
    options: &Options,
    space: &Space,
    collect: &BTreeSet<FileNumber>,
    busy: &HashSet<FileNumber>,
) -> Option<Plan> {
    if !space.is_due(options) {
        return None;
    }
    if space.hidden >= space.garbage {
        pick_hiding(version, options, busy)
    } else {
        pick_collection(version, options, collect, busy)
    }
}

/// Merges the upper level that hides most.
fn pick_hiding(version: &Version, options: &Options, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let last = version.last_level()?;
    let upper = version.levels.iter().enumerate().take(last.max(1));
    let hides = |level: &Level| (level.value_bytes, level.tombstones);
    let (level, most) = upper.max_by_key(|(at, level)| (hides(level), std::cmp::Reverse(*at)))?;
    if level == 0 {
        return pick_l0(version, Reason::Garbage, &Shape::of(version, options), busy);
    }
    let mut tables: Vec<_> = most.tables.iter().collect();
    tables.sort_by_key(|table| std::cmp::Reverse((table.meta.usage.bytes(), table.meta.tombstones)));
    tables.into_iter().find_map(|table| into_next(version, Reason::Garbage, level, table, busy))
}

/// Writes anew what points into the files to collect, from the top: what is moved twice was moved in vain.
fn pick_collection(
    version: &Version,
    options: &Options,
    collect: &BTreeSet<FileNumber>,
    busy: &HashSet<FileNumber>,
) -> Option<Plan> {
    let uses = |table: &&Arc<TableFile>| collect.iter().any(|file| table.meta.usage.of(*file).entries > 0);
    let (level, tables) = version
        .levels
        .iter()
        .enumerate()
        .map(|(at, level)| (at, level.tables.iter().filter(uses).cloned().collect::<Vec<_>>()))
        .find(|(_, tables)| !tables.is_empty())?;
    if level == 0 {
        return pick_l0(version, Reason::Garbage, &Shape::of(version, options), busy);
    }
    let mut bytes = 0;
    let free = tables.into_iter().filter(|table| !busy.contains(&table.meta.number));
    let some = free.take_while(|table| {
        let first = bytes == 0;
        bytes += table.meta.bytes;
        first || bytes <= options.table_bytes * TABLES_PER_COLLECTION
    });
    in_place(Reason::Garbage, level, some.collect())
}

/// Tables of one level, each written anew where it is.
fn in_place(reason: Reason, level: usize, tables: Vec<Arc<TableFile>>) -> Option<Plan> {
    let inputs = vec![(level, tables)];
    let plan =
        Plan { reason, inputs, output_level: level, grandparents: Vec::new(), collect: Arc::default() };
    let any = plan.tables().next().is_some();
    any.then_some(plan)
}

/// Collects all garbage that is known: for [`Db::collect_garbage`](crate::Db::collect_garbage).
pub(crate) fn pick_all_garbage(version: &Version, options: &Options) -> Option<Plan> {
    let collect = candidates(version, options, true);
    let plan = pick_collection(version, options, &collect, &HashSet::new())?;
    Some(Plan { collect, ..plan })
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
    let collect = Arc::default();
    Some(Plan { reason: Reason::Manual, inputs, output_level, grandparents: Vec::new(), collect })
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

fn pick_l0(version: &Version, reason: Reason, shape: &Shape, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let tables = version.levels.first()?.tables.to_vec();
    let first = tables.iter().map(|table| &table.meta.smallest).min()?.clone();
    let last = tables.iter().map(|table| &table.meta.largest).max()?.clone();
    finish(version, reason, (0, tables), shape.base(), (&first, &last), busy)
}

fn pick_table(version: &Version, level: usize, reason: Reason, busy: &HashSet<FileNumber>) -> Option<Plan> {
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
    candidates.into_iter().find_map(|(_, table)| into_next(version, reason, level, table, busy))
}

/// What makes scans meet fewer runs, if they have lost as much as it takes.
fn pick_paid_by_scans(
    version: &Version,
    options: &Options,
    busy: &HashSet<FileNumber>,
    lost_nanos: u64,
) -> Option<Plan> {
    if lost_nanos == 0 {
        return None;
    }
    pick_for_scans(version, options, busy).filter(|plan| price(plan, options) <= lost_nanos)
}

/// What makes scans meet fewer runs: L0, in which each table is one, or a table of the highest level that has any.
pub(crate) fn pick_for_scans(
    version: &Version,
    options: &Options,
    busy: &HashSet<FileNumber>,
) -> Option<Plan> {
    if version.sorted_runs() < 2 {
        return None;
    }
    match version.levels_with_tables(0).next()?.0 {
        0 => pick_l0(version, Reason::Scans, &Shape::of(version, options), busy),
        highest => pick_table(version, highest, Reason::Scans, busy),
    }
}

/// What scans pay for a merge, in nanoseconds; nothing for a table that only moves.
pub(crate) fn price(plan: &Plan, options: &Options) -> u64 {
    if plan.trivial_move(options).is_some() { 0 } else { price_of(plan.bytes()) }
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

fn pick_expired(version: &Version, time: u64, busy: &HashSet<FileNumber>) -> Option<Plan> {
    let last = version.last_level()?;
    let full = |(level, table): &(usize, &Arc<TableFile>)| {
        let expired = table.meta.expiring.expired(time) as f64;
        *level > 0 && expired > 0.0 && expired / table.meta.entries.max(1) as f64 >= TOMBSTONE_SHARE
    };
    version.tables().filter(full).find_map(|(level, table)| {
        if level < last {
            return into_next(version, Reason::Expired, level, table, busy);
        }
        let free = !busy.contains(&table.meta.number);
        free.then(|| in_place(Reason::Expired, level, vec![table.clone()]))?
    })
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
    let plan = Plan { reason, inputs, output_level, grandparents, collect: Arc::default() };
    let free = plan.tables().all(|(_, table)| !busy.contains(&table.meta.number));
    free.then_some(plan)
}

#[cfg(test)]
mod tests;
