//! Opens a directory: from whatever the last process left to a database that takes writes.
//!
//! 1. Lock the directory; read `CURRENT` and the manifest it names.
//! 2. Check that every table and log the manifest names is there, before anything is written.
//! 3. Replay the logs into memtables, up to the first record that an interrupted write tore; what follows it, in this log or
//!    a younger one, was never promised to anyone and is dropped.
//! 4. After a clean close with an empty log: go on with the manifest. Otherwise write the memtables to tables and everything
//!    into a new manifest, which comes into force in one step. Until then nothing that was there is changed, so a crash during
//!    recovery leaves the same work for the next one.
//! 5. Remove what the manifest does not name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bettong_metrics::{
    Counter, Event, EventKind, Gauge, JobKind, JobPlan, JobReport, JobResult, Recorder, Registry, planted,
};

use crate::compaction::retain::{Retain, Verdict};
use crate::condition::Condition;
use crate::context::FileContext;
use crate::engine::{Announced, CommitState, Engine, MemtableWaiters, Segments};
use crate::env::file::Lock;
use crate::env::names::{FileName, FileNumber};
use crate::env::{Dir, Env};
use crate::error::{Error, Result};
use crate::gauges::{DueSince, Flushed};
use crate::header::Birth;
use crate::inventory;
use crate::iter::InternalIterator;
use crate::job::shown;
use crate::key::{DEFAULT_KEYSPACE, SeqNo};
use crate::levels::edit::VersionEdit;
use crate::levels::manifest::{self, FoundManifest, ManifestState, ManifestWriter};
use crate::levels::set::VersionSet;
use crate::levels::table_file::TableMeta;
use crate::log::replay::LogFile;
use crate::log::segment::{NewSegment, Segment};
use crate::log::sync::SyncQueue;
use crate::log::writer::LogWriter;
use crate::memtable::Memtable;
use crate::merge::{MergeIter, Source};
use crate::metric::{FLUSH_OF_RECOVERY, FileLabel, LockLabel, OK, ReadOrigin, WriteOrigin};
use crate::options::Options;
use crate::pressure::CurrentPressure;
use crate::publish::Publisher;
use crate::record::reader::End;
use crate::replaying::Replaying;
use crate::scan_loss::ScanLoss;
use crate::snapshot_list::{Horizons, SnapshotList};
use crate::state::Gate;
use crate::sync::{AtomicBool, AtomicUsize};
use crate::table::builder::{TableBuilder, TableShape};
use crate::timed_mutex::TimedMutex;
use crate::values::file::ValueFile;
use crate::values::usage::{Usage, ValueFileMeta};
use crate::view::{CurrentView, View};
use crate::work::Work;

/// What the last open found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Whether there was no database before.
    pub created: bool,
    /// Whether the last process closed the database. If not, it crashed, was killed, or lost power.
    pub clean: bool,
    /// Logs read.
    pub logs: u64,
    /// Log records (commits) replayed.
    pub records: u64,
    /// Sets and deletes in them.
    pub entries: u64,
    /// Bytes at the end of the log that an interrupted write had torn, and that were cut. None of them was ever acknowledged as
    /// durable.
    pub truncated_bytes: u64,
    /// Younger logs that were dropped because an older one was torn.
    pub dropped_logs: u64,
    /// Tables in the manifest.
    pub tables: u64,
    /// Tables written from replayed logs.
    pub tables_written: u64,
    /// Files removed because the manifest did not name them.
    pub orphans: u64,
    /// Time to take the lock and list the directory.
    pub lock_time: Duration,
    /// Time to read the manifest and check its files.
    pub manifest_time: Duration,
    /// Time to replay logs.
    pub replay_time: Duration,
    /// Time to write tables and the new manifest.
    pub tables_time: Duration,
}

impl RecoveryReport {
    pub(crate) fn describe(&self) -> Vec<(String, String)> {
        let pairs: [(&str, String); 10] = [
            ("created", self.created.to_string()),
            ("clean", self.clean.to_string()),
            ("logs", self.logs.to_string()),
            ("records", self.records.to_string()),
            ("entries", self.entries.to_string()),
            ("truncated_bytes", self.truncated_bytes.to_string()),
            ("dropped_logs", self.dropped_logs.to_string()),
            ("tables", self.tables.to_string()),
            ("tables_written", self.tables_written.to_string()),
            ("orphans", self.orphans.to_string()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// An opened database, and the lock that keeps it ours.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) lock: Box<dyn Lock>,
    pub(crate) report: RecoveryReport,
}

/// Opens the database in `path`.
///
/// # Errors
/// [`Error::Locked`], [`Error::Corruption`], [`Error::UnsupportedVersion`], [`Error::Io`]; the directory is unchanged then.
pub(crate) fn open(path: &Path, options: Options, registry: &Arc<Registry>) -> Result<Opened> {
    let recorder = &registry.recorder();
    let env = options.env.clone();
    let mut phases = Phases::new(&env);
    let dir = Dir::new(env.files.clone(), path, recorder);
    if options.create_if_missing {
        dir.create_all()?;
    } else {
        // Before the lock, which would leave a file where there is nothing.
        let is_data = |(name, _): &(FileName, u64)| *name != FileName::Lock;
        if !dir.list().is_ok_and(|files| files.iter().any(is_data)) {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Error::io("find a database in", path, missing));
        }
    }
    let lock = dir.lock()?;
    let files = dir.list()?;
    let mut report = RecoveryReport { lock_time: phases.next(), ..RecoveryReport::default() };

    let found = manifest::load(&dir, &files)?;
    report.created = found.is_none();
    if report.created {
        dir.sync_ancestors()?;
    }
    let mut state = found.as_ref().map_or_else(ManifestState::default, |found| found.state.clone());
    inventory::check_files(&dir, &state, &files)?;
    if let Some(found) = &found {
        inventory::check_orphans(&dir, found, &files)?;
    }
    report.tables = state.tables.iter().map(|tables| tables.len() as u64).sum();
    report.clean = state.clean_close.is_some();
    report.manifest_time = phases.next();

    let context = FileContext::new(&dir, &options, recorder);
    inventory::warn_of_values(&dir, &state, &files, recorder);
    let memtables = replay(&context, &mut state, &options, &mut report)?;
    report.replay_time = phases.next();

    let opening = Opening { dir: &dir, env: &env, options: &options, files: &files, context: &context };
    let (set, segment) = opening.bring_up(&mut state, found, &memtables, recorder, &mut report)?;
    opening.remove_orphans(&set, &mut report);
    opening.write_options(&set);
    report.tables_time = phases.next();
    set_gauges(recorder, &report);

    let last_seq = last_seq(&state);
    let next_seq = last_seq.plus(1);
    let segment = Arc::new(segment);
    let syncs = SyncQueue::new();
    syncs.push(segment.clone());
    let work = Arc::new(Work::new(recorder));
    let view = first_view(&set, &segment, &options, &context, &work);
    let engine = Engine {
        condition: Condition::new(&env.clock, recorder),
        option_states: options.states(),
        options,
        env,
        dir,
        recorder: recorder.clone(),
        registry: registry.clone(),
        files: Arc::new(context),
        set,
        view: CurrentView::new(view),
        publisher: Publisher::new(last_seq),
        snapshots: SnapshotList::default(),
        gate: Gate::new(recorder),
        pressure: CurrentPressure::default(),
        memtable_waiters: MemtableWaiters::default(),
        announcing: TimedMutex::new(Announced::default(), LockLabel::Announce, recorder),
        flushed: Flushed::default(),
        due: DueSince::default(),
        flushing: AtomicUsize::new(0),
        manual_flush: AtomicBool::new(false),
        work,
        syncs,
        segments: Segments::default(),
        recovery: report.describe(),
        commit: TimedMutex::new(
            CommitState { writer: LogWriter::new(segment), next_seq, half_full: false },
            LockLabel::Commit,
            recorder,
        ),
    };
    engine.announce();
    Ok(Opened { engine, lock, report })
}

/// What there is to read when a database has been opened: its tables, and an empty memtable.
fn first_view(
    set: &VersionSet,
    segment: &Segment,
    options: &Options,
    context: &FileContext,
    work: &Arc<Work>,
) -> View {
    let values = Arc::new(ValueFile::of_log(segment.number, segment.id, &segment.file, context));
    View {
        active: Arc::new(Memtable::new(options.memtable_bytes, &values)),
        immutables: Vec::new(),
        version: set.version(),
        scan_loss: Arc::new(ScanLoss::new(options.merge_for_scans, work)),
    }
}

struct Phases<'a> {
    env: &'a Env,
    last: u64,
}

impl<'a> Phases<'a> {
    fn new(env: &'a Env) -> Phases<'a> {
        Phases { env, last: env.clock.monotonic_nanos() }
    }

    /// The time since the last call.
    fn next(&mut self) -> Duration {
        let now = self.env.clock.monotonic_nanos();
        Duration::from_nanos(now.saturating_sub(std::mem::replace(&mut self.last, now)))
    }
}

/// Replays the logs into one memtable each, oldest first.
pub(crate) fn replay(
    context: &FileContext,
    state: &mut ManifestState,
    options: &Options,
    report: &mut RecoveryReport,
) -> Result<Vec<Arc<Memtable>>> {
    let (dir, recorder) = (&context.dir, &context.recorder);
    let mut memtables = Vec::new();
    let mut expected = state.last_seq.plus(1);
    let logs: Vec<(FileNumber, u64)> = state.logs.iter().map(|(number, id)| (*number, *id)).collect();
    for (at, (number, id)) in logs.iter().enumerate() {
        let log = LogFile::open(dir, *number, *id, options.mapped_reads)
            .inspect_err(|error| count_failure(recorder, *number, error))?;
        report.logs += 1;
        let clean_length = state.clean_close.filter(|close| close.log == *number).map(|close| close.length);
        let values = log.values(*number, context);
        let mut replayed = Replaying::new(&values, options);
        let end = log
            .replay(clean_length, |group, offset| {
                replayed.apply(group, offset, &mut expected, log.path())?;
                // A health check's probe writes groups without entries.
                report.records += u64::from(!group.entries.is_empty());
                report.entries += group.entries.len() as u64;
                Ok(())
            })
            .inspect_err(|error| count_failure(recorder, *number, error))?;
        values.set_sealed(end.length);
        values.set_synced(end.promised);
        if replayed.expiring {
            // Nothing that was gone when the log was begun may come back, wherever the clock is now.
            state.time = state.time.max(log.born_at);
        }
        recorder.add(Counter::StorageReadBytes.at(ReadOrigin::Recovery as usize), end.length);
        memtables.extend(replayed.memtables);
        if let End::Open { torn_bytes } = end.end {
            report.truncated_bytes += torn_bytes;
            let younger = logs.get(at + 1..).unwrap_or_default();
            report.dropped_logs += drop_younger(dir, younger, options, (log.path(), end.length))?;
            break;
        }
    }
    Ok(memtables)
}

/// A log that is not sealed is the last one, or its seal and everything after it were lost with the power. If a younger log says
/// that its predecessors were complete, then this one was, and is damaged.
fn drop_younger(
    dir: &Dir,
    younger: &[(FileNumber, u64)],
    options: &Options,
    (path, length): (&Path, u64),
) -> Result<u64> {
    let mut dropped = 0;
    for (number, id) in younger {
        let log = LogFile::open(dir, *number, *id, options.mapped_reads)?;
        if log.promises() {
            return Err(Error::corruption(
                path,
                length,
                "the log ends too early: a younger one says it was complete",
            ));
        }
        dropped += 1;
    }
    Ok(dropped)
}

fn count_failure(recorder: &Recorder, log: FileNumber, error: &Error) {
    recorder.add(Counter::ChecksumFailures.at(FileLabel::Wal as usize), 1);
    recorder.emit(Event::new(EventKind::Corruption).file(log.0).message(error.sentence()));
}

/// What the steps after the replay share.
struct Opening<'a> {
    dir: &'a Dir,
    env: &'a Env,
    options: &'a Options,
    files: &'a [(FileName, u64)],
    context: &'a FileContext,
}

impl Opening<'_> {
    /// Makes the recovered state the durable one, and opens a log to go on with.
    fn bring_up(
        &self,
        state: &mut ManifestState,
        found: Option<FoundManifest>,
        memtables: &[Arc<Memtable>],
        recorder: &Recorder,
        report: &mut RecoveryReport,
    ) -> Result<(VersionSet, Segment)> {
        // A name with a number that no database reaches must not be the reason that one does.
        let numbers = self.files.iter().filter_map(|(name, _)| name.number());
        let credible = numbers.filter(|number| number.0 <= FileNumber::MAX.0 / 2);
        let highest = credible.max().map_or(0, |number| number.0);
        state.next_file.0 = state.next_file.0.max(highest + 1);
        let old_logs: Vec<FileNumber> = state.logs.keys().copied().collect();
        let set = match found {
            Some(found) if report.clean && !found.torn && found.current && memtables.is_empty() => {
                let manifest = ManifestWriter::reopen(self.dir, &found)?;
                VersionSet::new(self.env, self.context.clone(), manifest, state.clone())
            }
            _ => {
                // They know of no edit: the manifest that will name them is not written yet.
                let birth = Birth { at_nanos: self.env.clock.unix_nanos(), ..Birth::default() };
                let flushed = self.write_tables(state, memtables, birth, recorder)?;
                let adopted = adopt_logs(memtables, &flushed)?;
                report.tables_written = flushed.len() as u64;
                let mut edit = VersionEdit { removed_logs: old_logs.clone(), ..VersionEdit::default() };
                edit.last_seq = memtables.iter().map(|memtable| memtable.last_seq()).max();
                edit.added_tables = flushed.into_iter().map(|meta| (0, meta)).collect();
                edit.added_values = adopted;
                state.apply(&edit).map_err(|what| Error::corruption(self.dir.path(), 0, what))?;
                let number = new_number(state);
                let manifest = ManifestWriter::create(self.dir, number, state, birth)?;
                ManifestWriter::enforce(self.dir)?;
                VersionSet::new(self.env, self.context.clone(), manifest, state.clone())
            }
        };
        self.rename_values(&set)?;
        let segment = self.first_segment(&set, recorder)?;
        Ok((set, segment))
    }

    /// Gives logs that became value files the names of such.
    fn rename_values(&self, set: &VersionSet) -> Result<()> {
        let values = &set.version().values;
        let logs = self.files.iter().filter_map(|(name, _)| match name {
            FileName::Log(number) if values.contains_key(number) => Some(*number),
            _ => None,
        });
        for number in logs {
            self.dir.rename(FileName::Log(number), FileName::Value(number))?;
            // The room behind the end is given back if it can be: it is of no use.
            let bytes = values.get(&number).map_or(u64::MAX, |values| values.meta.bytes);
            self.dir.open(FileName::Value(number), true).and_then(|file| file.truncate(bytes)).ok();
        }
        Ok(())
    }

    /// A log to go on with; those before it, which are empty or whose writes are in tables, are let go.
    fn first_segment(&self, set: &VersionSet, recorder: &Recorder) -> Result<Segment> {
        let number = set.new_file_number();
        let capacity = self.options.segment_bytes();
        let mapped = self.options.mapped_log;
        let new = NewSegment { number, capacity, recycled: None, mapped, birth: set.birth() };
        let segment = Segment::prepare(self.dir, new)?;
        let edit = VersionEdit {
            added_logs: vec![(number, segment.id)],
            removed_logs: set.logs(),
            ..VersionEdit::default()
        };
        set.apply(edit, |_| {})?;
        recorder.emit(Event::new(EventKind::WalCreated).file(number.0).result("new"));
        Ok(segment)
    }

    /// One L0 table for each memtable, durable with its name.
    fn write_tables(
        &self,
        state: &mut ManifestState,
        memtables: &[Arc<Memtable>],
        birth: Birth,
        recorder: &Recorder,
    ) -> Result<Vec<TableMeta>> {
        let mut tables = Vec::new();
        for memtable in memtables {
            let number = new_number(state);
            let job = recorder.job(JobPlan {
                kind: JobKind::Flush,
                reason: FLUSH_OF_RECOVERY,
                memtables: 1,
                inputs: Vec::new(),
                output_level: 0,
                bytes_total: memtable.payload_bytes(),
            });
            let shape = TableShape::of_level(self.options, 0, DEFAULT_KEYSPACE);
            let mut builder = TableBuilder::create(self.dir, number, shape, birth)?;
            let mut retain = Retain::new(Horizons { seqs: vec![memtable.last_seq()], time: 0 });
            let mut source = MergeIter::new(vec![Source::Memtable(memtable.iter())]);
            let (mut dropped, mut is_new) = (0, true);
            let mut report = JobReport::default();
            source.seek_to_first()?;
            while let Some((key, value)) = source.current() {
                report.entries_read += 1;
                match retain.judge(key, is_new, |_| false) {
                    Verdict::Keep | Verdict::Held => builder.add(key, value)?,
                    Verdict::Shadowed | Verdict::Spent => {
                        report.dropped_shadowed += 1;
                        dropped += (key.user.len() + value.len()) as u64;
                    }
                }
                is_new = source.step()?;
            }
            let built = builder.finish()?;
            count_flush(recorder, memtable.payload_bytes(), dropped, built.bytes);
            let event = Event::new(EventKind::TableCreated).file(built.number.0);
            recorder.emit(event.level(0).bytes(built.bytes));
            let meta = TableMeta::of(built);
            report.entries_kept = report.entries_read - report.dropped_shadowed;
            (report.bytes_read, report.bytes_written) = (memtable.payload_bytes(), meta.bytes);
            report.outputs = shown(0, [&meta]);
            job.set_bytes_done(report.bytes_read);
            job.end(JobResult::Ok(report));
            tables.push(meta);
        }
        if !tables.is_empty() {
            self.dir.sync()?;
        }
        Ok(tables)
    }

    /// Removes our own files that the manifest does not name; what is not ours is never touched. A file that cannot be
    /// removed is only room lost until the next open.
    fn remove_orphans(&self, set: &VersionSet, report: &mut RecoveryReport) {
        let version = set.version();
        let logs = set.logs();
        let manifest = set.manifest_number();
        for (name, _) in self.files {
            let needed = match name {
                FileName::Lock | FileName::Current => true,
                FileName::Value(number) => version.values.contains_key(number),
                FileName::Table(number) => version.tables().any(|(_, table)| table.meta.number == *number),
                FileName::Log(number) => logs.contains(number) || version.values.contains_key(number),
                FileName::Manifest(number) => *number == manifest,
                FileName::CurrentTemp | FileName::Options(_) => false,
            };
            if !needed && self.dir.remove(*name).is_ok() && !matches!(name, FileName::Options(_)) {
                report.orphans += 1;
            }
        }
    }

    /// Leaves a note of the options for people and tools. The database does not depend on it, so a failure is no fault.
    fn write_options(&self, set: &VersionSet) {
        let mut text = String::from(
            "# What this database was last opened with. Written by bettong, read by nobody but you.\n",
        );
        for (name, value) in self.options.describe() {
            text.extend([name.as_str(), " = ", value.as_str(), "\n"]);
        }
        let name = FileName::Options(set.new_file_number());
        let written = self.dir.create(name).and_then(|file| file.write_at(0, text.as_bytes()));
        if written.is_err() {
            self.dir.remove(name).ok();
        }
    }
}

/// The logs that the tables written from them point into, made durable: they are value files from now on. A killed process may
/// have left them in the page cache alone, and marked as clean there if its sync failed.
fn adopt_logs(memtables: &[Arc<Memtable>], tables: &[TableMeta]) -> Result<Vec<ValueFileMeta>> {
    let mut adopted: BTreeMap<FileNumber, ValueFileMeta> = BTreeMap::new();
    for memtable in memtables.iter().filter(|memtable| memtable.pointers() > 0) {
        let file = memtable.values();
        let mut born = Usage::default();
        tables.iter().for_each(|table| born.add(table.usage.of(file.number)));
        if born.entries > 0 && !adopted.contains_key(&file.number) {
            file.write_again()?;
            let (number, id, bytes) = (file.number, file.id, file.sealed_bytes());
            adopted.insert(number, ValueFileMeta { number, id, bytes, born });
        }
    }
    Ok(adopted.into_values().collect())
}

/// A memtable of replayed writes was written to a table: a flush like any other.
fn count_flush(recorder: &Recorder, input: u64, dropped: u64, written: u64) {
    recorder.add(Counter::FlushOperations.at2(FLUSH_OF_RECOVERY, OK), 1);
    recorder.add(Counter::FlushInputBytes, input);
    recorder.add(Counter::FlushOutputBytes, written);
    recorder.add(Counter::FlushDroppedBytes, dropped);
    recorder.add(Counter::LevelInputBytes.at(0), input);
    recorder.add(Counter::LevelWrittenBytes.at(0), written);
    recorder.add(Counter::StorageWrittenBytes.at(WriteOrigin::Flush as usize), written);
}

/// The last sequence number that is taken.
fn last_seq(state: &ManifestState) -> SeqNo {
    if planted("sequence_number_reused") { SeqNo(state.last_seq.0 / 2) } else { state.last_seq }
}

fn new_number(state: &mut ManifestState) -> FileNumber {
    let number = FileNumber(state.next_file.0);
    state.next_file.0 += 1;
    number
}

fn set_gauges(recorder: &Recorder, report: &RecoveryReport) {
    recorder.set(Gauge::CleanShutdown, f64::from(u8::from(report.clean)));
    recorder.set(Gauge::RecoveredWalRecords, report.records as f64);
    recorder.set(Gauge::RecoveredTruncatedBytes, report.truncated_bytes as f64);
    let phases =
        [(0, report.lock_time), (1, report.manifest_time), (2, report.replay_time), (4, report.tables_time)];
    for (phase, time) in phases {
        recorder.set(Gauge::OpenDuration.at(phase), time.as_secs_f64());
    }
}
