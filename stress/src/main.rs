//! Trials with real processes: a writer that is to be killed, starved and cut off, and a verifier that knows from the seed alone what
//! must be there.
//!
//! The scripts in `tests/` at the root of the repository call it.
//!
//! # Floor plan
//! A module names only modules listed above it:
//!
//! | floor | modules |
//! |---|---|
//! | words | `fault random` |
//! | what is written | `workload model ledger shape` |
//! | looking | `check trial` |
//! | commands | `write kill_loop` |
//! | door | `main` |

mod fault;
mod random;
mod workload;
mod model;
mod ledger;
mod shape;
mod check;
mod trial;
mod write;
mod kill_loop;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trials of the database with real processes
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Every command prints one line of JSON. Exit codes: 0 all held, 1 a promise was broken, 2 wrong usage, 3 the engine refused with a typed error"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Write(write::WriteArgs),
    Verify(write::VerifyArgs),
    KillLoop(kill_loop::KillLoopArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Write(args) => write::run(&args),
        Command::Verify(args) => write::verify(&args),
        Command::KillLoop(args) => kill_loop::run(&args),
    };
    let (json, code) = match result {
        Ok(json) => (json, ExitCode::SUCCESS),
        Err(fault) => (fault.to_json(), ExitCode::from(fault.exit_code())),
    };
    // Whoever does not listen still gets the exit code.
    writeln!(std::io::stdout(), "{json}").ok();
    code
}
