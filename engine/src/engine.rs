//! Everything a database is made of, for those who work on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bettong_metrics::{
    Counter, Event, EventKind, Gauge, Histogram, LevelState, OptionState, PublishedState, Recorder, Registry,
    Ticks, ValueFileStanding, ValueFileState,
};

use crate::condition::{Condition, Origin};
use crate::context::FileContext;
use crate::env::names::{FileName, FileNumber};
use crate::env::{Dir, Env};
use crate::error::{Error, Result};
use crate::gauges::{self, DueSince, Flushed};
use crate::key::SeqNo;
use crate::levels::edit::VersionEdit;
use crate::levels::set::VersionSet;
use crate::levels::shape::Shape;
use crate::levels::space::{Circumstances, Space, candidates, standings};
use crate::levels::version::Version;
use crate::log::segment::{NewSegment, Segment};
use crate::log::sync::SyncQueue;
use crate::log::writer::LogWriter;
use crate::memtable::Memtable;
use crate::metric::{
    DATA_BLOCK, DiskFile, FileLabel, MemoryComponent, OK, Pool, Reclaim, STOP, StallCause, WriteOrigin,
};
use crate::options::Options;
use crate::pressure::{CurrentPressure, Pressure};
use crate::publish::Publisher;
use crate::snapshot_list::SnapshotList;
use crate::state::Gate;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use crate::table::builder::BuiltTable;
use crate::timed_mutex::TimedMutex;
use crate::values::file::ValueFile;
use crate::view::{CurrentView, View};
use crate::work::Work;

/// Segments kept for recycling beside the one that is ready.
const RECYCLED_MAX: usize = 2;

/// Disk is scarce for logs from this share of garbage on. Then one that is mostly values gets room for a share of all values, but no
/// less than so many bytes: making a segment takes some syncs.
const GARBAGE_PER_LIVE: u64 = 10;
const VALUES_PER_SEGMENT: u64 = 32;
const VALUE_SEGMENT_BYTES_LEAST: u64 = 16 << 20;

/// The parts of an open database. Fields are grouped by what guards them.
#[derive(Debug)]
pub(crate) struct Engine {
    // Set at open, never changed.
    pub(crate) options: Options,
    /// The options as they are announced: made once, since the defaults among them ask the system what machine it is.
    pub(crate) option_states: Vec<OptionState>,
    pub(crate) env: Env,
    pub(crate) dir: Dir,
    pub(crate) recorder: Recorder,
    pub(crate) registry: Arc<Registry>,
    pub(crate) files: Arc<FileContext>,
    // Each guards itself.
    pub(crate) set: VersionSet,
    pub(crate) view: CurrentView,
    pub(crate) publisher: Publisher,
    pub(crate) snapshots: SnapshotList,
    pub(crate) gate: Gate,
    pub(crate) condition: Condition,
    pub(crate) pressure: CurrentPressure,
    pub(crate) memtable_waiters: MemtableWaiters,
    pub(crate) announcing: TimedMutex<Announced>,
    pub(crate) flushed: Flushed,
    pub(crate) due: DueSince,
    /// Memtables that the flush under way writes.
    pub(crate) flushing: AtomicUsize,
    /// Whether somebody waits for a flush that he asked for.
    pub(crate) manual_flush: AtomicBool,
    pub(crate) work: Arc<Work>,
    pub(crate) syncs: SyncQueue,
    pub(crate) segments: Segments,
    pub(crate) recovery: Vec<(String, String)>,
    /// The commit lock: the order of writes.
    pub(crate) commit: TimedMutex<CommitState>,
}

/// What was announced last.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    /// The cause for which writes are held back, how much, and since when.
    stall: Option<(StallCause, usize, Ticks)>,
}

/// The writers that wait for a flush to make room for a memtable.
#[derive(Debug, Default)]
pub(crate) struct MemtableWaiters(Mutex<(usize, Ticks)>);

impl MemtableWaiters {
    /// One begins to wait; the first of them is an event.
    pub(crate) fn begin(&self, recorder: &Recorder) {
        let mut waiting = self.0.lock();
        waiting.0 += 1;
        if waiting.0 == 1 {
            waiting.1 = recorder.now();
            recorder.emit(Event::stall_begin(StallCause::Memtables as usize, STOP));
        }
    }

    /// One has waited; the last of them is an event.
    pub(crate) fn end(&self, recorder: &Recorder) {
        let mut waiting = self.0.lock();
        waiting.0 = waiting.0.saturating_sub(1);
        if waiting.0 == 0 {
            let nanos = recorder.nanos_since(waiting.1);
            recorder.emit(Event::stall_end(StallCause::Memtables as usize, STOP, nanos));
        }
    }
}

/// What the commit lock guards.
#[derive(Debug)]
pub(crate) struct CommitState {
    pub(crate) writer: LogWriter,
    pub(crate) next_seq: SeqNo,
    /// Whether it was said that the active memtable is half full.
    pub(crate) half_full: bool,
}

/// Segments that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Held while a segment is made, so that the next one gets the next number.
    ready: Mutex<Option<Arc<Segment>>>,
    /// Whether the last log was mostly values that stay in it.
    pub(crate) mostly_values: AtomicBool,
    recycled: Mutex<Vec<FileNumber>>,
    /// Logs that are full, but mapped still: giving that up takes a millisecond, which no writer should wait for.
    full: Mutex<Vec<LogWriter>>,
}

impl Segments {
    /// A log is full.
    pub(crate) fn put_aside(&self, full: LogWriter) {
        self.full.lock().push(full);
    }

    /// Gives up the mappings of full logs.
    pub(crate) fn unmap_full(&self) {
        let full = std::mem::take(&mut *self.full.lock());
        drop(full);
    }
}

impl Engine {
    /// The segment that is ready to take writes: the one made ahead, or, if a burst was faster, one made now. It stays ready
    /// until [`Engine::use_ready_segment`] takes it: segments are used in the order of their numbers, none is left out.
    pub(crate) fn ready_segment(&self) -> Result<Arc<Segment>> {
        let mut ready = self.segments.ready.lock();
        if let Some(segment) = &*ready {
            return Ok(segment.clone());
        }
        match self.prepare_segment() {
            Ok(segment) => {
                if self.segments.mostly_values.load(Ordering::Relaxed) {
                    // The active log will be a file of values: a flush waits until all of it is on the disk.
                    self.syncs.start_write_back();
                }
                Ok(ready.insert(segment).clone())
            }
            Err(error) => {
                drop(ready);
                // There are fewer logs than the pressure on writes was computed from; nothing else may bring that up again.
                self.announce();
                self.work.ring();
                Err(error)
            }
        }
    }

    /// The ready segment has taken over.
    pub(crate) fn use_ready_segment(&self) {
        self.segments.ready.lock().take();
    }

    /// It is time to make a segment ahead: whoever is free does.
    pub(crate) fn ask_for_segment(&self) {
        self.work.ring();
        self.files.graveyard.ring();
    }

    /// Whether it is time to make a segment ahead: the memtable is half full, and none is ready.
    pub(crate) fn wants_segment(&self) -> bool {
        let active = &self.view.load().active;
        let half_full = active.used_bytes() >= self.options.memtable_bytes / 2 || self.syncs.half_full();
        // While one is being made the lock is held, and another is not wanted.
        half_full && self.segments.ready.try_lock().is_some_and(|ready| ready.is_none())
    }

    /// A memtable and its log are closed: `log_bytes` of log for what the memtable holds.
    pub(crate) fn note_rotation(&self, memtable: &Memtable, log_bytes: u64) {
        let mostly_values = log_bytes / 4 > memtable.used_bytes() as u64;
        self.segments.mostly_values.store(mostly_values, Ordering::Relaxed);
    }

    /// The room for the next segment. Where logs are mostly values that stay in them, and garbage takes disk as it is, they are
    /// kept small beside the values there are: several are on the disk at any time.
    fn next_segment_bytes(&self) -> u64 {
        let most = self.options.segment_bytes();
        if !self.segments.mostly_values.load(Ordering::Relaxed) {
            return most;
        }
        let space = Space::of(&self.view.load().version, 0, &self.options);
        let scarce = space.garbage > space.live / GARBAGE_PER_LIVE;
        let wanted = if scarce { space.live / VALUES_PER_SEGMENT } else { most };
        wanted.clamp(most.min(VALUE_SEGMENT_BYTES_LEAST), most)
    }

    fn prepare_segment(&self) -> Result<Arc<Segment>> {
        let number = self.set.new_file_number();
        let recycled = self.segments.recycled.lock().pop();
        let (capacity, mapped) = (self.next_segment_bytes(), self.options.mapped_log);
        let new = NewSegment { number, capacity, recycled, mapped, birth: self.set.birth() };
        let timer = self.recorder.timer(Histogram::SpaceReclaimDuration);
        let prepared = Segment::prepare(&self.dir, new).inspect_err(|_| {
            // Under one of these names a file may be left; neither is known to the manifest.
            self.files.graveyard.bury(FileName::Log(number));
            recycled.into_iter().for_each(|old| self.files.graveyard.bury(FileName::Log(old)));
        })?;
        if recycled.is_some() {
            timer.stop();
            self.count_reclaim(Reclaim::WalRecycle, self.dir.length_of(FileName::Log(number)));
        } else {
            timer.discard();
        }
        let edit = VersionEdit { added_logs: vec![(number, prepared.id)], ..VersionEdit::default() };
        self.set.apply(edit, |_| {}).inspect_err(|error| {
            // In doubt, the file stays: the manifest may name it.
            if matches!(error, Error::NoSpace { .. }) {
                self.files.graveyard.bury(FileName::Log(number));
            }
        })?;
        self.recorder.set(Gauge::WalFiles.at(0), self.set.logs().len() as f64);
        let made = if recycled.is_some() { "recycled" } else { "new" };
        self.recorder.emit(Event::new(EventKind::WalCreated).file(number.0).result(made));
        Ok(Arc::new(prepared))
    }

    /// Gives up the segments that wait to be recycled: nobody will.
    pub(crate) fn forget_recycled(&self) {
        self.segments.recycled.lock().drain(..).for_each(|log| self.files.graveyard.bury(FileName::Log(log)));
    }

    /// Lets go of the segments of flushed memtables, but for those that were adopted as value files.
    pub(crate) fn retire_logs(&self, memtables: &[Arc<Memtable>], adopted: &[Arc<ValueFile>]) {
        let Some(newest) = memtables.iter().map(|memtable| memtable.log()).max() else { return };
        self.syncs.retire(newest);
        let mut recycled = self.segments.recycled.lock();
        for memtable in memtables {
            let log = memtable.log();
            if adopted.iter().any(|file| file.number == log) {
                continue;
            }
            // Whoever still reads a memtable with pointers reads from its log.
            if memtable.pointers() > 0 {
                memtable.values().set_obsolete();
            } else if recycled.len() < RECYCLED_MAX {
                recycled.push(log);
            } else {
                self.files.graveyard.bury(FileName::Log(log));
            }
        }
        self.recorder.set(Gauge::WalFiles.at(1), recycled.len() as f64);
    }

    /// What decides with the tree which compaction comes next.
    pub(crate) fn circumstances(&self, view: &View) -> Circumstances {
        let expiry = &self.set.expiry;
        let horizons = || self.snapshots.horizons(self.publisher.cell(), expiry);
        let time = if expiry.is_used() { horizons().time } else { 0 };
        Circumstances { time, log_bytes: self.log_bytes(view), scan_loss_nanos: view.scan_loss.nanos() }
    }

    /// The bytes that logs take on the disk: those of immutable memtables, and the segments that are in use, ready or kept.
    fn log_bytes(&self, view: &View) -> u64 {
        let sealed: u64 = view.immutables.iter().map(|memtable| memtable.values().sealed_bytes()).sum();
        // While one is being made the lock is held.
        let ready = self.segments.ready.try_lock().is_none_or(|ready| ready.is_some());
        let whole = 1 + u64::from(ready) + self.segments.recycled.lock().len() as u64;
        sealed + whole * self.next_segment_bytes()
    }

    /// Removes the files that nobody needs any more, and calls `before` before each. A file that cannot be removed is tried again next time.
    pub(crate) fn bury_files(&self, before: impl Fn()) {
        let _turn = self.files.graveyard.turn();
        let graveyard = &self.files.graveyard;
        let are_shown = graveyard.waiting().iter().any(|name| matches!(name, FileName::Value(_)));
        // As many as there are now: one that cannot be removed comes back.
        for waiting in (0..graveyard.len()).map_while(|_| graveyard.take()) {
            let name = waiting.file;
            before();
            let bytes = self.dir.length_of(name);
            let timer = self.recorder.timer(Histogram::SpaceReclaimDuration);
            let removed = self.dir.remove(name);
            if removed.is_err() {
                timer.discard();
            }
            match removed {
                Ok(()) => {
                    self.recorder.add(Counter::FileDeletions.at(label_of(name) as usize), 1);
                    if let FileName::Value(_) = name {
                        self.recorder.add(Counter::VlogGcDeletedFiles, 1);
                        self.count_reclaim(Reclaim::ValueCollection, bytes);
                    } else {
                        self.count_reclaim(Reclaim::FileDeletion, bytes);
                    }
                    self.announce_deletion(name, bytes);
                }
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(_) if self.gate.is_closed() => {}
                Err(_) => self.files.graveyard.keep(name),
            }
            if waiting.value_bytes > 0 && !self.pressure.is_none() {
                // Writers wait for its room, or for room that will not come.
                self.announce();
                self.work.ring();
            }
        }
        if are_shown {
            self.announce();
        }
    }

    fn announce_deletion(&self, name: FileName, bytes: u64) {
        let (kind, number) = match name {
            FileName::Log(number) => (EventKind::WalDeleted, number),
            FileName::Table(number) => (EventKind::TableDeleted, number),
            _ => return,
        };
        self.recorder.emit(Event::new(kind).file(number.0).bytes(bytes));
    }

    fn count_reclaim(&self, origin: Reclaim, bytes: u64) {
        self.recorder.add(Counter::SpaceReclaimOperations.at(origin as usize), 1);
        self.recorder.add(Counter::SpaceReclaimBytes.at(origin as usize), bytes);
    }

    /// Installs what `edit` leads to: the manifest first, then the view that `change` makes, then the news.
    pub(crate) fn install(
        &self,
        edit: VersionEdit,
        adopted: &[Arc<ValueFile>],
        change: impl FnOnce(&View, &Arc<Version>) -> View,
    ) -> Result<()> {
        self.set.apply_with(edit, adopted, |version| self.view.change(|view| change(view, version)))?;
        self.announce();
        self.work.ring();
        Ok(())
    }

    /// Makes the log durable up to its present end.
    pub(crate) fn sync_log(&self) -> Result<()> {
        let end = {
            let mut commit = self.commit.lock();
            commit.writer.hand_over(&self.recorder)?;
            commit.writer.end()
        };
        self.wait_durable(end)
    }

    /// Waits until the log is durable up to `end`; a failure makes the database read-only.
    pub(crate) fn wait_durable(&self, end: crate::log::segment::LogPosition) -> Result<()> {
        let sync = |segment: &Segment| {
            segment.begin_sync();
            let timer = self.recorder.timer(Histogram::WalSyncDuration);
            let result = segment.file.sync();
            timer.stop();
            self.recorder.add(Counter::WalSyncs.at(usize::from(result.is_err())), 1);
            result
        };
        self.recorder.shift(Gauge::WalSyncQueueDepth, 1.0);
        let done = self.syncs.wait_durable(end, sync);
        self.recorder.shift(Gauge::WalSyncQueueDepth, -1.0);
        match done {
            Ok(Some(round)) => {
                self.recorder.record(Histogram::CommitGroupWriters, round.writers);
                self.recorder.add(Counter::CommitGroups, 1);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                if let Error::ReadOnly(reason) = &error {
                    if !self.gate.is_read_only() {
                        self.condition.note(Origin::Log, reason);
                    }
                    self.gate.fail(reason.clone());
                    self.work.ring();
                }
                Err(error)
            }
        }
    }

    /// Recomputes what follows from the view: pressure on writes, gauges, the published picture.
    pub(crate) fn announce(&self) {
        // One at a time: what is computed from an older view must not replace what follows from a newer one.
        let mut announced = self.announcing.lock();
        let view = self.view.load();
        let shape = Shape::of(&view.version, &self.options);
        let space = Space::of(&view.version, self.log_bytes(&view), &self.options)
            .with_leaving(self.files.graveyard.value_bytes());
        let debt = shape.debt_bytes(&view.version, &self.options);
        // Where nobody writes, nothing holds writers back, and nothing is due.
        let is_read = self.env.for_reading.is_some();
        let pressure =
            if is_read { Pressure::None } else { Pressure::of(&view, debt, &space, &self.options) };
        self.pressure.set(pressure);
        self.condition.set_stopped(matches!(pressure, Pressure::Stop { .. }));
        self.note_stall(&mut announced, pressure);
        let due = space.is_due(&self.options);
        let collect = if due { candidates(&view.version, &self.options, false) } else { Arc::default() };
        gauges::set_values(&self.recorder, &view.version, &space, collect.len());
        self.set_gauges(&view, &shape, pressure);
        self.registry.publish(self.published(&view, &collect));
    }

    /// A stall that begins, or is over, or becomes another one, is an event.
    fn note_stall(&self, announced: &mut Announced, pressure: Pressure) {
        let stall = pressure.stall();
        if stall == announced.stall.map(|(cause, condition, _)| (cause, condition)) {
            return;
        }
        if let Some((cause, condition, since)) = announced.stall.take() {
            let nanos = self.recorder.nanos_since(since);
            self.recorder.emit(Event::stall_end(cause as usize, condition, nanos));
        }
        if let Some((cause, condition)) = stall {
            announced.stall = Some((cause, condition, self.recorder.now()));
            self.recorder.emit(Event::stall_begin(cause as usize, condition));
        }
    }

    fn set_gauges(&self, view: &View, shape: &Shape, pressure: Pressure) {
        gauges::set_tree(&self.recorder, view, shape, &self.options);
        gauges::set_pressure(&self.recorder, pressure);
        if self.env.for_reading.is_none() {
            self.due.note(shape, self.recorder.now());
        }
        self.set_memory_gauges();
    }

    /// Levels are due, and so many compactions run: the others wait. Called when either changes.
    pub(crate) fn set_compaction_queue(&self, compacting: usize) {
        let pending = self.due.levels().saturating_sub(compacting) as f64;
        self.recorder.set(Gauge::CompactionsPending, pending);
        self.recorder.set(Gauge::BackgroundJobsQueued.at(Pool::Compaction as usize), pending);
    }

    /// The flush under way writes so many memtables; 0 when it is done.
    pub(crate) fn set_flushing(&self, memtables: usize) {
        self.flushing.store(memtables, Ordering::Relaxed);
        gauges::set_memtables(&self.recorder, &self.view.load(), memtables);
    }

    /// Gauges of what changes with every write and with time: refreshed when the view changes, when metrics or statistics are
    /// asked for, and by whoever watches.
    pub(crate) fn set_memory_gauges(&self) {
        let view = self.view.load();
        gauges::set_memtables(&self.recorder, &view, self.flushing.load(Ordering::Relaxed));
        self.set_memory(&view);
        self.set_log_gauges();
        self.set_file_gauges();
        self.set_ages();
        let compacting = self.work.lock().compacting;
        self.set_compaction_queue(compacting);
    }

    fn set_memory(&self, view: &View) {
        let r = &self.recorder;
        let bytes_of = |memtable: &Memtable| memtable.used_bytes() + memtable.index_bytes();
        let immutable: usize = view.immutables.iter().map(|memtable| bytes_of(memtable)).sum();
        let filters: usize = view.version.tables().map(|(_, table)| table.filter_bytes()).sum();
        r.set(Gauge::FilterBytes, filters as f64);
        let tables = view.version.tables().map(|(_, table)| table.memory_bytes());
        let (all, indexes) = tables.fold((0, 0), |sum, table| (sum.0 + table.0, sum.1 + table.1));
        let cache = self.files.cache.bytes();
        let pinned = self.flushed.held_bytes();
        r.set(Gauge::CacheBytes, cache as f64);
        r.set(Gauge::CacheBlockBytes.at(DATA_BLOCK), cache as f64);
        r.set(Gauge::PinnedMemtableBytes, pinned as f64);
        let components = [
            (MemoryComponent::Memtable, bytes_of(&view.active) as u64),
            (MemoryComponent::Immutable, immutable as u64),
            (MemoryComponent::BlockCache, cache),
            (MemoryComponent::Filters, (all - indexes) as u64),
            (MemoryComponent::Indexes, indexes as u64),
            (MemoryComponent::Other, pinned),
        ];
        for (component, bytes) in components {
            r.set(Gauge::MemoryBytes.at(component as usize), bytes as f64);
        }
        let total: u64 = components.iter().map(|(_, bytes)| bytes).sum();
        r.set(Gauge::TotalMemoryBytes, total as f64);
    }

    fn set_log_gauges(&self) {
        let r = &self.recorder;
        let bytes = |logs: &[FileNumber]| -> u64 {
            logs.iter().map(|log| self.dir.length_of(FileName::Log(*log))).sum()
        };
        let (live, recycled) = (self.set.logs(), self.segments.recycled.lock().clone());
        let live_bytes = bytes(&live);
        r.set(Gauge::WalFiles.at(0), live.len() as f64);
        r.set(Gauge::WalFiles.at(1), recycled.len() as f64);
        r.set(Gauge::WalBytes, live_bytes as f64);
        r.set(Gauge::DiskUsageBytes.at(DiskFile::Wal as usize), (live_bytes + bytes(&recycled)) as f64);
        let (unsynced, since) = self.syncs.unsynced();
        r.set(Gauge::WalUnsyncedBytes, unsynced as f64);
        r.set(Gauge::WalOldestUnsyncedAge, since.map_or(0, |since| r.nanos_since(since)) as f64 / 1e9);
    }

    /// Files that nobody needs any more, and the disk they lie on.
    fn set_file_gauges(&self) {
        let r = &self.recorder;
        let waiting = self.files.graveyard.waiting();
        let all_held = self.files.graveyard.held();
        let mut all_bytes = 0;
        for label in [FileLabel::Wal, FileLabel::Table, FileLabel::Vlog, FileLabel::Manifest] {
            let held = all_held.iter().filter(|(name, _)| label_of(*name) == label);
            let (held_files, held) = held.fold((0, 0), |(files, sum), (_, bytes)| (files + 1, sum + bytes));
            let mine = || waiting.iter().filter(|name| label_of(**name) == label);
            let bytes = held + mine().map(|name| self.dir.length_of(*name)).sum::<u64>();
            r.set(Gauge::ObsoleteFiles.at(label as usize), (held_files + mine().count() as u64) as f64);
            r.set(Gauge::ObsoleteBytes.at(label as usize), bytes as f64);
            r.set(Gauge::PinnedObsoleteBytes.at(label as usize), held as f64);
            all_bytes += bytes;
        }
        r.set(Gauge::DiskUsageBytes.at(DiskFile::Obsolete as usize), all_bytes as f64);
        r.set(Gauge::DiskUsageBytes.at(DiskFile::Manifest as usize), self.set.manifest_bytes() as f64);
        r.set(Gauge::VersionsLive, self.set.live_versions() as f64);
        if let Some(space) = self.dir.space() {
            r.set(Gauge::DiskFreeBytes, space.free as f64);
            r.set(Gauge::DiskCapacityBytes, space.capacity as f64);
        }
    }

    fn set_ages(&self) {
        let nanos = self.due.oldest_age_nanos(&self.recorder);
        self.recorder.set(Gauge::CompactionOldestPendingAge, nanos as f64 / 1e9);
    }

    fn published(&self, view: &View, collect: &BTreeSet<FileNumber>) -> PublishedState {
        let values = standings(&view.version, collect).map(|(values, standing)| ValueFileState {
            number: values.file.number.0,
            bytes: values.meta.bytes,
            live_bytes: values.used.bytes,
            live_entries: values.used.entries,
            standing,
        });
        let held = self.files.graveyard.held();
        let pinned = held.iter().filter_map(|(name, bytes)| match name {
            FileName::Value(number) => Some(ValueFileState {
                number: number.0,
                bytes: *bytes,
                live_bytes: 0,
                live_entries: 0,
                standing: ValueFileStanding::Pinned,
            }),
            _ => None,
        });
        let levels = view.version.levels.iter().enumerate().map(|(at, level)| LevelState {
            level: at as u32,
            tables: level.tables.iter().map(|file| file.meta.state()).collect(),
        });
        PublishedState {
            levels: levels.collect(),
            value_files: values.chain(pinned).collect(),
            options: self.option_states.clone(),
            recovery: self.recovery.clone(),
        }
    }

    /// Counts a table that a flush or a compaction wrote.
    pub(crate) fn count_written(&self, origin: WriteOrigin, level: usize, table: &BuiltTable) {
        self.recorder.add(Counter::StorageWrittenBytes.at(origin as usize), table.bytes);
        self.recorder.add(Counter::LevelWrittenBytes.at(level), table.bytes);
        let event = Event::new(EventKind::TableCreated).file(table.number.0);
        self.recorder.emit(event.level(level as u32).bytes(table.bytes));
    }
}

fn label_of(name: FileName) -> FileLabel {
    match name {
        FileName::Log(_) => FileLabel::Wal,
        FileName::Table(_) => FileLabel::Table,
        FileName::Value(_) => FileLabel::Vlog,
        _ => FileLabel::Manifest,
    }
}

const _: () = assert!(OK == 0);
