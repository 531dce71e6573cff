//! One commit: a place in the order, the log, the memtable, and then to be seen.
//!
//! 1. Under the commit lock: sequence numbers, room in the memtable, the log record. If the memtable is full, a new one
//!    (with a new log segment) takes its place.
//! 2. Outside of it, beside other writers: the inserts.
//! 3. In order: the write becomes visible.
//! 4. If it asked for [`Durability::Sync`]: group commit, which the caller sees to.

use bettong_metrics::{Counter, Event, Gauge, Histogram, Stage};

use crate::batch::Op;
use crate::engine::{CommitState, Engine};
use crate::error::Result;
use crate::key::{InternalKey, Kind, SeqNo, Trailer};
use crate::log::segment::LogPosition;
use crate::log::writer::LogWriter;
use crate::memtable::Memtable;
use crate::metric::WriteOrigin;
use crate::options::Durability;
use crate::record::writer::NewEntry;
use crate::report::Report;
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

/// Why a memtable was closed: label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum RotationReason {
    Full = 0,
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
    durability: Durability,
    report: R,
) -> std::result::Result<Commit, R::Stop> {
    let lengths = ops.clone().map(|op| (op.key.len(), op.value.len()));
    let mut commit = if let Some(free) = engine.commit.try_lock() {
        free
    } else {
        report.leave_fast_path()?;
        engine.commit.wait()
    };
    report.mark(Stage::Queue);
    engine.gate.check_write()?;
    let first = commit.next_seq;
    let needed = Memtable::bytes_needed(first, lengths);
    let mut view = engine.view.load();
    if !view.active.has_room(needed) {
        if view.immutables.len() >= engine.options.max_immutable_memtables {
            return Ok(Commit::NoRoom);
        }
        drop(view);
        rotate(engine, &mut commit, needed, RotationReason::Full)?;
        view = engine.view.load();
    }
    let numbered = || ops.clone().zip(first.0..).map(|(op, seq)| (op, SeqNo(seq)));
    let entries = numbered().map(|(Op { kind, keyspace, key, value }, seq)| NewEntry {
        kind,
        keyspace,
        seq,
        key,
        value,
    });
    let mut count = 0;
    let counted = entries.inspect(|_| count += 1);
    let appended = commit.writer.append(counted, durability != Durability::None, report)?;
    let last = SeqNo(first.0 + count - 1);
    let used = view.active.used_bytes();
    let room = view.active.reserve(needed, last);
    debug_assert!(room.is_some(), "there was room, and only the holder of the commit lock takes any");
    let half = engine.options.memtable_bytes / 2;
    if (used..used + needed).contains(&half) {
        // Time to make the next log segment.
        engine.work.ring();
    }
    commit.next_seq = last.plus(1);
    drop(commit);
    report.mark(Stage::WalAppend);

    if let Some(mut room) = room {
        for (op, seq) in numbered() {
            view.active.insert(&mut room, InternalKey::new(op.key, Trailer::new(seq, op.kind)), op.value);
        }
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
    commit.writer.seal()?;
    engine.use_ready_segment();
    engine.syncs.push(segment.clone());
    let capacity = engine.options.memtable_bytes.max(Memtable::capacity_for(needed));
    let memtable = std::sync::Arc::new(Memtable::new(capacity, segment.number));
    commit.writer = LogWriter::new(segment);
    engine.view.change(|view| {
        let mut immutables = vec![view.active.clone()];
        immutables.extend(view.immutables.iter().cloned());
        View { active: memtable, immutables, version: view.version.clone() }
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
