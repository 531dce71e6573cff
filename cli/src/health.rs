//! `health`: what the health checks of a database say, for people and for monitoring.

use std::io;
use std::path::PathBuf;

use bettong::Options;
use bettong_exporter::health::HealthMonitor;
use clap::Args;
use serde::Deserialize;

use crate::fault::{Fault, Result};
use crate::fetch::{self, Address, Request};
use crate::out::Out;
use crate::store::StoreArgs;

/// What the health checks of a running process, or of a database that nobody has open, find
///
/// Of a process the exporter is asked. A database in a directory is opened for reading.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong health
  bettong health http://127.0.0.1:9464 --nagios
  bettong health -d data

Exit codes: 0, or 1 if something fails. With --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN")]
pub(crate) struct HealthArgs {
    /// Where the exporter listens
    #[arg(default_value = "http://127.0.0.1:9464", value_name = "URL", conflicts_with = "dir")]
    url: String,
    /// Directory of a database that no process has open
    #[arg(short, long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// File with the token that the exporter wants to hear before it says more than one word
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    token_file: Option<PathBuf>,
    /// Print one line and exit with a code as plugins of Nagios do
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
    /// Print the answer as it is: one JSON document
    #[arg(long)]
    json: bool,
}

/// An answer of the exporter: whole, or the one word that it says to those who bring no token.
#[derive(Debug, Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    checks: std::collections::BTreeMap<String, Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    status: String,
    message: String,
    #[serde(default)]
    details: serde_json::Map<String, serde_json::Value>,
}

/// A verdict in the words of Nagios, whose place is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Verdict {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Verdict {
    fn of(status: &str) -> Verdict {
        match status {
            "healthy" | "ok" => Verdict::Ok,
            "degraded" => Verdict::Warning,
            "unhealthy" | "critical" => Verdict::Critical,
            _ => Verdict::Unknown,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "OK",
            Verdict::Warning => "WARNING",
            Verdict::Critical => "CRITICAL",
            Verdict::Unknown => "UNKNOWN",
        }
    }

    fn finish(self) -> Result<()> {
        if self == Verdict::Ok { Ok(()) } else { Err(Fault::Verdict(self as u8)) }
    }
}

/// Runs the command.
pub(crate) fn health(args: &HealthArgs, out: &mut Out) -> Result<()> {
    match ask(args) {
        Ok((text, answer)) if args.json => {
            // JSON has no need of control characters, and a terminal may take them for orders.
            out.line(text.trim_end().replace(char::is_control, " "))?;
            fails(&answer)
        }
        Ok((_, answer)) if args.nagios => nagios(&answer, out),
        Ok((_, answer)) => print(&answer, out),
        Err(fault) if args.nagios => {
            let verdict = verdict_of(&fault);
            out.line(one_line(&format!("BETTONG {} - {fault}", verdict.word())))?;
            verdict.finish()
        }
        Err(fault) => Err(fault),
    }
}

/// Nobody answers, or the database does not open: it is down. That somebody else has it, or that what came is no answer, says nothing.
fn verdict_of(fault: &Fault) -> Verdict {
    match fault {
        Fault::Engine(bettong::Error::Locked { .. }) | Fault::Usage(_) => Verdict::Unknown,
        Fault::Io { source, .. } if source.kind() == io::ErrorKind::InvalidData => Verdict::Unknown,
        _ => Verdict::Critical,
    }
}

fn ask(args: &HealthArgs) -> Result<(String, Answer)> {
    let text = if let Some(dir) = &args.dir {
        let db = StoreArgs { dir: dir.clone() }.look(Options::default())?;
        let report = HealthMonitor::new().start(&[db.metrics()]).check_now();
        db.close()?;
        report.json().to_string()
    } else {
        let usage = || Fault::Usage("the URL has to look like http://127.0.0.1:9464".to_owned());
        let address = Address::parse(&args.url, "/health").ok_or_else(usage)?;
        let token = args.token_file.as_deref().map(fetch::token).transpose()?;
        let request = Request { address: &address, accept: "application/json", token: token.as_ref() };
        fetch::fetch(&request).map_err(|source| unanswered(args, source))?.body
    };
    let invalid = |error| unanswered(args, io::Error::new(io::ErrorKind::InvalidData, error));
    let answer = serde_json::from_str(&text).map_err(invalid)?;
    Ok((text, answer))
}

fn unanswered(args: &HealthArgs, source: io::Error) -> Fault {
    Fault::Io { action: "ask", path: PathBuf::from(&args.url), source }
}

fn fails(answer: &Answer) -> Result<()> {
    let verdict = Verdict::of(&answer.status);
    if verdict == Verdict::Critical { Err(Fault::Verdict(1)) } else { Ok(()) }
}

fn print(answer: &Answer, out: &mut Out) -> Result<()> {
    let painted = |out: &Out, status: &str| match Verdict::of(status) {
        Verdict::Ok => out.good(&one_line(status)),
        _ => out.bad(&one_line(status)),
    };
    let whole = painted(out, &answer.status);
    out.line(whole)?;
    let width = answer.checks.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, check) in &answer.checks {
        let (name, status) = (one_line(name), painted(out, &check.status));
        out.line(format!("  {name:width$}  {status}  {}", said(check)))?;
    }
    fails(answer)
}

fn nagios(answer: &Answer, out: &mut Out) -> Result<()> {
    let verdict = Verdict::of(&answer.status);
    let unwell = answer.checks.iter().filter(|(_, check)| Verdict::of(&check.status) != Verdict::Ok);
    let unwell: Vec<_> = unwell.map(|(name, check)| format!("{}: {}", one_line(name), said(check))).collect();
    let (all, count) = (answer.checks.len(), unwell.len());
    let what = if unwell.is_empty() { one_line(&answer.status) } else { unwell.join("; ") };
    // What stands behind a bar is read as figures.
    let what = what.replace('|', "/");
    out.line(format!("BETTONG {} - {what} | checks={all} unwell={count}", verdict.word()))?;
    verdict.finish()
}

/// The message, with the reason if there is one.
fn said(check: &Check) -> String {
    let reason = ["reason", "cause"].iter().find_map(|name| check.details.get(*name)?.as_str());
    one_line(&reason.map_or_else(|| check.message.clone(), |reason| format!("{} ({reason})", check.message)))
}

/// Without control characters: what a server says goes to a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
