//! The `bettong` tool: a demo, a benchmark, and a look into a database.
//!
//! # Floor plan
//! A module names only modules listed above it:
//!
//! | floor | modules |
//! |---|---|
//! | words | `fault signal units text random payload` |
//! | streams | `out figures progress` |
//! | ground | `process store range value_files target fetch listen` |
//! | commands | `access scan inspect mend gc health serve metrics top tree_view demo bench transfer completions` |
//! | door | `main` |

#![forbid(unsafe_code)]

mod fault;
mod signal;
mod units;
mod text;
mod random;
mod payload;
mod out;
mod figures;
mod progress;
mod process;
mod store;
mod range;
mod value_files;
mod target;
mod fetch;
mod listen;
mod access;
mod scan;
mod inspect;
mod mend;
mod gc;
mod health;
mod serve;
mod metrics;
mod top;
mod tree_view;
mod demo;
mod bench;
mod transfer;
mod completions;

use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use crate::fault::Result;
use crate::out::{ColorChoice, Out, Volume};
use crate::units::Sizes;

/// Bettong, an embedded key-value database: demo, benchmark, and a look into a database
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "\
Exit codes: 0 done, 1 not found or bad records, 2 wrong usage, 3 I/O, 4 damaged data, 5 locked by another process,
6 newer format, 130 interrupted"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: ColorChoice,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::SetTrue, conflicts_with = "quiet")]
    verbose: bool,
    /// Sizes in bytes instead of KiB, MiB …
    #[arg(long, global = true)]
    bytes: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Get(access::GetArgs),
    Set(access::SetArgs),
    Delete(access::DeleteArgs),
    Scan(scan::ScanArgs),
    Count(scan::CountArgs),
    Import(transfer::ImportArgs),
    Export(transfer::ExportArgs),
    Stats(inspect::StatsArgs),
    Verify(inspect::VerifyArgs),
    Repair(mend::RepairArgs),
    Compact(inspect::CompactArgs),
    Gc(gc::GcArgs),
    Health(health::HealthArgs),
    Serve(serve::ServeArgs),
    Metrics(metrics::MetricsArgs),
    Top(top::TopArgs),
    TreeView(tree_view::TreeViewArgs),
    Bench(bench::BenchArgs),
    Completions(completions::CompletionsArgs),
}

impl Cli {
    fn out(&self) -> Out {
        let volume = match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        };
        Out::new(self.color, volume, if self.bytes { Sizes::Exact } else { Sizes::Short })
    }
}

fn run(command: &Command, out: &mut Out) -> Result<()> {
    match command {
        Command::Demo(args) => demo::run(args, out),
        Command::Get(args) => access::get(args, out),
        Command::Set(args) => access::set(args, out),
        Command::Delete(args) => access::delete(args),
        Command::Scan(args) => scan::scan(args, out),
        Command::Count(args) => scan::count(args, out),
        Command::Import(args) => transfer::import(args, out),
        Command::Export(args) => transfer::export(args, out),
        Command::Stats(args) => inspect::stats(args, out),
        Command::Verify(args) => inspect::verify(args, out),
        Command::Repair(args) => mend::repair(args, out),
        Command::Compact(args) => inspect::compact(args, out),
        Command::Gc(args) => gc::gc(args, out),
        Command::Health(args) => health::health(args, out),
        Command::Serve(args) => serve::serve(args, out),
        Command::Metrics(args) => metrics::metrics(args, out),
        Command::Top(args) => top::run(args, out),
        Command::TreeView(args) => tree_view::tree_view(args, out),
        Command::Bench(args) => bench::run(args, out),
        Command::Completions(args) => completions::run(args, Cli::command(), out),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = cli.out();
    // What was written so far is shown before the error, whatever the error is.
    let result = run(&cli.command, &mut out);
    let flushed = out.flush();
    match result.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let text = fault.to_string();
            if !text.is_empty() {
                out.error(text);
            }
            ExitCode::from(fault.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }
}
