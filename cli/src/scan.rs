//! `scan`, `count`: ranges of keys.

use bettong::{Item, Options, Scan};
use clap::Args;

use crate::fault::Result;
use crate::out::Out;
use crate::range::RangeArgs;
use crate::signal;
use crate::store::{FormatArgs, StoreArgs};
use crate::text::{Format, json_member_as};

/// Print keys and their values, in key order
///
/// One pair a line, key and value separated by a tab.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong scan -d data --prefix user: --limit 10
  bettong scan -d data --from a --to m --keys-only
  bettong scan -d data --reverse --limit 1 --json")]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    range: RangeArgs,
    /// The most keys to print
    #[arg(short, long)]
    limit: Option<u64>,
    /// The last key first
    #[arg(short, long)]
    reverse: bool,
    /// Without values
    #[arg(short, long)]
    keys_only: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints a range.
pub(crate) fn scan(args: &ScanArgs, out: &mut Out) -> Result<()> {
    let range = args.range.parse(args.format)?;
    let db = args.store.look(Options::default())?;
    let scan = db.scan(range.bounds());
    let printed = if args.json { print_json(args, scan, out) } else { print_lines(args, scan, out) };
    printed.map(|count| out.detail(format_args!("{count} keys")))
}

/// The items that are asked for, in the order that is asked for.
fn items(args: &ScanArgs, scan: Scan) -> impl Iterator<Item = bettong::Result<Item>> {
    let limit = args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let items: Box<dyn Iterator<Item = _>> = if args.reverse { Box::new(scan.rev()) } else { Box::new(scan) };
    items.take(limit)
}

fn print_lines(args: &ScanArgs, scan: Scan, out: &mut Out) -> Result<u64> {
    let format = args.format.format;
    let mut count = 0;
    for item in items(args, scan) {
        let item = item?;
        let key = format.show(item.key());
        if args.keys_only {
            out.line(key)?;
        } else {
            out.line(format_args!("{key}\t{}", format.show(item.value()?)))?;
        }
        count += 1;
    }
    Ok(count)
}

fn print_json(args: &ScanArgs, scan: Scan, out: &mut Out) -> Result<u64> {
    let format = args.format.format;
    let mut count = 0;
    out.raw(format!("{{\"schema_version\":1,\"format\":\"{}\",\"items\":[", format.name()).as_bytes())?;
    for item in items(args, scan) {
        let item = item?;
        let mut text = String::from(if count == 0 { "{" } else { ",{" });
        text.push_str(&json_member_as(format, "key", item.key()));
        if !args.keys_only {
            text.push(',');
            text.push_str(&json_member_as(format, "value", item.value()?));
        }
        text.push('}');
        out.raw(text.as_bytes())?;
        count += 1;
    }
    out.line(format_args!("],\"count\":{count}}}"))?;
    Ok(count)
}

/// Count keys
///
/// Reads the whole range: a tree of sorted tables does not know how many of its keys were replaced or deleted.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong count -d data
  bettong count -d data --prefix user:")]
pub(crate) struct CountArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// How the keys of the range are typed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    range: RangeArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Counts a range.
pub(crate) fn count(args: &CountArgs, out: &mut Out) -> Result<()> {
    signal::install();
    let range = args.range.parse(FormatArgs { format: args.format })?;
    let db = args.store.look(Options::default())?;
    let mut count = 0_u64;
    let mut scan = db.scan(range.bounds());
    while let Some(item) = scan.next_ref() {
        item?;
        count += 1;
        signal::check()?;
    }
    if args.json {
        return out.line(format_args!("{{\"schema_version\":1,\"count\":{count}}}"));
    }
    out.line(count)
}
