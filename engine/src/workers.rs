//! What the workers do, and what the outcome of a job means: go on, try again, leave damage alone, or refuse writes.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bettong_metrics::{Event, EventKind};

use crate::compaction::pick::{pick, pick_for_scans, price};
use crate::compaction::plan::{Plan, Reason};
use crate::compaction::run;
use crate::condition::{Origin, Severity};
use crate::engine::Engine;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::flush::{self, FlushReason};
use crate::pacer::Pacer;
use crate::sync::Ordering;
use crate::work::{Trouble, WorkState};

/// How long after a failure that may pass (a full disk) the work is tried again.
const RETRY_NANOS: u64 = 250_000_000;
/// Files to be removed from which on a compaction waits until they are.
const FILES_LEFT_MAX: usize = 64;
/// How often an idle worker looks whether something has expired.
const EXPIRY_LOOK_NANOS: u64 = 5_000_000_000;

/// The next compaction, marked as under way.
pub(crate) fn next_plan(engine: &Engine, state: &mut WorkState) -> Option<Plan> {
    if state.exclusive > 0 {
        return None;
    }
    // The view's version, not the manifest's: nobody holds a lock on it across a sync.
    let view = engine.view.load();
    let (version, options) = (&view.version, &engine.options);
    let Some(mut plan) = pick(version, options, &state.busy, engine.circumstances(&view)) else {
        let for_scans = || pick_for_scans(version, options, &HashSet::new());
        view.scan_loss.await_price(|| for_scans().map(|plan| price(&plan, options)));
        return None;
    };
    if plan.reason == Reason::Scans {
        if !has_room_for_scans(engine, state, &plan) {
            view.scan_loss.await_price(|| None);
            return None;
        }
        view.scan_loss.make_good(price(&plan, options));
    }
    if state.compaction.blocked.is_some() && plan.reason != Reason::Garbage {
        // Whatever failed last time, moving values must not keep merges from making room.
        plan.collect = Arc::default();
    }
    state.busy.extend(plan.tables().map(|(_, table)| table.meta.number));
    state.compacting += 1;
    engine.set_compaction_queue(state.compacting);
    Some(plan)
}

/// Whether a merge that only scans want can be afforded: not where work that has to be done fails, nor where it would leave others little of the disk.
fn has_room_for_scans(engine: &Engine, state: &WorkState, plan: &Plan) -> bool {
    let space = engine.dir.space();
    state.compaction.blocked.is_none() && space.is_none_or(|space| space.free >= 2 * plan.bytes())
}

/// The compaction is over: its tables are free again, but for those that cannot be read. What met the outcome is returned.
pub(crate) fn release<T>(engine: &Engine, plan: &Plan, result: &Result<T>) -> Origin {
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
pub(crate) fn flush_reason(engine: &Engine) -> FlushReason {
    if engine.manual_flush.load(Ordering::Relaxed) { FlushReason::Manual } else { FlushReason::Full }
}

/// Makes the next segment ahead of time, and the system's cache ready for its beginning, if small groups will be stored there.
fn make_segment(engine: &Engine) -> Result<()> {
    let segment = engine.ready_segment()?;
    if segment.is_mapped() && !engine.segments.mostly_values.load(Ordering::Relaxed) {
        segment.want_cache(0);
        segment.prepare_cache();
    }
    Ok(())
}

pub(crate) fn flush_loop(engine: &Engine, pacer: &Pacer) {
    loop {
        let due = || !engine.view.load().immutables.is_empty() || engine.wants_segment();
        if !wait_until(engine, Origin::Flush, |_| due()) {
            return;
        }
        let result = guarded(engine, || {
            if engine.wants_segment() {
                make_segment(engine)?;
            }
            if let Some(bytes) = flush::run(engine, flush_reason(engine))? {
                pacer.flushed(engine.env.clock.monotonic_nanos(), bytes);
            }
            if engine.wants_segment() {
                make_segment(engine)?;
            }
            Ok(true)
        });
        settle(engine, Origin::Flush, result).ok();
        engine.work.ring();
    }
}

/// The keeper: removes files, makes log segments ahead while the flusher is busy, and makes ready what writers are about to fill: memory
/// of the memtable, and the system's cache for the log. To remove a large file takes long where the file system tells the device of it,
/// and there are dozens after a large merge: neither a flush nor a merge should wait for that.
pub(crate) fn keep_loop(engine: &Engine, _: &Pacer) {
    let graveyard = &engine.files.graveyard;
    let retry_at = Cell::new(0);
    let make_ready = || {
        // Not the view: the files of its version could not go meanwhile.
        let active = engine.view.load().active.clone();
        active.populate_ahead();
        engine.syncs.prepare_cache();
        let now = engine.env.clock.monotonic_nanos();
        let due = now >= retry_at.get() && engine.gate.check_write().is_ok() && engine.wants_segment();
        if due && make_segment(engine).is_err() {
            // The flusher tries when it has to, and tells what is wrong then.
            retry_at.set(now + RETRY_NANOS);
        }
    };
    loop {
        // Whatever comes after this look rings once more.
        let rings = graveyard.rings();
        if engine.work.lock().closing {
            return;
        }
        make_ready();
        engine.bury_files(make_ready);
        graveyard.wait(rings);
    }
}

pub(crate) fn compaction_loop(engine: &Engine, pacer: &Pacer) {
    let mut plan = None;
    while wait_until(engine, Origin::Compaction, |state| {
        plan = next_plan(engine, state);
        plan.is_some()
    }) {
        let Some(plan) = plan.take() else { continue };
        let pace = pacer.start(engine.env.clock.monotonic_nanos(), plan.reason);
        let result = guarded(engine, || run::run(engine, &plan, &|bytes| pace.go_on(engine, bytes)));
        let origin = release(engine, &plan, &result);
        settle(engine, origin, result.map(|_| true)).ok();
        if engine.files.graveyard.len() > FILES_LEFT_MAX {
            // More is left than one can remove: the disk must not fill with it.
            engine.bury_files(|| {});
        }
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
pub(crate) fn guarded<T>(engine: &Engine, job: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err(Error::ReadOnly(Arc::new(Error::panicked("work on", engine.dir.path())))))
}

/// Work of this origin that failed for a reason that may pass.
pub(crate) fn trouble_of(origin: Origin, state: &mut WorkState) -> &mut Trouble {
    if origin == Origin::Flush { &mut state.flush } else { &mut state.compaction }
}

/// The work that failed has succeeded, or is not due any more. A merge may collect, and a collection merges: they clear each other's
/// faults. Says whether there was one.
pub(crate) fn forget_trouble(engine: &Engine, origin: Origin, state: &mut WorkState) -> bool {
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
pub(crate) fn settle(engine: &Engine, origin: Origin, result: Result<bool>) -> Result<bool> {
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
