//! Reads one key: memtables, then levels, newest first, until something is known of it.
//!
//! Most gets are not timed and stay on the fast path. One that has to open or to read a file stops there and goes on with a
//! timer, at the table that it had come to: what it passed before was counted.

use std::sync::Arc;

use bettong_metrics::{Begun, Counter, GetSource, Operation, OperationTimer, Stage};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::table_file::TableFile;
use crate::metric::{HIT, LevelCells, ReadOrigin, ValuePurpose};
use crate::read::point::ReadPoint;
use crate::report::{ReportGet, Untimed, UntimedStop};
use crate::table::reader::{Prospect, ReadContext};
use crate::value::Value;
use crate::values::stored::{EXPIRY_BYTES, Place, Stored};
use crate::view::View;

/// What is looked for, and where.
#[derive(Clone, Copy)]
struct Search<'a> {
    view: &'a View,
    user: &'a [u8],
    /// Of `user`.
    hash: u64,
    seq: SeqNo,
}

/// How far a search of the levels has come.
#[derive(Clone, Copy, Default)]
struct Progress {
    level: usize,
    /// Tables of the level that are done with, of those that cover the key.
    tables: usize,
    /// Whether one of these was looked into.
    probed: bool,
}

/// A search that stopped, and where.
struct Stopped<S>(S, Progress);

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
    let search = Search { view, user, hash: key::hash(user), seq: point.seq };
    let Some((trailer, value)) = view.active.get(user, search.hash, point.seq) else {
        return get_beyond(engine, search, point, begun);
    };
    if trailer.kind() != Some(Kind::Value) {
        return get_unusual(engine, search, point, (trailer, value), begun);
    }
    begun.end_in_memtable(Some(value.len() as u64));
    Ok(Some(view.active.lend(value)))
}

#[cold]
#[inline(never)]
fn get_timed(engine: &Engine, view: &Arc<View>, user: &[u8], point: ReadPoint) -> Result<Option<Value>> {
    let timer = engine.recorder.start(Operation::Get);
    let search = Search { view, user, hash: key::hash(user), seq: point.seq };
    let found = engine.gate.check_read().and_then(|()| search.all(&timer));
    noting(engine, found.and_then(|hit| conclude(engine, search, point, hit, &timer)))
}

/// Counts a get that failed.
fn noting<T>(engine: &Engine, found: Result<T>) -> Result<T> {
    found.inspect_err(|error| engine.recorder.fail(Operation::Get, error.label()))
}

/// Whether `user` has a value in `view`. A separated one is not read.
pub(crate) fn contains(engine: &Engine, view: &Arc<View>, user: &[u8], point: ReadPoint) -> Result<bool> {
    let timer = engine.recorder.start(Operation::Get);
    let search = Search { view, user, hash: key::hash(user), seq: point.seq };
    let found = engine.gate.check_read().and_then(|()| search.all(&timer)).and_then(|hit| {
        let Some(Hit { trailer, stored, source }) = hit else {
            timer.served(GetSource::Miss, false);
            return Ok(false);
        };
        let stored = parse(engine, trailer, &stored)?;
        let is_there = stored.place != Place::Nowhere && !point.is_past(&stored, engine);
        timer.served(source, !is_there);
        Ok(is_there)
    });
    noting(engine, found)
}

/// Goes on where the active memtable knows nothing of the key.
#[inline(never)]
fn get_beyond(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    match search.beyond(Untimed(&begun)) {
        Ok(Some(hit)) if !hit.is_usual() => resolve_begun(engine, search, point, &hit, begun),
        Ok(hit) => {
            let found = end(hit, Untimed(&begun));
            begun.end(Operation::Get);
            Ok(found)
        }
        Err(Stopped(UntimedStop::LeavesFastPath(token), from)) => {
            go_on_timed(engine, search, point, from, &engine.recorder.resume(begun, Operation::Get, token))
        }
        Err(Stopped(UntimedStop::Failed(error), _)) => {
            begun.end(Operation::Get);
            noting(engine, Err(error))
        }
    }
}

/// Goes on where the active memtable has something else than a value.
#[inline(never)]
fn get_unusual(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    (trailer, stored): (Trailer, &[u8]),
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    if trailer.kind() == Some(Kind::Tombstone) {
        begun.end_in_memtable(None);
        return Ok(None);
    }
    let hit = Hit { trailer, stored: search.view.active.lend(stored), source: GetSource::Memtable };
    resolve_begun(engine, search, point, &hit, begun)
}

/// The value of an entry that is none itself, for a get that is not timed yet.
fn resolve_begun(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    hit: &Hit,
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    match resolve(engine, search, point, hit, Untimed(&begun)) {
        Ok(value) => {
            begun.end(Operation::Get);
            Ok(value)
        }
        Err(UntimedStop::LeavesFastPath(token)) => {
            let timer = engine.recorder.resume(begun, Operation::Get, token);
            noting(engine, resolve(engine, search, point, hit, &timer))
        }
        Err(UntimedStop::Failed(error)) => {
            begun.end(Operation::Get);
            noting(engine, Err(error))
        }
    }
}

/// Takes a get to its end that left the fast path.
#[cold]
#[inline(never)]
fn go_on_timed(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    from: Progress,
    timer: &OperationTimer<'_>,
) -> Result<Option<Value>> {
    let hit = search.levels(from, timer).map_err(|Stopped(error, _)| error);
    noting(engine, hit.and_then(|hit| conclude(engine, search, point, hit, timer)))
}

impl Hit {
    /// Whether it is a value, or none: most are, and need nothing further.
    fn is_usual(&self) -> bool {
        matches!(self.trailer.kind(), Some(Kind::Value | Kind::Tombstone))
    }
}

impl Search<'_> {
    /// Searches all there is.
    fn all(self, timer: &OperationTimer<'_>) -> Result<Option<Hit>> {
        match self.view.active.get(self.user, self.hash, self.seq) {
            Some((trailer, value)) => {
                Ok(Some(Hit { trailer, stored: self.view.active.lend(value), source: GetSource::Memtable }))
            }
            None => self.beyond(timer).map_err(|Stopped(error, _)| error),
        }
    }

    /// Searches what lies behind the active memtable.
    #[inline]
    fn beyond<R: ReportGet>(self, report: R) -> std::result::Result<Option<Hit>, Stopped<R::Stop>> {
        for memtable in &self.view.immutables {
            if let Some((trailer, value)) = memtable.get(self.user, self.hash, self.seq) {
                let stored = memtable.lend(value);
                return Ok(Some(Hit { trailer, stored, source: GetSource::Immutable }));
            }
        }
        report.mark(Stage::Memtable);
        self.levels(Progress::default(), report)
    }

    /// Searches the levels, the first time from `from` on.
    #[inline]
    fn levels<R: ReportGet>(
        self,
        from: Progress,
        report: R,
    ) -> std::result::Result<Option<Hit>, Stopped<R::Stop>> {
        for (at, level) in self.view.version.levels.iter().enumerate() {
            if level.tables.is_empty() || at < from.level {
                continue;
            }
            let begin = if at == from.level { from } else { Progress { level: at, ..Progress::default() } };
            let found = if at == 0 {
                let covering = level.tables.iter().filter(|table| table.meta.covers(self.user));
                self.find_first(covering, begin, report)?
            } else {
                self.find_first(level.table_for(self.user).into_iter(), begin, report)?
            };
            if let Some((trailer, stored)) = found {
                return Ok(Some(Hit { trailer, stored, source: GetSource::Level(at) }));
            }
        }
        Ok(None)
    }

    /// What the first of a level's `tables` holds that holds anything. Those that `from` says are done with are passed over.
    #[inline]
    fn find_first<'t, R: ReportGet>(
        self,
        tables: impl Iterator<Item = &'t Arc<TableFile>>,
        from: Progress,
        report: R,
    ) -> std::result::Result<Found, Stopped<R::Stop>> {
        let mut at = from;
        let cells = LevelCells::of_level(at.level);
        for (passed, table) in tables.enumerate() {
            if passed < from.tables {
                continue;
            }
            let stopped = |stop| Stopped(stop, at);
            let open = table.open_reader();
            let reader = if let Some(reader) = open {
                reader
            } else {
                report.leave_fast_path().map_err(stopped)?;
                table.reader().map_err(|error| stopped(error.into()))?
            };
            let prospect = reader.prospect(self.hash);
            report.mark(Stage::Filter);
            if matches!(prospect, Prospect::Denied) {
                count_open(open.is_some(), report);
                report.add(cells.filter_negative, 1);
                at.tables += 1;
                continue;
            }
            report.table_checked();
            let context = ReadContext { level: at.level, origin: ReadOrigin::Get };
            let sought = InternalKey::seek(self.user, self.seq);
            let found = reader.get(sought, (self.hash, prospect), context, report);
            if found.as_ref().is_err_and(R::starts_over) {
                return found.map_err(stopped);
            }
            count_open(open.is_some(), report);
            if !at.probed {
                report.add(cells.probes, 1);
            }
            at = Progress { tables: at.tables + 1, probed: true, ..at };
            let found = found.map_err(|stop| Stopped(stop, at))?;
            if !matches!(prospect, Prospect::Unknown) {
                // A key whose only versions are newer than the snapshot counts as false: the filter cannot know better.
                let outcome =
                    if found.is_some() { cells.filter_true_positive } else { cells.filter_false_positive };
                report.add(outcome, 1);
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// Counts a request for a reader that was open. Whoever opens one counts the other requests.
#[inline]
fn count_open(open: bool, report: impl ReportGet) {
    if open {
        report.add(Counter::TableCacheRequests.at(HIT), 1);
    }
}

/// Counts how a get ends that came to a value, a tombstone, or nothing.
#[inline]
fn end(hit: Option<Hit>, report: impl ReportGet) -> Option<Value> {
    let Some(Hit { trailer, stored, source }) = hit else {
        report.served(GetSource::Miss, false);
        return None;
    };
    let value = (trailer.kind() == Some(Kind::Value)).then_some(stored);
    report.served(source, value.is_none());
    if let Some(value) = &value {
        report.add(Counter::UserReadBytes, value.len() as u64);
    }
    value
}

/// What a search came to means, and how the get ends.
fn conclude(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    hit: Option<Hit>,
    timer: &OperationTimer<'_>,
) -> Result<Option<Value>> {
    match hit {
        Some(hit) if !hit.is_usual() => resolve(engine, search, point, &hit, timer),
        usual => Ok(end(usual, timer)),
    }
}

/// The value of an entry that expires, or that points to it; counts how the get ends.
fn resolve<R: ReportGet>(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    hit: &Hit,
    report: R,
) -> std::result::Result<Option<Value>, R::Stop> {
    let Search { view, user, .. } = search;
    let parsed = parse(engine, hit.trailer, &hit.stored)?;
    let value = match parsed.place {
        _ if point.is_past(&parsed, engine) => None,
        Place::Nowhere => None,
        Place::Here(_) => Some(hit.stored.clone().without_head(EXPIRY_BYTES)),
        Place::Apart(pointer) => {
            let file = view.value_file(pointer, &engine.files).map_err(|error| error.of_key(user))?;
            let value = file.read(pointer, user, ValuePurpose::Get, report)?;
            report.mark(Stage::Vlog);
            Some(value)
        }
    };
    report.served(hit.source, value.is_none());
    if let Some(value) = &value {
        report.add(Counter::UserReadBytes, value.len() as u64);
    }
    Ok(value)
}

fn parse<'a>(engine: &Engine, trailer: Trailer, stored: &'a [u8]) -> Result<Stored<'a>> {
    let parsed = trailer.kind().and_then(|kind| Stored::parse(kind, stored));
    parsed.ok_or_else(|| Error::corruption(engine.dir.path(), 0, "an entry is none of its kind"))
}

type Found = Option<(Trailer, Value)>;
