//! The door: the handle that callers hold.

pub(crate) mod snapshot;

use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;

use bettong_metrics::{
    Counter, Event, EventKind, Operation, OperationTimer, Registry, Severity, Stage, TreeChange,
};

use snapshot::Snapshot;

use crate::background::Background;
use crate::batch::{Op, WriteBatch};
use crate::closing;
use crate::commit::{Commit, RotationReason, Terms, commit};
use crate::condition::BackgroundError;
use crate::engine::Engine;
use crate::env::file::Lock;
use crate::env::names::FileName;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::garbage::GarbageReport;
use crate::key::{DEFAULT_KEYSPACE, Kind, check_key, check_value};
use crate::log::segment::LogPosition;
use crate::metric::StallCause;
use crate::options::{Durability, Options, WriteOptions};
use crate::probe::EngineProbe;
use crate::read;
use crate::read::point::ReadPoint;
use crate::read::range::ScanRange;
use crate::read::scan::Scan;
use crate::recovery::{self, RecoveryReport};
use crate::report::{Report, Untimed, UntimedStop};
use crate::stats::Stats;
use crate::sync::Mutex;
use crate::value::Value;
use crate::verify::{self, VerifyReport};
use crate::view::View;

/// A database. Clones are the same database; it is closed with [`Db::close`], or when the last clone (and the last snapshot)
/// is dropped.
///
/// After a `fork` the child must not touch it: the threads that flush and compact are the parent's. The lock of the directory lasts
/// until both processes have let go of it.
///
/// ```
/// use bettong::{Db, Options};
///
/// # let dir = tempfile::tempdir()?;
/// let db = Db::open(dir.path(), Options::default())?;
/// db.set(b"wallaby", b"hops")?;
/// db.set(b"wombat", b"digs")?;
/// assert_eq!(db.get(b"wombat")?.unwrap(), b"digs");
/// db.delete(b"wombat")?;
/// let left: Result<Vec<_>, _> = db.prefix(b"w").map(|item| item.map(|item| item.key().to_vec())).collect();
/// assert_eq!(left?, [b"wallaby"]);
/// db.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("path", &self.inner.engine.dir.path()).finish_non_exhaustive()
    }
}

struct Inner {
    engine: Arc<Engine>,
    background: Background,
    report: RecoveryReport,
    lock: Mutex<Option<Box<dyn Lock>>>,
}

impl Db {
    /// Opens the database in the directory `path`, or makes one there.
    ///
    /// # Errors
    /// - [`Error::InvalidOptions`] with all faults at once;
    /// - [`Error::Locked`] if another handle, in this or another process, holds it;
    /// - [`Error::Corruption`] if a file is damaged, missing or another one's;
    /// - [`Error::UnsupportedVersion`] if a newer version wrote it;
    /// - [`Error::Io`], [`Error::NoSpace`] as the operating system says.
    ///
    /// After an error the data are as they were.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Db> {
        Db::open_in(path.as_ref(), options)
    }

    /// Opens the database in the directory `path` to look at it: nothing there is changed, not even after a crash, and
    /// nothing is done in the background. Others may do the same at the same time; who writes to the database keeps them out,
    /// and is kept out by them, unless the directory is a copy that lacks the file `LOCK`. It works where this process, or nobody, may write. Writes are refused with
    /// [`Error::OpenedForReading`].
    ///
    /// What the last process left in its log is read into memory: some two or three times what its memtables had. What was torn at the end
    /// stays on the disk for the next [`Db::open`] to cut off.
    ///
    /// # Errors
    /// Those of [`Db::open`]; [`Error::Io`] if there is no database.
    ///
    /// # Examples
    /// ```
    /// use bettong::{Db, Options};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// Db::open(dir.path(), Options::default())?.set(b"wombat", b"digs")?;
    /// let db = Db::open_read_only(dir.path(), Options::default())?;
    /// assert_eq!(db.get(b"wombat")?.unwrap(), b"digs");
    /// assert!(db.set(b"wombat", b"sleeps").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_read_only(path: impl AsRef<Path>, mut options: Options) -> Result<Db> {
        options.env = options.env.for_reading();
        options.create_if_missing = false;
        let db = Db::open_in(path.as_ref(), options)?;
        db.inner.engine.gate.open_for_reading();
        Ok(db)
    }

    fn open_in(path: &Path, options: Options) -> Result<Db> {
        options.validate()?;
        let last_part = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = if options.name.is_empty() { last_part.unwrap_or_default() } else { options.name.clone() };
        let registry = Registry::with_level(name, options.instrumentation);
        registry.set_slow_threshold(options.slow_threshold);
        let opened = recovery::open(path, options, &registry)?;
        let engine = Arc::new(opened.engine);
        if engine.options.verify_at_open
            && let Some(fault) = verify::verify(&engine).faults.into_iter().next()
        {
            return Err(fault);
        }
        if engine.env.is_live() {
            let watched = Arc::downgrade(&engine);
            registry
                .watch(move || watched.upgrade().into_iter().for_each(|engine| engine.set_memory_gauges()));
        }
        let background = Background::start(engine.clone())?;
        registry.set_probe(Arc::new(EngineProbe::new(&engine)));
        announce_open(&engine, &opened.report);
        let lock = Mutex::new(Some(opened.lock));
        Ok(Db { inner: Arc::new(Inner { engine, background, report: opened.report, lock }) })
    }

    /// Sets a key to a value, with the durability of the options.
    ///
    /// # Errors
    /// [`Error::EmptyKey`], [`Error::KeyTooLong`], [`Error::ValueTooLarge`]; [`Error::NoSpace`] when the log cannot grow;
    /// [`Error::ReadOnly`] and [`Error::Closed`]. Nothing is written then, except that after a failed sync the value may
    /// be there when the database is opened again.
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.set_with(key, value, WriteOptions::new())
    }

    /// Sets a key to a value.
    ///
    /// # Errors
    /// As [`Db::set`].
    pub fn set_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        options: WriteOptions,
    ) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        self.one(Operation::Set, Kind::Value, key, value, options)
    }

    /// Deletes a key, whether it is there or not, with the durability of the options.
    ///
    /// # Errors
    /// As [`Db::set`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        self.delete_with(key, WriteOptions::new())
    }

    /// Deletes a key, whether it is there or not.
    ///
    /// # Errors
    /// As [`Db::set`].
    pub fn delete_with(&self, key: impl AsRef<[u8]>, options: WriteOptions) -> Result<()> {
        self.one(Operation::Delete, Kind::Tombstone, key.as_ref(), &[], options)
    }

    #[inline]
    fn one(
        &self,
        operation: Operation,
        kind: Kind,
        key: &[u8],
        value: &[u8],
        options: WriteOptions,
    ) -> Result<()> {
        let engine = &*self.inner.engine;
        let op = Op { kind, keyspace: DEFAULT_KEYSPACE, key, value };
        let terms = Terms::of(engine, options);
        // Whoever waits for a sync leaves the fast path anyhow.
        let begun =
            (terms.durability != Durability::Sync).then(|| engine.recorder.begin(operation)).flatten();
        let Some(begun) = begun else {
            return self.one_timed(engine.recorder.start(operation), operation, op, terms);
        };
        match self.commit_one(op, terms, Untimed(begun.counting())) {
            Ok(_) => {
                begun.end(operation);
                Ok(())
            }
            Err(UntimedStop::LeavesFastPath(token)) => {
                self.one_timed(engine.recorder.resume(begun, operation, token), operation, op, terms)
            }
            Err(UntimedStop::Failed(error)) => {
                begun.end(operation);
                engine.recorder.fail(operation, error.label());
                Err(*error)
            }
        }
    }

    #[cold]
    #[inline(never)]
    #[expect(clippy::needless_pass_by_value, reason = "the operation ends here, and with it its timer")]
    fn one_timed(
        &self,
        timer: OperationTimer<'_>,
        operation: Operation,
        op: Op<'_>,
        terms: Terms,
    ) -> Result<()> {
        let end = self.commit_one(op, terms, &timer);
        end.and_then(|end| self.wait_durable(end, terms, &timer))
            .inspect_err(|error| self.inner.engine.recorder.fail(operation, error.label()))
    }

    #[inline]
    fn commit_one<R: Report>(
        &self,
        op: Op<'_>,
        terms: Terms,
        report: R,
    ) -> std::result::Result<LogPosition, R::Stop> {
        check_key(op.key)?;
        check_value(op.value)?;
        self.commit(&std::iter::once(op), op.key.len() + op.value.len(), terms, report)
    }

    /// Applies a batch: all of it or nothing, at any crash. An empty batch does nothing.
    ///
    /// # Errors
    /// As [`Db::set`], for the first bad entry; and [`Error::BatchTooLarge`].
    pub fn write(&self, batch: WriteBatch) -> Result<()> {
        self.write_with(batch, WriteOptions::new())
    }

    /// Applies a batch: all of it or nothing, at any crash. An empty batch does nothing.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_with(&self, mut batch: WriteBatch, options: WriteOptions) -> Result<()> {
        let engine = &*self.inner.engine;
        let timer = engine.recorder.start(Operation::Batch);
        let result = batch.take_fault().and_then(|()| {
            if batch.is_empty() {
                return engine.gate.check_write();
            }
            let terms = Terms::of(engine, options);
            let end = self.commit(&batch.ops(), batch.payload_bytes(), terms, &timer)?;
            self.wait_durable(end, terms, &timer)
        });
        if result.is_ok() {
            timer.add(Counter::SetOperations, batch.sets() as u64);
            timer.add(Counter::DeleteOperations, (batch.len() - batch.sets()) as u64);
        }
        result.inspect_err(|error| engine.recorder.fail(Operation::Batch, error.label()))
    }

    /// Makes a write visible. Its place in the log is returned, for [`Db::wait_durable`].
    #[inline]
    fn commit<'a, R: Report>(
        &self,
        ops: &(impl Iterator<Item = Op<'a>> + Clone),
        bytes: usize,
        terms: Terms,
        report: R,
    ) -> std::result::Result<LogPosition, R::Stop> {
        let engine = &*self.inner.engine;
        loop {
            if !engine.pressure.is_none() {
                report.leave_fast_path()?;
                self.inner.background.under_pressure(bytes)?;
                report.mark(Stage::Stall);
            }
            match commit(engine, ops.clone(), bytes, terms, report)? {
                Commit::Done(end) => return Ok(end),
                Commit::NoRoom => {
                    report.leave_fast_path()?;
                    self.inner.background.wait_for_room(StallCause::Memtables)?;
                    report.mark(Stage::Stall);
                }
            }
        }
    }

    /// Waits until a write is durable, if it asked for that. If this fails, the write may be there after a reopening.
    fn wait_durable(&self, end: LogPosition, terms: Terms, timer: &OperationTimer<'_>) -> Result<()> {
        if terms.durability == Durability::Sync {
            timer.leave_fast_path();
            self.inner.engine.wait_durable(end)?;
            timer.mark(Stage::WalSync);
        }
        Ok(())
    }

    /// The value of a key, or `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Corruption`] if what is read is damaged (other keys stay readable), [`Error::Io`], [`Error::Closed`].
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        self.inner.get(key.as_ref(), None)
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// As [`Db::get`].
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.inner.contains(key.as_ref())
    }

    /// The values of several keys, in their order, all of the same state.
    ///
    /// # Errors
    /// As [`Db::get`], for the first key that fails.
    pub fn multi_get<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Value>>> {
        let engine = &*self.inner.engine;
        let view = engine.view.keep();
        let point = ReadPoint { seq: engine.publisher.visible(), time: Some(engine.set.expiry.moment()) };
        keys.iter().map(|key| self.inner.get_in(&view, key.as_ref(), point)).collect()
    }

    /// The keys of a range and their values, in order, from both ends: see [`Scan`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let db = bettong::Db::open(dir.path(), bettong::Options::default())?;
    /// for item in db.scan(b"a".as_slice()..b"m".as_slice()).rev().take(10) {
    ///     let item = item?;
    ///     println!("{:?} has {} bytes", item.key(), item.value()?.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scan<'k>(&self, range: impl RangeBounds<&'k [u8]>) -> Scan {
        self.inner.scan(owned(&range), None)
    }

    /// The keys that start with `prefix` and their values, in order, from both ends.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Scan {
        self.inner.scan(ScanRange::prefix(prefix.as_ref()), None)
    }

    /// The present state, to be read for as long as the snapshot is held. It holds back the removal of what was replaced or
    /// deleted since, so drop it when done.
    pub fn snapshot(&self) -> Snapshot {
        let engine = &*self.inner.engine;
        let (seq, time) = engine.snapshots.take(engine.publisher.cell(), &engine.set.expiry);
        Snapshot::new(&self.inner, ReadPoint { seq, time: Some(time) })
    }

    /// Makes every write that was acknowledged so far safe from a power cut.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] if the sync fails, now or earlier: the database is then read-only until it is opened again.
    pub fn sync(&self) -> Result<()> {
        let engine = &*self.inner.engine;
        engine.gate.check_write()?;
        engine.sync_log()
    }

    /// Writes all memtables to tables.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] with the reason if that fails (it is tried again by itself), [`Error::Closed`].
    pub fn flush(&self) -> Result<()> {
        self.inner.engine.gate.check_write()?;
        self.inner.background.flush(RotationReason::Manual)
    }

    /// Flushes, and merges everything in a range of keys (both ends included) into one level, so that nothing replaced or deleted is left of it
    /// (but for what snapshots hold). Needs as much free disk as the range takes.
    ///
    /// # Errors
    /// As [`Db::flush`]; [`Error::Corruption`] if a table is damaged.
    pub fn compact<'k>(&self, range: impl RangeBounds<&'k [u8]>) -> Result<()> {
        self.inner.engine.gate.check_write()?;
        let end = |bound: Bound<&&'k [u8]>| match bound {
            Bound::Included(key) | Bound::Excluded(key) => Some(*key),
            Bound::Unbounded => None,
        };
        self.inner.background.compact(end(range.start_bound()), end(range.end_bound()))
    }

    /// Flushes, brings to light what is garbage in the value files, and moves what lives on of those that have any, so that they
    /// go. The database does this by itself as its ceiling demands ([`Options::max_space_amplification`]); this is for giving
    /// back all there is, at once. It merges all keys, as [`Db::compact`] does, and needs room for what it moves.
    ///
    /// # Errors
    /// As [`Db::compact`].
    pub fn collect_garbage(&self) -> Result<GarbageReport> {
        let engine = &*self.inner.engine;
        engine.gate.check_write()?;
        let files = || {
            let values = engine.set.version().values.clone();
            (values.len() as u64, values.values().map(|values| values.meta.bytes).sum::<u64>())
        };
        self.flush()?;
        let (files_before, bytes_before) = files();
        let moved = self.inner.background.collect_garbage()?;
        let (files_after, bytes_after) = files();
        let held = engine.files.graveyard.held();
        let pinned = || held.iter().filter(|(name, _)| matches!(name, FileName::Value(_)));
        Ok(GarbageReport {
            files_before,
            bytes_before,
            files_after,
            bytes_after,
            moved_entries: moved.entries,
            moved_bytes: moved.bytes,
            pinned_files: pinned().count() as u64,
            pinned_bytes: pinned().map(|(_, bytes)| bytes).sum(),
        })
    }

    /// Reads the manifest, the logs of what is in memory, every table and every separated value, and checks all checksums, orders,
    /// filters, counts, and what is known of the use of value files. Reads and writes go on meanwhile.
    ///
    /// # Errors
    /// [`Error::Closed`]. Damage is no error of this call: it is what the report lists.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.inner.engine.gate.check_read()?;
        Ok(verify::verify(&self.inner.engine))
    }

    /// How the tree came about: its changes since the manifest was last written anew, oldest first. The last one leads to the present tree.
    /// A manifest is written anew when it has 4 MiB of changes and more, and by an opening after a crash. The next change waits meanwhile.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Corruption`] or [`Error::Io`] if the manifest does not read.
    pub fn tree_changes(&self) -> Result<Vec<TreeChange>> {
        self.inner.engine.gate.check_read()?;
        self.inner.engine.set.changes()
    }

    /// The worst fault of background work at the moment, if there is any: how bad it is, why, since when, and whether it passes by
    /// itself. The same is in the metrics (`db_background_error_severity`, `db_background_errors_total`), and each failure is
    /// an event.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let db = bettong::Db::open(dir.path(), bettong::Options::default())?;
    /// if let Some(error) = db.background_error() {
    ///     eprintln!("{error}, for {:?}", error.age);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn background_error(&self) -> Option<BackgroundError> {
        self.inner.engine.condition.present()
    }

    /// What the open of this database found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// The metrics of this database: hand them to an exporter.
    pub fn metrics(&self) -> Arc<Registry> {
        self.inner.engine.set_memory_gauges();
        self.inner.engine.registry.clone()
    }

    /// Figures for programs and, printed with `{}`, for people.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.inner.engine)
    }

    /// Closes the database: no more writes, memtables written to tables, log synced, a mark left that all is well. Reads through other
    /// clones fail from then on; scans that are held go on, until another handle removes files that they have not reached.
    ///
    /// # Errors
    /// If the last steps fail, or the database had turned read-only. The database is closed all the same, and the next open recovers what was acknowledged.
    pub fn close(self) -> Result<()> {
        self.inner.close()
    }

    /// Does one piece of background work in an environment without background threads; returns whether there was any.
    ///
    /// # Errors
    /// Of the work.
    #[doc(hidden)]
    pub fn step(&self) -> Result<bool> {
        self.inner.background.step()
    }
}

impl Inner {
    #[inline]
    fn get(&self, key: &[u8], point: Option<ReadPoint>) -> Result<Option<Value>> {
        let engine = &*self.engine;
        // The view first: what it holds is complete for every sequence number read after it.
        let view = engine.view.load();
        let point = point.unwrap_or_else(|| ReadPoint { seq: engine.publisher.visible(), time: None });
        self.get_in(&view, key, point)
    }

    #[inline]
    fn get_in(&self, view: &Arc<View>, key: &[u8], point: ReadPoint) -> Result<Option<Value>> {
        read::get::get(&self.engine, view, key, point)
    }

    fn contains(&self, key: &[u8]) -> Result<bool> {
        let engine = &*self.engine;
        let view = engine.view.load();
        let point = ReadPoint { seq: engine.publisher.visible(), time: None };
        read::get::contains(engine, &view, key, point)
    }

    fn scan(&self, range: ScanRange, point: Option<ReadPoint>) -> Scan {
        let engine = &*self.engine;
        let view = engine.view.keep();
        let now = || ReadPoint { seq: engine.publisher.visible(), time: Some(engine.set.expiry.moment()) };
        Scan::new(view, point.unwrap_or_else(now), range, &engine.files, engine.gate.check_read())
    }

    fn close(&self) -> Result<()> {
        let engine = &*self.engine;
        // A database that turned read-only says so again: what it could not make safe must not look closed in good order.
        let only_read = engine.gate.is_for_reading();
        let in_order = if only_read { Ok(()) } else { engine.gate.check_write() };
        // Held to the end: whoever closes second returns when it is done, and only then may somebody else have the database.
        let mut lock = self.lock.lock();
        if !engine.gate.close() {
            return Ok(());
        }
        engine.registry.close_probe();
        // Whoever got through the gate before is done with the log when the lock is free.
        drop(engine.commit.lock());
        self.background.stop();
        let result = in_order.and_then(|()| if only_read { Ok(()) } else { closing::leave_clean(engine) });
        engine.bury_files(|| {});
        lock.take();
        let event = Event::new(EventKind::Close);
        engine.recorder.emit(match &result {
            Ok(()) => event.result("ok"),
            Err(error) => event.result("failed").severity(Severity::Error).message(error.sentence()),
        });
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever wants to know of errors calls `close`; what was acknowledged is safe either way.
        self.close().ok();
    }
}

/// Tells those who look at the metrics that the database is open, and what was found after a crash.
fn announce_open(engine: &Engine, report: &RecoveryReport) {
    if !report.clean && !report.created {
        let message = format!(
            "{} records of {} logs replayed, {} torn bytes cut, {} younger logs dropped",
            report.records, report.logs, report.truncated_bytes, report.dropped_logs
        );
        let lost = report.truncated_bytes > 0 || report.dropped_logs > 0;
        let severity = if lost { Severity::Warning } else { Severity::Info };
        let event = Event::new(EventKind::Recovery).severity(severity).bytes(report.truncated_bytes);
        engine.recorder.emit(event.nanos(report.replay_time.as_nanos() as u64).message(message));
    }
    let phases = [report.lock_time, report.manifest_time, report.replay_time, report.tables_time];
    let nanos = phases.iter().sum::<std::time::Duration>().as_nanos() as u64;
    let result = if report.created { "created" } else { "opened" };
    engine.recorder.emit(Event::new(EventKind::Open).nanos(nanos).result(result));
}

fn owned<'k>(range: &impl RangeBounds<&'k [u8]>) -> ScanRange {
    let copy = |bound: Bound<&&'k [u8]>| bound.map(|key| key.to_vec());
    ScanRange { lower: copy(range.start_bound()), upper: copy(range.end_bound()) }
}

#[cfg(test)]
mod tests;
