//! Reads one key: memtables, then levels, newest first, until something is known of it.

use std::sync::Arc;

use bettong_metrics::{Begun, Counter, GetSource, Operation, OperationTimer, Stage};

use crate::engine::Engine;
use crate::error::Result;
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::table_file::TableFile;
use crate::metric::{HIT, LevelCells, ReadOrigin};
use crate::table::reader::ReadContext;
use crate::value::Value;
use crate::view::View;

/// The value of `user` in `view` at `seq`.
#[inline]
pub(crate) fn get(engine: &Engine, view: &Arc<View>, user: &[u8], seq: SeqNo) -> Result<Option<Value>> {
    // The shortest way, and the most travelled: a get that is not timed, and served by the active memtable. The view stays
    // behind its reference: that leaves a register for what the instrumentation remembers.
    let begun = if engine.gate.is_closed() { None } else { engine.recorder.begin(Operation::Get) };
    let Some(begun) = begun else { return get_timed(engine, view, user, seq) };
    let Some((trailer, value)) = view.active.get(user, seq) else {
        return get_beyond(engine, view, user, seq, begun);
    };
    if trailer.kind() != Some(Kind::Value) {
        begun.end_in_memtable(None);
        return Ok(None);
    }
    begun.end_in_memtable(Some(value.len() as u64));
    Ok(Some(view.active.lend(value)))
}

#[cold]
#[inline(never)]
fn get_timed(engine: &Engine, view: &Arc<View>, user: &[u8], seq: SeqNo) -> Result<Option<Value>> {
    let timer = engine.recorder.start(Operation::Get);
    let found = engine.gate.check_read().and_then(|()| match view.active.get(user, seq) {
        Some((trailer, value)) => Ok(end(&timer, GetSource::Memtable, trailer, || view.active.lend(value))),
        None => search(view, user, seq, &timer),
    });
    count_failure(engine, &found);
    found
}

/// Looks without taking the result out of its place.
#[inline]
fn count_failure(engine: &Engine, found: &Result<Option<Value>>) {
    if let Err(error) = found {
        engine.recorder.fail(Operation::Get, error.label());
    }
}

/// Goes on where the active memtable knows nothing of the key.
#[inline(never)]
fn get_beyond(
    engine: &Engine,
    view: &Arc<View>,
    user: &[u8],
    seq: SeqNo,
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    let timer = engine.recorder.resume(begun);
    let found = search(view, user, seq, &timer);
    count_failure(engine, &found);
    found
}

/// Searches immutable memtables and levels.
fn search(view: &View, user: &[u8], seq: SeqNo, timer: &OperationTimer<'_>) -> Result<Option<Value>> {
    for memtable in &view.immutables {
        if let Some((trailer, value)) = memtable.get(user, seq) {
            return Ok(end(timer, GetSource::Immutable, trailer, || memtable.lend(value)));
        }
    }
    timer.mark(Stage::Memtable);
    let hash = key::hash(user);
    let target = InternalKey::seek(user, seq);
    for ((at, level), cells) in view.version.levels.iter().enumerate().zip(&LevelCells::ALL) {
        if level.tables.is_empty() {
            continue;
        }
        let wanted = Wanted { level: at, cells, hash, target };
        let found = if at == 0 {
            let covering = level.tables.iter().filter(|table| table.meta.covers(user));
            find_first(covering, wanted, timer)?
        } else {
            find_first(level.table_for(user).into_iter(), wanted, timer)?
        };
        if let Some((trailer, value)) = found {
            return Ok(end(timer, GetSource::Level(at), trailer, || value));
        }
    }
    timer.served(GetSource::Miss, false);
    Ok(None)
}

/// Counts how a get ends that found something; a tombstone is no value.
#[inline]
fn end(
    timer: &OperationTimer<'_>,
    source: GetSource,
    trailer: Trailer,
    value: impl FnOnce() -> Value,
) -> Option<Value> {
    let value = (trailer.kind() == Some(Kind::Value)).then(value);
    timer.served(source, value.is_none());
    if let Some(value) = &value {
        timer.add(Counter::UserReadBytes, value.len() as u64);
    }
    value
}

type Found = Option<(Trailer, Value)>;

/// What is looked for in the tables of one level.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    level: usize,
    cells: &'a LevelCells,
    hash: u64,
    target: InternalKey<'a>,
}

#[inline]
fn find_first<'a>(
    tables: impl Iterator<Item = &'a Arc<TableFile>>,
    wanted: Wanted<'_>,
    timer: &OperationTimer<'_>,
) -> Result<Found> {
    let Wanted { level, cells, hash, target } = wanted;
    let context = ReadContext { level, origin: ReadOrigin::Get };
    let mut probed = false;
    for table in tables {
        let reader = if let Some(reader) = table.open_reader() {
            timer.add(Counter::TableCacheRequests.at(HIT), 1);
            reader
        } else {
            timer.leave_fast_path();
            table.reader()?
        };
        let filtered = reader.may_contain(hash);
        timer.mark(Stage::Filter);
        if filtered == Some(false) {
            timer.add(cells.filter_negative, 1);
            continue;
        }
        if !probed {
            probed = true;
            timer.add(cells.probes, 1);
        }
        timer.table_checked();
        let found = reader.get(target, context, timer)?;
        if filtered.is_some() {
            // A key whose only versions are newer than the snapshot counts as false: the filter cannot know better.
            let outcome =
                if found.is_some() { cells.filter_true_positive } else { cells.filter_false_positive };
            timer.add(outcome, 1);
        }
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
