//! Runs a chain on an engine: fill, settle, read, write, settle.

use std::time::{Duration, Instant};

use crate::crew::{Crew, Outcome, Pace};
use crate::disk_watch::DiskWatch;
use crate::failed::Done;
use crate::figures::{Cost, Figures, micros_per_op};
use crate::job::{Job, Message};
use crate::measure::{self, Usage};
use crate::open_loop::Rate;
use crate::site::{Bounds, Site};
use crate::store::{Store, settle};
use crate::workload::Workload;

/// How long an open loop lasts without a bound, and the closed loop that a share is taken of.
const OPEN_SECONDS: f64 = 5.0;

/// Runs a chain that keeps one database open.
pub(crate) fn run(job: &Job, say: &mut dyn FnMut(Message) -> Done) -> Done {
    let store = job.engine.open(&job.dir, &job.settings_of_chain())?;
    store.note().map_or(Ok(()), |note| say(Message::Note(note)))?;
    let mut run = Run { job, store: &*store, site: job.site() };
    for workload in job.chain.steps(&job.wanted) {
        say(Message::Begun(workload))?;
        let figures = match job.rate {
            Some(rate) if workload.has_rate() => Some(run.open_loop(workload, rate)?),
            Some(_) => run.closed_loop(workload).map(|_| None)?,
            None => Some(run.closed_loop(workload)?),
        };
        if let Some(figures) = figures.filter(|figures| job.wanted.contains(&figures.workload)) {
            say(Message::Measured(Box::new(figures)))?;
        }
    }
    store.close()
}

struct Run<'a> {
    job: &'a Job,
    store: &'a dyn Store,
    site: Site,
}

impl Run<'_> {
    fn closed_loop(&mut self, workload: Workload) -> Done<Figures> {
        let bounds = if workload.is_whole() { Bounds::NONE } else { self.site.bounds };
        self.step(workload, Pace::Closed(bounds))
    }

    fn open_loop(&mut self, workload: Workload, rate: Rate) -> Done<Figures> {
        let seconds = self.site.bounds.seconds.unwrap_or(OPEN_SECONDS);
        let per_second = match rate {
            Rate::PerSecond(per_second) => per_second,
            Rate::Share(share) => {
                let bounds = Bounds { ops: None, seconds: Some(seconds) };
                share * self.step(workload, Pace::Closed(bounds))?.ops_per_second
            }
        };
        let figures =
            self.step(workload, Pace::Open { per_second, lasts: Duration::from_secs_f64(seconds) })?;
        Ok(Figures { rate: Some(per_second), ..figures })
    }

    /// One step, and the settling after it if it wrote.
    fn step(&mut self, workload: Workload, pace: Pace) -> Done<Figures> {
        self.site.step += 1;
        let crew = Crew::new(self.store, &self.site, workload, matches!(pace, Pace::Open { .. }))?;
        let watch = workload.writes().then(|| DiskWatch::of(&self.job.dir));
        let (before, engine_before) = (Usage::now(), self.store.written_bytes());
        let mut outcome = crew.run(pace)?;
        if workload == Workload::FillDurable {
            let began = Instant::now();
            self.store.sync()?;
            outcome.elapsed += began.elapsed();
        }
        let after = Usage::now();
        self.site.advance(&outcome);
        let began = Instant::now();
        if workload.writes() && self.job.chain.settles() {
            settle(self.store)?;
        }
        let (settle_seconds, settled) = (began.elapsed().as_secs_f64(), Usage::now());
        let engine_written = self.store.written_bytes().zip(engine_before).map(|(now, before)| now - before);
        let cost = Cost {
            cpu_micros_per_op: micros_per_op(after.cpu_since(before), outcome.ops),
            settled_cpu_micros_per_op: micros_per_op(settled.cpu_since(before), outcome.ops),
            settle_seconds,
            user_bytes: outcome.user_bytes(),
            written_bytes: settled.written_since(before),
            engine_written_bytes: engine_written,
            disk_bytes: measure::disk_bytes(&self.job.dir),
            most_disk_bytes: watch.and_then(DiskWatch::most),
            anonymous_bytes: measure::anonymous_bytes(),
        };
        Ok(Figures::of(self.job.engine, workload, self.job.round, &outcome, cost))
    }
}

impl Site {
    /// Takes note of what a step has inserted and deleted.
    fn advance(&mut self, outcome: &Outcome) {
        let most = outcome.tallies.iter().map(|tally| tally.inserts).max().unwrap_or(0);
        self.next += most * self.threads as u64;
        if outcome.tallies.iter().any(|tally| tally.deletes > 0) {
            self.deleted = outcome.tallies.iter().map(|tally| tally.deletes).collect();
        }
    }
}
