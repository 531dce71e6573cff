//! Reads one key: memtables, then levels, newest first, until something is known of it.
//!
//! Most gets are not timed and stay on the fast path. One that has to open or to read a file stops there and goes on with a
//! timer, at the table that it had come to: what it passed before was counted.

use std::sync::Arc;

use bettong_metrics::{Begun, Counter, GetSource, Operation, OperationTimer, Stage};

use crate::engine::Engine;
use crate::error::Result;
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::table_file::TableFile;
use crate::metric::{HIT, LevelCells, ReadOrigin};
use crate::report::{ReportGet, Untimed, UntimedStop};
use crate::table::reader::ReadContext;
use crate::value::Value;
use crate::view::View;

/// What is looked for, and where.
#[derive(Clone, Copy)]
struct Search<'a> {
    view: &'a View,
    user: &'a [u8],
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
    let search = Search { view, user, seq };
    let found = engine.gate.check_read().and_then(|()| match view.active.get(user, seq) {
        Some((trailer, value)) => Ok(end(&timer, GetSource::Memtable, trailer, || view.active.lend(value))),
        None => search.beyond(&timer).map_err(|Stopped(error, _)| error),
    });
    found.inspect_err(|error| engine.recorder.fail(Operation::Get, error.label()))
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
    let search = Search { view, user, seq };
    let found = match search.beyond(Untimed(&begun)) {
        Ok(found) => {
            begun.end(Operation::Get);
            return Ok(found);
        }
        Err(Stopped(UntimedStop::LeavesFastPath(token), from)) => {
            go_on_timed(search, from, &engine.recorder.resume(begun, Operation::Get, token))
        }
        Err(Stopped(UntimedStop::Failed(error), _)) => {
            begun.end(Operation::Get);
            Err(error)
        }
    };
    if let Err(error) = &found {
        engine.recorder.fail(Operation::Get, error.label());
    }
    found
}

/// Takes a get to its end that left the fast path.
#[cold]
#[inline(never)]
fn go_on_timed(search: Search<'_>, from: Progress, timer: &OperationTimer<'_>) -> Result<Option<Value>> {
    search.levels(from, timer).map_err(|Stopped(error, _)| error)
}

impl Search<'_> {
    /// Searches what lies behind the active memtable.
    #[inline]
    fn beyond<R: ReportGet>(self, report: R) -> std::result::Result<Option<Value>, Stopped<R::Stop>> {
        for memtable in &self.view.immutables {
            if let Some((trailer, value)) = memtable.get(self.user, self.seq) {
                return Ok(end(report, GetSource::Immutable, trailer, || memtable.lend(value)));
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
    ) -> std::result::Result<Option<Value>, Stopped<R::Stop>> {
        let hash = key::hash(self.user);
        for (at, level) in self.view.version.levels.iter().enumerate() {
            if level.tables.is_empty() || at < from.level {
                continue;
            }
            let begin = if at == from.level { from } else { Progress { level: at, ..Progress::default() } };
            let found = if at == 0 {
                let covering = level.tables.iter().filter(|table| table.meta.covers(self.user));
                self.find_first(covering, hash, begin, report)?
            } else {
                self.find_first(level.table_for(self.user).into_iter(), hash, begin, report)?
            };
            if let Some((trailer, value)) = found {
                return Ok(end(report, GetSource::Level(at), trailer, || value));
            }
        }
        report.served(GetSource::Miss, false);
        Ok(None)
    }

    /// What the first of a level's `tables` holds that holds anything. Those that `from` says are done with are passed over.
    #[inline]
    fn find_first<'t, R: ReportGet>(
        self,
        tables: impl Iterator<Item = &'t Arc<TableFile>>,
        hash: u64,
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
            let filtered = reader.may_contain(hash);
            report.mark(Stage::Filter);
            if filtered == Some(false) {
                count_open(open.is_some(), report);
                report.add(cells.filter_negative, 1);
                at.tables += 1;
                continue;
            }
            report.table_checked();
            let context = ReadContext { level: at.level, origin: ReadOrigin::Get };
            let found = reader.get(InternalKey::seek(self.user, self.seq), context, report);
            if found.as_ref().is_err_and(R::starts_over) {
                return found.map_err(stopped);
            }
            count_open(open.is_some(), report);
            if !at.probed {
                report.add(cells.probes, 1);
            }
            at = Progress { tables: at.tables + 1, probed: true, ..at };
            let found = found.map_err(|stop| Stopped(stop, at))?;
            if filtered.is_some() {
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

/// Counts how a get ends that found something; a tombstone is no value.
#[inline]
fn end(
    report: impl ReportGet,
    source: GetSource,
    trailer: Trailer,
    value: impl FnOnce() -> Value,
) -> Option<Value> {
    let value = (trailer.kind() == Some(Kind::Value)).then(value);
    report.served(source, value.is_none());
    if let Some(value) = &value {
        report.add(Counter::UserReadBytes, value.len() as u64);
    }
    value
}

type Found = Option<(Trailer, Value)>;
