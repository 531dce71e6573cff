//! What the engine does and holds, as opposed to how often and how long: events, jobs, holders.

use super::live::Recorder;
use crate::events::Event;
use crate::holders::{Claim, HolderKind};
use crate::jobs::{Job, JobPlan, JobResult};
use std::sync::Arc;

impl Recorder {
    /// Keeps an event, with the time and the next number.
    #[cold]
    pub fn emit(&self, event: Event) {
        self.registry().emit(event);
    }

    /// A flush or compaction begins. Its begin and its end are events, too.
    pub fn job(&self, plan: JobPlan) -> RunningJob {
        let (job, begin) = self.registry().job_board().begin(plan, self.registry().clock());
        self.emit(begin);
        RunningJob { recorder: self.clone(), job: Some(job) }
    }

    /// Something begins to hold the state with this sequence number. It holds it until the guard is dropped.
    #[inline]
    pub fn hold(&self, kind: HolderKind, sequence: u64) -> Hold {
        Hold { recorder: self.clone(), held: self.take_hold(kind, sequence) }
    }

    /// As [`Recorder::hold`], for a holder that has a recorder anyway and calls [`Recorder::let_go`] when it is dropped. A clone of the
    /// recorder would be two counts that all threads share, which each scan would change twice.
    #[inline]
    pub fn take_hold(&self, kind: HolderKind, sequence: u64) -> Held {
        Held(self.registry().holder_table().claim(kind, sequence, self.now()))
    }

    /// What [`Recorder::take_hold`] returned holds nothing any more.
    #[inline]
    pub fn let_go(&self, held: &Held) {
        self.registry().holder_table().release(held.0);
    }
}

/// That something is held.
#[derive(Debug)]
#[must_use = "it is held until somebody lets go"]
pub struct Held(Claim);

/// An iterator or a snapshot that is held: known until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it at once holds nothing"]
pub struct Hold {
    recorder: Recorder,
    held: Held,
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        self.recorder.let_go(&self.held);
    }
}

/// A job in the hands of whoever runs it. If it is dropped without a result it was cancelled.
#[derive(Debug)]
#[must_use = "dropping it at once says that the job was cancelled"]
pub struct RunningJob {
    recorder: Recorder,
    job: Option<Arc<Job>>,
}

impl RunningJob {
    /// How many bytes it has read so far.
    #[inline]
    pub fn set_bytes_done(&self, bytes: u64) {
        if let Some(job) = &self.job {
            job.set_bytes_done(bytes);
        }
    }

    /// It ended.
    pub fn end(mut self, result: JobResult) {
        self.finish(result);
    }

    fn finish(&mut self, result: JobResult) {
        if let Some(job) = self.job.take() {
            let end = self.recorder.registry().job_board().end(&job, result);
            self.recorder.emit(end);
        }
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.finish(JobResult::Cancelled);
    }
}
