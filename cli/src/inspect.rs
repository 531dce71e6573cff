//! `stats`, `verify`, `compact`: what a database is like, whether it is sound, and tidying it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use bettong::{Db, Error, ErrorKind, Options, RecoveryReport, RepairOptions, Stats, VerifyReport};
use bettong_exporter::formats::json;
use bettong_metrics::Counter;
use clap::Args;
use serde::Serialize;

use crate::fault::{Fault, Result};
use crate::figures;
use crate::out::Out;
use crate::progress::Progress;
use crate::range::RangeArgs;
use crate::store::{FormatArgs, StoreArgs};
use crate::text::Format;
use crate::units;
use crate::value_files::ValueFiles;

/// Print what the last open found, the levels, the value files and the totals
///
/// The database must not be open elsewhere. Operations are counted since open, so there are none here: a running process
/// shows its own through the exporter.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong stats -d data
  bettong stats -d data --json")]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print the exporter's JSON snapshot
    #[arg(long)]
    json: bool,
}

/// Prints statistics.
pub(crate) fn stats(args: &StatsArgs, out: &mut Out) -> Result<()> {
    let db = args.store.look(Options::default())?;
    let stats = db.stats();
    let snapshot = db.metrics().snapshot();
    if args.json {
        return out.line(json::render(&snapshot));
    }
    let heading = out.heading("Recovery");
    out.line(heading)?;
    recovery(out, db.recovery())?;
    let heading = out.heading("Levels");
    out.line(format_args!("\n{heading}"))?;
    figures::levels(out, &stats)?;
    let heading = out.heading("Value files");
    out.line(format_args!("\n{heading}"))?;
    ValueFiles::of(&snapshot).print(out, false)?;
    let heading = out.heading("Totals");
    out.line(format_args!("\n{heading}"))?;
    let bytes: u64 = stats.levels.iter().map(|level| level.bytes).sum();
    let entries: u64 = stats.levels.iter().map(|level| level.entries).sum();
    let size = out.sizes().show(bytes);
    out.line(format_args!("tables               {size}, {} entries", units::count(entries)))?;
    figures::totals(out, &stats)
}

fn recovery(out: &mut Out, report: &RecoveryReport) -> Result<()> {
    let end = if report.clean { "closed" } else { "not closed: it crashed, was killed, or lost power" };
    out.line(format_args!("last run       {end}"))?;
    let torn = out.sizes().show(report.truncated_bytes);
    out.line(format_args!(
        "logs           {} read, {} records with {} entries replayed, {torn} of a torn end dropped",
        report.logs, report.records, report.entries
    ))?;
    if report.dropped_logs > 0 {
        out.line(format_args!("dropped logs   {} (younger than a torn one)", report.dropped_logs))?;
    }
    out.line(format_args!(
        "tables         {} in the manifest, {} from logs, {} orphans",
        report.tables, report.tables_written, report.orphans
    ))?;
    let times = [report.lock_time, report.manifest_time, report.replay_time, report.tables_time];
    let [lock, manifest, replay, tables] = times.map(units::time);
    out.line(format_args!(
        "time           lock {lock}, manifest {manifest}, replay {replay}, tables {tables}"
    ))
}

/// Read everything and check it
///
/// Checks every checksum, the order of keys, and the counts of the manifest. Lists each fault with file and offset, and ends
/// with exit code 4 if there is one.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  bettong verify -d data && echo sound")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct VerifyDocument {
    schema_version: u32,
    sound: bool,
    tables: u64,
    bytes: u64,
    entries: u64,
    values: u64,
    value_bytes: u64,
    logs: u64,
    log_bytes: u64,
    seconds: f64,
    faults: Vec<FaultDocument>,
}

#[derive(Serialize)]
struct FaultDocument {
    path: Option<String>,
    offset: Option<u64>,
    what: String,
}

impl From<&Error> for FaultDocument {
    fn from(error: &Error) -> FaultDocument {
        match error {
            Error::Corruption { path, offset, what, .. } => FaultDocument {
                path: Some(path.display().to_string()),
                offset: Some(*offset),
                what: (*what).to_owned(),
            },
            other => FaultDocument { path: None, offset: None, what: other.to_string() },
        }
    }
}

/// Checks a database.
pub(crate) fn verify(args: &VerifyArgs, out: &mut Out) -> Result<()> {
    let started = Instant::now();
    let report = match args.store.look(Options::default()) {
        Ok(db) => verify_watched(&db, out)?,
        // Damage that keeps the database from opening is a fault like any other.
        Err(Fault::Engine(error)) if error.kind() == ErrorKind::Corruption => {
            // A dry run of a repair finds all of it, not only the first.
            let found =
                bettong::repair(&args.store.dir, Options::default(), RepairOptions::new().dry_run(true))?;
            let mut report = VerifyReport::default();
            report.faults = if found.faults.is_empty() { vec![error] } else { found.faults };
            report
        }
        Err(fault) => return Err(fault),
    };
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        print_json(out, &report, seconds)?;
    } else {
        print_report(out, &report, seconds)?;
    }
    if report.is_sound() { Ok(()) } else { Err(Fault::Damaged(String::new())) }
}

/// Checks what is open, and shows how far that has come. Nobody else asks for tables meanwhile, and the check does so twice for each: for
/// its blocks, and for what its entries use of value files.
fn verify_watched(db: &Db, out: &Out) -> Result<VerifyReport> {
    let metrics = db.metrics();
    let before = metrics.snapshot();
    let tables: u64 = before.published().levels.iter().map(|level| level.tables.len() as u64).sum();
    let progress = Progress::of_steps(out, 2 * tables, true);
    if !progress.is_shown() {
        return Ok(db.verify()?);
    }
    std::thread::scope(|scope| {
        // Ends when the check drops its end, however that ends.
        let (_checking, ended) = mpsc::channel::<()>();
        scope.spawn(move || {
            while ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                let asked = metrics.snapshot().since(&before).counter_total(Counter::TableCacheRequests);
                progress.set(asked.saturating_sub(1));
                progress.say(format!("table {} of {tables}", asked.div_ceil(2)));
            }
        });
        Ok(db.verify()?)
    })
}

fn print_json(out: &mut Out, report: &VerifyReport, seconds: f64) -> Result<()> {
    let document = VerifyDocument {
        schema_version: 1,
        sound: report.is_sound(),
        tables: report.tables,
        bytes: report.bytes,
        entries: report.entries,
        values: report.values,
        value_bytes: report.value_bytes,
        logs: report.logs,
        log_bytes: report.log_bytes,
        seconds,
        faults: report.faults.iter().map(FaultDocument::from).collect(),
    };
    let text = serde_json::to_string(&document).map_err(|error| Fault::output(error.into()))?;
    out.line(text)
}

fn print_report(out: &mut Out, report: &VerifyReport, seconds: f64) -> Result<()> {
    for fault in &report.faults {
        let mark = out.bad("damaged");
        // A path may hold anything.
        out.line(format_args!("{mark}  {}", Format::Utf8.show(fault.to_string().as_bytes())))?;
    }
    let verdict = match report.faults.len() {
        0 => out.good("sound"),
        1 => out.bad("1 fault"),
        n => out.bad(&format!("{n} faults")),
    };
    let (tables, entries) = (units::count(report.tables), units::count(report.entries));
    let size = out.sizes().show(report.bytes);
    let (values, value_size) = (units::count(report.values), out.sizes().show(report.value_bytes));
    let (logs, log_size) = (units::count(report.logs), out.sizes().show(report.log_bytes));
    out.line(format_args!(
        "{verdict}: {tables} tables, {size}, {entries} entries; {values} values apart, {value_size}; {logs} logs, {log_size}; read in {seconds:.2} s"
    ))
}

/// Merge everything into one level
///
/// Afterwards nothing that was replaced or deleted takes room. Needs as much free disk as the range takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong compact -d data
  bettong compact -d data --prefix log:")]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    range: RangeArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Bytes and entries of all tables.
fn extent(stats: &Stats) -> (u64, u64) {
    stats.levels.iter().fold((0, 0), |(bytes, entries), level| (bytes + level.bytes, entries + level.entries))
}

/// Compacts a database.
pub(crate) fn compact(args: &CompactArgs, out: &mut Out) -> Result<()> {
    let range = args.range.parse(args.format)?;
    let db: Db = args.store.open()?;
    let started = Instant::now();
    let before = extent(&db.stats());
    db.compact(range.bounds())?;
    let after = extent(&db.stats());
    db.close()?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        return out.line(format_args!(
            "{{\"schema_version\":1,\"bytes_before\":{},\"bytes_after\":{},\"entries_before\":{},\"entries_after\":{},\
             \"seconds\":{seconds:.3}}}",
            before.0, after.0, before.1, after.1
        ));
    }
    let sizes = out.sizes();
    out.line(format_args!(
        "{} in {} entries → {} in {} entries, in {seconds:.2} s",
        sizes.show(before.0),
        units::count(before.1),
        sizes.show(after.0),
        units::count(after.1)
    ))
}
