//! Carries out a plan.

use std::sync::Arc;

use bettong_metrics::{
    Counter, Gauge, Histogram, JobKind, JobPlan, JobReport, Recorder, RunningJob, planted,
};

use super::output::{Output, Written, grandparent_bytes_max};
use super::plan::{Plan, Reason};
use super::retain::{Held, Retain, Verdict};
use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::job::{outcome, shown};
use crate::key::InternalKey;
use crate::levels::edit::VersionEdit;
use crate::levels::level_cursor::LevelCursor;
use crate::levels::table_file::{TableFile, TableMeta};
use crate::levels::version::Version;
use crate::merge::{MergeIter, Source};
use crate::meter::Meter;
use crate::metric::{OK, Pool, ReadOrigin, ValuePurpose, WriteOrigin};
use crate::options::LEVELS;
use crate::table::cursor::TableCursor;
use crate::table::reader::ReadContext;
use crate::values::pointer::ValuePointer;
use crate::values::stored::Stored;
use crate::values::usage::Usage;
use crate::view::View;

/// How often a merge looks whether it should stop or slow down.
const ENTRIES_BETWEEN_LOOKS: u64 = 1024;
/// Label `result` of a compaction that was stopped.
const CANCELLED: usize = 1;
/// Label `result` of a compaction that failed.
const COMPACTION_FAILED: usize = 2;
/// Labels `result` of a collection.
const REWRITTEN: usize = 0;
const NOT_REWRITTEN: usize = 1;
const GC_FAILED: usize = 2;
const GC_CANCELLED: usize = 3;

/// Merges the plan's tables and installs the result; returns the values that were moved. `pace` is told how many bytes were written since it was last
/// called, and may hold the merge back; it says whether to go on.
///
/// # Errors
/// Of reading or writing. The tree is as it was, unless [`Error::ReadOnly`] says that the manifest is in doubt.
pub(crate) fn run(engine: &Engine, plan: &Plan, pace: impl FnMut(u64) -> bool) -> Result<Usage> {
    let recorder = &engine.recorder;
    let meter = Meter::start(recorder, &engine.env, Pool::Compaction);
    recorder.shift(Gauge::CompactionsRunning, 1.0);
    let timer = recorder.timer(Histogram::CompactionDuration);
    let collecting = f64::from(u8::from(!plan.collect.is_empty()));
    recorder.shift(Gauge::VlogGcRunning, collecting);
    let moved = plan.trivial_move(grandparent_bytes_max(engine));
    let job = recorder.job(to_show(plan, if moved.is_some() { JobKind::Move } else { JobKind::Compaction }));
    let mut values_moved = Usage::default();
    let result = match moved {
        Some((level, table)) => move_table(engine, plan, level, table),
        None => merge(engine, plan, &job, pace).map(|(report, moved)| {
            values_moved = moved;
            report
        }),
    };
    timer.stop();
    job.end(outcome(&result));
    count_collection(engine, plan, &result, values_moved, &meter);
    recorder.shift(Gauge::CompactionsRunning, -1.0);
    recorder.shift(Gauge::VlogGcRunning, -collecting);
    let label = match &result {
        Ok(_) => OK,
        Err(Error::Closed) => CANCELLED,
        Err(_) => COMPACTION_FAILED,
    };
    recorder.add(Counter::CompactionOperations.at2(plan.reason as usize, label), 1);
    recorder.add(Counter::LevelCompactions.at(plan.output_level), u64::from(result.is_ok()));
    let cost = meter.cost();
    recorder.add(Counter::CompactionCpuNanos, cost.cpu_nanos);
    recorder.add(Counter::LevelCompactionNanos.at(plan.output_level), cost.wall_nanos);
    recorder.add(Counter::LevelCompactionCpuNanos.at(plan.output_level), cost.cpu_nanos);
    if result.is_ok() {
        recorder.set(Gauge::CompactionLastSuccess, engine.env.unix_time().as_secs_f64());
    }
    result.map(|_| values_moved)
}

/// Counts a compaction that was made to collect value files.
fn count_collection(
    engine: &Engine,
    plan: &Plan,
    result: &Result<JobReport>,
    moved: Usage,
    meter: &Meter<'_>,
) {
    if plan.reason != Reason::Garbage || plan.collect.is_empty() {
        return;
    }
    let recorder = &engine.recorder;
    let label = match result {
        Ok(_) if moved.entries > 0 => REWRITTEN,
        Ok(_) => NOT_REWRITTEN,
        Err(Error::Closed) => GC_CANCELLED,
        Err(_) => GC_FAILED,
    };
    recorder.add(Counter::VlogGcRuns.at(label), 1);
    recorder.record(Histogram::VlogGcDuration, meter.cost().wall_nanos);
    if result.is_ok() {
        recorder.set(Gauge::VlogGcLastSuccess, engine.env.unix_time().as_secs_f64());
    }
}

fn to_show(plan: &Plan, kind: JobKind) -> JobPlan {
    let inputs =
        plan.inputs.iter().map(|(level, tables)| shown(*level, tables.iter().map(|table| &table.meta)));
    let payload = plan.tables().map(|(_, table)| table.meta.payload_bytes).sum();
    JobPlan {
        kind,
        reason: plan.reason as usize,
        memtables: 0,
        inputs: inputs.collect(),
        output_level: plan.output_level as u32,
        bytes_total: if kind == JobKind::Move { 0 } else { payload },
    }
}

fn move_table(engine: &Engine, plan: &Plan, level: usize, table: &TableFile) -> Result<JobReport> {
    let edit = VersionEdit {
        removed_tables: vec![(level, table.meta.number)],
        added_tables: vec![(plan.output_level, table.meta.clone())],
        ..VersionEdit::default()
    };
    engine.install(edit, &[], with_version)?;
    engine.recorder.add(Counter::CompactionMovedFiles, 1);
    engine.recorder.add(Counter::LevelMovedBytes.at(plan.output_level), table.meta.bytes);
    Ok(JobReport { outputs: shown(plan.output_level, [&table.meta]), ..JobReport::default() })
}

fn merge(
    engine: &Engine,
    plan: &Plan,
    job: &RunningJob,
    mut pace: impl FnMut(u64) -> bool,
) -> Result<(JobReport, Usage)> {
    // Taken before the first entry is read: whoever takes a snapshot later sees only what is the newest here.
    let horizons = engine.snapshots.horizons(engine.publisher.cell(), &engine.set.expiry);
    let version = engine.set.version();
    let mut below = Below::new(&version, plan.output_level);
    let mut retain = Retain::new(horizons);
    let mut output = Output::new(engine, plan.output_level, WriteOrigin::Compaction, &plan.grandparents);
    output.set_in_place(plan);
    let mut counts = Counts::default();
    let mut source = MergeIter::new(sources(plan)?);
    source.seek_to_first()?;
    let mut paced = 0;
    while let Some((key, value)) = source.current() {
        counts.read += 1;
        counts.read_bytes += (key.user.len() + value.len()) as u64;
        let (seen, stored) = retain.as_seen(key, value);
        counts.expired += u64::from(seen != key);
        let pointer = Stored::pointer(key.trailer.kind(), value).filter(|p| plan.collect.contains(&p.file));
        let verdict = retain.judge(seen, |user| below.has_nothing_of(user));
        let verdict = match verdict {
            // What Badger's collection did (#2286): a value that nobody sees any more is moved all the same, and comes back when
            // what hid it is gone.
            Verdict::Shadowed if planted("gc_resurrects") && pointer.is_some() => Verdict::Keep,
            verdict => verdict,
        };
        match verdict {
            Verdict::Keep | Verdict::Held => {
                if verdict == Verdict::Held {
                    counts.held.count(seen, stored);
                }
                paced += (seen.user.len() + stored.len()) as u64;
                counts.kept += 1;
                paced += match pointer.filter(|_| seen == key) {
                    Some(pointer) => {
                        collect(&version, &mut output, (key, value), pointer, &mut counts, &engine.recorder)?
                    }
                    None => output.add(seen, stored).map(|()| 0)?,
                };
            }
            Verdict::Shadowed => counts.shadowed += 1,
            Verdict::Spent => counts.spent += 1,
        }
        counts.discarded += u64::from(pointer.is_some() && !matches!(verdict, Verdict::Keep | Verdict::Held));
        if counts.read % ENTRIES_BETWEEN_LOOKS == 0 {
            job.set_bytes_done(counts.read_bytes);
            if !pace(std::mem::take(&mut paced)) {
                return Err(Error::Closed);
            }
        }
        source.next()?;
    }
    job.set_bytes_done(counts.read_bytes);
    let Written { tables, values } = output.finish()?;
    let edit = VersionEdit {
        removed_tables: plan.tables().map(|(level, table)| (level, table.meta.number)).collect(),
        added_tables: tables.iter().map(|meta| (plan.output_level, meta.clone())).collect(),
        added_values: values,
        ..VersionEdit::default()
    };
    if planted("inputs_removed_early") {
        for (_, table) in plan.tables() {
            engine.dir.remove(FileName::Table(table.meta.number))?;
        }
        engine.dir.sync()?;
    }
    // In doubt, the files stay: a later open finds out whether the manifest names them.
    output.adopt();
    let installed = engine.install(edit, &[], with_version);
    if matches!(installed, Err(Error::NoSpace { .. })) {
        output.disown();
    }
    installed?;
    count(engine, plan, &tables, &counts);
    Ok((report(plan, &tables, &counts), counts.moved))
}

/// Moves the value of an entry that is kept out of a file that is being collected; returns the bytes that were moved.
///
/// A value that cannot be read stays where it is, and its pointer with it: whoever asks for it gets the error, and everybody
/// else is none the worse.
fn collect(
    version: &Version,
    output: &mut Output<'_>,
    (key, stored): (InternalKey<'_>, &[u8]),
    pointer: ValuePointer,
    counts: &mut Counts,
    recorder: &Recorder,
) -> Result<u64> {
    let Some(file) = version.value_file(pointer) else {
        return output.add(key, stored).map(|()| 0);
    };
    let Ok(value) = file.read(pointer, key.user, ValuePurpose::Collection, recorder) else {
        return output.add(key, stored).map(|()| 0);
    };
    let moved = output.move_value(key, stored, &value)?;
    counts.moved.add(Usage { entries: 1, bytes: u64::from(pointer.len) });
    output.add(key, &moved).map(|()| u64::from(pointer.len))
}

fn with_version(view: &View, version: &Arc<Version>) -> View {
    View { version: version.clone(), ..view.clone() }
}

/// A cursor for each sorted run of the plan.
fn sources(plan: &Plan) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (level, tables) in &plan.inputs {
        let context = ReadContext { level: *level, origin: ReadOrigin::Compaction };
        if *level == 0 {
            for table in tables {
                sources.push(Source::Table(TableCursor::new(table.reader()?.clone(), context)));
            }
        } else {
            sources.push(Source::Level(LevelCursor::new(tables.as_slice().into(), context)));
        }
    }
    Ok(sources)
}

/// The levels below the output, asked for ascending keys.
struct Below<'a> {
    version: &'a Version,
    first: usize,
    at: [usize; LEVELS],
}

impl<'a> Below<'a> {
    fn new(version: &'a Version, output_level: usize) -> Below<'a> {
        Below { version, first: output_level + 1, at: [0; LEVELS] }
    }

    fn has_nothing_of(&mut self, user: &[u8]) -> bool {
        let levels = self.version.levels.iter().zip(&mut self.at).skip(self.first);
        for (level, at) in levels {
            while level.tables.get(*at).is_some_and(|table| table.meta.largest.as_slice() < user) {
                *at += 1;
            }
            if level.tables.get(*at).is_some_and(|table| table.meta.covers(user)) {
                return false;
            }
        }
        true
    }
}

#[derive(Debug, Default)]
struct Counts {
    read: u64,
    /// Bytes of the keys and values read.
    read_bytes: u64,
    kept: u64,
    shadowed: u64,
    spent: u64,
    expired: u64,
    held: Held,
    /// Values that were moved out of files being collected, and pointers into them that were dropped.
    moved: Usage,
    discarded: u64,
}

fn report(plan: &Plan, tables: &[TableMeta], counts: &Counts) -> JobReport {
    let outputs = shown(plan.output_level, tables);
    JobReport {
        bytes_read: plan.input_bytes(false) + plan.input_bytes(true),
        bytes_written: outputs.bytes,
        outputs,
        entries_read: counts.read,
        entries_kept: counts.kept,
        dropped_shadowed: counts.shadowed,
        dropped_tombstones: counts.spent,
    }
}

fn count(engine: &Engine, plan: &Plan, tables: &[TableMeta], counts: &Counts) {
    let recorder = &engine.recorder;
    let level = plan.output_level;
    let (upper, same) = (plan.input_bytes(false), plan.input_bytes(true));
    let written: u64 = tables.iter().map(|meta| meta.bytes).sum();
    recorder.add(Counter::CompactionInputFiles, plan.tables().count() as u64);
    recorder.add(Counter::CompactionOutputFiles, tables.len() as u64);
    recorder.add(Counter::CompactionInputBytes, upper + same);
    recorder.add(Counter::CompactionOutputBytes, written);
    recorder.add(Counter::CompactionInputEntries, counts.read);
    recorder.add(Counter::CompactionOutputEntries, counts.kept);
    counts.held.record(recorder);
    recorder.add(Counter::LevelInputBytes.at(level), upper);
    recorder.add(Counter::LevelReadBytes.at2(level, 0), upper);
    recorder.add(Counter::LevelReadBytes.at2(level, 1), same);
    recorder.add(Counter::LevelDroppedEntries.at2(level, 0), counts.shadowed);
    recorder.add(Counter::LevelDroppedEntries.at2(level, 1), counts.spent);
    recorder.add(Counter::LevelDroppedEntries.at2(level, 2), counts.expired);
    recorder.add(Counter::VlogGcRelocatedEntries, counts.moved.entries);
    recorder.add(Counter::VlogGcRelocatedBytes, counts.moved.bytes);
    recorder.add(Counter::VlogGcReadBytes, counts.moved.bytes);
    recorder.add(Counter::VlogGcDiscardedEntries, counts.discarded);
    if let Some(amplification) = (written * 1000).checked_div(upper + same) {
        recorder.record(Histogram::CompactionWriteAmplification, amplification);
    }
}
