//! Who flushes and compacts, and where writers wait for it.
//!
//! With threads: one for flushes (and for log segments made ahead), a keeper that removes files and makes ready what writers will fill,
//! `compaction_threads` for compactions. Flushes come first because nobody else does them; L0 comes before other levels because the
//! picker says so. Without threads (in simulations) the caller does one job at a time, and a write that finds no room does them until
//! there is some.

use std::sync::Arc;

use bettong_metrics::{Counter, Gauge, Histogram};

use crate::commit::{RotationReason, rotate_now};
use crate::compaction::pick::{pick, pick_all, pick_all_garbage};
use crate::compaction::run;
use crate::condition::{Origin, Severity};
use crate::engine::Engine;
use crate::env::{Threads, spawn};
use crate::error::{Error, Result};
use crate::flush;
use crate::key::SeqNo;
use crate::metric::{SLOWDOWN, STOP, StallCause};
use crate::pacer::{Pacer, WritePace};
use crate::pressure::Pressure;
use crate::sync::{JoinHandle, Mutex, Ordering};
use crate::values::usage::Usage;
use crate::work::WorkState;
use crate::workers::{
    compaction_loop, flush_loop, flush_reason, forget_trouble, guarded, keep_loop, next_plan, release, settle,
};

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
            let mut started = background
                .spawn("bettong-flush", Origin::Flush, flush_loop)
                .and_then(|()| background.spawn("bettong-keep", Origin::Flush, keep_loop));
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
        self.engine.files.graveyard.ring();
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
            engine.bury_files(|| {});
            return settle(engine, Origin::Flush, result.map(|flushed| flushed.is_some()));
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
        let result = guarded(engine, || run::run(engine, &plan, &|_| true)).map(|_| true);
        let origin = release(engine, &plan, &result);
        engine.bury_files(|| {});
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
    fn exclusively<T>(
        &self,
        work: impl FnOnce(&Engine, &(dyn Fn(u64) -> bool + Sync)) -> Result<T>,
    ) -> Result<T> {
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
        engine.bury_files(|| {});
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
