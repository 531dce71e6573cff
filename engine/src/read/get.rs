//! Reads one key: memtables, then levels, newest first, until something is known of it.

use std::sync::Arc;

use bettong_metrics::{Counter, OperationTimer};

use crate::error::Result;
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::table_file::TableFile;
use crate::metric::{GetSource, ReadOrigin};
use crate::table::reader::ReadContext;
use crate::value::Value;
use crate::view::View;

const HIT: usize = 0;
const TOMBSTONE: usize = 1;
const MISS: usize = 2;

/// Label `result` of filter checks.
const NEGATIVE: usize = 0;
const TRUE_POSITIVE: usize = 1;
const FALSE_POSITIVE: usize = 2;

/// The value of `user` in `view` at `seq`.
pub(crate) fn get(view: &View, user: &[u8], seq: SeqNo, timer: &OperationTimer<'_>) -> Result<Option<Value>> {
    let (found, source) = find(view, user, seq, timer)?;
    timer.add(Counter::GetServed.at(source.label()), 1);
    let (result, value) = match found {
        Some((trailer, value)) if trailer.kind() == Some(Kind::Value) => (HIT, Some(value)),
        Some(_) => (TOMBSTONE, None),
        None => (MISS, None),
    };
    timer.add(Counter::GetResults.at(result), 1);
    if let Some(value) = &value {
        timer.add(Counter::UserReadBytes, value.len() as u64);
    }
    Ok(value)
}

type Found = Option<(Trailer, Value)>;

fn find(view: &View, user: &[u8], seq: SeqNo, timer: &OperationTimer<'_>) -> Result<(Found, GetSource)> {
    if let Some((trailer, value)) = view.active.get(user, seq) {
        return Ok((Some((trailer, view.active.lend(value))), GetSource::Memtable));
    }
    for memtable in &view.immutables {
        if let Some((trailer, value)) = memtable.get(user, seq) {
            return Ok((Some((trailer, memtable.lend(value))), GetSource::Immutable));
        }
    }
    let hash = key::hash(user);
    let target = InternalKey::seek(user, seq);
    for (at, level) in view.version.levels.iter().enumerate() {
        let found = if at == 0 {
            let covering = level.tables.iter().filter(|table| table.meta.covers(user));
            find_first(covering, at, hash, target, timer)?
        } else {
            find_first(level.table_for(user).into_iter(), at, hash, target, timer)?
        };
        if found.is_some() {
            return Ok((found, GetSource::Level(at)));
        }
    }
    Ok((None, GetSource::Miss))
}

fn find_first<'a>(
    tables: impl Iterator<Item = &'a Arc<TableFile>>,
    level: usize,
    hash: u64,
    target: InternalKey<'_>,
    timer: &OperationTimer<'_>,
) -> Result<Found> {
    let context = ReadContext { level, origin: ReadOrigin::Get };
    let mut probed = false;
    for table in tables {
        let reader = table.reader()?;
        let filtered = reader.may_contain(hash);
        if filtered == Some(false) {
            timer.add(Counter::FilterChecks.at2(level, NEGATIVE), 1);
            continue;
        }
        probed = true;
        let found = reader.get(target, context)?;
        if filtered.is_some() {
            // A key whose only versions are newer than the snapshot counts as false: the filter cannot know better.
            let outcome = if found.is_some() { TRUE_POSITIVE } else { FALSE_POSITIVE };
            timer.add(Counter::FilterChecks.at2(level, outcome), 1);
        }
        if found.is_some() {
            timer.add(Counter::LevelProbes.at(level), 1);
            return Ok(found);
        }
    }
    timer.add(Counter::LevelProbes.at(level), u64::from(probed));
    Ok(None)
}
