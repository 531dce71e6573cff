//! Everything a database is made of, for those who work on it.

use std::sync::Arc;

use bettong_metrics::{
    Counter, Gauge, Histogram, LevelState, PublishedState, Recorder, Registry, TableState,
};
use parking_lot::Mutex;

use crate::env::names::{FileName, FileNumber};
use crate::env::{Dir, Env};
use crate::error::{Error, Result};
use crate::key::SeqNo;
use crate::levels::edit::VersionEdit;
use crate::levels::set::VersionSet;
use crate::levels::shape::Shape;
use crate::levels::table_file::Graveyard;
use crate::levels::version::{Level, Version};
use crate::log::segment::{NewSegment, Segment};
use crate::log::sync::SyncQueue;
use crate::log::writer::LogWriter;
use crate::memtable::Memtable;
use crate::metric::{FileLabel, OK, WriteOrigin};
use crate::options::{Compression, Options};
use crate::pressure::{CurrentPressure, Pressure};
use crate::publish::Publisher;
use crate::snapshot_list::SnapshotList;
use crate::state::Gate;
use crate::table::builder::BuiltTable;
use crate::table::reader::TableContext;
use crate::view::{CurrentView, View};
use crate::work::Work;

/// Segments kept for recycling beside the one that is ready.
const RECYCLED_MAX: usize = 2;

/// The parts of an open database. Fields are grouped by what guards them.
#[derive(Debug)]
pub(crate) struct Engine {
    // Set at open, never changed.
    pub(crate) options: Options,
    pub(crate) env: Env,
    pub(crate) dir: Dir,
    pub(crate) recorder: Recorder,
    pub(crate) registry: Arc<Registry>,
    pub(crate) tables: TableContext,
    pub(crate) graveyard: Arc<Graveyard>,
    // Each guards itself.
    pub(crate) set: VersionSet,
    pub(crate) view: CurrentView,
    pub(crate) publisher: Publisher,
    pub(crate) snapshots: SnapshotList,
    pub(crate) gate: Gate,
    pub(crate) pressure: CurrentPressure,
    pub(crate) announcing: Mutex<()>,
    pub(crate) work: Work,
    pub(crate) syncs: SyncQueue,
    pub(crate) segments: Segments,
    pub(crate) recovery: Vec<(String, String)>,
    /// The commit lock: the order of writes.
    pub(crate) commit: Mutex<CommitState>,
}

/// What the commit lock guards.
#[derive(Debug)]
pub(crate) struct CommitState {
    pub(crate) writer: LogWriter,
    pub(crate) next_seq: SeqNo,
}

/// Segments that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Held while a segment is made, so that the next one gets the next number.
    ready: Mutex<Option<Arc<Segment>>>,
    recycled: Mutex<Vec<FileNumber>>,
}

impl Engine {
    /// The size that a segment is given: the log of a full memtable is about as long as the memtable.
    fn segment_bytes(&self) -> u64 {
        self.options.memtable_bytes as u64 + (self.options.memtable_bytes as u64 / 8).clamp(4 << 10, 1 << 20)
    }

    /// The segment that is ready to take writes: the one made ahead, or, if a burst was faster, one made now. It stays ready
    /// until [`Engine::use_ready_segment`] takes it: segments are used in the order of their numbers, none is left out.
    pub(crate) fn ready_segment(&self) -> Result<Arc<Segment>> {
        let mut ready = self.segments.ready.lock();
        match &*ready {
            Some(segment) => Ok(segment.clone()),
            None => Ok(ready.insert(self.prepare_segment()?).clone()),
        }
    }

    /// The ready segment has taken over.
    pub(crate) fn use_ready_segment(&self) {
        self.segments.ready.lock().take();
    }

    /// Whether it is time to make a segment ahead: the memtable is half full, and none is ready.
    pub(crate) fn wants_segment(&self) -> bool {
        let half_full = self.view.load().active.used_bytes() >= self.options.memtable_bytes / 2;
        // While one is being made the lock is held, and another is not wanted.
        half_full && self.segments.ready.try_lock().is_some_and(|ready| ready.is_none())
    }

    fn prepare_segment(&self) -> Result<Arc<Segment>> {
        let number = self.set.new_file_number();
        let recycled = self.segments.recycled.lock().pop();
        let new = NewSegment { number, capacity: self.segment_bytes(), recycled, birth: self.set.birth() };
        let prepared = Segment::prepare(&self.dir, new).inspect_err(|_| {
            // Under one of these names a file may be left; neither is known to the manifest.
            self.graveyard.bury(FileName::Log(number));
            recycled.into_iter().for_each(|old| self.graveyard.bury(FileName::Log(old)));
        })?;
        let edit = VersionEdit { added_logs: vec![(number, prepared.id)], ..VersionEdit::default() };
        self.set.apply(edit, |_| {}).inspect_err(|error| {
            // In doubt, the file stays: the manifest may name it.
            if matches!(error, Error::NoSpace { .. }) {
                self.graveyard.bury(FileName::Log(number));
            }
        })?;
        self.recorder.set(Gauge::WalFiles.at(0), self.set.logs().len() as f64);
        Ok(Arc::new(prepared))
    }

    /// Gives up the segments that wait to be recycled: nobody will.
    pub(crate) fn forget_recycled(&self) {
        self.segments.recycled.lock().drain(..).for_each(|log| self.graveyard.bury(FileName::Log(log)));
    }

    /// Segments whose writes are all in tables, and that the manifest no longer names.
    pub(crate) fn retire_logs(&self, logs: &[FileNumber]) {
        let Some(newest) = logs.iter().max() else { return };
        self.syncs.retire(*newest);
        let mut recycled = self.segments.recycled.lock();
        for log in logs {
            if recycled.len() < RECYCLED_MAX {
                recycled.push(*log);
            } else {
                self.graveyard.bury(FileName::Log(*log));
            }
        }
        self.recorder.set(Gauge::WalFiles.at(1), recycled.len() as f64);
    }

    /// Removes the files that nobody needs any more. A file that cannot be removed is tried again next time.
    pub(crate) fn bury_files(&self) {
        for name in self.graveyard.take_all() {
            match self.dir.remove(name) {
                Ok(()) => {
                    let label = match name {
                        FileName::Log(_) => FileLabel::Wal,
                        FileName::Table(_) => FileLabel::Table,
                        _ => FileLabel::Manifest,
                    };
                    self.recorder.add(Counter::FileDeletions.at(label as usize), 1);
                }
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(_) if self.gate.is_closed() => {}
                Err(_) => self.graveyard.bury(name),
            }
        }
    }

    /// Installs what `edit` leads to: the manifest first, then the view that `change` makes, then the news.
    pub(crate) fn install(
        &self,
        edit: VersionEdit,
        change: impl FnOnce(&View, &Arc<Version>) -> View,
    ) -> Result<()> {
        self.set.apply(edit, |version| self.view.change(|view| change(view, version)))?;
        self.announce();
        self.work.ring();
        Ok(())
    }

    /// Makes the log durable up to its present end.
    pub(crate) fn sync_log(&self) -> Result<()> {
        let end = {
            let mut commit = self.commit.lock();
            commit.writer.hand_over()?;
            commit.writer.end()
        };
        self.wait_durable(end)
    }

    /// Waits until the log is durable up to `end`; a failure makes the database read-only.
    pub(crate) fn wait_durable(&self, end: crate::log::segment::LogPosition) -> Result<()> {
        let sync = |segment: &Segment| {
            let timer = self.recorder.timer(Histogram::WalSyncDuration);
            let result = segment.file.sync();
            let nanos = timer.stop();
            self.recorder.record(Histogram::FsyncDuration.at(FileLabel::Wal as usize), nanos);
            self.recorder.add(Counter::WalSyncs.at(usize::from(result.is_err())), 1);
            result
        };
        match self.syncs.wait_durable(end, sync) {
            Ok(Some(round)) => {
                self.recorder.record(Histogram::CommitGroupWriters, round.writers);
                self.recorder.add(Counter::CommitGroups, 1);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                if let Error::ReadOnly(reason) = &error {
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
        let _announcing = self.announcing.lock();
        let view = self.view.load();
        let shape = Shape::of(&view.version, &self.options);
        let pressure = Pressure::of(&view, shape.debt_bytes(&view.version, &self.options), &self.options);
        self.pressure.set(pressure);
        self.set_gauges(&view, &shape);
        self.registry.publish(self.published(&view));
    }

    fn set_gauges(&self, view: &View, shape: &Shape) {
        let r = &self.recorder;
        for (at, level) in view.version.levels.iter().enumerate() {
            r.set(Gauge::LevelFiles.at(at), level.tables.len() as f64);
            r.set(Gauge::LevelBytes.at(at), level.bytes as f64);
            r.set(Gauge::LevelEntries.at(at), level.entries as f64);
            r.set(Gauge::LevelTombstones.at(at), level.tombstones as f64);
            r.set(Gauge::LevelTargetBytes.at(at), shape.target_bytes(at) as f64);
            r.set(Gauge::LevelScore.at(at), shape.score(at));
            let runs = if at == 0 { level.tables.len() } else { usize::from(!level.tables.is_empty()) };
            r.set(Gauge::LevelSortedRuns.at(at), runs as f64);
        }
        let immutable_bytes: usize = view.immutables.iter().map(|memtable| memtable.used_bytes()).sum();
        let immutable_entries: u64 = view.immutables.iter().map(|memtable| memtable.entries()).sum();
        r.set(Gauge::ImmutableMemtables, view.immutables.len() as f64);
        r.set(Gauge::ImmutableMemtableBytes, immutable_bytes as f64);
        r.set(Gauge::MemtableEntries.at(1), immutable_entries as f64);
        r.set(Gauge::MemtableEntries.at(0), view.active.entries() as f64);
        r.set(Gauge::MemtableBytes, view.active.used_bytes() as f64);
        r.set(Gauge::ReadAmplification, view.version.sorted_runs() as f64);
        r.set(Gauge::CompactionPendingBytes, shape.debt_bytes(&view.version, &self.options) as f64);
        r.set(Gauge::CompactionsPending, shape.due_levels() as f64);
        let in_memory =
            |count: fn(&Memtable) -> u64| view.memtables().map(|memtable| count(memtable)).sum::<u64>();
        let in_tables = |count: fn(&Level) -> u64| view.version.levels.iter().map(count).sum::<u64>();
        let entries = in_tables(|level| level.entries) + in_memory(super::memtable::Memtable::entries);
        let tombstones =
            in_tables(|level| level.tombstones) + in_memory(super::memtable::Memtable::tombstones);
        // Each tombstone is no live entry itself, and most likely hides one.
        r.set(Gauge::Entries, entries.saturating_sub(2 * tombstones) as f64);
        r.set(Gauge::Tombstones, tombstones as f64);
        let table_bytes = view.version.bytes();
        r.set(Gauge::DiskUsageBytes.at(1), table_bytes as f64);
        r.set(Gauge::DiskUsageBytes.at(3), self.set.manifest_bytes() as f64);
        let live = view.version.live_bytes_estimate();
        r.set(Gauge::LiveDataBytes, live as f64);
        r.set(Gauge::SpaceAmplification, if live == 0 { 0.0 } else { table_bytes as f64 / live as f64 });
        self.set_memory_gauges();
    }

    /// Gauges of memory, which change with every write: refreshed when the view changes and when statistics are asked for.
    pub(crate) fn set_memory_gauges(&self) {
        let view = self.view.load();
        let r = &self.recorder;
        let memtables: usize = view.memtables().map(|memtable| memtable.used_bytes()).sum();
        let tables: usize = view.version.tables().map(|(_, table)| table.memory_bytes()).sum();
        let cache = self.tables.cache.bytes();
        r.set(Gauge::MemtableBytes, view.active.used_bytes() as f64);
        r.set(Gauge::MemtableEntries.at(0), view.active.entries() as f64);
        r.set(Gauge::CacheBytes, cache as f64);
        r.set(Gauge::TotalMemoryBytes, memtables as f64 + tables as f64 + cache as f64);
        let log_bytes = self.segment_bytes() * self.set.logs().len() as u64;
        r.set(Gauge::WalBytes, log_bytes as f64);
        r.set(Gauge::DiskUsageBytes.at(0), log_bytes as f64);
        let (held, since) = self.snapshots.held();
        r.set(Gauge::SnapshotsOpen, held as f64);
        let now = self.env.clock.monotonic_nanos();
        r.set(Gauge::SnapshotOldestAge, since.map_or(0.0, |since| now.saturating_sub(since) as f64 / 1e9));
    }

    fn published(&self, view: &View) -> PublishedState {
        let table = |meta: &crate::levels::table_file::TableMeta| TableState {
            number: meta.number.0,
            bytes: meta.bytes,
            entries: meta.entries,
            tombstones: meta.tombstones,
            smallest_key_prefix: TableState::key_prefix(&meta.smallest),
            largest_key_prefix: TableState::key_prefix(&meta.largest),
        };
        let levels = view.version.levels.iter().enumerate().map(|(at, level)| LevelState {
            level: at as u32,
            tables: level.tables.iter().map(|file| table(&file.meta)).collect(),
        });
        PublishedState {
            levels: levels.collect(),
            options: self.options.describe(),
            recovery: self.recovery.clone(),
        }
    }

    /// Counts a table that a flush or a compaction wrote.
    pub(crate) fn count_written(&self, origin: WriteOrigin, level: usize, table: &BuiltTable) {
        self.recorder.add(Counter::StorageWrittenBytes.at(origin as usize), table.bytes);
        self.recorder.add(Counter::LevelWrittenBytes.at(level), table.bytes);
        let algorithm = match self.options.compression.get(level) {
            Some(Compression::Lz4) => 1,
            _ => 0,
        };
        self.recorder.add(Counter::CompressionInputBytes.at(algorithm), table.plain_bytes);
        self.recorder.add(Counter::CompressionOutputBytes.at(algorithm), table.packed_bytes);
    }
}

const _: () = assert!(OK == 0);
