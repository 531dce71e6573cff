//! `top`: what a database does, second by second, in a terminal of 80 columns and 24 lines.
//!
//! Each second the exporter of the process is asked to measure for a second, for its levels, and for what ended since.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::fault::Result;
use crate::fetch;
use crate::out::Out;
use crate::signal;
use crate::text::one_line;
use crate::units::{self, Sizes};

const COLUMNS: usize = 80;
const LINES: usize = 24;

/// Events of one answer: more than are kept, since the oldest come first and the newest are to be shown.
const EVENTS: usize = 2_048;

/// Home, and everything below away: without blinking, since lines are written over.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

const OPERATIONS: [&str; 5] = ["get", "set", "delete", "batch", "scan"];

/// Show what a running database does, second by second
///
/// The exporter of the process is asked: rates and latencies of each second, levels, flushes and compactions. Ctrl-C ends it. Where
/// standard output is no terminal, the seconds follow each other.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong top
  bettong top http://127.0.0.1:9464 --db orders
  bettong top --count 1")]
pub(crate) struct TopArgs {
    /// Where the exporter listens
    #[arg(default_value = "http://127.0.0.1:9464", value_name = "URL")]
    url: String,
    /// Which database, where there are several [default: the first]
    #[arg(long, value_name = "NAME")]
    db: Option<String>,
    /// File with the token that the exporter wants to hear
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How many seconds to show [default: until Ctrl-C]
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// What was answered for one second.
#[derive(Debug)]
struct Second {
    performance: Value,
    levels: Value,
    events: Vec<Value>,
}

/// Runs the command.
pub(crate) fn run(args: &TopArgs, out: &mut Out) -> Result<()> {
    signal::install();
    let is_screen = io::stdout().is_terminal();
    let mut recent = Vec::new();
    let mut next = 0;
    let mut shown = 0;
    while !signal::is_raised() && args.count.is_none_or(|count| shown < count) {
        let performance = args.ask("performance", "window=1")?;
        let levels = args.ask("levels", "")?;
        let events = args.ask("events", &format!("since={next}&limit={EVENTS}"))?;
        next = member(&events, "next").as_u64().unwrap_or(next);
        recent.extend(member(&events, "events").as_array().cloned().unwrap_or_default());
        recent.retain(is_work);
        recent.drain(..recent.len().saturating_sub(LINES));
        let lines = screen(&Second { performance, levels, events: recent.clone() });
        if is_screen {
            let text: String = lines.iter().flat_map(|line| [line, CLEAR_LINE, "\n"]).collect();
            out.raw(format!("{HOME}{}{CLEAR_BELOW}", text.trim_end_matches('\n')).as_bytes())?;
        } else {
            lines.iter().try_for_each(|line| out.line(line.trim_end()))?;
        }
        out.flush()?;
        shown += 1;
    }
    if is_screen { out.line("") } else { Ok(()) }
}

impl TopArgs {
    fn ask(&self, view: &str, query: &str) -> Result<Value> {
        let db = self.db.as_ref().map(|db| format!("db={}", fetch::escaped(db)));
        let parts: Vec<&str> =
            [query, db.as_deref().unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect();
        let token = self.token_file.as_deref().map(fetch::token).transpose()?;
        let answer =
            fetch::document(&self.url, &format!("api/v1/{view}?{}", parts.join("&")), token.as_ref())?;
        Ok(member(&answer, "databases").get(0).cloned().unwrap_or(answer))
    }
}

/// Whether an event is shown: work that ended, and whatever is more than information.
fn is_work(event: &Value) -> bool {
    let ended =
        ["flush_end", "compaction_end", "stall_end"].iter().any(|name| member(event, "event") == *name);
    ended || member(event, "severity") != "info"
}

/// What is shown of a second: at most 23 lines of at most 80 columns, which leaves one for the prompt.
fn screen(second: &Second) -> Vec<String> {
    let Second { performance, levels, events } = second;
    let mut lines = head(performance, levels);
    lines.push(String::new());
    lines.push(row(["operation", "per second", "p50", "p95", "p99", "p99.9", "max"]));
    lines.extend(OPERATIONS.map(|name| operation(name, member(member(performance, "operations"), name))));
    lines.push(String::new());
    lines.push(row(["level", "tables", "bytes", "score", "W-amp", "tombstones", "written"]));
    let known = member(levels, "levels").as_array().into_iter().flatten();
    lines.extend(known.filter(|level| level["tables"] != 0).map(level));
    lines.push(String::new());
    let room = (LINES - 1).saturating_sub(lines.len());
    lines.extend(events.iter().rev().take(room).map(event));
    lines.truncate(LINES - 1);
    lines.into_iter().map(|line| line.chars().take(COLUMNS).collect()).collect()
}

fn head(performance: &Value, levels: &Value) -> Vec<String> {
    let name = one_line(member(performance, "database").as_str().unwrap_or_default());
    let up = number(member(performance, "uptime_seconds"));
    let size = |value: &Value| Sizes::Short.show(number(value) as u64);
    let system = member(performance, "system_metrics");
    vec![
        format!(
            "{name}  up {up:.0} s  cpu {:.0} %  memory {} (engine {})",
            number(member(system, "cpu_usage_percent")),
            size(member(system, "memory_usage_bytes")),
            size(member(performance, "memory_bytes")),
        ),
        format!(
            "amplification: write {:.2}  read {:.0}  space {:.2}   disk {}",
            number(member(levels, "write_amplification")),
            number(member(levels, "read_amplification")),
            number(member(levels, "space_amplification")),
            size(member(system, "disk_usage_bytes")),
        ),
        format!(
            "compactions: {} running, {} due, {} to rewrite",
            number(member(levels, "compactions_running")),
            number(member(levels, "compactions_pending")),
            size(member(levels, "compaction_pending_bytes")),
        ),
    ]
}

/// Seven columns in 79 characters.
fn row<S: AsRef<str>>(cells: [S; 7]) -> String {
    let [first, others @ ..] = cells;
    let mut line = format!("{:<13}", first.as_ref());
    for cell in others {
        // A string takes everything.
        let _ = write!(line, "{:>11}", cell.as_ref());
    }
    line
}

fn operation(name: &str, value: &Value) -> String {
    let time = |key: &str| {
        value[key]
            .as_f64()
            .map_or_else(|| "–".to_owned(), |seconds| units::time(Duration::from_secs_f64(seconds)))
    };
    row([
        name.to_owned(),
        units::rate(number(member(value, "per_second"))),
        time("p50_seconds"),
        time("p95_seconds"),
        time("p99_seconds"),
        time("p999_seconds"),
        time("max_seconds"),
    ])
}

fn level(value: &Value) -> String {
    let share = number(member(value, "tombstones")) / number(member(value, "entries")).max(1.0) * 100.0;
    row([
        format!("L{}", member(value, "level")),
        member(value, "tables").to_string(),
        Sizes::Short.show(number(member(value, "bytes")) as u64),
        format!("{:.2}", number(member(value, "score"))),
        member(value, "write_amplification")
            .as_f64()
            .map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
        format!("{share:.0} %"),
        Sizes::Short.show(number(member(value, "written_bytes")) as u64),
    ])
}

fn event(value: &Value) -> String {
    let word = |key: &str| member(value, key).as_str().map(one_line);
    let mut parts = vec![word("event").unwrap_or_default()];
    parts.extend(member(value, "level").as_u64().map(|level| format!("L{level}")));
    parts.extend(member(value, "bytes").as_u64().map(|bytes| Sizes::Short.show(bytes)));
    parts.extend(
        member(value, "seconds").as_f64().map(|seconds| units::time(Duration::from_secs_f64(seconds))),
    );
    parts.extend(["cause", "result", "message"].into_iter().filter_map(word));
    parts.join("  ")
}

/// A member; null where there is none.
fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// A number; 0 where there is none, and never less.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::escaped;
    use serde_json::json;

    #[test]
    fn a_second_fits_into_a_small_terminal_whatever_is_said() {
        let level = json!({"level": 6, "tables": 1_000_000_u64, "bytes": u64::MAX, "entries": 1, "tombstones": 1, "score": 1e9});
        let event = json!({"event": "read_only", "severity": "error", "message": "\x1b[31m".repeat(100)});
        let operation = json!({"per_second": 1e12, "p50_seconds": 1e9, "max_seconds": null});
        let second = Second {
            performance: json!({"database": "x".repeat(200), "operations": {"get": operation}}),
            levels: json!({"levels": vec![level; 40]}),
            events: vec![event; 100],
        };
        let lines = screen(&second);
        assert!(lines.len() < LINES, "{}", lines.len());
        assert!(
            lines.iter().all(|line| line.chars().count() <= COLUMNS && !line.contains('\x1b')),
            "{lines:#?}"
        );
        assert!(lines.iter().any(|line| line.starts_with("get ")));
    }

    #[test]
    fn what_ended_and_what_is_wrong_is_shown() {
        let event = |name: &str, severity: &str| json!({"event": name, "severity": severity});
        assert!(is_work(&event("flush_end", "info")) && is_work(&event("corruption", "error")));
        assert!(!is_work(&event("table_created", "info")));
        assert_eq!(escaped("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
