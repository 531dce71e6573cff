//! Who flushes and compacts, and where writers wait for it.
//!
//! With threads: one for flushes (and for log segments made ahead), `compaction_threads` for compactions. Flushes come first
//! because nobody else does them; L0 comes before other levels because the picker says so. Without threads (in simulations) the caller
//! does one job at a time, and a write that finds no room does them until there is some.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bettong_metrics::{Counter, Event, EventKind, Gauge, Histogram};

use crate::commit::{RotationReason, rotate_now};
use crate::compaction::pick::{pick, pick_all, pick_all_garbage};
use crate::compaction::plan::{Plan, Reason};
use crate::compaction::run;
use crate::condition::{Origin, Severity};
use crate::engine::Engine;
use crate::env::names::{FileName, FileNumber};
use crate::env::{Threads, spawn};
use crate::error::{Error, Result};
use crate::flush::{self, FlushReason};
use crate::key::SeqNo;
use crate::metric::{SLOWDOWN, STOP, StallCause};
use crate::pacer::{Pacer, WritePace};
use crate::pressure::Pressure;
use crate::sync::{JoinHandle, Mutex, Ordering};
use crate::values::usage::Usage;
use crate::work::{Trouble, WorkState};

/// How long after a failure that may pass (a full disk) the work is tried again.
const RETRY_NANOS: u64 = 250_000_000;
/// How often an idle worker looks whether something has expired.
const EXPIRY_LOOK_NANOS: u64 = 5_000_000_000;

/// The workers of one database.
#[derive(Debug)]
pub(crate) struct Background {
    engine: Arc<Engine>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    write_pace: WritePace,
    /// Held while a job is done inline.
    stepping: Mutex<()>,
    pacer: Arc<Pacer>,
}

impl Background {
    /// Starts the workers.
    ///
    /// # Errors
    /// [`Error::Io`] if a thread cannot be started; those that were are stopped again.
    pub(crate) fn start(engine: Arc<Engine>) -> Result<Background> {
        let background = Background {
            threads: Mutex::new(Vec::new()),
            write_pace: WritePace::default(),
            stepping: Mutex::new(()),
            pacer: Arc::new(Pacer::default()),
            engine,
        };
        if background.engine.env.threads == Threads::Background {
            let flusher = background.spawn("bettong-flush", Origin::Flush, flush_loop);
            let mut started = flusher;
            for _ in 0..background.engine.options.compaction_threads {
                started = started
                    .and_then(|()| background.spawn("bettong-compact", Origin::Compaction, compaction_loop));
            }
            if let Err(error) = started {
                background.stop();
                return Err(error);
            }
        }
        Ok(background)
    }

    fn spawn(&self, name: &str, origin: Origin, body: fn(&Engine, &Pacer)) -> Result<()> {
        let (engine, pacer) = (self.engine.clone(), self.pacer.clone());
        let handle = spawn(name, move || {
            // Jobs are guarded one by one; this is for what lies between them. Nobody may wait for a worker that is gone.
            let worked = guarded(&engine, || {
                body(&engine, &pacer);
                Ok(true)
            });
            settle(&engine, origin, worked).ok();
        });
        let handle =
            handle.map_err(|error| Error::io("start a thread for", self.engine.dir.path(), error))?;
        self.threads.lock().push(handle);
        Ok(())
    }

    /// Tells the workers to finish and waits until they have.
    pub(crate) fn stop(&self) {
        drop(self.stepping.lock());
        self.engine.work.change(|state| state.closing = true);
        // A caller may be compacting on its own thread; it looks for the sign, too.
        let mut state = self.engine.work.lock();
        while state.compacting > 0 {
            self.engine.work.wait(&mut state);
        }
        drop(state);
        for thread in self.threads.lock().drain(..) {
            // A worker that panicked has said so through the gate.
            thread.join().ok();
        }
    }

    fn is_inline(&self) -> bool {
        self.engine.env.threads == Threads::Inline
    }

    /// Without threads, does one job, if there is one: a flush, a log segment, a compaction. Returns whether anything was
    /// done.
    ///
    /// # Errors
    /// Of the job.
    pub(crate) fn step(&self) -> Result<bool> {
        let engine = &*self.engine;
        let _stepping = self.stepping.lock();
        if !self.is_inline() || engine.gate.check_write().is_err() {
            return Ok(false);
        }
        if !engine.view.load().immutables.is_empty() {
            let result = flush::run(engine, flush_reason(engine));
            engine.bury_files();
            return settle(engine, Origin::Flush, result);
        }
        if engine.wants_segment() {
            let result = engine.ready_segment().map(|_| true);
            return settle(engine, Origin::Flush, result);
        }
        let plan = engine.work.change(|state| next_plan(engine, state));
        let Some(plan) = plan else {
            if engine.work.change(|state| forget_trouble(engine, Origin::Compaction, state)) {
                engine.announce();
            }
            return Ok(false);
        };
        let result = guarded(engine, || run::run(engine, &plan, |_| true)).map(|_| true);
        let origin = release(engine, &plan, &result);
        engine.bury_files();
        settle(engine, origin, result)
    }

    /// Lets a write of `bytes` pass at once, slowly, or when there is room.
    ///
    /// # Errors
    /// Those of [`Background::wait_for_room`].
    #[cold]
    pub(crate) fn under_pressure(&self, bytes: usize) -> Result<()> {
        match self.engine.pressure.get() {
            Pressure::None => Ok(()),
            Pressure::Stop { cause } => self.wait_for_room(cause),
            Pressure::Slowdown { .. } if self.is_inline() => self.step().map(drop),
            Pressure::Slowdown { cause, bytes_per_second } => {
                let stall = Stall::begin(&self.engine, cause, SLOWDOWN);
                self.write_pace.wait(&self.engine, bytes, bytes_per_second);
                stall.end();
                Ok(())
            }
        }
    }

    /// Waits until a write finds room.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] with the reason when room cannot be made: at once when the work that would make it fails, though it
    /// is tried again and again; the write may be, too. [`Error::Closed`] when the database is closed.
    pub(crate) fn wait_for_room(&self, cause: StallCause) -> Result<()> {
        let engine = &*self.engine;
        let stall = Stall::begin(engine, cause, STOP);
        // The other causes follow from the tree: their events come when it changes.
        let is_for_memtables = cause == StallCause::Memtables;
        if is_for_memtables {
            engine.memtable_waiters.begin(&engine.recorder);
        }
        let result = if self.is_inline() { self.make_room() } else { self.await_room() };
        if is_for_memtables {
            engine.memtable_waiters.end(&engine.recorder);
        }
        stall.end();
        result
    }

    fn has_room(&self) -> bool {
        let stopped = matches!(self.engine.pressure.get(), Pressure::Stop { .. });
        !stopped && self.engine.view.load().immutables.len() < self.engine.options.max_immutable_memtables
    }

    fn await_room(&self) -> Result<()> {
        let engine = &*self.engine;
        let mut state = engine.work.lock();
        loop {
            engine.gate.check_write()?;
            if self.has_room() {
                return Ok(());
            }
            let stopped = matches!(engine.pressure.get(), Pressure::Stop { .. });
            let trouble = if stopped { &state.compaction } else { &state.flush };
            if let Some(blocked) = trouble.blocked.clone() {
                drop(state);
                // What failed may have left fewer logs than the pressure was computed from, and no more work that would compute it anew.
                engine.announce();
                return if self.has_room() { Ok(()) } else { Err(Error::ReadOnly(blocked)) };
            }
            no_way_out(engine, &state)?;
            engine.work.wait(&mut state);
        }
    }

    fn make_room(&self) -> Result<()> {
        while !self.has_room() {
            self.engine.gate.check_write()?;
            if !self.step()? {
                return no_way_out(&self.engine, &self.engine.work.lock());
            }
        }
        Ok(())
    }

    /// Writes all memtables to tables.
    ///
    /// # Errors
    /// Of the flush.
    pub(crate) fn flush(&self, reason: RotationReason) -> Result<()> {
        let engine = &*self.engine;
        let immutables = || engine.view.load().immutables.clone();
        engine.manual_flush.store(true, Ordering::Relaxed);
        let flush = || {
            while !rotate_now(engine, reason)? {
                self.await_flush(|| immutables().len() < engine.options.max_immutable_memtables)?;
            }
            let newest = immutables().first().map_or(SeqNo(0), |memtable| memtable.last_seq());
            self.await_flush(|| immutables().iter().all(|memtable| memtable.last_seq() > newest))
        };
        let result = flush();
        engine.manual_flush.store(false, Ordering::Relaxed);
        result
    }

    /// Waits until flushes have brought something about, or does them.
    fn await_flush(&self, done: impl Fn() -> bool) -> Result<()> {
        let engine = &*self.engine;
        while self.is_inline() && !done() {
            engine.gate.check_write()?;
            self.step()?;
        }
        let mut state = engine.work.lock();
        // An earlier failure says nothing about now, nor does that of a try that was under way: the worker tries at once,
        // and only a second failure counts.
        let failures = state.flush.failures;
        while !done() {
            engine.gate.check_write()?;
            if let Some(blocked) =
                state.flush.blocked.as_ref().filter(|_| state.flush.failures > failures + 1)
            {
                return Err(Error::ReadOnly(blocked.clone()));
            }
            if state.flush.blocked.is_some() && state.flush.retry_at_nanos != 0 {
                state.flush.retry_at_nanos = 0;
                engine.work.notify();
            }
            engine.work.wait(&mut state);
        }
        Ok(())
    }

    /// Merges everything in a range of keys into the lowest level that has any of it.
    ///
    /// # Errors
    /// Of the flush or the merge.
    pub(crate) fn compact(&self, first: Option<&[u8]>, last: Option<&[u8]>) -> Result<()> {
        self.flush(RotationReason::Manual)?;
        self.exclusively(|engine, go_on| {
            let plan = pick_all(&engine.set.version(), &engine.options, first, last);
            plan.map_or(Ok(()), |plan| run::run(engine, &plan, go_on).map(drop))
        })
    }

    /// Merges all tables that may hide garbage, and moves what lives on of the value files that have any. Returns the values moved.
    ///
    /// # Errors
    /// Of the flush or a merge.
    pub(crate) fn collect_garbage(&self) -> Result<Usage> {
        self.exclusively(|engine, go_on| {
            let mut moved = Usage::default();
            let version = || engine.set.version();
            // What is hidden, and by what, only a merge of everything brings to light.
            if !version().values.is_empty()
                && let Some(plan) = pick_all(&version(), &engine.options, None, None)
            {
                moved.add(run::run(engine, &plan, go_on)?);
            }
            // Writers go on meanwhile: what they make garbage of is left for the next time.
            let rounds = version().values.len() + version().tables().count();
            for _ in 0..=rounds {
                let Some(plan) = pick_all_garbage(&version(), &engine.options) else { break };
                moved.add(run::run(engine, &plan, go_on)?);
            }
            Ok(moved)
        })
    }

    /// Does work that wants the tree for itself. The work asks `go_on` whether it should stop.
    fn exclusively<T>(&self, work: impl FnOnce(&Engine, &dyn Fn(u64) -> bool) -> Result<T>) -> Result<T> {
        let engine = &*self.engine;
        {
            let mut state = engine.work.lock();
            state.exclusive += 1;
            while state.compacting > 0 && !state.closing {
                engine.work.wait(&mut state);
            }
            if state.closing {
                state.exclusive -= 1;
                return Err(Error::Closed);
            }
            state.compacting += 1;
        }
        let go_on = |_| !engine.work.lock().closing;
        let result = guarded(engine, || work(engine, &go_on));
        engine.work.change(|state| {
            state.exclusive -= 1;
            state.compacting -= 1;
        });
        engine.bury_files();
        if let Err(error) = &result
            && Severity::of(Origin::Compaction, error) == Severity::Soft
        {
            // Whoever asked for it is told, and nobody tries again: nothing is the matter with the database.
            return result;
        }
        let mut done = None;
        settle(engine, Origin::Compaction, result.map(|value| done.insert(value)).map(|_| true))?;
        done.ok_or(Error::Closed)
    }
}

/// Whether writes wait for compactions that will not come: what is due needs a damaged table.
fn no_way_out(engine: &Engine, state: &WorkState) -> Result<()> {
    let Some(damage) = &state.damage else { return Ok(()) };
    let view = engine.view.load();
    let stopped = matches!(engine.pressure.get(), Pressure::Stop { .. });
    let helpless = || {
        state.compacting == 0
            && pick(&view.version, &engine.options, &state.busy, engine.circumstances(&view)).is_none()
    };
    if stopped && helpless() { Err(Error::ReadOnly(damage.clone())) } else { Ok(()) }
}

/// The next compaction, marked as under way.
fn next_plan(engine: &Engine, state: &mut WorkState) -> Option<Plan> {
    if state.exclusive > 0 {
        return None;
    }
    // The view's version, not the manifest's: nobody holds a lock on it across a sync.
    let view = engine.view.load();
    let mut plan = pick(&view.version, &engine.options, &state.busy, engine.circumstances(&view))?;
    if state.compaction.blocked.is_some() && plan.reason != Reason::Garbage {
        // Whatever failed last time, moving values must not keep merges from making room.
        plan.collect = Arc::default();
    }
    state.busy.extend(plan.tables().map(|(_, table)| table.meta.number));
    state.compacting += 1;
    engine.set_compaction_queue(state.compacting);
    Some(plan)
}

/// The compaction is over: its tables are free again, but for those that cannot be read. What met the outcome is returned.
fn release<T>(engine: &Engine, plan: &Plan, result: &Result<T>) -> Origin {
    let damaged = damaged_input(engine, plan, result);
    engine.work.change(|state| {
        for (_, table) in plan.tables() {
            // A merge that met damage meets it again: it must not be tried in a loop, nor keep others from going on.
            if !damaged.as_ref().is_some_and(|damaged| damaged.contains(&table.meta.number)) {
                state.busy.remove(&table.meta.number);
            }
        }
        state.compacting -= 1;
        engine.set_compaction_queue(state.compacting);
    });
    if plan.reason == Reason::Garbage { Origin::Collection } else { Origin::Compaction }
}

/// The inputs that a merge found damaged: the one that the error names, or, if it names another file, all of them.
fn damaged_input<T>(engine: &Engine, plan: &Plan, result: &Result<T>) -> Option<HashSet<FileNumber>> {
    let Err(Error::Corruption { path, .. }) = result else { return None };
    let inputs = || plan.tables().map(|(_, table)| table.meta.number);
    let named = inputs().find(|number| engine.dir.path_of(FileName::Table(*number)) == *path);
    Some(named.map_or_else(|| inputs().collect(), |number| HashSet::from([number])))
}

/// Why the flush that is due now is made.
fn flush_reason(engine: &Engine) -> FlushReason {
    if engine.manual_flush.load(Ordering::Relaxed) { FlushReason::Manual } else { FlushReason::Full }
}

fn flush_loop(engine: &Engine, pacer: &Pacer) {
    loop {
        let due = || !engine.view.load().immutables.is_empty() || engine.wants_segment();
        if !wait_until(engine, Origin::Flush, |_| due()) {
            return;
        }
        let result = guarded(engine, || {
            if engine.wants_segment() {
                engine.ready_segment()?;
            }
            let bytes = engine.view.load().immutables.iter().map(|memtable| memtable.payload_bytes()).sum();
            if flush::run(engine, flush_reason(engine))? {
                pacer.flushed(engine.env.clock.monotonic_nanos(), bytes);
            }
            if engine.wants_segment() {
                engine.ready_segment()?;
            }
            engine.bury_files();
            Ok(true)
        });
        settle(engine, Origin::Flush, result).ok();
        engine.work.ring();
    }
}

fn compaction_loop(engine: &Engine, pacer: &Pacer) {
    let mut plan = None;
    while wait_until(engine, Origin::Compaction, |state| {
        plan = next_plan(engine, state);
        plan.is_some()
    }) {
        let Some(plan) = plan.take() else { continue };
        let mut pace = pacer.start(engine.env.clock.monotonic_nanos());
        let result = guarded(engine, || run::run(engine, &plan, |bytes| pace.go_on(engine, bytes)));
        let origin = release(engine, &plan, &result);
        engine.bury_files();
        settle(engine, origin, result.map(|_| true)).ok();
    }
}

/// Waits for work; `false` means that the worker should leave. Work that failed is not due again before its time.
fn wait_until(engine: &Engine, job: Origin, mut due: impl FnMut(&mut WorkState) -> bool) -> bool {
    let mut state = engine.work.lock();
    loop {
        if state.closing {
            return false;
        }
        let now = engine.env.clock.monotonic_nanos();
        let trouble = trouble_of(job, &mut state);
        let retry_at = trouble.retry_at_nanos;
        let blocked = trouble.blocked.is_some() && now < retry_at;
        if !blocked && !engine.gate.is_read_only() {
            if due(&mut state) {
                return true;
            }
            // Nothing is left of the work that failed, unless another thread does it.
            let nobody_tries = job == Origin::Flush || state.compacting == 0;
            if nobody_tries && forget_trouble(engine, job, &mut state) {
                // Writers may wait by a pressure from before it failed, and no more work will compute it anew.
                drop(state);
                engine.announce();
                engine.work.ring();
                state = engine.work.lock();
                continue;
            }
        }
        if blocked {
            engine.work.wait_for(&mut state, retry_at - now);
        } else if engine.set.expiry.is_used() {
            // Time alone makes work.
            engine.work.wait_for(&mut state, EXPIRY_LOOK_NANOS);
        } else {
            engine.work.wait(&mut state);
        }
    }
}

/// Runs a job; a panic in it becomes an error.
fn guarded<T>(engine: &Engine, job: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| {
        let panicked = std::io::Error::other("a background job panicked: please report it with its message");
        Err(Error::ReadOnly(Arc::new(Error::io("work on", engine.dir.path(), panicked))))
    })
}

/// Work of this origin that failed for a reason that may pass.
fn trouble_of(origin: Origin, state: &mut WorkState) -> &mut Trouble {
    if origin == Origin::Flush { &mut state.flush } else { &mut state.compaction }
}

/// The work that failed has succeeded, or is not due any more. A merge may collect, and a collection merges: they clear each other's
/// faults. Says whether there was one.
fn forget_trouble(engine: &Engine, origin: Origin, state: &mut WorkState) -> bool {
    if trouble_of(origin, state).blocked.take().is_none() {
        return false;
    }
    match origin {
        Origin::Compaction | Origin::Collection => {
            engine.condition.clear(Origin::Compaction);
            engine.condition.clear(Origin::Collection);
        }
        _ => engine.condition.clear(origin),
    }
    true
}

/// Decides what the outcome of a job means for the database: go on, try again, leave damage alone, or refuse writes.
fn settle(engine: &Engine, origin: Origin, result: Result<bool>) -> Result<bool> {
    let error = match result {
        Ok(done) => {
            engine.work.change(|state| forget_trouble(engine, origin, state));
            return Ok(done);
        }
        // Cancelled: the database is being closed.
        Err(Error::Closed) => return Err(Error::Closed),
        Err(error) => Arc::new(error),
    };
    let severity = engine.condition.note(origin, &error);
    let event = Event::new(EventKind::BackgroundError).cause(origin.name()).result(severity.name());
    engine.recorder.emit(event.message(error.sentence()));
    match severity {
        // A file that could not be written is written anew; nothing that was there is touched.
        Severity::Soft | Severity::Hard => {
            let retry_at = engine.env.clock.monotonic_nanos() + RETRY_NANOS;
            engine.work.change(|state| {
                let trouble = trouble_of(origin, state);
                trouble.blocked = Some(error.clone());
                trouble.failures += 1;
                trouble.retry_at_nanos = retry_at;
            });
        }
        // The other tables can be merged, and nothing new goes into this one: no reason to refuse writes.
        Severity::Unrecoverable if is_confined(origin, &error) => {
            engine.work.change(|state| state.damage = Some(error.clone()));
            if let Error::Corruption { path, offset, what, .. } = &*error {
                return Err(Error::corruption(path, *offset, what));
            }
        }
        // A manifest in doubt, or memtables that cannot be written: only a reopening can tell what there is.
        Severity::Fatal | Severity::Unrecoverable => {
            engine.gate.fail(error.clone());
            engine.work.ring();
        }
    }
    Err(match Arc::try_unwrap(error) {
        Ok(error) => error,
        Err(shared) => Error::ReadOnly(shared),
    })
}

/// Whether only tables are damaged, which somebody merged.
fn is_confined(origin: Origin, error: &Error) -> bool {
    let of_tables = matches!(origin, Origin::Compaction | Origin::Collection);
    let is_table = |path: &Path| path.extension().is_some_and(|extension| extension == "sst");
    of_tables && matches!(error, Error::Corruption { path, .. } if is_table(path))
}

/// A writer being held back.
struct Stall<'a> {
    engine: &'a Engine,
    cause: StallCause,
    condition: usize,
    began: bettong_metrics::Ticks,
}

impl<'a> Stall<'a> {
    fn begin(engine: &'a Engine, cause: StallCause, condition: usize) -> Stall<'a> {
        let recorder = &engine.recorder;
        recorder.add(Counter::WriteStalls.at2(cause as usize, condition), 1);
        recorder.shift(Gauge::WriteStalledWriters.at(cause as usize), 1.0);
        let stall = Stall { engine, cause, condition, began: recorder.now() };
        stall.note_full_memtables(true);
        stall
    }

    /// That every memtable is full, only the writers know that find it so; what else stalls them follows from the view.
    fn note_full_memtables(&self, full: bool) {
        if self.cause == StallCause::Memtables {
            let gauge = Gauge::WriteStallActive.at2(self.cause as usize, self.condition);
            self.engine.recorder.set(gauge, f64::from(u8::from(full)));
        }
    }

    fn end(self) {
        let recorder = &self.engine.recorder;
        let nanos = recorder.nanos_since(self.began);
        recorder.record(Histogram::WriteStallDuration.at2(self.cause as usize, self.condition), nanos);
        recorder.shift(Gauge::WriteStalledWriters.at(self.cause as usize), -1.0);
        self.note_full_memtables(false);
    }
}
