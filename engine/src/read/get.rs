//! Reads one key: memtables, then levels, newest first, until something is known of it.

use std::sync::Arc;

use bettong_metrics::{Begun, Counter, GetSource, Operation, OperationTimer, Stage};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::table_file::TableFile;
use crate::metric::{HIT, LevelCells, ReadOrigin, ValuePurpose};
use crate::read::point::ReadPoint;
use crate::table::reader::ReadContext;
use crate::value::Value;
use crate::values::stored::{EXPIRY_BYTES, Place, Stored};
use crate::view::View;

/// An entry that a search came to, and where.
struct Hit {
    trailer: Trailer,
    /// The bytes beside the key.
    stored: Value,
    source: GetSource,
}

/// The value of `user` in `view`.
#[inline]
pub(crate) fn get(engine: &Engine, view: &Arc<View>, user: &[u8], point: ReadPoint) -> Result<Option<Value>> {
    // The shortest way, and the most travelled: a get that is not timed, and served by the active memtable. The view stays
    // behind its reference: that leaves a register for what the instrumentation remembers.
    let begun = if engine.gate.is_closed() { None } else { engine.recorder.begin(Operation::Get) };
    let Some(begun) = begun else { return get_timed(engine, view, user, point) };
    let Some((trailer, value)) = view.active.get(user, point.seq) else {
        return get_beyond(engine, view, user, point, begun);
    };
    if trailer.kind() != Some(Kind::Value) {
        return get_unusual(engine, view, user, point, (trailer, value), begun);
    }
    begun.end_in_memtable(Some(value.len() as u64));
    Ok(Some(view.active.lend(value)))
}

#[cold]
#[inline(never)]
fn get_timed(engine: &Engine, view: &Arc<View>, user: &[u8], point: ReadPoint) -> Result<Option<Value>> {
    let timer = engine.recorder.start(Operation::Get);
    let found = find(engine, view, user, point.seq, &timer);
    let found = found.and_then(|hit| conclude(engine, view, user, point, hit, &timer));
    count_failure(engine, &found);
    found
}

/// The newest entry of `user`.
fn find(
    engine: &Engine,
    view: &Arc<View>,
    user: &[u8],
    seq: SeqNo,
    timer: &OperationTimer<'_>,
) -> Result<Option<Hit>> {
    engine.gate.check_read()?;
    match view.active.get(user, seq) {
        Some((trailer, value)) => {
            Ok(Some(Hit { trailer, stored: view.active.lend(value), source: GetSource::Memtable }))
        }
        None => search(view, user, seq, timer),
    }
}

/// Whether `user` has a value in `view`. A separated one is not read.
pub(crate) fn contains(engine: &Engine, view: &Arc<View>, user: &[u8], point: ReadPoint) -> Result<bool> {
    let timer = engine.recorder.start(Operation::Get);
    let found = find(engine, view, user, point.seq, &timer).and_then(|hit| {
        let Some(Hit { trailer, stored, source }) = hit else {
            timer.served(GetSource::Miss, false);
            return Ok(false);
        };
        let stored = parse(engine, trailer, &stored)?;
        let is_there = stored.place != Place::Nowhere && !point.is_past(stored.expires_at, engine);
        timer.served(source, !is_there);
        Ok(is_there)
    });
    found.inspect_err(|error| engine.recorder.fail(Operation::Get, error.label()))
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
    point: ReadPoint,
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    let timer = engine.recorder.resume(begun);
    let found = search(view, user, point.seq, &timer);
    let found = found.and_then(|hit| conclude(engine, view, user, point, hit, &timer));
    count_failure(engine, &found);
    found
}

/// Goes on where the active memtable has something else than a value.
#[inline(never)]
fn get_unusual(
    engine: &Engine,
    view: &Arc<View>,
    user: &[u8],
    point: ReadPoint,
    (trailer, stored): (Trailer, &[u8]),
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    if trailer.kind() == Some(Kind::Tombstone) {
        begun.end_in_memtable(None);
        return Ok(None);
    }
    let timer = engine.recorder.resume(begun);
    let hit = Hit { trailer, stored: view.active.lend(stored), source: GetSource::Memtable };
    let found = conclude(engine, view, user, point, Some(hit), &timer);
    count_failure(engine, &found);
    found
}

/// Searches immutable memtables and levels.
fn search(view: &View, user: &[u8], seq: SeqNo, timer: &OperationTimer<'_>) -> Result<Option<Hit>> {
    for memtable in &view.immutables {
        if let Some((trailer, value)) = memtable.get(user, seq) {
            return Ok(Some(Hit { trailer, stored: memtable.lend(value), source: GetSource::Immutable }));
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
        if let Some((trailer, stored)) = found {
            return Ok(Some(Hit { trailer, stored, source: GetSource::Level(at) }));
        }
    }
    Ok(None)
}

/// What the entry that was found comes to, and how the get ends.
#[inline]
fn conclude(
    engine: &Engine,
    view: &View,
    user: &[u8],
    point: ReadPoint,
    hit: Option<Hit>,
    timer: &OperationTimer<'_>,
) -> Result<Option<Value>> {
    let Some(Hit { trailer, stored, source }) = hit else {
        timer.served(GetSource::Miss, false);
        return Ok(None);
    };
    let value = match trailer.kind() {
        Some(Kind::Value) => Some(stored),
        Some(Kind::Tombstone) => None,
        _ => unusual(engine, view, user, point, (trailer, stored), timer)?,
    };
    timer.served(source, value.is_none());
    if let Some(value) = &value {
        timer.add(Counter::UserReadBytes, value.len() as u64);
    }
    Ok(value)
}

/// The value of an entry that expires, or that points to it.
#[inline(never)]
fn unusual(
    engine: &Engine,
    view: &View,
    user: &[u8],
    point: ReadPoint,
    (trailer, stored): (Trailer, Value),
    timer: &OperationTimer<'_>,
) -> Result<Option<Value>> {
    let parsed = parse(engine, trailer, &stored)?;
    if point.is_past(parsed.expires_at, engine) {
        return Ok(None);
    }
    match parsed.place {
        Place::Nowhere => Ok(None),
        Place::Here(_) => Ok(Some(stored.without_head(EXPIRY_BYTES))),
        Place::Apart(pointer) => {
            let file = view.value_file(pointer, &engine.files).map_err(|error| error.of_key(user))?;
            let value = file.read(pointer, user, ValuePurpose::Get, Some(timer))?;
            timer.mark(Stage::Vlog);
            Ok(Some(value))
        }
    }
}

fn parse<'a>(engine: &Engine, trailer: Trailer, stored: &'a [u8]) -> Result<Stored<'a>> {
    let parsed = trailer.kind().and_then(|kind| Stored::parse(kind, stored));
    parsed.ok_or_else(|| Error::corruption(engine.dir.path(), 0, "an entry is none of its kind"))
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
