//! All threads of one phase: they start together, and the phase lasts until the last of them is done.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use super::plan::Plan;
use super::tally::Tally;
use super::worker::Worker;
use crate::fault::{Fault, Result};
use crate::process;
use crate::progress::Progress;

/// What a phase did and took.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    /// Processor time of the whole process, where it can be told.
    pub(super) cpu_seconds: Option<f64>,
}

/// What the threads of a phase share.
#[derive(Debug)]
struct Shared<'a> {
    plan: &'a Plan,
    start: Barrier,
    done: AtomicU64,
    stop: AtomicBool,
}

/// Fills the database.
pub(super) fn fill(plan: &Plan, progress: &Progress) -> Result<Phase> {
    run(plan, progress, false, Task::Fill)
}

/// Runs the workload, with one more thread that writes where it asks for one.
pub(super) fn measure(plan: &Plan, progress: &Progress, writer: bool) -> Result<Phase> {
    run(plan, progress, writer, Task::Run)
}

/// What a thread is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Fill,
    Run,
    /// Beside the others, until they are done.
    Overwrite,
}

fn run(plan: &Plan, progress: &Progress, writer: bool, task: Task) -> Result<Phase> {
    let threads = plan.threads as usize + usize::from(writer);
    let shared = Shared {
        plan,
        start: Barrier::new(threads + 1),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let shared = &shared;
        let workers: Vec<_> = (0..plan.threads).map(|at| spawn(scope, shared, at, task)).collect();
        let writer = writer.then(|| spawn(scope, shared, plan.threads, Task::Overwrite));
        let cpu = process::cpu_seconds();
        shared.start.wait();
        watch(&workers, shared, progress);
        let tallies = workers.into_iter().map(join).collect::<Result<Vec<_>>>();
        shared.stop.store(true, Ordering::Relaxed);
        writer.map(join).transpose()?;
        let cpu_seconds = process::cpu_seconds().zip(cpu).map(|(after, before)| after - before);
        sum(tallies?, cpu_seconds)
    })
}

fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    shared: &'scope Shared<'_>,
    thread: u64,
    task: Task,
) -> ScopedJoinHandle<'scope, Result<Tally>> {
    scope.spawn(move || {
        let worker = Worker::new(shared.plan, thread, &shared.done);
        shared.start.wait();
        let mut worker = worker?;
        match task {
            Task::Fill => worker.fill()?,
            Task::Run => worker.run()?,
            Task::Overwrite => worker.overwrite_until(&shared.stop)?,
        }
        worker.tally.end();
        Ok(worker.tally)
    })
}

/// Moves the progress bar until all threads are done.
fn watch(workers: &[ScopedJoinHandle<'_, Result<Tally>>], shared: &Shared<'_>, progress: &Progress) {
    while progress.is_shown() && !workers.iter().all(ScopedJoinHandle::is_finished) {
        progress.set(shared.done.load(Ordering::Relaxed));
        thread::sleep(Duration::from_millis(50));
    }
}

fn join(worker: ScopedJoinHandle<'_, Result<Tally>>) -> Result<Tally> {
    worker.join().unwrap_or_else(|_| Err(Fault::Damaged("a thread of the run panicked".to_owned())))
}

fn sum(tallies: Vec<Tally>, cpu_seconds: Option<f64>) -> Result<Phase> {
    let none = || Fault::Usage("a run needs a thread".to_owned());
    let tally = tallies.into_iter().reduce(|mut sum, next| {
        sum.add(&next);
        sum
    });
    let tally = tally.ok_or_else(none)?;
    Ok(Phase { elapsed: tally.elapsed(), tally, cpu_seconds })
}
