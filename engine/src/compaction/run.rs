//! Carries out a plan.

use std::sync::Arc;

use bettong_metrics::{Counter, Gauge, Histogram, JobKind, JobPlan, JobReport, RunningJob, planted};

use super::output::Output;
use super::part::{Counts, Merge, Merged, Progress};
use super::plan::{Plan, Reason};
use super::split::split;
use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::job::{outcome, shown};
use crate::levels::edit::VersionEdit;
use crate::levels::table_file::{TableFile, TableMeta};
use crate::levels::version::Version;
use crate::meter::Meter;
use crate::metric::{OK, Pool};
use crate::values::usage::Usage;
use crate::view::View;

/// Label `result` of a compaction that was stopped.
const CANCELLED: usize = 1;
/// Label `result` of a compaction that failed.
const COMPACTION_FAILED: usize = 2;
/// Labels `result` of a collection.
const REWRITTEN: usize = 0;
const NOT_REWRITTEN: usize = 1;
const GC_FAILED: usize = 2;
const GC_CANCELLED: usize = 3;

/// Merges the plan's tables and installs the result; returns the values that were moved. `pace` is told, by each thread that merges, how many
/// bytes it has written since it last said so, and may hold it back; it says whether to go on.
///
/// # Errors
/// Of reading or writing. The tree is as it was, unless [`Error::ReadOnly`] says that the manifest is in doubt.
pub(crate) fn run(engine: &Engine, plan: &Plan, pace: &(dyn Fn(u64) -> bool + Sync)) -> Result<Usage> {
    let recorder = &engine.recorder;
    let meter = Meter::start(recorder, &engine.env, Pool::Compaction);
    recorder.shift(Gauge::CompactionsRunning, 1.0);
    let timer = recorder.timer(Histogram::CompactionDuration);
    let collecting = f64::from(u8::from(!plan.collect.is_empty()));
    recorder.shift(Gauge::VlogGcRunning, collecting);
    let moved = plan.trivial_move(&engine.options);
    let job = recorder.job(to_show(plan, if moved.is_some() { JobKind::Move } else { JobKind::Compaction }));
    let (mut values_moved, mut cpu_nanos) = (Usage::default(), 0);
    let result = match moved {
        Some((level, table)) => move_table(engine, plan, level, table),
        None => merge(engine, plan, &job, pace).map(|done| {
            (values_moved, cpu_nanos) = (done.moved, done.cpu_nanos_elsewhere);
            done.report
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
    cpu_nanos += cost.cpu_nanos;
    recorder.add(Counter::CompactionCpuNanos, cpu_nanos);
    recorder.add(Counter::LevelCompactionNanos.at(plan.output_level), cost.wall_nanos);
    recorder.add(Counter::LevelCompactionCpuNanos.at(plan.output_level), cpu_nanos);
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

/// What a merge came to.
struct Done {
    report: JobReport,
    moved: Usage,
    /// Processor time of the parts that other threads merged.
    cpu_nanos_elsewhere: u64,
}

fn merge(
    engine: &Engine,
    plan: &Plan,
    job: &RunningJob,
    pace: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Done> {
    // Taken before the first entry is read: whoever takes a snapshot later sees only what is the newest here.
    let horizons = engine.snapshots.horizons(engine.publisher.cell(), &engine.set.expiry);
    let version = engine.set.version();
    let merge = Merge { engine, plan, version: &version, horizons, job, pace, progress: Progress::default() };
    let ranges = split(plan, &engine.options);
    let merged = engine.env.side_by_side("bettong-part", ranges.len(), |at, here| {
        let meter = (!here).then(|| Meter::start(&engine.recorder, &engine.env, Pool::Compaction));
        let part = ranges.get(at).map_or(Err(Error::Closed), |range| merge.part(range));
        (part, meter.map_or(0, |meter| meter.cost().cpu_nanos))
    });
    let cpu_nanos_elsewhere = merged.iter().map(|(_, nanos)| nanos).sum();
    let parts = all(merged.into_iter().map(|(part, _)| part))?;
    let (report, moved) = install(engine, plan, parts)?;
    Ok(Done { report, moved, cpu_nanos_elsewhere })
}

/// All parts, or why there are not all of them: a part that was stopped says less than the one that failed.
fn all<'a>(parts: impl Iterator<Item = Result<Merged<'a>>>) -> Result<Vec<Merged<'a>>> {
    let (mut merged, mut failure) = (Vec::new(), None);
    for part in parts {
        match part {
            Ok(part) => merged.push(part),
            Err(error) if matches!(failure, None | Some(Error::Closed)) => failure = Some(error),
            Err(_) => {}
        }
    }
    failure.map_or(Ok(merged), Err)
}

/// Puts the tables that were written into the place of those that were read.
fn install(engine: &Engine, plan: &Plan, parts: Vec<Merged<'_>>) -> Result<(JobReport, Usage)> {
    let (mut tables, mut values, mut counts) = (Vec::new(), Vec::new(), Counts::default());
    let mut outputs = Vec::new();
    for Merged { output, written, counts: part } in parts {
        tables.extend(written.tables);
        values.extend(written.values);
        counts.add(&part);
        outputs.push(output);
    }
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
    outputs.iter_mut().for_each(Output::adopt);
    let installed = engine.install(edit, &[], with_version);
    if matches!(installed, Err(Error::NoSpace { .. })) {
        outputs.iter_mut().for_each(Output::disown);
    }
    installed?;
    count(engine, plan, &tables, &counts);
    Ok((report(plan, &tables, &counts), counts.moved))
}

fn with_version(view: &View, version: &Arc<Version>) -> View {
    View { version: version.clone(), ..view.clone() }
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
