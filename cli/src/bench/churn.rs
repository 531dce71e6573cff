//! The churn: fill, overwrite for long, wait. What it costs in bytes written and in disk, and what the machine could do.
//!
//! 1. Write a plain file as large as the fill, from beginning to end, for comparison, and remove it.
//! 2. Fill. What that has left for compactions to do counts with the next step.
//! 3. Overwrite random keys, and look at the disk every second from here on.
//! 4. Leave the database alone until its files have taken the same room for some seconds.
//! 5. Read some keys back.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bettong::{Stats, WriteOptions};
use bettong_metrics::{Counter, MetricsSnapshot};

use super::churn_report::{ChurnReport, Config, Disk, Fill, Sets, Writes};
use super::disk::{DiskWatch, Sample};
use super::keys::KEY_BYTES;
use super::live::LiveBytes;
use super::machine;
use super::phase::{self, Phase};
use super::plan::Plan;
use super::report::SCHEMA_VERSION;
use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::process::MemoryWatch;
use crate::progress::Progress;
use crate::random::Random;
use crate::units::Sizes;

/// Keys read back at the end.
const SAMPLE: u64 = 1000;

/// Runs the workload on the empty database of `plan`, which is in `dir`.
pub(super) fn run(plan: &Plan, dir: &Path, config: Config, counted: bool, out: &Out) -> Result<ChurnReport> {
    let live =
        plan.live.clone().ok_or_else(|| Fault::Usage("churn needs to know what is live".to_owned()))?;
    let fill_bytes = plan.keys * (KEY_BYTES as u64 + plan.sizes.mean());
    let machine = machine::write_sequentially(dir, fill_bytes)?;
    let registry = plan.db.metrics();
    let filled = fill(plan, out)?;
    let after_fill = registry.snapshot();
    let memory = MemoryWatch::start();
    let churned = overwrite(plan, dir, &live, out)?;
    let after = registry.snapshot();
    let peak = memory.peak_bytes();
    let values_verified = read_back(plan)?;
    Ok(ChurnReport {
        schema_version: SCHEMA_VERSION,
        workload: plan.workload.name(),
        config,
        sequential_write_bytes: machine.bytes,
        sequential_write_bytes_per_second: machine.bytes_per_second,
        sequential_synced_write_bytes_per_second: machine.synced_bytes_per_second,
        fill: filled,
        sets: churned.sets,
        writes: counted.then(|| writes(&after_fill, &after)),
        disk: churned.disk,
        peak_rss_anon_bytes: peak,
        verified: true,
        values_verified,
    })
}

fn fill(plan: &Plan, out: &Out) -> Result<Fill> {
    let progress = Progress::of_steps(out, plan.keys, true);
    progress.say(format!("{}: filling", plan.workload.name()));
    let Phase { tally, elapsed, .. } = phase::fill(&plan.with_write(WriteOptions::new()), &progress)?;
    let seconds = elapsed.as_secs_f64().max(1e-9);
    Ok(Fill {
        fill_bytes: tally.bytes,
        fill_seconds: seconds,
        fill_bytes_per_second: tally.bytes as f64 / seconds,
    })
}

struct Churned {
    sets: Sets,
    disk: Disk,
}

/// Overwrites, and waits until the disk is at rest.
fn overwrite(plan: &Plan, dir: &Path, live: &LiveBytes, out: &Out) -> Result<Churned> {
    let name = plan.workload.name();
    let progress = Progress::of_steps(out, plan.ops, true);
    let settling = AtomicBool::new(false);
    let watch = DiskWatch::new(dir, live)?;
    let tell = |sample: Sample| {
        let doing = if settling.load(Ordering::Relaxed) { "settling" } else { "overwriting" };
        let (disk, ratio) = (Sizes::Short.show(sample.disk_bytes), sample.amplification());
        progress.say(format!("{name}: {doing} · {disk} on disk, {ratio:.2} per live byte"));
    };
    let (phase, ended, settled) = watch.during(tell, || {
        let phase = phase::measure(plan, &progress)?;
        let ended = watch.look()?;
        settling.store(true, Ordering::Relaxed);
        Ok((phase, ended, watch.settle()?))
    })?;
    let last = watch.look()?;
    let samples = watch.samples();
    let disk = Disk {
        live_bytes: last.live_bytes,
        max_space_amplification: samples.iter().map(Sample::amplification).fold(0.0, f64::max),
        settled_space_amplification: last.amplification(),
        settle_seconds: last.seconds - ended.seconds,
        settled,
        samples,
    };
    Ok(Churned { sets: sets(&phase), disk })
}

fn sets(Phase { tally, elapsed, .. }: &Phase) -> Sets {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    let at = |quantile| tally.latencies.value_at_quantile(quantile);
    Sets {
        ops: tally.ops(),
        churn_bytes: tally.bytes,
        seconds,
        ops_per_second: tally.ops() as f64 / seconds,
        bytes_per_second: tally.bytes as f64 / seconds,
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: tally.latencies.max(),
    }
}

/// What the engine counted, from its opening to the end of the fill and to the end.
fn writes(after_fill: &MetricsSnapshot, after: &MetricsSnapshot) -> Writes {
    let user = |snapshot: &MetricsSnapshot| snapshot.counter(Counter::UserWrittenBytes);
    let storage = |snapshot: &MetricsSnapshot| snapshot.counter_total(Counter::StorageWrittenBytes);
    let ratio = |storage: u64, user: u64| storage as f64 / user.max(1) as f64;
    let stalls = Stats::from_snapshot(&after.since(after_fill));
    let labels = |at| Counter::StorageWrittenBytes.desc().labels_of(at).get("origin").unwrap_or_default();
    let cells = Counter::StorageWrittenBytes.cells().enumerate();
    Writes {
        write_amplification: ratio(storage(after), user(after)),
        fill_write_amplification: ratio(storage(after_fill), user(after_fill)),
        churn_write_amplification: ratio(
            storage(after) - storage(after_fill),
            user(after) - user(after_fill),
        ),
        user_written_bytes: user(after),
        storage_written_bytes: storage(after),
        storage_written_bytes_by_origin: cells.map(|(at, cell)| (labels(at), after.counter(cell))).collect(),
        stalls: stalls.stalls,
        stall_seconds: stalls.stall_time.as_secs_f64(),
    }
}

/// Reads some keys back, all of which must be there; returns how many.
fn read_back(plan: &Plan) -> Result<u64> {
    let mut random = Random::new(plan.seed, u64::MAX);
    for _ in 0..SAMPLE {
        plan.get_present(plan.number(random.below(plan.keys)))?;
    }
    Ok(SAMPLE)
}
