//! Interleaves the engines: in each round every chain runs on A, B, C, each in a process and a directory of its own.

use std::path::PathBuf;
use std::time::Duration;

use crate::child;
use crate::engine::Engine;
use crate::failed::Done;
use crate::figures::Figures;
use crate::job::{Job, Message};
use crate::random::mix;
use crate::record::{Failure, Note, Record};
use crate::site::Shape;
use crate::units::short;
use crate::workload::{Chain, Workload};

/// What a run needs beyond what it keeps.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    pub(crate) dir: PathBuf,
    /// How long a child may say nothing.
    pub(crate) patience: Duration,
}

impl Rounds {
    /// Runs everything that the record asks for, and fills it.
    pub(crate) fn run(&self, record: &mut Record) -> Done {
        for round in 0..record.rounds {
            for chain in chains(&record.workloads) {
                for engine in record.engines.clone() {
                    let wanted = wanted(&record.workloads, chain, engine);
                    if !wanted.is_empty() {
                        self.one(record, round, chain, engine, wanted)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn one(
        &self,
        record: &mut Record,
        round: u64,
        chain: Chain,
        engine: Engine,
        wanted: Vec<Workload>,
    ) -> Done {
        let dir = tempfile::Builder::new().prefix("bettong-peers-").tempdir_in(&self.dir)?;
        // Another seed for each round, the same for all engines.
        let shape = Shape { seed: mix(record.shape.seed ^ round), ..record.shape.clone() };
        let job = Job {
            engine,
            chain,
            wanted,
            round,
            dir: dir.path().to_owned(),
            settings: record.settings.clone(),
            shape,
            threads: record.threads,
            bounds: record.bounds,
            rate: record.rate,
            write_rate: record.write_rate,
        };
        let mut begun = None;
        let mut failed = None;
        let result = child::run(&job, self.patience, |message| match message {
            Message::Note(note) => record.take_note(Note { engine, note }),
            Message::Begun(workload) => begun = Some(workload),
            Message::Measured(figures) => {
                progress(record.rounds, &figures);
                record.figures.push(*figures);
            }
            Message::Failed(what) => failed = Some(what),
        });
        if let Some(what) = failed.or(result.err().map(|error| error.to_string())) {
            eprintln!("round {} {} FAILED: {what}", round + 1, engine.name());
            record.failures.push(Failure { engine, workload: begun, round, what });
        }
        dir.close()?;
        // What was deleted need not be written any more; what else is under way must not be the next one's.
        // SAFETY: the call has no arguments and no way to fail.
        unsafe { libc::sync() };
        Ok(())
    }
}

impl Record {
    fn take_note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            eprintln!("note: {} {}", note.engine.name(), note.note);
            self.notes.push(note);
        }
    }
}

/// The chains of these workloads, each once.
fn chains(workloads: &[Workload]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = workloads.iter().map(|workload| workload.chain()).collect();
    chains.sort_unstable();
    chains.dedup();
    chains
}

fn wanted(workloads: &[Workload], chain: Chain, engine: Engine) -> Vec<Workload> {
    workloads.iter().copied().filter(|workload| workload.chain() == chain && workload.suits(engine)).collect()
}

fn progress(rounds: u64, figures: &Figures) {
    let Figures { engine, workload, round, latency, cost, .. } = figures;
    eprintln!(
        "round {}/{rounds} {:<12} {:<16} {:>7} ops/s  p50 {:>9} ns  p99.9 {:>9} ns  {:>6.2} µs cpu/op  settled in {:.1} s",
        round + 1,
        engine.name(),
        workload.name(),
        short(figures.ops_per_second),
        latency.p50,
        latency.p999,
        cost.settled_cpu_micros_per_op,
        cost.settle_seconds
    );
}
