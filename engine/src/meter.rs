//! What one background job costs: time, processor time, and a place among the jobs that run.

use bettong_metrics::{Counter, Gauge, Recorder, Ticks};

use crate::env::Env;
use crate::metric::Pool;

/// A job under way on the calling thread. Dropping the meter counts it.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    recorder: &'a Recorder,
    env: &'a Env,
    pool: Pool,
    began: Ticks,
    cpu_began_nanos: u64,
}

/// What a job has cost so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall_nanos: u64,
    /// Of the thread that runs the job; 0 where the environment does not know.
    pub(crate) cpu_nanos: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn start(recorder: &'a Recorder, env: &'a Env, pool: Pool) -> Meter<'a> {
        recorder.shift(Gauge::BackgroundJobsRunning.at(pool as usize), 1.0);
        let (began, cpu_began_nanos) = (recorder.now(), env.clock.thread_cpu_nanos());
        Meter { recorder, env, pool, began, cpu_began_nanos }
    }

    pub(crate) fn cost(&self) -> Cost {
        Cost {
            wall_nanos: self.recorder.nanos_since(self.began),
            cpu_nanos: self.env.clock.thread_cpu_nanos().saturating_sub(self.cpu_began_nanos),
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        let Cost { wall_nanos, cpu_nanos } = self.cost();
        self.recorder.add(Counter::BackgroundBusyNanos.at(self.pool as usize), wall_nanos);
        self.recorder.add(Counter::CpuNanos.at(self.pool.cpu_category()), cpu_nanos);
        self.recorder.shift(Gauge::BackgroundJobsRunning.at(self.pool as usize), -1.0);
    }
}
