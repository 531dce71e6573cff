//! The tables at the end, and the check that the metrics counted what was done.

use bettong::Stats;
use bettong_metrics::{Counter, MetricsSnapshot};

use super::load::Done;
use super::worker::Counts;
use crate::fault::{Fault, Result};
use crate::figures;
use crate::out::Out;
use crate::units;

/// Prints what was done and what it cost.
pub(super) fn print(out: &mut Out, done: &Done, stats: &Stats) -> Result<()> {
    let counts = &done.counts;
    let seconds = done.elapsed.as_secs_f64();
    let heading = out.heading("Operations");
    out.line(format_args!("\n{heading}"))?;
    figures::operations(out, stats, Some(done.elapsed))?;
    let per_second = units::count((counts.operations() as f64 / seconds.max(1e-9)) as u64);
    let all = units::count(counts.operations());
    out.line(format_args!("\n{all} operations in {seconds:.1} s: {per_second} ops/s"))?;
    out.line(format_args!(
        "gets: {} found, {} missed · batches: {} sets and {} deletes in them",
        counts.hits,
        counts.gets - counts.hits,
        counts.batch_sets,
        counts.batch_deletes
    ))?;
    let checked = out.good(&format!("{} values checked, all right", units::count(counts.checked)));
    out.line(checked)?;
    let heading = out.heading("Levels");
    out.line(format_args!("\n{heading}"))?;
    figures::levels(out, stats)?;
    let heading = out.heading("Totals");
    out.line(format_args!("\n{heading}"))?;
    figures::totals(out, stats)
}

/// Compares the metrics with what the threads counted themselves.
pub(super) fn check(counts: &Counts, snapshot: &MetricsSnapshot) -> Result<()> {
    let pairs = [
        (Counter::GetOperations, counts.gets),
        (Counter::SetOperations, counts.sets + counts.batch_sets),
        (Counter::DeleteOperations, counts.deletes + counts.batch_deletes),
        (Counter::BatchOperations, counts.batches),
        (Counter::ScanOperations, counts.scans),
    ];
    let wrong: Vec<String> = pairs
        .into_iter()
        .filter(|(counter, done)| snapshot.counter(*counter) != *done)
        .map(|(counter, done)| {
            format!("{} is {}, not {done}", counter.desc().name, snapshot.counter(counter))
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Fault::Damaged(format!("the metrics do not count what was done: {}", wrong.join(", "))))
}
