//! The database into records.

use std::io::{self, Write};
use std::path::PathBuf;

use bettong::{Item, Options};
use clap::Args;

use super::file::FileFormat;
use super::form::Form;
use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::progress::Progress;
use crate::range::RangeArgs;
use crate::signal;
use crate::store::{FormatArgs, StoreArgs};
use crate::target::{Target, is_standard};
use crate::text::Format;
use crate::units;

/// Records between two looks at signals and progress.
const REPORT_EVERY: u64 = 1024;

/// Write all records to a file, in key order
///
/// NDJSON has a pair a line, as `import` reads it. CSV has the columns key and value, with their bytes as they are. With --raw
/// only the values are written, each on a line: what `import --key-field` stored comes out byte for byte, in key order.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong export -d data all.ndjson
  bettong export -d data --prefix user: users.csv
  bettong export -d data --raw | jq .name")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The file; `-` is standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// How records are written [default: csv if the file is named so, else ndjson]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output_format: Option<FileFormat>,
    /// Values only, one a line, as they are
    #[arg(long, conflicts_with = "output_format")]
    raw: bool,
    #[command(flatten)]
    range: RangeArgs,
    /// How --prefix, --from and --to are typed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Exports a database.
pub(crate) fn export(args: &ExportArgs, out: &mut Out) -> Result<()> {
    signal::install();
    let form = args.form();
    if is_standard(&args.file) && form != Form::Pairs {
        out.refuse_terminal("CSV and --raw write bytes as they are")?;
    }
    let range = args.range.parse(FormatArgs { format: args.format })?;
    let db = args.store.look(Options::default())?;
    let scan = db.scan(range.bounds());
    let progress = Progress::of_bytes(out, None);
    let count = if is_standard(&args.file) {
        write(scan, form, out, &progress, &|source| Fault::output(source))?
    } else {
        let failed = |source| Fault::io("write", &args.file, source);
        let mut target = Target::open(&args.file).map_err(failed)?;
        let count = write(scan, form, &mut target, &progress, &failed)?;
        target.keep(&args.file).map_err(failed)?;
        count
    };
    drop(progress);
    out.note(format_args!("exported {count} records"));
    Ok(())
}

impl ExportArgs {
    fn form(&self) -> Form {
        match self.output_format.unwrap_or_else(|| FileFormat::of(&self.file)) {
            _ if self.raw => Form::Values,
            FileFormat::Ndjson => Form::Pairs,
            FileFormat::Csv => Form::Rows,
        }
    }
}

fn write(
    items: impl Iterator<Item = bettong::Result<Item>>,
    form: Form,
    to: &mut dyn Write,
    progress: &Progress,
    failed: &dyn Fn(io::Error) -> Fault,
) -> Result<u64> {
    let (mut count, mut bytes) = (0_u64, 0_u64);
    let mut line = Vec::new();
    if form == Form::Rows {
        to.write_all(b"key,value\n").map_err(failed)?;
    }
    for item in items {
        let item = item?;
        line.clear();
        form.render(item.key(), item.value()?, &mut line).map_err(Fault::Failed)?;
        to.write_all(&line).map_err(failed)?;
        count += 1;
        bytes += line.len() as u64;
        if count.is_multiple_of(REPORT_EVERY) {
            signal::check()?;
            progress.set(bytes);
            progress.say(format!("{} records", units::count(count)));
        }
    }
    to.flush().map_err(failed)?;
    Ok(count)
}
