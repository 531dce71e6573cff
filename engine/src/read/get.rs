//! Reads one key: memtables, then levels, newest first, until something is known of it.
//!
//! Most gets are not timed and stay on the fast path. One that has to open or to read a file stops there and goes on with a
//! timer, at the table that it had come to: what it passed before was counted.

use std::ops::Deref;
use std::sync::Arc;

use bettong_metrics::{Begun, Counter, GetSource, Lookup, Operation, OperationTimer, Stage, TableHit};

use crate::engine::Engine;
use crate::env::Bytes;
use crate::error::{Error, Result};
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::table_file::TableFile;
use crate::memtable::Memtable;
use crate::metric::{HIT, ReadOrigin, ValuePurpose};
use crate::options::LEVELS;
use crate::read::point::ReadPoint;
use crate::report::{ReportGet, Untimed, UntimedStop};
use crate::table::point_index::Candidates;
use crate::table::reader::{ReadContext, TableReader};
use crate::value::Value;
use crate::values::stored::{EXPIRY_BYTES, Place, Stored};
use crate::view::View;

/// Tables of L0 that are asked at once: a processor fetches a dozen lines together.
const FORESEEN_OF_L0: usize = 8;

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
    /// Tables of the level that are done with.
    tables: usize,
    /// Whether one of these was looked into.
    probed: bool,
}

/// A search that stopped, and where.
struct Stopped<S>(S, Progress);

/// An entry that a search came to, and where.
struct Hit<'a> {
    trailer: Trailer,
    /// The bytes beside the key.
    stored: At<'a>,
    source: GetSource,
}

/// An entry that a search came to in a table.
struct InTable<'a> {
    trailer: Trailer,
    stored: Bytes<'a>,
    /// If the look into the table is not counted, whoever ends the get counts it: mostly in the same cell.
    table: TableHit,
}

impl<'a> InTable<'a> {
    /// The same, counted.
    fn counted(self, report: impl ReportGet) -> Hit<'a> {
        let level = self.table.level();
        if !self.table.is_counted() {
            report.looked_up(level, Lookup::Found);
        }
        Hit { trailer: self.trailer, stored: At::Table(self.stored), source: GetSource::Level(level) }
    }
}

/// Bytes that a search came to, not copied yet.
enum At<'a> {
    Memtable(&'a [u8], &'a Arc<Memtable>),
    Table(Bytes<'a>),
}

impl At<'_> {
    #[inline]
    fn lend(&self) -> Value {
        match self {
            At::Memtable(bytes, memtable) => memtable.lend(bytes),
            At::Table(bytes) => bytes.lend(),
        }
    }
}

impl Deref for At<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            At::Memtable(bytes, _) => bytes,
            At::Table(bytes) => bytes,
        }
    }
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
    if let Some(hit) = search.immutables() {
        return end_begun(engine, search, point, &hit, begun);
    }
    let report = Untimed(begun.counting());
    let mut stopped = Progress::default();
    match search.levels(Progress::default(), &mut stopped, report) {
        // Most gets end here or in the active memtable.
        Ok(Some(InTable { trailer, stored, table })) if trailer.kind() == Some(Kind::Value) => {
            begun.end_in_table(table, stored.len() as u64);
            Ok(Some(stored.lend()))
        }
        Ok(Some(found)) => end_begun(engine, search, point, &found.counted(report), begun),
        Ok(None) => {
            begun.end_missing();
            Ok(None)
        }
        Err(UntimedStop::LeavesFastPath(token)) => {
            go_on_timed(engine, search, point, stopped, &engine.recorder.resume(begun, Operation::Get, token))
        }
        Err(UntimedStop::Failed(error)) => {
            begun.end(Operation::Get);
            noting(engine, Err(*error))
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
    let stored = At::Memtable(stored, &search.view.active);
    let hit = Hit { trailer, stored, source: GetSource::Memtable };
    end_begun(engine, search, point, &hit, begun)
}

/// Ends a get that came to this entry and is not timed yet.
#[inline(never)]
fn end_begun(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    hit: &Hit<'_>,
    begun: Begun<'_>,
) -> Result<Option<Value>> {
    match resolve(engine, search, point, hit, Untimed(begun.counting())) {
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
            noting(engine, Err(*error))
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
    let found = search.levels(from, &mut Progress::default(), timer);
    let hit = found.map(|found| found.map(|found| found.counted(timer)));
    noting(engine, hit.and_then(|hit| conclude(engine, search, point, hit, timer)))
}

impl<'a> Search<'a> {
    /// Searches all there is.
    fn all(self, timer: &OperationTimer<'_>) -> Result<Option<Hit<'a>>> {
        match self.view.active.get(self.user, self.hash, self.seq) {
            Some((trailer, value)) => {
                let stored = At::Memtable(value, &self.view.active);
                Ok(Some(Hit { trailer, stored, source: GetSource::Memtable }))
            }
            None => self.beyond(timer),
        }
    }

    /// Searches what lies behind the active memtable.
    fn beyond(self, timer: &OperationTimer<'_>) -> Result<Option<Hit<'a>>> {
        if let Some(hit) = self.immutables() {
            return Ok(Some(hit));
        }
        timer.mark(Stage::Memtable);
        let found = self.levels(Progress::default(), &mut Progress::default(), timer)?;
        Ok(found.map(|found| found.counted(timer)))
    }

    /// Searches the memtables that wait for their flush.
    #[inline]
    fn immutables(self) -> Option<Hit<'a>> {
        self.view.immutables.iter().find_map(|memtable| {
            let (trailer, value) = memtable.get(self.user, self.hash, self.seq)?;
            Some(Hit { trailer, stored: At::Memtable(value, memtable), source: GetSource::Immutable })
        })
    }

    /// The table of each level below L0 that may have the key, from level `from` on. What they and those of L0 will be asked for is on its
    /// way into the cache then: a get mostly waits for memory, and for all of them together no longer than for one.
    #[inline(never)]
    fn foresee(self, from: usize) -> [Option<&'a Arc<TableFile>>; LEVELS] {
        let mut tables = [None; LEVELS];
        for (at, level) in self.view.version.levels_with_tables(from) {
            if at == 0 {
                let tables =
                    level.tables.iter().filter(|table| table.meta.covers(self.user)).take(FORESEEN_OF_L0);
                tables.filter_map(|table| table.open_reader()).for_each(|reader| reader.foresee(self.hash));
                continue;
            }
            let Some(table) = level.table_for(self.user) else { continue };
            if let Some(reader) = table.open_reader() {
                reader.foresee(self.hash);
            }
            if let Some(place) = tables.get_mut(at) {
                *place = Some(table);
            }
        }
        tables
    }

    /// Searches the levels from `from` on. If it stops, `stopped` says where; else it is left as it was.
    #[expect(
        clippy::inline_always,
        reason = "the way of most gets is one function: its parts would hand each other errors through memory"
    )]
    #[inline(always)]
    fn levels<R: ReportGet>(
        self,
        from: Progress,
        stopped: &mut Progress,
        report: R,
    ) -> std::result::Result<Option<InTable<'a>>, R::Stop> {
        let version = &self.view.version;
        let foreseen = version.foresees().then(|| self.foresee(from.level));
        for (at, level) in version.levels_with_tables(from.level) {
            if at == 0 {
                match self.look_at_l0(&level.tables, (from.tables, from.probed), report) {
                    Ok(None) => continue,
                    Ok(Some((trailer, stored))) => {
                        return Ok(Some(InTable { trailer, stored, table: TableHit::counted(0) }));
                    }
                    Err(Stopped(stop, at)) => {
                        *stopped = at;
                        return Err(stop);
                    }
                }
            }
            let table = match &foreseen {
                Some(tables) => tables.get(at).copied().flatten(),
                None => level.table_among_few(self.user),
            };
            let Some(table) = table else { continue };
            let mut hit = TableHit::counted(at);
            match self.look(table, at, (false, &mut hit), report) {
                Ok(None | Some(None)) => {}
                Ok(Some(Some((trailer, stored)))) => {
                    return Ok(Some(InTable { trailer, stored, table: hit }));
                }
                Err(stop) => {
                    *stopped = Progress { level: at, ..Progress::default() };
                    return Err(stop);
                }
            }
        }
        Ok(None)
    }

    /// Asks the tables of L0 one after the other, but for the first ones that are done with. Everything is counted here: to hand a hit
    /// on with what is still to be counted would cost the gets from all other levels some instructions.
    #[inline(never)]
    fn look_at_l0<R: ReportGet>(
        self,
        tables: &'a [Arc<TableFile>],
        (done, mut probed): (usize, bool),
        report: R,
    ) -> std::result::Result<Found<'a>, Stopped<R::Stop>> {
        for (tables, table) in tables.iter().enumerate().skip(done) {
            if !table.meta.covers(self.user) {
                continue;
            }
            let mut hit = TableHit::counted(0);
            let looked = self.look(table, 0, (probed, &mut hit), report);
            match looked.map_err(|stop| Stopped(stop, Progress { level: 0, tables, probed }))? {
                None => {}
                Some(None) => probed = true,
                Some(found) => {
                    if !hit.is_counted() {
                        report.looked_up(0, Lookup::Found);
                    }
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Asks a table, and counts that, unless it finds something and says in `hit` that it is not counted. `None` if the
    /// table denies that it has the key.
    #[expect(
        clippy::inline_always,
        reason = "the way of most gets is one function: its parts would hand each other errors through memory"
    )]
    #[inline(always)]
    fn look<R: ReportGet>(
        self,
        table: &'a TableFile,
        level: usize,
        (probed, hit): (bool, &mut TableHit),
        report: R,
    ) -> std::result::Result<Option<Found<'a>>, R::Stop> {
        let (reader, was_open) = if let Some(reader) = table.open_reader() {
            (reader, true)
        } else {
            report.leave_fast_path()?;
            (open(table)?, false)
        };
        let candidates = reader.candidates(self.hash);
        report.mark(Stage::Filter);
        if candidates.is_empty() {
            if was_open {
                report.looked_up(level, Lookup::Denied);
            } else {
                count_apart(level, Lookup::Denied, (was_open, reader.can_deny()), report);
            }
            return Ok(None);
        }
        let found = self.look_into(reader, candidates, level, report).inspect_err(|stop| {
            if !R::starts_over(stop) {
                count_apart(level, Lookup::into_table(false, probed), (was_open, false), report);
            }
        })?;
        // A key whose only versions are newer than the snapshot is not found, too: the filter cannot know better.
        let lookup = Lookup::into_table(found.is_some(), probed);
        if !was_open || !reader.can_deny() {
            count_apart(level, lookup, (was_open, reader.can_deny()), report);
        } else if lookup == Lookup::Found {
            *hit = TableHit::new(level);
        } else {
            report.looked_up(level, lookup);
        }
        Ok(Some(found))
    }

    #[inline]
    fn look_into<R: ReportGet>(
        self,
        reader: &'a TableReader,
        candidates: Candidates,
        level: usize,
        report: R,
    ) -> std::result::Result<Found<'a>, R::Stop> {
        report.table_checked();
        let context = ReadContext { level, origin: ReadOrigin::Get };
        reader.get(InternalKey::seek(self.user, self.seq), (self.hash, candidates), context, report)
    }
}

/// Opens a table that nobody has looked into yet, and counts the request.
#[cold]
#[inline(never)]
fn open(table: &TableFile) -> Result<&Arc<TableReader>> {
    table.reader()
}

/// Counts a look into a table that was not open, said nothing beforehand, or cannot be read: what [`Lookup`] does not stand for.
/// The request for one that was not open is counted already.
#[cold]
#[inline(never)]
fn count_apart(level: usize, lookup: Lookup, (was_open, was_asked): (bool, bool), report: impl ReportGet) {
    if was_open {
        report.add(Counter::TableCacheRequests.at(HIT), 1);
    }
    if was_asked {
        report.add(Counter::FilterChecks.at2(level, lookup.filter_result()), 1);
    }
    if lookup.is_first_probe() {
        report.add(Counter::LevelProbes.at(level), 1);
    }
}

/// What a search came to means, and how the get ends.
fn conclude(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    hit: Option<Hit<'_>>,
    timer: &OperationTimer<'_>,
) -> Result<Option<Value>> {
    let Some(hit) = hit else {
        timer.served(GetSource::Miss, false);
        return Ok(None);
    };
    resolve(engine, search, point, &hit, timer)
}

/// The value of an entry; counts how the get ends.
fn resolve<R: ReportGet>(
    engine: &Engine,
    search: Search<'_>,
    point: ReadPoint,
    hit: &Hit<'_>,
    report: R,
) -> std::result::Result<Option<Value>, R::Stop> {
    let Search { view, user, .. } = search;
    let parsed = parse(engine, hit.trailer, &hit.stored)?;
    let value = match parsed.place {
        _ if point.is_past(&parsed, engine) => None,
        Place::Nowhere => None,
        Place::Here(_) if hit.trailer.kind() == Some(Kind::Value) => Some(hit.stored.lend()),
        Place::Here(_) => Some(hit.stored.lend().without_head(EXPIRY_BYTES)),
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

/// A version of the key, and what is stored with it.
type Found<'a> = Option<(Trailer, Bytes<'a>)>;
