//! One commit: a place in the order, the log, the memtable, and then to be seen.
//!
//! 1. Under the commit lock: sequence numbers, room in the memtable, the log record. If the memtable is full, a new one
//!    (with a new log segment) takes its place.
//! 2. Outside of it, beside other writers: the inserts.
//! 3. In order: the write becomes visible.
//! 4. If it asked for [`Durability::Sync`]: group commit, which the caller sees to.

use std::sync::Arc;

use bettong_metrics::{Counter, Event, Gauge, Histogram, Stage};

use crate::batch::Op;
use crate::engine::{CommitState, Engine};
use crate::error::Result;
use crate::key::{InternalKey, Kind, SeqNo, Trailer};
use crate::log::segment::LogPosition;
use crate::log::writer::{Appended, LogWriter};
use crate::memtable::{Memtable, Reservation};
use crate::metric::{APART, INLINE, WriteOrigin};
use crate::options::{Durability, WriteOptions};
use crate::placement::{EntryPlaces, Placement};
use crate::report::Report;
use crate::values::file::ValueFile;
use crate::view::View;

/// Whether a commit went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Commit {
    /// It is visible, and durable once the log is up to here.
    Done(LogPosition),
    /// Every memtable is full: try again when one has been flushed.
    NoRoom,
}

/// What a write asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) durability: Durability,
    /// When its values expire.
    pub(crate) expires_at: Option<u64>,
}

impl Terms {
    pub(crate) fn of(engine: &Engine, options: WriteOptions) -> Terms {
        Terms {
            durability: options.durability.unwrap_or(engine.options.durability),
            expires_at: options.ttl.or(engine.options.ttl).map(|ttl| engine.set.expiry.after(ttl)),
        }
    }
}

/// Why a memtable was closed: label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum RotationReason {
    Full = 0,
    /// The log was, with values that stay in it.
    LogSize = 1,
    Manual = 2,
}

/// Commits `ops`, of which there is at least one, with `payload` bytes of keys and values in all. A reporter that stops does so
/// before anything is done.
///
/// # Errors
/// Of the log. Nothing of the write is visible then.
pub(crate) fn commit<'a, R: Report>(
    engine: &Engine,
    ops: impl Iterator<Item = Op<'a>> + Clone,
    payload: usize,
    terms: Terms,
    report: R,
) -> std::result::Result<Commit, R::Stop> {
    let placement = Placement::new(engine.options.separation_threshold, terms.expires_at);
    let plain = placement.is_plain(ops.clone());
    let lengths =
        ops.clone().map(|op| (op.key.len(), if plain { op.value.len() } else { placement.stored_len(op) }));
    let mut commit = if let Some(free) = engine.commit.try_lock() {
        free
    } else {
        report.leave_fast_path()?;
        engine.commit.wait()
    };
    report.mark(Stage::Queue);
    engine.gate.check_write()?;
    let first = commit.next_seq;
    let needed = Memtable::bytes_needed(lengths);
    let mut view = engine.view.load();
    let log_full = commit.writer.is_full_for(payload as u64) && !view.active.is_empty();
    let mut wants_memory = false;
    if log_full || !view.active.has_room(needed) {
        if view.immutables.len() >= engine.options.max_immutable_memtables {
            return Ok(Commit::NoRoom);
        }
        drop(view);
        let reason = if log_full { RotationReason::LogSize } else { RotationReason::Full };
        rotate(engine, &mut commit, needed, reason)?;
        view = engine.view.load();
        wants_memory = true;
    }
    let numbered = || ops.clone().zip(first.0..).map(|(op, seq)| (op, SeqNo(seq)));
    let entries = numbered().map(|(op, seq)| placement.entry(op, seq));
    let mut count = 0;
    let counted = entries.inspect(|_| count += 1);
    let durability = match terms.durability {
        // What stays in the log is read from there, so the operating system must have it.
        Durability::None if !plain => Durability::Os,
        durability => durability,
    };
    let appended = commit.writer.append(counted, durability, report)?;
    let last = SeqNo(first.0 + count - 1);
    let room = view.active.reserve(needed, last);
    debug_assert!(room.is_some(), "there was room, and only the holder of the commit lock takes any");
    wants_memory |= room.as_ref().is_some_and(|room| view.active.wants_memory(room));
    // Time to make the next log segment: half full is the memtable, or its log.
    let half_full = view.active.used_bytes() >= engine.options.memtable_bytes / 2;
    if (half_full && !commit.half_full) || appended.passes_half {
        commit.half_full |= half_full;
        engine.ask_for_segment();
    }
    commit.next_seq = last.plus(1);
    drop(commit);
    if appended.wants_cache || wants_memory {
        // The keeper sees to it.
        engine.files.graveyard.ring();
    }
    report.mark(Stage::WalAppend);

    if let Some(mut room) = room {
        let inline = if plain {
            let mut sets = 0;
            for (op, seq) in numbered() {
                sets += u64::from(op.kind == Kind::Value);
                view.active.insert(&mut room, InternalKey::new(op.key, Trailer::new(seq, op.kind)), op.value);
            }
            sets
        } else {
            insert_placed(&view.active, &mut room, &placement, numbered(), appended, report)
        };
        report.add(Counter::ValuesWritten.at(INLINE), inline);
    }
    report.mark(Stage::Memtable);
    engine.publisher.publish(first, last);
    report.mark(Stage::Publish);
    drop(view);
    count_commit(report, payload as u64, appended.bytes);
    let weight = report.traced_weight();
    if weight > 0 {
        record_sizes(engine, appended.bytes, ops, weight);
    }
    Ok(Commit::Done(appended.end))
}

/// Inserts writes of which some stay in the log, or expire; returns how many values did not stay there.
fn insert_placed<'a>(
    memtable: &Memtable,
    room: &mut Reservation,
    placement: &Placement,
    numbered: impl Iterator<Item = (Op<'a>, SeqNo)>,
    appended: Appended,
    report: impl Report,
) -> u64 {
    let mut inline = 0;
    let mut places = EntryPlaces::of_group(appended.end.segment, appended.end.offset - appended.bytes);
    for (op, seq) in numbered {
        let pointer = places.next(placement.entry(op, seq));
        let (kind, stored) = placement.stored(op, pointer);
        memtable.insert(room, InternalKey::new(op.key, Trailer::new(seq, kind)), &stored);
        if kind.is_pointer() {
            report.add(Counter::ValuesWritten.at(APART), 1);
            report.add(Counter::VlogWrites, 1);
            report.add(Counter::VlogWrittenBytes, u64::from(pointer.len));
        } else if kind != Kind::Tombstone {
            inline += 1;
        }
    }
    inline
}

#[inline]
fn count_commit(report: impl Report, payload: u64, log_bytes: u64) {
    report.add(Counter::UserWrittenBytes, payload);
    report.add(Counter::WalPayloadBytes, payload);
    report.add(Counter::WalWrittenBytes, log_bytes);
    report.add(Counter::StorageWrittenBytes.at(WriteOrigin::Wal as usize), log_bytes);
    report.add(Counter::WalRecords, 1);
}

/// Records the sizes of a write that stands for `weight` writes.
#[cold]
fn record_sizes<'a>(engine: &Engine, log_bytes: u64, ops: impl Iterator<Item = Op<'a>>, weight: u64) {
    let recorder = &engine.recorder;
    recorder.record_n(Histogram::CommitGroupBytes, log_bytes, weight);
    for op in ops {
        recorder.record_n(Histogram::KeySize, op.key.len() as u64, weight);
        if op.kind == Kind::Value {
            recorder.record_n(Histogram::ValueSize, op.value.len() as u64, weight);
        }
    }
}

/// Closes the active memtable and its log segment, and opens the next of both, with room for at least `needed` bytes.
///
/// # Errors
/// Of the log. Everything is as it was then.
pub(crate) fn rotate(
    engine: &Engine,
    commit: &mut CommitState,
    needed: usize,
    reason: RotationReason,
) -> Result<()> {
    let segment = engine.ready_segment()?;
    let sealed_bytes = commit.writer.seal()?;
    {
        let active = &engine.view.load().active;
        active.values().set_sealed(sealed_bytes);
        engine.note_rotation(active, sealed_bytes);
    }
    engine.use_ready_segment();
    engine.syncs.push(segment.clone());
    let capacity = engine.options.memtable_bytes.max(Memtable::capacity_for(needed));
    let values = Arc::new(ValueFile::of_log(segment.number, segment.id, &segment.file, &engine.files));
    let memtable = Arc::new(Memtable::new(capacity, &values));
    if reason == RotationReason::Full && engine.view.load().active.is_busy() {
        memtable.expect_many();
    }
    let full = std::mem::replace(&mut commit.writer, LogWriter::new(segment));
    commit.half_full = false;
    engine.segments.put_aside(full);
    engine.view.change(|view| {
        let mut immutables = vec![view.active.clone()];
        immutables.extend(view.immutables.iter().cloned());
        View { active: memtable, immutables, ..view.clone() }
    });
    engine.recorder.add(Counter::MemtableRotations.at(reason as usize), 1);
    engine.recorder.emit(Event::memtable_rotated(reason as usize));
    engine.recorder.set(Gauge::ImmutableMemtables, engine.view.load().immutables.len() as f64);
    engine.work.ring();
    Ok(())
}

/// Closes the active memtable if it holds anything, so that a flush takes it. `false` says that there is no room for
/// another immutable one.
pub(crate) fn rotate_now(engine: &Engine, reason: RotationReason) -> Result<bool> {
    let mut commit = engine.commit.lock();
    engine.gate.check_write()?;
    let view = engine.view.load();
    if view.active.is_empty() && view.active.last_seq() == SeqNo(0) {
        return Ok(true);
    }
    if view.immutables.len() >= engine.options.max_immutable_memtables {
        return Ok(false);
    }
    drop(view);
    rotate(engine, &mut commit, 0, reason)?;
    Ok(true)
}
