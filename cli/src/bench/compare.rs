//! What the instrumentation costs a workload: its operations in slices, now with level off, now with level sampled, in one
//! process and on one database. `bettong_paired` explains why.
//!
//! 1. An eleventh of the operations at level sampled, and a pause, for the sampling interval to adapt to the workload.
//! 2. Two pairs of off and sampled, two pairs of off and off, and so on. The latter show the noise.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bettong_metrics::{Instrumentation, Registry};
use bettong_paired::{Estimate, Pair, Side, interleave};
use serde::Serialize;

use super::phase::{self, Crew, Phase};
use super::plan::{Part, Plan};
use crate::fault::{Fault, Result};
use crate::progress::Progress;

/// The least and the most pairs of either kind; an even number.
const LEAST_PAIRS: u64 = 40;
const MOST_PAIRS: u64 = 200;
/// Operations of a slice that are enough to take some milliseconds.
const SLICE_OPS: u64 = 5_000;
/// Slices of a pair of either kind.
const SLICES_OF_BOTH: u64 = 4;
/// The sampling interval is looked at once a second.
const SETTLE: Duration = Duration::from_millis(1_100);

/// The outcome. The names are those of the JSON document.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "they become members of a larger document")]
pub(super) struct Overhead {
    /// The share by which level sampled takes longer than level off: the median of the pairs.
    pub(super) overhead_ratio: f64,
    /// From here …
    pub(super) overhead_ratio_low: f64,
    /// … to here it is, with 95 % confidence.
    pub(super) overhead_ratio_high: f64,
    /// How far from 0 the same comparison of level off with itself reaches: a smaller overhead is none that this run can show.
    pub(super) noise_ratio: f64,
    /// Operations per timed one, at the end.
    pub(super) sampling_interval: u64,
    /// Pairs of slices.
    pub(super) overhead_pairs: u64,
}

/// Runs the workload in slices. The phase is all slices together, at either level.
pub(super) fn compare(plan: &Plan, progress: &Progress) -> Result<(Phase, Overhead)> {
    let pairs = pairs(plan.ops)?;
    // The watching thread ends while nothing counts. This registry, which always counts, keeps it, so that no slice starts it.
    let keeper = Registry::with_level("bench", Instrumentation::Counters);
    keeper.watch(|| {});
    let mut slices = Slices::new(plan, pairs);
    let (mut different, mut same) = (Vec::new(), Vec::new());
    let phase = phase::phase(plan, progress, |crew| {
        slices.lead_in(crew)?;
        for _ in 0..pairs / 2 {
            different.extend(slices.two_pairs(crew, Instrumentation::Sampled)?);
            same.extend(slices.two_pairs(crew, Instrumentation::Off)?);
        }
        Ok(slices.elapsed)
    })?;
    plan.db.metrics().set_level(Instrumentation::Sampled);
    let estimate = |pairs: &[Pair]| Estimate::of(&[pairs.iter().map(Pair::difference).collect()]);
    let Estimate { median, low, high } = estimate(&different);
    let overhead = Overhead {
        overhead_ratio: median,
        overhead_ratio_low: low,
        overhead_ratio_high: high,
        noise_ratio: estimate(&same).reach(),
        sampling_interval: plan.db.metrics().sampling_interval(plan.workload.operation()),
        overhead_pairs: pairs,
    };
    Ok((phase, overhead))
}

/// Pairs of either kind for so many operations.
fn pairs(ops: u64) -> Result<u64> {
    let least = LEAST_PAIRS * SLICES_OF_BOTH * 2;
    if ops < least {
        return Err(Fault::Usage(format!("--instrumentation both needs --ops {least} or more")));
    }
    Ok((ops / SLICES_OF_BOTH / SLICE_OPS).clamp(LEAST_PAIRS, MOST_PAIRS) / 2 * 2)
}

/// Where in the workload we are.
struct Slices<'a> {
    plan: &'a Plan,
    /// Slices before the first pair.
    lead: u64,
    next: Part,
    elapsed: Duration,
}

impl<'a> Slices<'a> {
    fn new(plan: &'a Plan, pairs: u64) -> Slices<'a> {
        let slices = pairs * SLICES_OF_BOTH;
        let lead = slices / 10;
        Slices { plan, lead, next: Part { at: 0, of: lead + slices }, elapsed: Duration::ZERO }
    }

    fn lead_in(&mut self, crew: &mut Crew<'_>) -> Result<()> {
        let began = Instant::now();
        for _ in 0..self.lead {
            self.run(crew, Instrumentation::Sampled)?;
        }
        sleep(SETTLE.saturating_sub(began.elapsed()));
        Ok(())
    }

    /// Two pairs of level off and `level`.
    fn two_pairs(&mut self, crew: &mut Crew<'_>, level: Instrumentation) -> Result<Vec<Pair>> {
        interleave(2, |side| self.run(crew, if side == Side::A { Instrumentation::Off } else { level }))
    }

    /// Runs the next slice; returns its time.
    fn run(&mut self, crew: &mut Crew<'_>, level: Instrumentation) -> Result<f64> {
        self.plan.db.metrics().set_level(level);
        let elapsed = crew.part(self.next)?;
        self.next.at += 1;
        self.elapsed += elapsed;
        Ok(elapsed.as_secs_f64())
    }
}
