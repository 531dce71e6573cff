//! All threads of one phase: they start together, and the phase lasts until the last of them is done. Or they do it in parts,
//! which start and end together each: threads are made anew, but everybody goes on where they were.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use super::pace::Pace;
use super::plan::{Part, Plan};
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
    /// Where somebody looked.
    pub(super) pace: Option<Pace>,
}

/// Fills the database.
pub(super) fn fill(plan: &Plan, progress: &Progress) -> Result<Phase> {
    phase(plan, progress, |crew| crew.run(Task::Fill))
}

/// Runs the workload.
pub(super) fn measure(plan: &Plan, progress: &Progress) -> Result<Phase> {
    phase(plan, progress, |crew| {
        crew.pace = Some(Pace::begin());
        crew.part(Part::WHOLE)
    })
}

/// Has a crew do all that belongs to a phase; `work` returns how long that took.
pub(super) fn phase(
    plan: &Plan,
    progress: &Progress,
    work: impl FnOnce(&mut Crew<'_>) -> Result<Duration>,
) -> Result<Phase> {
    let done = AtomicU64::new(0);
    let mut crew = Crew::new(plan, progress, &done)?;
    let before = process::cpu_seconds();
    let elapsed = work(&mut crew)?;
    let cpu_seconds = process::cpu_seconds().zip(before).map(|(after, before)| after - before);
    let pace = crew.pace.take();
    Ok(Phase { tally: crew.tally()?, elapsed, cpu_seconds, pace })
}

/// What a thread is there for.
#[derive(Clone, Copy, Debug)]
enum Task {
    Fill,
    Run(Part),
}

/// The threads' states, between the parts of a phase.
#[derive(Debug)]
pub(super) struct Crew<'a> {
    progress: &'a Progress,
    done: &'a AtomicU64,
    workers: Vec<Worker<'a>>,
    /// Overwrites beside the others, in workloads that ask for it.
    writer: Option<Worker<'a>>,
    pace: Option<Pace>,
}

impl<'a> Crew<'a> {
    fn new(plan: &'a Plan, progress: &'a Progress, done: &'a AtomicU64) -> Result<Crew<'a>> {
        let workers = (0..plan.threads).map(|at| Worker::new(plan, at, done)).collect::<Result<_>>()?;
        let writer = plan.workload.has_writer().then(|| Worker::new(plan, plan.threads, done)).transpose()?;
        Ok(Crew { progress, done, workers, writer, pace: None })
    }

    /// Does a part of the workload; returns the time from the common start to the last thread's end.
    pub(super) fn part(&mut self, part: Part) -> Result<Duration> {
        self.run(Task::Run(part))
    }

    fn run(&mut self, task: Task) -> Result<Duration> {
        let Crew { progress, done, workers, writer, pace } = self;
        let writer = writer.as_mut().filter(|_| matches!(task, Task::Run(_)));
        let start = &Barrier::new(workers.len() + usize::from(writer.is_some()));
        let stop = &AtomicBool::new(false);
        thread::scope(|scope| {
            let threads: Vec<_> =
                workers.iter_mut().map(|worker| scope.spawn(|| work(worker, task, start))).collect();
            let writer = writer.map(|writer| {
                scope.spawn(move || {
                    start.wait();
                    writer.overwrite_until(stop)
                })
            });
            watch(&threads, done, progress, pace.as_mut());
            let results: Vec<_> = threads.into_iter().map(join).collect();
            stop.store(true, Ordering::Relaxed);
            let written = writer.map(join).transpose();
            results.into_iter().collect::<Result<()>>().and(written.map(drop))
        })?;
        let began = self.workers.iter().map(|worker| worker.tally.began).min();
        let ended = self.workers.iter().map(|worker| worker.tally.ended).max();
        Ok(ended.zip(began).map(|(ended, began)| ended.saturating_duration_since(began)).unwrap_or_default())
    }

    /// What the threads counted, all together.
    fn tally(self) -> Result<Tally> {
        let tallies = self.workers.into_iter().map(|worker| worker.tally);
        let sum = tallies.reduce(|mut sum, next| {
            sum.add(&next);
            sum
        });
        sum.ok_or_else(|| Fault::Usage("a run needs a thread".to_owned()))
    }
}

fn work(worker: &mut Worker<'_>, task: Task, start: &Barrier) -> Result<()> {
    start.wait();
    let done = match task {
        Task::Fill => worker.fill(),
        Task::Run(part) => worker.run(part),
    };
    worker.tally.end();
    done
}

/// Moves the progress bar and notes the pace until all threads are done.
fn watch(
    workers: &[ScopedJoinHandle<'_, Result<()>>],
    done: &AtomicU64,
    progress: &Progress,
    mut pace: Option<&mut Pace>,
) {
    while (progress.is_shown() || pace.is_some()) && !workers.iter().all(ScopedJoinHandle::is_finished) {
        progress.set(done.load(Ordering::Relaxed));
        if let Some(pace) = &mut pace {
            pace.note(done.load(Ordering::Relaxed));
        }
        thread::sleep(Duration::from_millis(50));
    }
    if let Some(pace) = pace {
        pace.note(done.load(Ordering::Relaxed));
    }
}

fn join(worker: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    worker.join().unwrap_or_else(|_| Err(Fault::Damaged("a thread of the run panicked".to_owned())))
}
