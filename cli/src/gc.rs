//! `gc`: gives back the disk that values take which nothing needs, or says what it would do.

use std::time::Instant;

use bettong::{GarbageReport, Options};
use clap::Args;
use serde::Serialize;

use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::store::StoreArgs;
use crate::units::{self, parse_size};
use crate::value_files::ValueFiles;

/// Give back the disk that replaced and deleted values take
///
/// Large values lie in files of their own. The database collects garbage there by itself as its ceiling demands
/// (`max_space_amplification`); this collects all of it at once. It merges all keys, and needs room for the values that it moves.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong gc -d data
  bettong gc -d data --dry-run
  bettong gc -d data --dry-run --max-space-amplification 1.2 --json")]
pub(crate) struct GcArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only list the value files, with what the database itself would do with each, and why
    #[arg(long)]
    dry_run: bool,
    /// The ceiling that the database would be opened with [default: the engine's]
    #[arg(long, value_name = "RATIO", requires = "dry_run")]
    max_space_amplification: Option<f64>,
    /// Bytes of a memtable that it would be opened with, as in 64MiB: less garbage than that is left alone [default: the engine's]
    #[arg(long, value_name = "BYTES", value_parser = parse_size, requires = "dry_run")]
    memtable_bytes: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct DryDocument {
    schema_version: u32,
    dry_run: bool,
    #[serde(flatten)]
    state: ValueFiles,
}

#[derive(Serialize)]
struct Document {
    schema_version: u32,
    dry_run: bool,
    files_before: u64,
    bytes_before: u64,
    files_after: u64,
    bytes_after: u64,
    freed_bytes: u64,
    moved_entries: u64,
    moved_bytes: u64,
    pinned_files: u64,
    pinned_bytes: u64,
    seconds: f64,
}

/// Runs the command.
pub(crate) fn gc(args: &GcArgs, out: &mut Out) -> Result<()> {
    if args.dry_run { look(args, out) } else { collect(args, out) }
}

fn look(args: &GcArgs, out: &mut Out) -> Result<()> {
    let mut options = Options::default();
    if let Some(ratio) = args.max_space_amplification {
        options = options.max_space_amplification(ratio);
    }
    if let Some(bytes) = args.memtable_bytes {
        options = options.memtable_bytes(bytes as usize);
    }
    let db = args.store.look(options)?;
    // Announces the state as it is.
    db.stats();
    let state = ValueFiles::of(&db.metrics().snapshot());
    if args.json {
        return print_json(out, &DryDocument { schema_version: 1, dry_run: true, state });
    }
    state.print(out, true)
}

fn collect(args: &GcArgs, out: &mut Out) -> Result<()> {
    let db = args.store.open()?;
    let started = Instant::now();
    let report = db.collect_garbage()?;
    db.close()?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json { print_json(out, &Document::new(&report, seconds)) } else { print(out, &report, seconds) }
}

impl Document {
    fn new(report: &GarbageReport, seconds: f64) -> Document {
        Document {
            schema_version: 1,
            dry_run: false,
            files_before: report.files_before,
            bytes_before: report.bytes_before,
            files_after: report.files_after,
            bytes_after: report.bytes_after,
            freed_bytes: report.freed_bytes(),
            moved_entries: report.moved_entries,
            moved_bytes: report.moved_bytes,
            pinned_files: report.pinned_files,
            pinned_bytes: report.pinned_bytes,
            seconds,
        }
    }
}

fn print(out: &mut Out, report: &GarbageReport, seconds: f64) -> Result<()> {
    let sizes = out.sizes();
    let [before, after, freed, moved] =
        [report.bytes_before, report.bytes_after, report.freed_bytes(), report.moved_bytes]
            .map(|bytes| sizes.show(bytes));
    out.line(format_args!(
        "{before} in {} value files → {after} in {}, in {seconds:.2} s: {freed} given back",
        report.files_before, report.files_after
    ))?;
    out.line(format_args!("{} values that live on were moved, {moved}", units::count(report.moved_entries)))?;
    if report.pinned_files > 0 {
        let pinned = sizes.show(report.pinned_bytes);
        out.line(format_args!("{pinned} in {} files go with their last reader", report.pinned_files))?;
    }
    Ok(())
}

fn print_json(out: &mut Out, document: &impl Serialize) -> Result<()> {
    out.line(serde_json::to_string(document).map_err(|error| Fault::output(error.into()))?)
}
