//! Flushes and compactions: those that run, and the newest that ended.
//!
//! A job is one value that the engine and its readers share. What it is to do never changes; how far it is are atomics that
//! the engine stores and readers load; what came of it is set once. Running jobs have places in a fixed table, ended ones in
//! a ring: nobody waits for anybody.

use crate::catalog::{Counter, EventKind, Severity};
use crate::clock::{Clock, Ticks};
use crate::events::{Event, bounded, unix_seconds, word};
use crate::ring::Ring;
use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Jobs that ended and are kept.
const RECENT: usize = 64;

/// Jobs that can be seen running at once. Further ones are seen when they end.
const RUNNING: usize = 64;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Writes memtables to tables.
    Flush,
    /// Merges tables.
    Compaction,
    /// Moves a table down a level without rewriting it.
    Move,
}

impl JobKind {
    /// The name: `flush`, `compaction` or `move`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Compaction => "compaction",
            Self::Move => "move",
        }
    }

    /// The word of the catalogue for the reason with this index.
    fn reason(self, index: usize) -> &'static str {
        let family = match self {
            Self::Flush => Counter::FlushOperations,
            Self::Compaction | Self::Move => Counter::CompactionOperations,
        };
        family.desc().labels.first().and_then(|reasons| word(reasons, index)).unwrap_or("other")
    }

    fn begin_and_end(self) -> (EventKind, EventKind) {
        match self {
            Self::Flush => (EventKind::FlushBegin, EventKind::FlushEnd),
            Self::Compaction | Self::Move => (EventKind::CompactionBegin, EventKind::CompactionEnd),
        }
    }
}

/// A table that a job reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTable {
    /// The file number.
    pub number: u64,
    /// The file's size in bytes.
    pub bytes: u64,
}

/// The tables that a job reads from one level, or writes to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobTables {
    /// The level.
    pub level: u32,
    /// How many there are.
    pub count: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// The first of them, at most [`JobTables::NAMED`].
    pub tables: Vec<JobTable>,
}

impl JobTables {
    /// The most tables that are named one by one: memory stays bounded, however much a job merges.
    pub const NAMED: usize = 64;

    /// These tables of a level.
    pub fn of(level: u32, tables: impl IntoIterator<Item = JobTable>) -> Self {
        let mut of = Self { level, ..Self::default() };
        for table in tables {
            of.count += 1;
            of.bytes += table.bytes;
            if of.tables.len() < Self::NAMED {
                of.tables.push(table);
            }
        }
        of
    }
}

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// What it does.
    pub kind: JobKind,
    /// Why: an index of the label `reason` of `db_flush_operations_total` or `db_compaction_operations_total`.
    pub reason: usize,
    /// Memtables that a flush writes.
    pub memtables: u64,
    /// Tables that a compaction reads, upper levels first.
    pub inputs: Vec<JobTables>,
    /// The level that its result goes to.
    pub output_level: u32,
    /// Bytes of the keys and values that it reads, uncompressed: what [`Job::bytes_done`] grows up to. 0 if it reads none.
    pub bytes_total: u64,
}

/// What came of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobReport {
    /// Bytes read: of tables, or of the keys and values in memtables.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// The tables written.
    pub outputs: JobTables,
    /// Entries read.
    pub entries_read: u64,
    /// Entries written.
    pub entries_kept: u64,
    /// Entries dropped because newer ones hide them.
    pub dropped_shadowed: u64,
    /// Tombstones dropped because nothing is left that they hide.
    pub dropped_tombstones: u64,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// It did what it was to do.
    Ok(JobReport),
    /// It was stopped: the database is being closed, or the job panicked.
    Cancelled,
    /// It failed, with the error's sentence.
    Failed(String),
}

impl JobResult {
    /// It failed, for the reason that this sentence says.
    pub fn failed(sentence: impl fmt::Display) -> Self {
        Self::Failed(bounded(sentence.to_string()))
    }

    /// The word of the catalogue: `ok`, `cancelled` or `failed`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }
}

/// One flush or compaction.
pub struct Job {
    id: u64,
    plan: JobPlan,
    started: f64,
    began: Ticks,
    clock: Clock,
    bytes_done: AtomicU64,
    ended: OnceLock<(JobResult, u64)>,
}

impl Job {
    /// Its number among the jobs of the database, in the order of their starts, counted from 0.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it does.
    pub fn kind(&self) -> JobKind {
        self.plan.kind
    }

    /// Why it was started: `l0_files`, `full`, …
    pub fn reason(&self) -> &'static str {
        self.plan.kind.reason(self.plan.reason)
    }

    /// What it is to do.
    pub fn plan(&self) -> &JobPlan {
        &self.plan
    }

    /// When it was started, in seconds since the Unix epoch.
    pub fn started(&self) -> f64 {
        self.started
    }

    /// How long it ran, or has been running, in nanoseconds.
    pub fn nanos(&self) -> u64 {
        let running = || self.clock.nanos_between(self.began, self.clock.now());
        self.ended.get().map_or_else(running, |(_, nanos)| *nanos)
    }

    /// How many bytes of [`JobPlan::bytes_total`] it has read, as of its last look around.
    pub fn bytes_done(&self) -> u64 {
        // A number that publishes nothing but itself, hence relaxed.
        self.bytes_done.load(Ordering::Relaxed)
    }

    pub(crate) fn set_bytes_done(&self, bytes: u64) {
        self.bytes_done.store(bytes, Ordering::Relaxed);
    }

    /// How it ended; `None` while it runs.
    pub fn result(&self) -> Option<&JobResult> {
        self.ended.get().map(|(result, _)| result)
    }

    /// What it did, if it ended well.
    pub fn report(&self) -> Option<&JobReport> {
        match self.result() {
            Some(JobResult::Ok(report)) => Some(report),
            _ => None,
        }
    }

    /// The event of its begin.
    fn begin_event(&self) -> Event {
        let (begin, _) = self.plan.kind.begin_and_end();
        Event::new(begin)
            .job(self.id)
            .level(self.plan.output_level)
            .bytes(self.plan.bytes_total)
            .cause(self.reason())
    }

    /// The event of its end.
    fn end_event(&self, result: &JobResult) -> Event {
        let (_, end) = self.plan.kind.begin_and_end();
        let event = Event::new(end)
            .job(self.id)
            .level(self.plan.output_level)
            .nanos(self.nanos())
            .cause(self.reason())
            .result(result.as_str());
        match result {
            JobResult::Ok(report) => event.bytes(report.bytes_written),
            JobResult::Cancelled => event,
            JobResult::Failed(sentence) => event.severity(Severity::Error).message(sentence.as_str()),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("id", &self.id)
            .field("plan", &self.plan)
            .field("started", &self.started)
            .field("bytes_done", &self.bytes_done())
            .field("result", &self.result())
            .finish_non_exhaustive()
    }
}

/// The jobs of a database.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    /// Those that run, in the order of their starts.
    pub running: Vec<Arc<Job>>,
    /// The newest that ended (64 at most), in the order of their ends.
    pub recent: Vec<Arc<Job>>,
}

/// The jobs of one database, for those who run them.
#[derive(Debug)]
pub(crate) struct JobBoard {
    running: Box<[ArcSwapOption<Job>]>,
    recent: Ring<Job>,
    begun: AtomicU64,
}

impl Default for JobBoard {
    fn default() -> Self {
        Self {
            running: std::iter::repeat_with(ArcSwapOption::empty).take(RUNNING).collect(),
            recent: Ring::with_places(RECENT),
            begun: AtomicU64::new(0),
        }
    }
}

impl JobBoard {
    /// Notes that a job begins.
    pub(crate) fn begin(&self, plan: JobPlan, clock: Clock) -> (Arc<Job>, Event) {
        let job = Arc::new(Job {
            id: self.begun.fetch_add(1, Ordering::Relaxed),
            plan,
            started: unix_seconds(),
            began: clock.now(),
            clock,
            bytes_done: AtomicU64::new(0),
            ended: OnceLock::new(),
        });
        let claim = |place: &&ArcSwapOption<Job>| {
            place.load().is_none()
                && place.compare_and_swap(&None::<Arc<Job>>, Some(Arc::clone(&job))).is_none()
        };
        self.running.iter().find(claim);
        let event = job.begin_event();
        (job, event)
    }

    /// Notes how a job ended.
    pub(crate) fn end(&self, job: &Arc<Job>, result: JobResult) -> Event {
        let event = job.end_event(&result);
        // One guard ends a job, and only once.
        job.ended.set((result, job.nanos())).ok();
        // In this order, so that it is never in neither list for a reader who looks at the running ones first.
        self.recent.push(Arc::clone(job));
        for place in &self.running {
            if place.load().as_ref().is_some_and(|running| Arc::ptr_eq(running, job)) {
                place.store(None);
            }
        }
        event
    }

    /// The jobs that run, and the newest that ended.
    pub(crate) fn read(&self) -> Jobs {
        let mut running: Vec<_> = self.running.iter().filter_map(ArcSwapOption::load_full).collect();
        let recent = self.recent.values();
        running.retain(|job| !recent.iter().any(|ended| Arc::ptr_eq(job, ended)));
        running.sort_by_key(|job| job.id);
        Jobs { running, recent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(board: &JobBoard) -> Arc<Job> {
        let tables = [JobTable { number: 4, bytes: 10 }, JobTable { number: 5, bytes: 20 }];
        let plan = JobPlan {
            kind: JobKind::Compaction,
            reason: 0,
            memtables: 0,
            inputs: vec![JobTables::of(0, tables)],
            output_level: 1,
            bytes_total: 30,
        };
        let (job, event) = board.begin(plan, Clock::global());
        assert_eq!((event.kind, event.job), (EventKind::CompactionBegin, Some(job.id())));
        job
    }

    #[test]
    fn a_job_is_seen_while_it_runs_and_when_it_has_ended() {
        let board = JobBoard::default();
        let job = begin(&board);
        job.set_bytes_done(12);
        let Jobs { running, recent } = board.read();
        assert!(recent.is_empty());
        assert_eq!((running[0].kind(), running[0].reason()), (JobKind::Compaction, "l0_files"));
        assert_eq!((running[0].bytes_done(), running[0].plan().bytes_total), (12, 30));
        assert_eq!(running[0].result(), None);
        let outputs = JobTables::of(1, [JobTable { number: 6, bytes: 25 }]);
        let report = JobReport { bytes_written: 25, outputs, ..JobReport::default() };
        let end = board.end(&job, JobResult::Ok(report));
        assert_eq!((end.kind, end.bytes, end.result), (EventKind::CompactionEnd, Some(25), Some("ok")));
        let Jobs { running, recent } = board.read();
        assert!(running.is_empty());
        assert_eq!(recent[0].report().map(|report| report.outputs.bytes), Some(25));
        assert_eq!(recent[0].nanos(), recent[0].nanos());
    }

    #[test]
    fn a_job_that_failed_says_why() {
        let board = JobBoard::default();
        let end = board.end(&begin(&board), JobResult::failed("the disk is full"));
        assert_eq!((end.severity, end.result), (Severity::Error, Some("failed")));
        let failed = JobResult::Failed("the disk is full".to_owned());
        assert_eq!(board.read().recent[0].result(), Some(&failed));
    }

    #[test]
    fn memory_stays_bounded() {
        let many = (0..1_000).map(|number| JobTable { number, bytes: 1 });
        let tables = JobTables::of(3, many);
        assert_eq!((tables.count, tables.bytes, tables.tables.len()), (1_000, 1_000, JobTables::NAMED));
        let board = JobBoard::default();
        let many: Vec<_> = (0..RUNNING + 500).map(|_| begin(&board)).collect();
        assert_eq!(board.read().running.len(), RUNNING);
        for job in &many {
            board.end(job, JobResult::Cancelled);
        }
        let Jobs { running, recent } = board.read();
        assert_eq!((running.len(), recent.len()), (0, RECENT));
        assert_eq!(recent.last().map(|job| job.id()), Some(RUNNING as u64 + 499));
    }
}
