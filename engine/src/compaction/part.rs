//! Merges the tables of a plan, or a part of their keys.
//!
//! A plan that is large is merged in parts, by user key, side by side: what stays of a key depends on nothing but its own entries
//! (RocksDB's subcompactions).

use bettong_metrics::{Recorder, RunningJob, planted};

use super::output::{Output, Written};
use super::plan::Plan;
use super::retain::{Held, Retain, Verdict};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::key::{self, InternalKey, SeqNo};
use crate::levels::level_cursor::LevelCursor;
use crate::levels::tables::Tables;
use crate::levels::version::Version;
use crate::merge::{MergeIter, Source};
use crate::metric::{ReadOrigin, ValuePurpose, WriteOrigin};
use crate::options::LEVELS;
use crate::snapshot_list::Horizons;
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::table::cursor::TableCursor;
use crate::table::reader::ReadContext;
use crate::values::pointer::ValuePointer;
use crate::values::stored::Stored;
use crate::values::usage::Usage;

/// How often a merge looks whether it should stop or slow down.
const ENTRIES_BETWEEN_LOOKS: u64 = 1024;

/// The user keys of a part: from the first on, up to the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: Option<Vec<u8>>,
    pub(super) to: Option<Vec<u8>>,
}

/// What all parts of a merge share.
pub(super) struct Merge<'a> {
    pub(super) engine: &'a Engine,
    pub(super) plan: &'a Plan,
    pub(super) version: &'a Version,
    pub(super) horizons: Horizons,
    pub(super) job: &'a RunningJob,
    pub(super) pace: &'a (dyn Fn(u64) -> bool + Sync),
    pub(super) progress: Progress,
}

/// How far the parts are, together.
#[derive(Debug, Default)]
pub(super) struct Progress {
    read_bytes: AtomicU64,
    /// One part failed: what the others do is in vain.
    failed: AtomicBool,
}

/// Tells the other parts when one ends with an error, or a panic.
struct Alarm<'a> {
    failed: &'a AtomicBool,
    armed: bool,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

/// A part that is merged. If it is dropped before its output is adopted, what was written is removed.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    pub(super) output: Output<'a>,
    pub(super) written: Written,
    pub(super) counts: Counts,
}

impl<'a> Merge<'a> {
    /// Merges the entries of `range`. When one part fails, the others end soon, with [`Error::Closed`].
    pub(super) fn part(&'a self, range: &Range) -> Result<Merged<'a>> {
        let mut alarm = Alarm { failed: &self.progress.failed, armed: true };
        let merged = self.merge(range)?;
        alarm.armed = false;
        Ok(merged)
    }

    /// # Errors
    /// [`Error::Closed`] if another part failed, or the database is being closed.
    fn go_on(&self, written_bytes: u64) -> Result<()> {
        let failed = self.progress.failed.load(Ordering::Relaxed);
        if failed || !(self.pace)(written_bytes) { Err(Error::Closed) } else { Ok(()) }
    }

    fn merge(&'a self, range: &Range) -> Result<Merged<'a>> {
        let Merge { engine, plan, .. } = *self;
        let mut below = Below::new(self.version, plan.output_level);
        let mut retain = Retain::new(self.horizons.clone());
        // What lies before the part is none of its first table's business.
        let ahead = range.from.as_deref().map_or(0, |from| {
            plan.grandparents.partition_point(|table| table.meta.largest.as_slice() < from)
        });
        let grandparents = plan.grandparents.get(ahead..).unwrap_or_default();
        let mut output = Output::new(engine, plan.output_level, WriteOrigin::Compaction, grandparents);
        output.set_in_place(plan);
        self.go_on(0)?;
        let mut counts = Counts::default();
        let mut source = MergeIter::new(sources(plan)?);
        match &range.from {
            Some(from) => source.seek(InternalKey::seek(from, SeqNo::MAX))?,
            None => source.seek_to_first()?,
        }
        let end = range.to.as_deref();
        let (mut paced, mut shown, mut is_new) = (0, 0, true);
        while let Some((key, value)) =
            source.current().filter(|(key, _)| end.is_none_or(|end| key::compare(key.user, end).is_lt()))
        {
            counts.read += 1;
            counts.read_bytes += (key.user.len() + value.len()) as u64;
            let (seen, stored) = retain.as_seen(key, value);
            let is_as_it_was = seen.trailer == key.trailer;
            counts.expired += u64::from(!is_as_it_was);
            let pointer =
                Stored::pointer(key.trailer.kind(), value).filter(|p| plan.collect.contains(&p.file));
            let verdict = retain.judge(seen, is_new, |user| below.has_nothing_of(user));
            let verdict = match verdict {
                // What Badger's collection did (#2286): a value that nobody sees any more is moved all the same, and comes back when
                // what hid it is gone.
                Verdict::Shadowed if planted("gc_resurrects") && pointer.is_some() => Verdict::Keep,
                verdict => verdict,
            };
            match verdict {
                Verdict::Keep | Verdict::Held => {
                    if verdict == Verdict::Held {
                        counts.held.count(seen, stored);
                    }
                    paced += (seen.user.len() + stored.len()) as u64;
                    counts.kept += 1;
                    paced += match pointer.filter(|_| is_as_it_was) {
                        Some(pointer) => collect(
                            self.version,
                            &mut output,
                            (key, value),
                            pointer,
                            &mut counts,
                            &engine.recorder,
                        )?,
                        None => output.add(seen, stored).map(|()| 0)?,
                    };
                }
                Verdict::Shadowed => counts.shadowed += 1,
                Verdict::Spent => counts.spent += 1,
            }
            counts.discarded +=
                u64::from(pointer.is_some() && !matches!(verdict, Verdict::Keep | Verdict::Held));
            if counts.read % ENTRIES_BETWEEN_LOOKS == 0 {
                self.show(counts.read_bytes - shown);
                shown = counts.read_bytes;
                self.go_on(std::mem::take(&mut paced))?;
            }
            is_new = source.step()?;
        }
        self.show(counts.read_bytes - shown);
        self.go_on(paced)?;
        let written = output.finish()?;
        Ok(Merged { output, written, counts })
    }

    fn show(&self, read_bytes: u64) {
        let before = self.progress.read_bytes.fetch_add(read_bytes, Ordering::Relaxed);
        self.job.set_bytes_done(before + read_bytes);
    }
}

/// Moves the value of an entry that is kept out of a file that is being collected; returns the bytes that were moved.
///
/// A value that cannot be read stays where it is, and its pointer with it: whoever asks for it gets the error, and everybody
/// else is none the worse.
fn collect(
    version: &Version,
    output: &mut Output<'_>,
    (key, stored): (InternalKey<'_>, &[u8]),
    pointer: ValuePointer,
    counts: &mut Counts,
    recorder: &Recorder,
) -> Result<u64> {
    let Some(file) = version.value_file(pointer) else {
        return output.add(key, stored).map(|()| 0);
    };
    let Ok(value) = file.read(pointer, key.user, ValuePurpose::Collection, recorder) else {
        return output.add(key, stored).map(|()| 0);
    };
    let moved = output.move_value(key, stored, &value)?;
    counts.moved.add(Usage { entries: 1, bytes: u64::from(pointer.len) });
    output.add(key, &moved).map(|()| u64::from(pointer.len))
}

/// A cursor for each sorted run of the plan.
fn sources(plan: &Plan) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (level, tables) in &plan.inputs {
        let context = ReadContext { level: *level, origin: ReadOrigin::Compaction };
        if *level == 0 {
            for table in tables {
                sources.push(Source::Table(TableCursor::new(table.reader()?.clone(), context)));
            }
        } else {
            sources.push(Source::Level(LevelCursor::new(Tables::new(tables.clone()), context)));
        }
    }
    Ok(sources)
}

/// The levels below the output, asked for ascending keys.
struct Below<'a> {
    version: &'a Version,
    first: usize,
    at: [usize; LEVELS],
}

impl<'a> Below<'a> {
    fn new(version: &'a Version, output_level: usize) -> Below<'a> {
        Below { version, first: output_level + 1, at: [0; LEVELS] }
    }

    fn has_nothing_of(&mut self, user: &[u8]) -> bool {
        let levels = self.version.levels.iter().zip(&mut self.at).skip(self.first);
        for (level, at) in levels {
            while level.tables.get(*at).is_some_and(|table| table.meta.largest.as_slice() < user) {
                *at += 1;
            }
            if level.tables.get(*at).is_some_and(|table| table.meta.covers(user)) {
                return false;
            }
        }
        true
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) read: u64,
    /// Bytes of the keys and values read.
    pub(super) read_bytes: u64,
    pub(super) kept: u64,
    pub(super) shadowed: u64,
    pub(super) spent: u64,
    pub(super) expired: u64,
    pub(super) held: Held,
    /// Values that were moved out of files being collected, and pointers into them that were dropped.
    pub(super) moved: Usage,
    pub(super) discarded: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        self.read += other.read;
        self.read_bytes += other.read_bytes;
        self.kept += other.kept;
        self.shadowed += other.shadowed;
        self.spent += other.spent;
        self.expired += other.expired;
        self.held.add(other.held);
        self.moved.add(other.moved);
        self.discarded += other.discarded;
    }
}
