//! `repair`: makes a damaged database open again.

use bettong::{Loss, Options, RepairOptions, RepairReport};
use clap::Args;
use serde::Serialize;

use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::store::StoreArgs;
use crate::text::Format;
use crate::units;

/// Make a damaged database open again, and say what was lost
///
/// Keeps everything that can be read; what is damaged is moved to quarantine/ in the database's directory. A sound database is left
/// as it is. Look first with --dry-run, and restore a copy instead if there is one. Ends with exit code 4 if anything was lost. If it
/// is interrupted, run it again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong repair -d data --dry-run
  bettong repair -d data && bettong verify -d data")]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct RepairDocument {
    schema_version: u32,
    dry_run: bool,
    sound: bool,
    manifest_whole: bool,
    faults: Vec<String>,
    kept: Vec<String>,
    quarantined: Vec<String>,
    tables_written: u64,
    entries_saved: u64,
    losses: Vec<LossDocument>,
}

#[derive(Serialize)]
struct LossDocument {
    file: String,
    what: String,
    first_key_hex: Option<String>,
    last_key_hex: Option<String>,
    entries: Option<u64>,
    bytes: u64,
}

impl From<&Loss> for LossDocument {
    fn from(loss: &Loss) -> LossDocument {
        let hex = |key: &Option<Vec<u8>>| key.as_ref().map(|key| Format::Hex.show(key));
        LossDocument {
            file: loss.file.clone(),
            what: loss.what.clone(),
            first_key_hex: hex(&loss.first),
            last_key_hex: hex(&loss.last),
            entries: loss.entries,
            bytes: loss.bytes,
        }
    }
}

/// Repairs a database.
pub(crate) fn repair(args: &RepairArgs, out: &mut Out) -> Result<()> {
    let how = RepairOptions::new().dry_run(args.dry_run);
    let report = bettong::repair(&args.store.dir, Options::default(), how)?;
    if args.json {
        print_json(out, &report)?;
    } else {
        print_report(out, &report)?;
    }
    if report.losses.is_empty() { Ok(()) } else { Err(Fault::Damaged(String::new())) }
}

fn print_json(out: &mut Out, report: &RepairReport) -> Result<()> {
    let document = RepairDocument {
        schema_version: 1,
        dry_run: report.dry_run,
        sound: report.was_sound(),
        manifest_whole: report.manifest_whole,
        faults: report.faults.iter().map(ToString::to_string).collect(),
        kept: report.kept.clone(),
        quarantined: report.quarantined.clone(),
        tables_written: report.tables_written,
        entries_saved: report.entries_saved,
        losses: report.losses.iter().map(LossDocument::from).collect(),
    };
    let text = serde_json::to_string(&document).map_err(|error| Fault::output(error.into()))?;
    out.line(text)
}

fn print_report(out: &mut Out, report: &RepairReport) -> Result<()> {
    if report.was_sound() {
        let sound = out.good("sound");
        return out.line(format_args!("{sound}: nothing to repair"));
    }
    // Paths and keys may hold anything.
    let shown = |text: String| Format::Utf8.show(text.as_bytes());
    for fault in &report.faults {
        let mark = out.bad("damaged");
        out.line(format_args!("{mark}  {}", shown(fault.to_string())))?;
    }
    for name in &report.quarantined {
        out.line(format_args!("set aside  quarantine/{name}"))?;
    }
    for loss in &report.losses {
        let mark = out.bad("lost");
        out.line(format_args!("{mark}  {}", shown(loss.to_string())))?;
    }
    if !report.manifest_whole {
        out.line(
            "the manifest did not say what belongs to the database: keys that were deleted may be back",
        )?;
    }
    let verdict = if report.dry_run { "would be repaired" } else { "repaired" };
    out.line(format_args!(
        "{verdict}: {} files kept, {} tables written with {} entries, {} losses",
        units::count(report.kept.len() as u64),
        units::count(report.tables_written),
        units::count(report.entries_saved),
        units::count(report.losses.len() as u64)
    ))
}
