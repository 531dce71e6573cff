//! Bettong and other engines, side by side: see `docs/benchmarks.md` for how it measures, `--help` for how it is called.
//!
//! # Floor plan
//! A module names only modules listed above it:
//!
//! | floor | modules |
//! |---|---|
//! | words | `failed random units keys draws values walk settings measure recorder` |
//! | engines | `store stores engine` |
//! | work | `workload site actor walker open_loop crew` |
//! | child | `figures job chain opening child` |
//! | parent | `machine record rounds report plot cli` |
//! | door | `main` |

mod failed;
mod random;
mod units;
mod keys;
mod draws;
mod values;
mod walk;
mod settings;
mod measure;
mod disk_watch;
mod recorder;
mod store;
mod stores;
mod engine;
mod workload;
mod site;
mod actor;
mod walker;
mod open_loop;
mod crew;
mod figures;
mod job;
mod chain;
mod opening;
mod child;
mod machine;
mod record;
mod rounds;
mod report;
mod plot;
mod cli;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Cli, Command, Run};
use crate::failed::Done;
use crate::record::Record;
use crate::rounds::Rounds;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Child) => child::serve().map(|()| true),
        Some(Command::Report { file, svg, baseline }) => again(&file, svg.as_deref(), baseline),
        None if cli.run.list => {
            print!("{}", cli::list());
            Ok(true)
        }
        None => run(&cli.run),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and reports, and says whether no step failed.
fn run(run: &Run) -> Done<bool> {
    let mut record = run.record()?;
    let rounds = Rounds { dir: run.dir.clone(), patience: Duration::from_secs(run.patience) };
    rounds.run(&mut record)?;
    if let Some(file) = &run.json {
        std::fs::write(file, serde_json::to_string_pretty(&record)?)?;
    }
    show(&record, run.svg.as_deref())
}

/// Reports what was measured before.
fn again(file: &Path, svg: Option<&Path>, baseline: Option<engine::Engine>) -> Done<bool> {
    let mut record: Record = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    record.baseline = baseline.unwrap_or(record.baseline);
    show(&record, svg)
}

fn show(record: &Record, svg: Option<&Path>) -> Done<bool> {
    print!("{}", report::tables(record));
    svg.map_or(Ok(()), |dir| plot::write(record, dir))?;
    Ok(record.failures.is_empty())
}
