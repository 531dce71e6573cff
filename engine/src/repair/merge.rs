//! Without a whole manifest: all tables and logs there are, merged. Of each key the newest entry counts.
//!
//! Tables and logs hold much of the same: a log that was flushed and not removed yet, the table of an interrupted flush, the
//! tables of an interrupted repair. An entry is the same one if key and sequence number are, and is written once, from whichever file it can
//! be read. So nothing in a log is passed over because of a table, but for what an edit says is in tables.
//!
//! A table is opened when the merge gets to its first key, and closed behind its last: as many are open as overlap.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::logs::{self, Flushed, LogRemains};
use super::rebuild::{Out, Rebuild, lost_table, pointer_of};
use super::report::Loss;
use super::tables::{SavedEntry, TableRemains};
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::key::{Kind, SeqNo, Trailer};
use crate::levels::table_file::TableMeta;
use crate::memtable::MemtableIter;
use crate::options::LEVELS;

/// Where entries come from.
enum Source {
    /// A table that is not open yet.
    Waiting {
        number: FileNumber,
        id: u64,
        smallest: Vec<u8>,
    },
    Table {
        remains: Box<TableRemains>,
        /// Whether it was finished, and so may have belonged to the database: if not, nothing of it can be missing.
        finished: bool,
    },
    Log(MemtableIter),
    Done,
}

/// Before every entry of its key: no sequence number gets here.
const BEFORE_ALL: Trailer = Trailer(u64::MAX);

/// The next entry of a source; the smallest key is the greatest, for the heap.
struct Head {
    entry: SavedEntry,
    source: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        other.entry.key().cmp(&self.entry.key()).then(other.source.cmp(&self.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl Rebuild<'_> {
    /// Merges all that is not known to be done with.
    pub(super) fn merge_everything(&mut self) -> Result<()> {
        let (mut sources, newest) = self.find_tables()?;
        let mut logs = self.read_all_logs(newest)?;
        // The youngest first: should two logs have the same number, the younger one has the write that was acknowledged.
        for memtable in std::mem::take(&mut logs.memtables).iter().rev() {
            let mut iter = memtable.iter();
            iter.seek_to_first()?;
            sources.push(Source::Log(iter));
        }
        self.take_findings(logs);
        self.merge(&mut sources)
    }

    /// The tables, and the newest sequence number in those that are whole.
    fn find_tables(&mut self) -> Result<(Vec<Source>, SeqNo)> {
        let evidence = self.evidence;
        let known: BTreeMap<FileNumber, &TableMeta> =
            evidence.state.tables.iter().flatten().map(|(number, meta)| (*number, meta)).collect();
        let (mut sources, mut newest) = (Vec::new(), SeqNo(0));
        for (name, len) in &evidence.files {
            let FileName::Table(number) = *name else { continue };
            if evidence.gone.contains(&number) {
                continue;
            }
            let meta = known.get(&number).copied();
            match TableRemains::open(self.dir, number, meta.map(|meta| meta.id)) {
                Ok(remains) => {
                    let finished = meta.is_some() || remains.finished;
                    match &remains.properties {
                        Some(properties) => {
                            newest = newest.max(properties.newest_seq);
                            let (id, smallest) = (remains.id, properties.smallest.clone());
                            sources.push(Source::Waiting { number, id, smallest });
                        }
                        None => sources.push(Source::Table { remains: Box::new(remains), finished }),
                    }
                }
                // It was made, and nothing was written to it before the end.
                Err(Error::Corruption { .. }) if *len == 0 && meta.is_none() => {}
                Err(fault @ Error::Corruption { .. }) => {
                    self.set_aside.insert(*name);
                    let what = "nothing of the table reads".into();
                    let loss = Loss { file: name.to_string(), what, bytes: *len, ..Loss::default() };
                    self.report.losses.push(meta.map_or(loss, lost_table));
                    self.report.faults.push(fault);
                }
                Err(error) => return Err(error),
            }
        }
        let is_missing = |meta: &&&TableMeta| evidence.len_of(FileName::Table(meta.number)).is_none();
        self.report.losses.extend(known.values().filter(is_missing).map(|meta| lost_table(meta)));
        Ok((sources, newest))
    }

    /// Reads all logs that may hold something that no table has.
    fn read_all_logs(&mut self, newest: SeqNo) -> Result<LogRemains> {
        let (evidence, state) = (self.evidence, &self.evidence.state);
        let is_log =
            |number: &FileNumber| !evidence.gone.contains(number) && !state.values.contains_key(number);
        let logs = evidence.files.iter().filter_map(|(name, _)| match name {
            FileName::Log(number) => Some(*number).filter(is_log),
            _ => None,
        });
        // In the order in which they were written.
        let logs: BTreeSet<FileNumber> = logs.collect();
        let logs: Vec<_> =
            logs.into_iter().map(|number| (number, state.logs.get(&number).copied())).collect();
        let flushed = Flushed { known: state.last_seq, likely: newest };
        let mut remains = logs::salvage(self.context, &logs, flushed, self.options)?;
        // Tables that know more than the edits say that the log was flushed, by an edit that is lost.
        let is_lost = |number: &&FileNumber| {
            let names = [FileName::Log(**number), FileName::Value(**number)];
            newest <= state.last_seq && names.iter().all(|name| evidence.len_of(*name).is_none())
        };
        remains.losses.extend(state.logs.keys().filter(is_lost).map(|number| Loss {
            file: FileName::Log(*number).to_string(),
            what: "the log is missing".into(),
            ..Loss::default()
        }));
        let damaged = remains.losses.iter().filter_map(|loss| FileName::parse(&loss.file));
        self.set_aside.extend(damaged.filter(|name| evidence.len_of(*name).is_some()));
        Ok(remains)
    }

    fn merge(&mut self, sources: &mut [Source]) -> Result<()> {
        let mut heads = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            let entry = match source {
                Source::Waiting { smallest, .. } => {
                    Some(SavedEntry { user: smallest.clone(), trailer: BEFORE_ALL, stored: Vec::new() })
                }
                _ => self.next_of(source)?,
            };
            heads.extend(entry.map(|entry| Head { entry, source: at }));
        }
        let mut out = Out::new(LEVELS - 1, self.options.table_bytes);
        // The newest version of a key, from each source that has it.
        let mut newest: Vec<Head> = Vec::new();
        while let Some(head) = heads.pop() {
            if let Some(source) = sources.get_mut(head.source) {
                let next = self.next_of(source)?;
                heads.extend(next.map(|entry| Head { entry, source: head.source }));
            }
            if head.entry.trailer == BEFORE_ALL {
                continue;
            }
            if newest.first().is_some_and(|first| first.entry.user != head.entry.user) {
                self.add_newest(&mut out, std::mem::take(&mut newest))?;
            }
            let seq = head.entry.trailer.seq();
            if newest.first().is_none_or(|first| first.entry.trailer.seq() == seq) {
                newest.push(head);
            }
        }
        self.add_newest(&mut out, newest)?;
        self.end_table(&mut out)
    }

    fn next_of(&mut self, source: &mut Source) -> Result<Option<SavedEntry>> {
        if let Source::Waiting { number, id, .. } = source {
            let remains = Box::new(TableRemains::open(self.dir, *number, Some(*id))?);
            *source = Source::Table { remains, finished: true };
        }
        let next = match source {
            Source::Table { remains, .. } => remains.next()?,
            Source::Log(iter) => {
                let entry = iter.current().map(|(key, stored)| SavedEntry {
                    user: key.user.to_vec(),
                    trailer: key.trailer,
                    stored: stored.to_vec(),
                });
                iter.next()?;
                entry
            }
            _ => None,
        };
        if next.is_none()
            && let Source::Table { remains, finished } = std::mem::replace(source, Source::Done)
        {
            self.end_of(*remains, finished);
        }
        Ok(next)
    }

    /// Says what of a table could not be read.
    fn end_of(&mut self, remains: TableRemains, finished: bool) {
        self.last_seq = self.last_seq.max(remains.newest);
        if remains.losses.is_empty() {
            return;
        }
        let name = FileName::Table(remains.number);
        // Also one that seems unfinished: without a manifest nobody can be sure.
        self.set_aside.insert(name);
        if finished {
            let path = self.dir.path_of(name);
            self.report.faults.push(Error::corruption(&path, 0, "not all of the table reads"));
            self.report.losses.extend(remains.losses);
        }
    }

    /// Of what sources have as the newest version of one key, writes what can be read.
    fn add_newest(&mut self, out: &mut Out, mut versions: Vec<Head>) -> Result<()> {
        // A table before a log: a pointer stays one.
        versions.sort_by_key(|head| head.source);
        for Head { entry, .. } in &versions {
            if self.is_readable(entry)? {
                // Nothing is below that a tombstone could hide.
                let gone = entry.trailer.kind() == Some(Kind::Tombstone);
                return if gone { Ok(()) } else { self.add(out, entry.key(), &entry.stored) };
            }
        }
        if let Some(Head { entry, .. }) = versions.first()
            && let Some(pointer) = pointer_of(entry)
        {
            self.report.faults.push(self.value_fault(pointer, &entry.user));
            self.lose_value(pointer, entry);
        }
        Ok(())
    }
}
