//! The command line.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::engine::Engine;
use crate::keys::KEYS_MAX;
use crate::machine::Machine;
use crate::open_loop::Rate;
use crate::record::Record;
use crate::settings::{Compression, Durability, Settings};
use crate::site::{Bounds, Shape};
use crate::units::{bytes, count};
use crate::values::Sizes;
use crate::workload::Workload;

/// Scans of 50 and batches of 100 need a few.
const KEYS_MIN: u64 = 1_000;
/// Half of what is written can go, as in db_bench.
const COMPRESSIBLE: f64 = 0.5;
const SECONDS: f64 = 2.0;

/// Measures Bettong and other engines side by side.
///
/// Every engine gets the same keys, values, settings and checks. In each round each engine in turn runs a chain of workloads in a
/// process of its own; ratios are taken within a round. Without arguments this takes about four minutes.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints the tables of a run that was kept in JSON
    Report {
        file: PathBuf,
        /// Directory for a plot a workload
        #[arg(long, value_name = "DIR")]
        svg: Option<PathBuf>,
        /// The engine that the others are compared with
        #[arg(long)]
        baseline: Option<Engine>,
    },
    /// Does one chain on one engine: the job is read from standard input
    #[command(hide = true)]
    Child,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Lists engines and workloads
    #[arg(long)]
    pub(crate) list: bool,
    /// Engines, or `all`
    #[arg(long, value_delimiter = ',', default_value = "bettong,rocksdb,fjall,lmdb", value_name = "NAME,…")]
    engines: Vec<String>,
    /// Workloads or groups of them: `core`, `table` (the rows by value size), `more` (all that are left), `all`
    #[arg(long, value_delimiter = ',', default_value = "core", value_name = "NAME,…")]
    workloads: Vec<String>,
    /// Keys, of 16 bytes each
    #[arg(long, default_value = "500k", value_parser = count)]
    keys: u64,
    /// Bytes of a value (`100`, `1K`, `16K`), or `mixed`: 60 % of 100 B, 30 % of 1 KiB, 10 % of 16 KiB
    #[arg(long, default_value = "100", value_name = "BYTES")]
    value_size: Sizes,
    /// Threads that call the engine
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Ends a step after so many operations; fills always set all keys
    #[arg(long, value_parser = count)]
    ops: Option<u64>,
    /// Ends a step after this time; 2 s, or none with --ops
    #[arg(long)]
    seconds: Option<f64>,
    /// Open loop: operations start at this rate (`50k` a second, of all threads; `70%` of what the engine does in a closed loop
    /// just before), and latencies count from when they were meant to start
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// Sets a second beside the readers of readwhilewriting; as fast as it can without
    #[arg(long, value_name = "N", value_parser = count)]
    write_rate: Option<u64>,
    /// Where databases are made, each in a directory of its own that is removed
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// File for all figures
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Directory for a plot a workload
    #[arg(long, value_name = "DIR")]
    pub(crate) svg: Option<PathBuf>,
    /// The engine that the others are compared with; rocksdb if it takes part, or the first
    #[arg(long)]
    baseline: Option<Engine>,
    /// Touches every cache line of what is read, not only the ends of values
    #[arg(long)]
    consume: bool,
    /// Share of zeros in values; 0, or 0.5 with --compression lz4
    #[arg(long, value_name = "SHARE")]
    compressible: Option<f64>,
    /// Where all random numbers come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ends an engine that has shown nothing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800)]
    pub(crate) patience: u64,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings of all engines")]
struct SettingsArgs {
    /// Bytes of a memtable
    #[arg(long, default_value = "64M", value_name = "BYTES", value_parser = bytes)]
    write_buffer: u64,
    /// Bytes of the block or page cache
    #[arg(long, default_value = "256M", value_name = "BYTES", value_parser = bytes)]
    cache: u64,
    /// Filter bits a key
    #[arg(long, default_value_t = 10, value_name = "N")]
    filter_bits: u32,
    /// Compression of blocks and of separated values; redb and LMDB have none
    #[arg(long, value_enum, default_value_t = Compression::Off)]
    compression: Compression,
    /// From this size on Bettong keeps values apart from keys
    #[arg(long, default_value = "4K", value_name = "BYTES", value_parser = bytes)]
    separation: u64,
    /// From this size on rocksdb-blob and fjall-kv do; as --separation without
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    peer_separation: Option<u64>,
    /// The most disk for each live byte, in Bettong: the others have no such bound. Its default without
    #[arg(long, value_name = "TIMES")]
    space_amplification: Option<f64>,
    /// Threads for flushes and compactions
    #[arg(long, default_value_t = 2, value_name = "N")]
    background_threads: u32,
}

impl Run {
    /// The record of the run that is asked for, without figures.
    pub(crate) fn record(&self) -> Result<Record, String> {
        let engines = engines(&self.engines)?;
        let workloads = self.workloads()?;
        if !(KEYS_MIN..=KEYS_MAX.min(u64::from(u32::MAX))).contains(&self.keys) || self.threads == 0 {
            return Err(format!("it takes {KEYS_MIN} keys or more, and a thread"));
        }
        let fallback =
            if engines.contains(&Engine::Rocksdb) { Some(Engine::Rocksdb) } else { engines.first().copied() };
        let baseline = self.baseline.or(fallback).ok_or("there are no engines")?;
        let compressed = self.settings.compression != Compression::Off;
        let compressible = self.compressible.unwrap_or(if compressed { COMPRESSIBLE } else { 0.0 });
        if !(0.0..=1.0).contains(&compressible) {
            return Err("a share is from 0 to 1".to_owned());
        }
        Ok(Record {
            machine: Machine::this(),
            engines,
            workloads,
            baseline,
            rounds: self.rounds,
            threads: self.threads,
            settings: self.settings.settings(),
            shape: Shape {
                keys: self.keys,
                sizes: self.value_size,
                compressible,
                consume: self.consume,
                seed: self.seed,
            },
            bounds: Bounds { ops: self.ops, seconds: self.seconds.or(self.ops.is_none().then_some(SECONDS)) },
            rate: self.rate,
            write_rate: self.write_rate.map(|rate| rate as f64),
            notes: Vec::new(),
            failures: Vec::new(),
            figures: Vec::new(),
        })
    }

    fn workloads(&self) -> Result<Vec<Workload>, String> {
        let mut chosen = BTreeSet::new();
        for name in &self.workloads {
            match name.as_str() {
                "core" => chosen.extend(Workload::CORE),
                "table" => chosen.extend(Workload::TABLE),
                "more" => chosen.extend(Workload::MORE),
                "all" => chosen.extend(Workload::ALL),
                name => {
                    let known = Workload::ALL.into_iter().find(|workload| workload.name() == name);
                    chosen.insert(known.ok_or(format!("{name:?} is no workload: see --list"))?);
                }
            }
        }
        // Only operations that are all alike can be asked for at a rate.
        chosen.retain(|workload| self.rate.is_none() || workload.has_rate());
        if chosen.is_empty() {
            Err("no workload is left".to_owned())
        } else {
            Ok(chosen.into_iter().collect())
        }
    }
}

fn engines(names: &[String]) -> Result<Vec<Engine>, String> {
    let mut chosen: Vec<Engine> = Vec::new();
    for name in names {
        if name == "all" {
            chosen.extend(Engine::ALL);
            continue;
        }
        let known = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        chosen.push(known.ok_or(format!("{name:?} is no engine: see --list"))?);
    }
    let mut seen = BTreeSet::new();
    chosen.retain(|engine| seen.insert(*engine));
    Ok(chosen)
}

impl SettingsArgs {
    fn settings(&self) -> Settings {
        Settings {
            write_buffer_bytes: self.write_buffer,
            cache_bytes: self.cache,
            filter_bits: self.filter_bits,
            compression: self.compression,
            separation_bytes: self.separation,
            peer_separation_bytes: self.peer_separation.unwrap_or(self.separation),
            background_threads: self.background_threads,
            durability: Durability::System,
            space_amplification: self.space_amplification,
        }
    }
}

/// Engines and workloads, with what they are.
pub(crate) fn list() -> String {
    let line = |(name, about): (&str, &str)| format!("  {name:<18}{about}\n");
    let engines: String = Engine::ALL.map(|engine| (engine.name(), engine.about())).map(line).concat();
    let workloads: String =
        Workload::ALL.map(|workload| (workload.name(), workload.about())).map(line).concat();
    format!("Engines\n{engines}\nWorkloads\n{workloads}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_has_good_defaults() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let record = Cli::parse_from(["peers"]).run.record().unwrap();
        assert_eq!(record.baseline, Engine::Rocksdb);
        assert_eq!(record.settings, Settings::default());
        assert_eq!(record.bounds, Bounds { ops: None, seconds: Some(2.0) });
    }

    #[test]
    fn groups_and_names_make_up_the_workloads() {
        let of = |arguments: &[&str]| Cli::parse_from([&["peers"], arguments].concat()).run.record();
        assert_eq!(of(&["--workloads", "all"]).unwrap().workloads, Workload::ALL);
        assert!(of(&["--workloads", "readrandom,nonsense"]).is_err());
        assert!(of(&["--workloads", "fillseq", "--rate", "70%"]).is_err());
    }
}
