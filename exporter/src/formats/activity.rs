//! What goes on in a database, as members of the JSON snapshot. Each list shows the newest few of what the registry keeps.

use super::scaled;
use bettong_metrics::{
    Activity, Event, Holder, HolderKind, Holders, Job, JobResult, JobTables, Jobs, SlowOperation, Stage,
};
use serde::{Serialize, Serializer};

/// The most elements of one list.
const SHOWN: usize = 32;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

#[derive(Serialize)]
pub(super) struct ActivityDocument<'a> {
    jobs: JobsDocument<'a>,
    holders: HoldersDocument,
    slow_operations: Vec<SlowDocument<'a>>,
    events: Vec<EventDocument<'a>>,
}

#[derive(Serialize)]
struct JobsDocument<'a> {
    running: Vec<JobDocument<'a>>,
    recent: Vec<JobDocument<'a>>,
}

#[derive(Serialize)]
struct JobDocument<'a> {
    id: u64,
    kind: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    memtables: u64,
    inputs: Vec<TablesDocument<'a>>,
    output_level: u32,
    started: f64,
    seconds: f64,
    bytes_total: u64,
    bytes_done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    report: Option<ReportDocument<'a>>,
}

#[derive(Serialize)]
struct TablesDocument<'a> {
    level: u32,
    count: u64,
    bytes: u64,
    #[serde(serialize_with = "tables")]
    tables: &'a JobTables,
}

#[derive(Serialize)]
struct TableDocument {
    number: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct ReportDocument<'a> {
    bytes_read: u64,
    bytes_written: u64,
    outputs: TablesDocument<'a>,
    entries_read: u64,
    entries_kept: u64,
    dropped_shadowed: u64,
    dropped_tombstones: u64,
}

#[derive(Serialize)]
struct HoldersDocument {
    iterators: u64,
    snapshots: u64,
    oldest: Vec<HolderDocument>,
}

#[derive(Serialize)]
pub(super) struct HolderDocument {
    kind: &'static str,
    sequence: u64,
    since: f64,
    age_seconds: f64,
}

#[derive(Serialize)]
pub(super) struct SlowDocument<'a> {
    operation: &'static str,
    ended: f64,
    seconds: f64,
    #[serde(serialize_with = "stages")]
    stages: &'a [(Stage, u64)],
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    tables_checked: u64,
    blocks_read: u64,
}

#[derive(Serialize)]
pub(super) struct EventDocument<'a> {
    number: u64,
    at: f64,
    event: &'static str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// What goes on as a JSON object with the members that the JSON snapshot has.
#[cfg(feature = "http")]
pub(crate) fn activity_json(activity: &Activity) -> String {
    let text = serde_json::to_string(&ActivityDocument::new(activity));
    debug_assert!(text.is_ok(), "the document has string keys and finite numbers");
    text.unwrap_or_default()
}

impl<'a> ActivityDocument<'a> {
    pub(super) fn new(activity: &'a Activity) -> Self {
        Self {
            jobs: JobsDocument::new(&activity.jobs),
            holders: HoldersDocument::new(&activity.holders),
            slow_operations: newest(&activity.slow_operations).map(|slow| SlowDocument::new(slow)).collect(),
            events: newest(&activity.events).map(|event| EventDocument::new(event)).collect(),
        }
    }
}

impl<'a> JobsDocument<'a> {
    fn new(jobs: &'a Jobs) -> Self {
        Self {
            running: jobs.running.iter().take(SHOWN).map(|job| JobDocument::new(job)).collect(),
            recent: newest(&jobs.recent).map(|job| JobDocument::new(job)).collect(),
        }
    }
}

impl<'a> JobDocument<'a> {
    fn new(job: &'a Job) -> Self {
        let plan = job.plan();
        let error = match job.result() {
            Some(JobResult::Failed(sentence)) => Some(sentence.as_str()),
            _ => None,
        };
        Self {
            id: job.id(),
            kind: job.kind().as_str(),
            reason: job.reason(),
            memtables: plan.memtables,
            inputs: plan.inputs.iter().map(TablesDocument::new).collect(),
            output_level: plan.output_level,
            started: job.started(),
            seconds: seconds(job.nanos()),
            bytes_total: plan.bytes_total,
            bytes_done: job.bytes_done(),
            result: job.result().map(JobResult::as_str),
            error,
            report: ReportDocument::new(job),
        }
    }
}

impl<'a> TablesDocument<'a> {
    fn new(tables: &'a JobTables) -> Self {
        Self { level: tables.level, count: tables.count, bytes: tables.bytes, tables }
    }
}

impl<'a> ReportDocument<'a> {
    fn new(job: &'a Job) -> Option<Self> {
        let report = job.report()?;
        Some(Self {
            bytes_read: report.bytes_read,
            bytes_written: report.bytes_written,
            outputs: TablesDocument::new(&report.outputs),
            entries_read: report.entries_read,
            entries_kept: report.entries_kept,
            dropped_shadowed: report.dropped_shadowed,
            dropped_tombstones: report.dropped_tombstones,
        })
    }
}

impl HoldersDocument {
    fn new(holders: &Holders) -> Self {
        Self {
            iterators: holders.count(HolderKind::Iterator),
            snapshots: holders.count(HolderKind::Snapshot),
            oldest: holders.known.iter().take(SHOWN).map(HolderDocument::new).collect(),
        }
    }
}

impl HolderDocument {
    pub(super) fn new(holder: &Holder) -> Self {
        Self {
            kind: holder.kind.as_str(),
            sequence: holder.sequence,
            since: holder.since,
            age_seconds: seconds(holder.age_nanos),
        }
    }
}

impl<'a> SlowDocument<'a> {
    pub(super) fn new(slow: &'a SlowOperation) -> Self {
        Self {
            operation: slow.operation.as_str(),
            ended: slow.ended,
            seconds: seconds(slow.nanos),
            stages: &slow.stages,
            source: slow.source,
            tables_checked: slow.tables_checked,
            blocks_read: slow.blocks_read,
        }
    }
}

impl<'a> EventDocument<'a> {
    pub(super) fn new(event: &'a Event) -> Self {
        Self {
            number: event.number,
            at: event.at,
            event: event.kind.as_str(),
            severity: event.severity.as_str(),
            job: event.job,
            file: event.file,
            level: event.level,
            bytes: event.bytes,
            seconds: event.nanos.map(seconds),
            cause: event.cause,
            result: event.result,
            message: event.message.as_deref(),
        }
    }
}

/// The last of a list that is in the order of time.
fn newest<T>(list: &[T]) -> impl Iterator<Item = &T> {
    list.iter().skip(list.len().saturating_sub(SHOWN))
}

pub(super) fn seconds(nanos: u64) -> f64 {
    scaled(nanos, NANOS_PER_SECOND)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn tables<S: Serializer>(tables: &&JobTables, serializer: S) -> Result<S::Ok, S::Error> {
    let table =
        |table: &bettong_metrics::JobTable| TableDocument { number: table.number, bytes: table.bytes };
    serializer.collect_seq(tables.tables.iter().map(table))
}

fn stages<S: Serializer>(stages: &&[(Stage, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(stages.iter().map(|(stage, nanos)| (stage.as_str(), seconds(*nanos))))
}
