//! The value files of a database, for people and as JSON: what is live in them, and what is to become of each.

use std::time::Duration;

use bettong_metrics::{Gauge, MetricsSnapshot, ValueFileStanding, ValueFileState};
use comfy_table::CellAlignment;
use serde::Serialize;

use crate::fault::Result;
use crate::figures;
use crate::out::Out;
use crate::store;
use crate::units;

/// One file. The names are those of the JSON document.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ValueFileDocument {
    number: u64,
    bytes: u64,
    live_bytes: u64,
    live_entries: u64,
    garbage_ratio: f64,
    /// `candidate`, `waiting`, `full`, `damaged` or `pinned`.
    standing: &'static str,
    why: &'static str,
}

/// All of them together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Totals {
    files: u64,
    bytes: u64,
    live_bytes: u64,
    live_entries: u64,
    garbage_ratio: f64,
    /// Files to be collected next.
    candidates: u64,
    /// Most bytes that count as live and may be garbage: newer entries of upper levels may hide what they replaced.
    hidden_bytes: u64,
}

/// Somebody who reads an older state.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct HolderDocument {
    kind: &'static str,
    age_seconds: f64,
}

/// The value files at one moment, and what decides on them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ValueFiles {
    /// Bytes of tables and value files per estimated byte of live data in them; 0 while there is none.
    space_amplification: f64,
    /// The option `max_space_amplification`.
    ceiling: Option<f64>,
    files: Vec<ValueFileDocument>,
    totals: Totals,
    /// Oldest first.
    holders: Vec<HolderDocument>,
}

impl ValueFiles {
    pub(crate) fn of(snapshot: &MetricsSnapshot) -> ValueFiles {
        let state = snapshot.published();
        let mut totals =
            Totals { hidden_bytes: snapshot.gauge(Gauge::VlogUnattributedBytes) as u64, ..Totals::default() };
        for file in &state.value_files {
            totals.files += 1;
            totals.bytes += file.bytes;
            totals.live_bytes += file.live_bytes;
            totals.live_entries += file.live_entries;
            totals.candidates += u64::from(file.standing == ValueFileStanding::Candidate);
        }
        totals.garbage_ratio = garbage_ratio(totals.bytes, totals.live_bytes);
        let space_amplification = snapshot.gauge(Gauge::SpaceAmplification);
        let ceiling = store::option_of(state, "max_space_amplification");
        let wait = if totals.candidates > 0 {
            Wait::Others
        } else if ceiling.is_some_and(|ceiling| space_amplification >= ceiling) {
            Wait::Segment
        } else {
            Wait::Ceiling
        };
        let holders = snapshot.activity().holders.known.iter();
        ValueFiles {
            space_amplification,
            ceiling,
            files: state.value_files.iter().map(|file| ValueFileDocument::new(file, wait)).collect(),
            totals,
            holders: holders
                .map(|holder| HolderDocument {
                    kind: holder.kind.as_str(),
                    age_seconds: holder.age_nanos as f64 / 1e9,
                })
                .collect(),
        }
    }

    /// Prints them for people; with `why`, each with a sentence that says why it is collected or not.
    pub(crate) fn print(&self, out: &mut Out, why: bool) -> Result<()> {
        if self.files.is_empty() {
            return out.line("no value files: every value is with its key, or in the log");
        }
        let mut header = vec!["file", "size", "live", "entries", "garbage", "standing"];
        header.extend(why.then_some("why"));
        let mut table = figures::table(&header);
        for file in &self.files {
            let mut row = file.row(out);
            row.extend(why.then(|| file.why.to_owned()));
            table.add_row(row);
        }
        for at in header.iter().enumerate().filter(|(_, name)| ["standing", "why"].contains(name)) {
            let column = table.column_mut(at.0);
            column.into_iter().for_each(|column| column.set_cell_alignment(CellAlignment::Left));
        }
        figures::print(out, &table)?;
        self.print_totals(out)
    }

    fn print_totals(&self, out: &mut Out) -> Result<()> {
        let Totals { files, bytes, live_bytes, live_entries, garbage_ratio, .. } = self.totals;
        let sizes = out.sizes();
        let (bytes, live) = (sizes.show(bytes), sizes.show(live_bytes));
        out.line(format_args!(
            "{files} files, {bytes}, of which {live} in {} entries are live and {:.1} % is garbage",
            units::count(live_entries),
            garbage_ratio * 100.0
        ))?;
        if self.totals.hidden_bytes > 0 {
            let hidden = sizes.show(self.totals.hidden_bytes);
            out.line(format_args!(
                "at most {hidden} of what is live may be replaced by newer entries above it"
            ))?;
        }
        let ceiling = self.ceiling.map_or_else(String::new, |ceiling| format!(", the ceiling is {ceiling}"));
        out.line(format_args!("{:.2} bytes of disk per live byte{ceiling}", self.space_amplification))?;
        for holder in &self.holders {
            let age = units::time(Duration::from_secs_f64(holder.age_seconds));
            out.line(format_args!("held by a reader: {} for {age}", holder.kind))?;
        }
        Ok(())
    }
}

impl ValueFileDocument {
    /// `wait` is what files wait for that have garbage.
    fn new(file: &ValueFileState, wait: Wait) -> ValueFileDocument {
        ValueFileDocument {
            number: file.number,
            bytes: file.bytes,
            live_bytes: file.live_bytes,
            live_entries: file.live_entries,
            garbage_ratio: garbage_ratio(file.bytes, file.live_bytes),
            standing: file.standing.as_str(),
            why: why(file.standing, wait),
        }
    }

    fn row(&self, out: &Out) -> Vec<String> {
        let sizes = out.sizes();
        vec![
            format!("{:06}.val", self.number),
            sizes.show(self.bytes),
            sizes.show(self.live_bytes),
            units::count(self.live_entries),
            format!("{:.1} %", self.garbage_ratio * 100.0),
            self.standing.to_owned(),
        ]
    }
}

fn garbage_ratio(bytes: u64, live_bytes: u64) -> f64 {
    bytes.saturating_sub(live_bytes) as f64 / bytes.max(1) as f64
}

/// What files with garbage wait for.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// Others are collected first.
    Others,
    /// The disk in use must come nearer to the ceiling.
    Ceiling,
    /// It is over the ceiling, but garbage is collected from one segment on.
    Segment,
}

/// Why a file is collected or not.
fn why(standing: ValueFileStanding, wait: Wait) -> &'static str {
    match standing {
        ValueFileStanding::Candidate => "next: what lives on of it is moved, and the file goes",
        ValueFileStanding::Waiting => match wait {
            Wait::Others => "waits: others have a larger share of garbage",
            Wait::Ceiling => "waits: there is room below the ceiling",
            Wait::Segment => "waits: all garbage together is less than a log segment (memtable_bytes)",
        },
        ValueFileStanding::Full => "stays: too little of it is garbage to be worth moving the rest",
        ValueFileStanding::Damaged => "stays: a value of it could not be read; `bettong verify` says which",
        ValueFileStanding::Pinned => "goes with the last reader of an older state",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_standing_has_its_reason_and_garbage_is_what_is_not_live() {
        let file = |standing, live_bytes| ValueFileState {
            number: 7,
            bytes: 100,
            live_bytes,
            live_entries: 2,
            standing,
        };
        let waiting = file(ValueFileStanding::Waiting, 25);
        assert!(ValueFileDocument::new(&waiting, Wait::Others).why.contains("others"));
        assert!(ValueFileDocument::new(&waiting, Wait::Ceiling).why.contains("ceiling"));
        let ratio =
            |live| ValueFileDocument::new(&file(ValueFileStanding::Full, live), Wait::Others).garbage_ratio;
        assert_eq!([25, 100, 101].map(|live| (ratio(live) * 100.0) as u64), [75, 0, 0]);
    }
}
