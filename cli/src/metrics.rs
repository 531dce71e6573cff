//! `metrics`: what an exporter says, or would say of a database that nobody has open.

use std::io;
use std::path::{Path, PathBuf};

use bettong::Options;
use bettong_exporter::Exporter;
use bettong_exporter::formats::{json, openmetrics, text};
use clap::{Args, ValueEnum};

use crate::fault::{Fault, Result};
use crate::fetch::{self, Address, Request};
use crate::out::Out;
use crate::store::StoreArgs;

/// Print the metrics of a running process, or of a database that no process has open
///
/// A URL is that of a process with an exporter. A directory is opened for reading: nothing in it is changed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong metrics | promtool check metrics
  bettong metrics http://127.0.0.1:9464 --format json | jq .levels
  bettong metrics data --format openmetrics

Exit codes: as of every command; 1 if the exporter refuses, 5 if a process has the database open")]
pub(crate) struct MetricsArgs {
    /// Where an exporter listens, or the directory of a database
    #[arg(default_value = "http://127.0.0.1:9464", value_name = "URL|DIR")]
    source: String,
    /// In which format
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// File with the token that the exporter wants to hear
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// The Prometheus text format, version 0.0.4
    #[default]
    Prom,
    /// OpenMetrics 1.0
    Openmetrics,
    /// The JSON snapshot
    Json,
}

impl FormatArg {
    /// Where it is found, and under which type.
    fn request(self) -> (&'static str, &'static str) {
        match self {
            FormatArg::Prom => ("/metrics", text::CONTENT_TYPE),
            FormatArg::Openmetrics => ("/metrics", openmetrics::CONTENT_TYPE),
            FormatArg::Json => ("/metrics.json", json::CONTENT_TYPE),
        }
    }

    fn of(self, exporter: &Exporter) -> String {
        match self {
            FormatArg::Prom => exporter.text(),
            FormatArg::Openmetrics => exporter.open_metrics(),
            FormatArg::Json => exporter.json(),
        }
    }
}

/// Prints the metrics.
pub(crate) fn metrics(args: &MetricsArgs, out: &mut Out) -> Result<()> {
    let text = if args.source.contains("://") { ask(args)? } else { look(args)? };
    out.raw(text.trim_end().as_bytes())?;
    out.raw(b"\n")
}

fn look(args: &MetricsArgs) -> Result<String> {
    if args.token_file.is_some() {
        return Err(Fault::Usage("a directory asks for no token".to_owned()));
    }
    let db = StoreArgs { dir: PathBuf::from(&args.source) }.look(Options::default())?;
    let text = args.format.of(&Exporter::new(db.metrics()));
    db.close()?;
    Ok(text)
}

fn ask(args: &MetricsArgs) -> Result<String> {
    let (path, accept) = args.format.request();
    let usage = || Fault::Usage("the URL has to look like http://127.0.0.1:9464".to_owned());
    let address = Address::parse(&args.source, path).ok_or_else(usage)?;
    let token = args.token_file.as_deref().map(fetch::token).transpose()?;
    let unanswered = |source| Fault::io("ask", Path::new(&args.source), source);
    let answer =
        fetch::fetch(&Request { address: &address, accept, token: token.as_ref() }).map_err(unanswered)?;
    match answer.status {
        200 => Ok(answer.body),
        401 => Err(Fault::Failed(format!("{} wants a token: give it with --token-file", args.source))),
        refused @ (403 | 421) => Err(Fault::Failed(format!(
            "{} refuses with status {refused}: {}",
            args.source,
            answer.body.trim()
        ))),
        status => {
            let what =
                io::Error::new(io::ErrorKind::InvalidData, format!("it answered with status {status}"));
            Err(unanswered(what))
        }
    }
}
