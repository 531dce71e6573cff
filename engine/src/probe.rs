//! Tries the database out for a health check, without being seen.
//!
//! - *Write*: the way of a commit without entries: the commit lock, a group in the log, a sync if the options ask for one. It takes no
//!   sequence number and no room in the memtable, so no read, scan or snapshot can tell. 24 bytes of log each: a segment that
//!   fills up with nothing else makes room for the next one, as any other does.
//! - *Read*: one block of one table, from the file and not through cache or mapping, checked as a read checks it. The next call takes
//!   the next table, and after the last of them the next block of each. What was found bad is read again until it is good or gone.
//!
//! A probe holds the database weakly: it keeps neither files nor the lock of a directory.

use std::sync::{Arc, Weak};

use bettong_metrics::{Counter, DiskRoom, Probe, ProbeFault};

use crate::commit::{RotationReason, rotate};
use crate::condition::Severity;
use crate::engine::Engine;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, ErrorKind, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::levels::table_file::TableFile;
use crate::memtable::Memtable;
use crate::metric::{StallCause, WriteOrigin};
use crate::options::Durability;
use crate::pressure::Pressure;
use crate::record::format::GROUP_HEADER_BYTES;
use crate::sync::Mutex;
use crate::view::View;

/// The lengths of key and value of a small write: if there is no room for it, there is none for writes.
const SMALL_WRITE: (usize, usize) = (32, 128);

type Probed<T> = std::result::Result<T, ProbeFault>;

/// The probe of one database.
#[derive(Debug)]
pub(crate) struct EngineProbe {
    engine: Weak<Engine>,
    /// Which block was found good last.
    seen: Mutex<Place>,
}

/// A block that is looked at.
#[derive(Clone, Copy, Debug)]
struct Place {
    table: FileNumber,
    /// How often all tables were gone through, which is the number of the block, if the table has so many.
    round: u64,
}

impl EngineProbe {
    pub(crate) fn new(engine: &Arc<Engine>) -> EngineProbe {
        let seen = Mutex::new(Place { table: FileNumber(0), round: 0 });
        EngineProbe { engine: Arc::downgrade(engine), seen }
    }

    fn engine(&self) -> Probed<Arc<Engine>> {
        self.engine.upgrade().filter(|engine| !engine.gate.is_closed()).ok_or(ProbeFault::Closed)
    }
}

impl Probe for EngineProbe {
    fn write(&self) -> Probed<()> {
        let engine = self.engine()?;
        if engine.gate.is_for_reading() {
            return Err(ProbeFault::ReadOnly);
        }
        match write(&engine).map_err(|error| fault(&engine, &error))? {
            None => Ok(()),
            // Work that would make room fails: writes do, too, instead of waiting.
            Some(cause) => {
                match engine.condition.present().filter(|error| error.severity >= Severity::Hard) {
                    Some(error) => Err(ProbeFault::Failed(error.reason.sentence())),
                    None => Err(ProbeFault::Waiting(cause.name())),
                }
            }
        }
    }

    fn read(&self) -> Probed<()> {
        let engine = self.engine()?;
        let seen = *self.seen.lock();
        let read = read(&engine, seen).map_err(|error| fault(&engine, &error))?;
        *self.seen.lock() = read;
        Ok(())
    }

    fn disk(&self) -> Probed<Option<DiskRoom>> {
        let engine = self.engine()?;
        match engine.dir.space() {
            Some(space) => Ok(Some(DiskRoom { free: space.free, capacity: space.capacity })),
            None => engine.dir.list().map(|_| None).map_err(|error| fault(&engine, &error)),
        }
    }
}

/// What a fault says to those who ask. Once the database is closed its files may be another handle's.
fn fault(engine: &Engine, error: &Error) -> ProbeFault {
    match error.kind() {
        _ if engine.gate.is_closed() => ProbeFault::Closed,
        ErrorKind::Corruption | ErrorKind::Unsupported => ProbeFault::Damaged(error.sentence()),
        _ => ProbeFault::Failed(error.sentence()),
    }
}

/// Commits nothing; `Some` says that a write would have to wait, and why.
fn write(engine: &Engine) -> Result<Option<StallCause>> {
    if let Pressure::Stop { cause } = engine.pressure.get() {
        engine.gate.check_write()?;
        return Ok(Some(cause));
    }
    let mut commit = engine.commit.lock();
    engine.gate.check_write()?;
    let needed = Memtable::bytes_needed(std::iter::once(SMALL_WRITE));
    let log_full = commit.writer.is_full_for(GROUP_HEADER_BYTES as u64);
    let view = engine.view.load();
    let has_room = view.active.has_room(needed) && !log_full;
    if !has_room && view.immutables.len() >= engine.options.max_immutable_memtables {
        return Ok(Some(StallCause::Memtables));
    }
    drop(view);
    // It goes the way of a write, as far as the operating system in any case.
    let durability = match engine.options.durability {
        Durability::None => Durability::Os,
        durability => durability,
    };
    // A full memtable is left to the next write. A full log is not: there may never be one.
    if log_full {
        rotate(engine, &mut commit, needed, RotationReason::LogSize)?;
    }
    let appended = commit.writer.append(std::iter::empty(), durability, &engine.recorder)?;
    drop(commit);
    if appended.passes_half {
        engine.ask_for_segment();
    }
    engine.recorder.add(Counter::WalWrittenBytes, appended.bytes);
    engine.recorder.add(Counter::StorageWrittenBytes.at(WriteOrigin::Wal as usize), appended.bytes);
    if durability == Durability::Sync {
        engine.wait_durable(appended.end)?;
    }
    Ok(None)
}

/// Reads the block behind the one that was `seen`, and says which it was.
fn read(engine: &Engine, seen: Place) -> Result<Place> {
    let view = engine.view.keep();
    let Some((level, table, place)) = next(&view, seen) else {
        return read_log(engine, &view).map(|()| seen);
    };
    let reader = table.open_reader().map_or_else(|| table.reader(), Ok)?;
    reader.check_one(place.round, level).map(|()| place)
}

/// The table behind that of `seen`, by file numbers, round and round.
fn next(view: &View, seen: Place) -> Option<(usize, &Arc<TableFile>, Place)> {
    let tables = || view.version.tables().map(|(level, table)| (table.meta.number, level, table));
    let later = tables().filter(|(number, ..)| *number > seen.table).min_by_key(|(number, ..)| *number);
    let round = seen.round + u64::from(later.is_none());
    let (number, level, table) = later.or_else(|| tables().min_by_key(|(number, ..)| *number))?;
    Some((level, table, Place { table: number, round }))
}

/// Without tables everything is in the log: its header is read.
fn read_log(engine: &Engine, view: &View) -> Result<()> {
    let log = view.active.values();
    let read = || {
        let file = engine.dir.open(FileName::Log(log.number), false)?;
        let mut bytes = vec![0; HEADER_BYTES as usize];
        file.read_at(0, &mut bytes)?;
        let header = FileHeader::decode(&bytes, FileKind::Log, log.number, file.path())?;
        let what = "another log under this name: the manifest knows a different id";
        if header.id == log.id { Ok(()) } else { Err(Error::corruption(file.path(), 24, what)) }
    };
    // A flush may have made it superfluous meanwhile.
    read().or_else(|error| if engine.set.logs().contains(&log.number) { Err(error) } else { Ok(()) })
}
