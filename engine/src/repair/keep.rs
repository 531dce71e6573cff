//! With a whole manifest: what it names stays where it is, as far as it can be read.

use std::sync::Arc;

use super::logs::{self, Flushed};
use super::reading;
use super::rebuild::{Out, Rebuild, lost_table, pointer_of};
use super::tables::TableRemains;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::key::{InternalKey, Kind, Trailer};
use crate::levels::table_file::TableMeta;
use crate::memtable::Memtable;
use crate::recovery::{self, RecoveryReport};
use crate::table::reader::{TableIdentity, TableReader};
use crate::values::usage::UsageByFile;

impl Rebuild<'_> {
    /// Keeps the tables that the manifest names, or what can be read of them.
    pub(super) fn keep_tables(&mut self) -> Result<()> {
        for (level, metas) in self.evidence.state.tables.iter().enumerate() {
            for meta in metas.values() {
                match reading::damage(self.check(level, meta))? {
                    Ok(()) => self.tables.push((level, meta.clone())),
                    Err(fault) => {
                        self.report.faults.push(fault);
                        self.rewrite(level, meta)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a table is what the manifest says, and all its values can be read.
    fn check(&self, level: usize, meta: &TableMeta) -> Result<()> {
        let TableMeta { number, id, bytes, .. } = *meta;
        let path = self.dir.path_of(FileName::Table(number));
        let reader = TableReader::open(self.context, TableIdentity { number, id, bytes })?;
        let properties = reader.properties();
        if reader.verify(level, |_| {})? != meta.entries
            || (&properties.smallest, &properties.largest) != (&meta.smallest, &meta.largest)
        {
            return Err(Error::corruption(&path, 0, "the table does not hold what the manifest says"));
        }
        let mut used = UsageByFile::default();
        let mut remains = TableRemains::open(self.dir, number, Some(id))?;
        while let Some(entry) = remains.next()? {
            if let Some(pointer) = pointer_of(&entry) {
                used.count(pointer);
                if !self.values.has(pointer, &entry.user)? {
                    return Err(self.value_fault(pointer, &entry.user));
                }
            }
        }
        if used == meta.usage {
            return Ok(());
        }
        Err(Error::corruption(&path, 0, "the table does not use of the value files what the manifest says"))
    }

    /// Writes what can be read of a table to a new one in its place.
    fn rewrite(&mut self, level: usize, meta: &TableMeta) -> Result<()> {
        let name = FileName::Table(meta.number);
        let opened = match self.evidence.len_of(name) {
            Some(_) => TableRemains::open(self.dir, meta.number, Some(meta.id)),
            None => Err(Error::corruption(&self.dir.path_of(name), 0, "the file is missing")),
        };
        let Ok(mut remains) = reading::damage(opened)? else {
            self.report.losses.push(lost_table(meta));
            return Ok(());
        };
        self.set_aside.insert(name);
        let mut out = Out::new(level, u64::MAX);
        while let Some(entry) = remains.next()? {
            // It was written by another table under this name, or the manifest is wrong: neither is this table's.
            if entry.user < meta.smallest || entry.user > meta.largest {
                continue;
            }
            match pointer_of(&entry) {
                Some(pointer) if !self.values.has(pointer, &entry.user)? => {
                    self.lose_value(pointer, &entry);
                    // Without it an older value would come back.
                    let deleted = Trailer::new(entry.trailer.seq(), Kind::Tombstone);
                    self.add(&mut out, InternalKey::new(&entry.user, deleted), &[])?;
                }
                _ => self.add(&mut out, entry.key(), &entry.stored)?,
            }
        }
        self.end_table(&mut out)?;
        let missing = meta.entries.saturating_sub(remains.read);
        if let [only] = remains.losses.as_mut_slice() {
            only.entries = Some(missing);
            only.first.get_or_insert_with(|| meta.smallest.clone());
            only.last.get_or_insert_with(|| meta.largest.clone());
        }
        self.report.losses.extend(remains.losses.into_iter().filter(|loss| loss.entries != Some(0)));
        Ok(())
    }

    /// Leaves the logs to the next open if it can read them; else writes what can be read to tables.
    pub(super) fn keep_logs(&mut self) -> Result<()> {
        let mut state = self.evidence.state.clone();
        let replayed =
            recovery::replay(self.context, &mut state, self.options, &mut RecoveryReport::default());
        match reading::damage(replayed)? {
            Ok(_) => {
                self.logs = state.logs;
                Ok(())
            }
            Err(fault) => {
                self.report.faults.push(fault);
                self.rewrite_logs()
            }
        }
    }

    fn rewrite_logs(&mut self) -> Result<()> {
        let logs: Vec<_> = self.evidence.state.logs.iter().map(|(number, id)| (*number, Some(*id))).collect();
        let present = logs.iter().map(|(number, _)| FileName::Log(*number));
        self.set_aside.extend(present.filter(|name| self.evidence.len_of(*name).is_some()));
        let flushed = Flushed { known: self.last_seq, likely: self.last_seq };
        let mut remains = logs::salvage(self.context, &logs, flushed, self.options)?;
        for memtable in std::mem::take(&mut remains.memtables) {
            let mut out = Out::new(0, u64::MAX);
            self.write_memtable(&memtable, &mut out)?;
            self.end_table(&mut out)?;
        }
        self.take_findings(remains);
        Ok(())
    }

    /// The newest entry of each key.
    fn write_memtable(&mut self, memtable: &Arc<Memtable>, out: &mut Out) -> Result<()> {
        let mut source = memtable.iter();
        let mut last: Option<Vec<u8>> = None;
        source.seek_to_first()?;
        while let Some((key, stored)) = source.current() {
            if last.as_deref() != Some(key.user) {
                self.add(out, key, stored)?;
                last = Some(key.user.to_vec());
            }
            source.next()?;
        }
        Ok(())
    }
}
