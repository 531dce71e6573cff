//! Records into the database, in batches.
//!
//! A batch is written as one, so that at any fault the records of all earlier lines are there, and the line to resume from is
//! known.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bettong::{Db, Options, WriteBatch, WriteOptions};
use clap::Args;

use super::file::FileFormat;
use super::lines::Lines;
use super::ndjson::{Fields, JsonRecords};
use super::record::{Entry, Record, Records};
use super::rows::CsvRecords;
use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::progress::Progress;
use crate::signal;
use crate::store::{DurabilityArg, StoreArgs};
use crate::target::is_standard;
use crate::units::{self, parse_size};

/// Bytes of records at which a batch is written, however few they are.
const BATCH_BYTES: usize = 8 << 20;
/// Bad records that are named one by one.
const NAMED: u64 = 20;
/// Records between two looks at signals and progress.
const REPORT_EVERY: u64 = 1024;

/// Read records from a file
///
/// NDJSON: a pair a line, as in `{"key":"k","value":"v"}`, or with `key_base64` and `value_base64` for what is not UTF-8. With
/// --key-field a line is any object, and is stored as it is, byte for byte, under the text of that field; with --value-field,
/// only that field's text is stored. Empty lines are passed over.
///
/// CSV: the first row names the columns. The key is the first column or --key-field. The value is --value-field, else the
/// other one of two columns, else the whole row as a JSON object of strings.
///
/// A later record of the same key wins. A bad record stops the import with exit code 1 after everything before it was written,
/// unless --skip-errors is given.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong import -d data pairs.ndjson
  bettong import -d data users.ndjson --key-field id
  zcat rows.csv.gz | bettong import -d data - --input-format csv --key-field id --value-field name")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The file; `-` is standard input
    file: PathBuf,
    /// How records are written in it [default: csv if it is named so, else ndjson]
    #[arg(long, value_enum, value_name = "FORMAT")]
    input_format: Option<FileFormat>,
    /// The field or column that is the key
    #[arg(long, value_name = "NAME")]
    key_field: Option<String>,
    /// The field or column that is the value
    #[arg(long, value_name = "NAME")]
    value_field: Option<String>,
    /// Records written at once
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    batch: u64,
    /// When a batch counts as written; the end of the import is safe from a power cut in any case
    #[arg(long, value_enum, default_value_t)]
    durability: DurabilityArg,
    /// Pass over bad records, and count them
    #[arg(long)]
    skip_errors: bool,
    /// Begin with this line
    #[arg(long, default_value_t = 1, value_name = "N")]
    from_line: u64,
    /// The most bytes of a line or row
    #[arg(long, default_value = "64MiB", value_name = "BYTES", value_parser = parse_size)]
    max_line_bytes: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Imports a file.
pub(crate) fn import(args: &ImportArgs, out: &mut Out) -> Result<()> {
    signal::install();
    let (input, length) = args.input()?;
    let progress = Progress::of_bytes(out, length);
    let mut records = args.records(input)?;
    let db = args.store.open_or_create(Options::default())?;
    let mut importer = Importer::new(args, &db);
    let result = importer.run(records.as_mut(), &progress, out);
    drop(progress);
    let closed = db.clone().close();
    importer.finish(result, out)?;
    closed?;
    importer.report(out)
}

impl ImportArgs {
    fn input(&self) -> Result<(Box<dyn Read>, Option<u64>)> {
        if is_standard(&self.file) {
            return Ok((Box::new(io::stdin().lock()), None));
        }
        let file = File::open(&self.file).map_err(|source| Fault::io("open", &self.file, source))?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Ok((Box::new(file), length))
    }

    fn records(&self, input: Box<dyn Read>) -> Result<Box<dyn Records>> {
        let fields = Fields { key: self.key_field.clone(), value: self.value_field.clone() };
        let input = BufReader::with_capacity(256 << 10, input);
        let most = usize::try_from(self.max_line_bytes).unwrap_or(usize::MAX);
        let format = self.input_format.unwrap_or_else(|| FileFormat::of(&self.file));
        if format == FileFormat::Ndjson {
            return Ok(Box::new(JsonRecords::new(Lines::new(input, most), fields)));
        }
        let header = CsvRecords::new(input, &fields, most).map_err(|source| self.unreadable(source))?;
        match header {
            Ok(records) => Ok(Box::new(records)),
            Err(why) => Err(Fault::Failed(format!("{}: line 1: {why}", self.name()))),
        }
    }

    fn name(&self) -> String {
        if is_standard(&self.file) { "standard input".to_owned() } else { self.file.display().to_string() }
    }

    fn unreadable(&self, source: io::Error) -> Fault {
        Fault::io("read", Path::new(&self.name()), source)
    }
}

/// An import under way.
struct Importer<'a> {
    args: &'a ImportArgs,
    db: &'a Db,
    batch: WriteBatch,
    /// The line of the first record that is not written yet.
    unwritten: Option<u64>,
    /// The line after the last one that was looked at.
    next_line: u64,
    imported: u64,
    skipped: u64,
    bytes: u64,
    started: Instant,
}

impl<'a> Importer<'a> {
    fn new(args: &'a ImportArgs, db: &'a Db) -> Importer<'a> {
        Importer {
            args,
            db,
            batch: WriteBatch::new(),
            unwritten: None,
            next_line: args.from_line,
            imported: 0,
            skipped: 0,
            bytes: 0,
            started: Instant::now(),
        }
    }

    fn run(&mut self, records: &mut dyn Records, progress: &Progress, out: &mut Out) -> Result<()> {
        let mut seen = 0_u64;
        loop {
            let entry = match records.next() {
                Ok(entry) => entry,
                Err(source) => {
                    self.write()?;
                    return Err(self.args.unreadable(source));
                }
            };
            self.bytes = records.position();
            let Some(entry) = entry else { break };
            if entry.line >= self.args.from_line || !entry.goes_on {
                self.take(entry, out)?;
            }
            seen += 1;
            if seen.is_multiple_of(REPORT_EVERY) {
                self.report_progress(progress)?;
            }
        }
        self.write()
    }

    fn report_progress(&mut self, progress: &Progress) -> Result<()> {
        if signal::is_raised() {
            self.write()?;
            return Err(Fault::Interrupted);
        }
        progress.set(self.bytes);
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        let rate = units::rate(self.imported as f64 / seconds);
        progress.say(format!("{} records · {rate}/s", units::count(self.imported)));
        Ok(())
    }

    fn take(&mut self, entry: Entry, out: &mut Out) -> Result<()> {
        match entry.record {
            Ok(record) => self.add(entry.line, &record)?,
            Err(why) if self.args.skip_errors && entry.goes_on => self.skip(entry.line, &why, out),
            Err(why) => {
                self.write()?;
                // The line is the one to look at, and to go on from.
                self.next_line = entry.line;
                let hint = if entry.goes_on { ", or pass over bad lines with --skip-errors" } else { "" };
                return Err(Fault::Failed(format!(
                    "{}: line {}: {why}\nthe {} records before it are imported: resume with --from-line {}{hint}",
                    self.args.name(),
                    entry.line,
                    self.imported,
                    entry.line
                )));
            }
        }
        self.next_line = entry.line + 1;
        Ok(())
    }

    fn add(&mut self, line: u64, record: &Record) -> Result<()> {
        self.unwritten.get_or_insert(line);
        self.batch.set(&record.key, &record.value);
        if self.batch.len() as u64 >= self.args.batch || self.batch.payload_bytes() >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn skip(&mut self, line: u64, why: &str, out: &mut Out) {
        self.skipped += 1;
        match self.skipped {
            ..=NAMED => out.note(format_args!("{}: line {line}: {why} (passed over)", self.args.name())),
            n if n == NAMED + 1 => out.note("more bad lines are counted, but not named"),
            _ => {}
        }
    }

    fn write(&mut self) -> Result<()> {
        let records = self.batch.len() as u64;
        if records > 0 {
            let batch = std::mem::take(&mut self.batch);
            let durability = self.args.durability.into();
            self.db.write_with(batch, WriteOptions::new().durability(durability))?;
            self.imported += records;
        }
        self.unwritten = None;
        Ok(())
    }

    /// Says how to go on, if the import did not come to its end.
    fn finish(&self, result: Result<()>, out: &mut Out) -> Result<()> {
        match result {
            Err(Fault::Failed(why)) => Err(Fault::Failed(why)),
            Err(fault) => {
                let line = self.unwritten.unwrap_or(self.next_line);
                out.note(format_args!(
                    "{} records are imported: resume with --from-line {line}",
                    self.imported
                ));
                Err(fault)
            }
            Ok(()) => Ok(()),
        }
    }

    fn report(&self, out: &mut Out) -> Result<()> {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.args.json {
            return out.line(format_args!(
                "{{\"schema_version\":1,\"imported\":{},\"skipped\":{},\"bytes\":{},\"seconds\":{seconds:.3}}}",
                self.imported, self.skipped, self.bytes
            ));
        }
        out.line(format_args!("imported {} records", self.imported))?;
        if self.skipped > 0 {
            out.line(format_args!("passed over {} bad records", self.skipped))?;
        }
        let rate = units::rate(self.imported as f64 / seconds.max(1e-9));
        let size = out.sizes().show(self.bytes);
        out.detail(format_args!("{size} in {seconds:.2} s, {rate} records/s"));
        Ok(())
    }
}
