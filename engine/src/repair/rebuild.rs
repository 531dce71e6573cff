//! What a repair has so far: the tables and files of the new manifest, and the report.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use super::logs::LogRemains;
use super::report::{Loss, RepairOptions, RepairReport};
use super::tables::SavedEntry;
use super::values::AllValues;
use crate::context::FileContext;
use crate::env::Dir;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::Birth;
use crate::key::{DEFAULT_KEYSPACE, InternalKey, SeqNo};
use crate::levels::table_file::TableMeta;
use crate::options::Options;
use crate::table::builder::{TableBuilder, TableShape};
use crate::values::pointer::ValuePointer;
use crate::values::stored::Stored;
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// A repair on its way.
pub(super) struct Rebuild<'a> {
    pub(super) dir: &'a Dir,
    pub(super) options: &'a Options,
    pub(super) context: &'a FileContext,
    pub(super) evidence: &'a Evidence,
    pub(super) values: &'a AllValues,
    pub(super) how: RepairOptions,
    pub(super) next: u64,
    /// What the new manifest says.
    pub(super) tables: Vec<(usize, TableMeta)>,
    pub(super) logs: BTreeMap<FileNumber, u64>,
    pub(super) last_seq: SeqNo,
    pub(super) time: u64,
    /// What tables that a dry run does not write would use of the value files.
    pub(super) unwritten: UsageByFile,
    /// Files that go to `quarantine/`.
    pub(super) set_aside: BTreeSet<FileName>,
    pub(super) report: RepairReport,
}

impl Rebuild<'_> {
    pub(super) fn number(&mut self) -> FileNumber {
        self.next += 1;
        FileNumber(self.next - 1)
    }

    pub(super) fn birth(&self) -> Birth {
        Birth { at_nanos: self.options.env.clock.unix_nanos(), ..Birth::default() }
    }

    /// Whether all of an entry can be read: itself, or the value it points to.
    pub(super) fn is_readable(&self, entry: &SavedEntry) -> Result<bool> {
        pointer_of(entry).map_or(Ok(true), |pointer| self.values.has(pointer, &entry.user))
    }

    pub(super) fn value_fault(&self, pointer: ValuePointer, user: &[u8]) -> Error {
        let path = self.dir.path_of(self.values.name_of(pointer.file));
        Error::corruption(&path, pointer.offset, "a value does not read").of_key(user)
    }

    pub(super) fn lose_value(&mut self, pointer: ValuePointer, entry: &SavedEntry) {
        self.report.losses.push(Loss {
            file: self.values.name_of(pointer.file).to_string(),
            what: format!("the value at {} does not read", pointer.offset),
            first: Some(entry.user.clone()),
            last: Some(entry.user.clone()),
            entries: Some(1),
            bytes: u64::from(pointer.len),
        });
    }

    /// Takes over what was found in logs besides their entries.
    pub(super) fn take_findings(&mut self, remains: LogRemains) {
        self.last_seq = self.last_seq.max(remains.last_seq);
        self.time = self.time.max(remains.time);
        self.report.faults.extend(remains.faults);
        self.report.losses.extend(remains.losses);
    }

    pub(super) fn add(&mut self, out: &mut Out, key: InternalKey<'_>, stored: &[u8]) -> Result<()> {
        let full = out
            .builder
            .as_ref()
            .is_some_and(|builder| builder.bytes() >= out.table_bytes && builder.last_user_key() != key.user);
        if full {
            self.end_table(out)?;
        }
        self.report.entries_saved += 1;
        if self.how.dry_run {
            out.any = true;
            if let Some(pointer) = Stored::pointer(key.trailer.kind(), stored) {
                self.unwritten.count(pointer);
            }
            return Ok(());
        }
        let builder = if let Some(builder) = &mut out.builder {
            builder
        } else {
            let number = self.number();
            let shape = TableShape::of_level(self.options, out.level, DEFAULT_KEYSPACE);
            out.builder.insert(TableBuilder::create(self.dir, number, shape, self.birth())?)
        };
        builder.add(key, stored)
    }

    pub(super) fn end_table(&mut self, out: &mut Out) -> Result<()> {
        self.report.tables_written += u64::from(out.any || out.builder.is_some());
        out.any = false;
        if let Some(builder) = out.builder.take() {
            self.tables.push((out.level, TableMeta::of(builder.finish()?)));
        }
        Ok(())
    }

    /// The value files that the tables use.
    pub(super) fn used_values(&self) -> Vec<ValueFileMeta> {
        let mut used: BTreeMap<FileNumber, Usage> = BTreeMap::new();
        let usages = self.tables.iter().map(|(_, table)| &table.usage).chain([&self.unwritten]);
        usages.flat_map(UsageByFile::iter).for_each(|(file, usage)| used.entry(file).or_default().add(usage));
        let metas = used.into_iter().filter_map(|(number, born)| {
            let file = self.values.get(number)?;
            let known = self.evidence.state.values.get(&number).map(|(meta, _)| *meta);
            let bytes = known.map_or(file.len, |meta| meta.bytes.min(file.len));
            let born = known.map_or(born, |meta| meta.born);
            Some(ValueFileMeta { number, id: file.id, bytes, born })
        });
        metas.collect()
    }
}

/// Where saved entries go.
pub(super) struct Out {
    level: usize,
    table_bytes: u64,
    builder: Option<TableBuilder>,
    /// In a dry run: whether there would be a table.
    any: bool,
}

impl Out {
    pub(super) fn new(level: usize, table_bytes: u64) -> Out {
        Out { level, table_bytes, builder: None, any: false }
    }
}

pub(super) fn pointer_of(entry: &SavedEntry) -> Option<ValuePointer> {
    Stored::pointer(entry.trailer.kind(), &entry.stored)
}

pub(super) fn lost_table(meta: &TableMeta) -> Loss {
    Loss {
        file: FileName::Table(meta.number).to_string(),
        what: "the table is missing, or nothing of it reads".into(),
        first: Some(meta.smallest.clone()),
        last: Some(meta.largest.clone()),
        entries: Some(meta.entries),
        bytes: meta.bytes,
    }
}
