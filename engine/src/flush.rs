//! Turns full memtables into a table of L0.

use std::sync::Arc;

use bettong_metrics::{Counter, Gauge, Histogram, JobKind, JobPlan, JobReport, RunningJob};

use crate::adopt::{self, Adopted};
use crate::compaction::output::{Output, Written};
use crate::compaction::retain::{Held, Retain, Verdict};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::job::{ENTRIES_BETWEEN_REPORTS, outcome, shown};
use crate::key::{InternalKey, SeqNo};
use crate::levels::edit::VersionEdit;
use crate::memtable::Memtable;
use crate::merge::{MergeIter, Source};
use crate::meter::Meter;
use crate::metric::{Pool, ValuePurpose, WriteOrigin};
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;
use crate::view::View;

/// Why a flush was made: label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum FlushReason {
    /// A memtable was full.
    Full = 0,
    /// A caller asked.
    Manual = 1,
    Shutdown = 2,
}

/// Writes the oldest immutable memtable to a table, with those behind it that are no more together than one that is full, and lets go of
/// them and their logs. Returns the bytes of their keys and values, if there were any. One flush runs at a time.
///
/// (Two that are full would make one table of L0 instead of two. But writers that wait for room would wait for both.)
///
/// # Errors
/// Of writing. The memtables stay, and with them their logs.
pub(crate) fn run(engine: &Engine, reason: FlushReason) -> Result<Option<u64>> {
    let memtables = due(&engine.view.keep(), engine.options.memtable_bytes);
    write_all(engine, &memtables, reason)
}

/// The oldest immutable memtables, as many as take `bytes` together, but one at least; newest first.
fn due(view: &View, bytes: usize) -> Vec<Arc<Memtable>> {
    let mut taken = 0;
    let fits = |memtable: &&Arc<Memtable>| {
        let first = taken == 0;
        taken += memtable.used_bytes().max(1);
        first || taken <= bytes
    };
    let mut due: Vec<_> = view.immutables.iter().rev().take_while(fits).cloned().collect();
    due.reverse();
    due
}

/// Writes every memtable, the active one too: nobody writes any more.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_last(engine: &Engine) -> Result<()> {
    let memtables: Vec<_> = engine.view.keep().memtables().cloned().collect();
    write_all(engine, &memtables, FlushReason::Shutdown).map(drop)
}

fn write_all(engine: &Engine, memtables: &[Arc<Memtable>], reason: FlushReason) -> Result<Option<u64>> {
    let Some(newest) = memtables.iter().map(|memtable| memtable.last_seq()).max() else { return Ok(None) };
    let recorder = &engine.recorder;
    let _meter = Meter::start(recorder, &engine.env, Pool::Flush);
    recorder.set(Gauge::FlushesRunning, 1.0);
    engine.set_flushing(memtables.len());
    let job = recorder.job(plan(memtables, reason));
    let timer = recorder.timer(Histogram::FlushDuration);
    engine.segments.unmap_full();
    // Whoever reserved room in these memtables is done inserting once the last of it is visible.
    engine.publisher.wait_for(newest);
    let result = write(engine, memtables, &job);
    timer.stop();
    job.end(outcome(&result));
    recorder.set(Gauge::FlushesRunning, 0.0);
    engine.set_flushing(0);
    recorder.add(Counter::FlushOperations.at2(reason as usize, usize::from(result.is_err())), 1);
    result.map(|_| Some(memtables.iter().map(|memtable| memtable.payload_bytes()).sum()))
}

/// Writes an entry that is kept; its value is moved if it lies in a log that is not.
fn keep(
    engine: &Engine,
    output: &mut Output<'_>,
    (key, stored): (InternalKey<'_>, &[u8]),
    leaves: Option<(ValuePointer, &Arc<ValueFile>)>,
) -> Result<()> {
    let Some((pointer, log)) = leaves else { return output.add(key, stored) };
    let value = log.read(pointer, key.user, ValuePurpose::Collection, &engine.recorder)?;
    let moved = output.move_value(key, stored, &value)?;
    output.add(key, &moved)
}

fn plan(memtables: &[Arc<Memtable>], reason: FlushReason) -> JobPlan {
    JobPlan {
        kind: JobKind::Flush,
        reason: reason as usize,
        memtables: memtables.len() as u64,
        inputs: Vec::new(),
        output_level: 0,
        bytes_total: memtables.iter().map(|memtable| memtable.payload_bytes()).sum(),
    }
}

fn write(engine: &Engine, memtables: &[Arc<Memtable>], job: &RunningJob) -> Result<JobReport> {
    let horizons = engine.snapshots.horizons(engine.publisher.cell(), &engine.set.expiry);
    let adopted = adopt::choose(memtables, &horizons)?;
    let mut retain = Retain::new(horizons);
    let mut output = Output::new(engine, 0, WriteOrigin::Flush, &[]);
    let mut source =
        MergeIter::new(memtables.iter().map(|memtable| Source::Memtable(memtable.iter())).collect());
    let (mut dropped, mut held, mut is_new) = (0, Held::default(), true);
    let mut report = JobReport::default();
    source.seek_to_first()?;
    while let Some((key, value)) = source.current() {
        report.entries_read += 1;
        report.bytes_read += (key.user.len() + value.len()) as u64;
        if report.entries_read % ENTRIES_BETWEEN_REPORTS == 0 {
            job.set_bytes_done(report.bytes_read);
        }
        let (key, value) = retain.as_seen(key, value);
        // Tombstones stay: tables below may hold what they hide.
        let verdict = retain.judge(key, is_new, |_| false);
        match verdict {
            Verdict::Keep | Verdict::Held => {
                if verdict == Verdict::Held {
                    held.count(key, value);
                }
                keep(
                    engine,
                    &mut output,
                    (key, value),
                    adopt::log_to_leave(&adopted, memtables, key, value),
                )?;
            }
            Verdict::Shadowed | Verdict::Spent => {
                report.dropped_shadowed += 1;
                dropped += (key.user.len() + value.len()) as u64;
            }
        }
        is_new = source.step()?;
    }
    job.set_bytes_done(report.bytes_read);
    let Written { tables, values } = output.finish()?;
    adopt::make_durable(engine, &adopted)?;
    report.entries_kept = report.entries_read - report.dropped_shadowed;
    report.outputs = shown(0, &tables);
    let logs: Vec<_> = memtables.iter().map(|memtable| memtable.log()).collect();
    report.bytes_written = report.outputs.bytes;
    let edit = VersionEdit {
        last_seq: memtables.iter().map(|memtable| memtable.last_seq()).max().filter(|seq| *seq > SeqNo(0)),
        removed_logs: logs.clone(),
        added_tables: tables.into_iter().map(|meta| (0, meta)).collect(),
        added_values: values.into_iter().chain(adopted.iter().map(Adopted::meta)).collect(),
        ..VersionEdit::default()
    };
    let files: Vec<_> = adopted.iter().map(|adopted| adopted.file.clone()).collect();
    // In doubt, the files stay: a later open finds out whether the manifest names them.
    output.adopt();
    let installed = engine.install(edit, &files, |view, version| {
        let flushed = |memtable: &Arc<Memtable>| memtables.iter().any(|other| Arc::ptr_eq(memtable, other));
        let immutables = view.immutables.iter().filter(|memtable| !flushed(memtable)).cloned().collect();
        let active = if flushed(&view.active) {
            Arc::new(Memtable::new(0, view.active.values()))
        } else {
            view.active.clone()
        };
        View { active, immutables, version: version.clone(), ..view.clone() }
    });
    if matches!(installed, Err(Error::NoSpace { .. })) {
        output.disown();
    }
    installed?;
    engine.flushed.note(memtables.iter().map(Arc::downgrade));
    adopt::rename(engine, &files);
    engine.retire_logs(memtables, &files);
    let input = memtables.iter().map(|memtable| memtable.payload_bytes()).sum();
    let recorder = &engine.recorder;
    held.record(recorder);
    recorder.add(Counter::FlushInputBytes, input);
    recorder.add(Counter::FlushOutputBytes, report.bytes_written);
    recorder.add(Counter::FlushDroppedBytes, dropped);
    recorder.add(Counter::LevelInputBytes.at(0), input);
    Ok(report)
}
