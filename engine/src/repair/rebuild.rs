//! The repair itself.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::Path;

use bettong_metrics::{Instrumentation, Registry};

use super::evidence::Evidence;
use super::logs::{self, LogRemains};
use super::quarantine;
use super::report::{Loss, RepairOptions, RepairReport};
use super::tables::{Head, SavedEntry, TableRemains};
use super::values::AllValues;
use crate::context::FileContext;
use crate::env::Dir;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::{Birth, FileHeader, FileKind};
use crate::iter::internal::InternalIterator;
use crate::key::{DEFAULT_KEYSPACE, InternalKey, Kind, SeqNo, Trailer};
use crate::levels::edit::VersionEdit;
use crate::levels::manifest::{ManifestState, ManifestWriter};
use crate::levels::table_file::TableMeta;
use crate::memtable::Memtable;
use crate::options::{LEVELS, Options};
use crate::recovery::{self, RecoveryReport};
use crate::table::builder::{TableBuilder, TableShape};
use crate::table::reader::{TableIdentity, TableReader};
use crate::values::pointer::ValuePointer;
use crate::values::stored::Stored;
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// Makes a damaged database open again, and says what was lost. A sound one is left as it is.
///
/// # When to use it
/// 1. [`Db::open`](crate::Db::open) or [`Db::verify`](crate::Db::verify) says `Corruption`. If there is a copy that is recent enough, restore
///    that instead: a repair brings back what can be read, not what was there.
/// 2. Copy the directory, if there is room. Look at what would happen: [`RepairOptions::dry_run`].
/// 3. Repair; read [`RepairReport::losses`]; open; verify. What was damaged is in `quarantine/`, which the engine never touches again: remove
///    it when it is not needed any more.
///
/// # What it does
/// While the manifest is whole, everything it names that can be read stays, and nothing else comes in. Of a damaged table all
/// blocks that can be read are kept, of a damaged log all records, those behind the damage included. A key whose value cannot be read
/// is gone: an older value of it does not come back. Where a block, a table or records are lost, older values of keys in their range
/// do, and keys that they had deleted: the losses name the ranges.
///
/// If the manifest is damaged, too ([`RepairReport::manifest_whole`]), all tables and logs are merged, and the newest entry of a key
/// counts. Files that wait to be removed then count as well, so a key may come back that was deleted and compacted away.
///
/// It can be interrupted at any time, and begun again. It needs room for what it writes: in the second case that is all tables once more.
///
/// ```
/// use bettong::{Db, Options, RepairOptions};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path();
/// # Db::open(path, Options::default())?.set(b"k", b"v")?;
/// let report = bettong::repair(path, Options::default(), RepairOptions::new())?;
/// report.losses.iter().for_each(|loss| println!("lost: {loss}"));
/// let db = Db::open(path, Options::default())?;
/// assert!(db.verify()?.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// - [`Error::Locked`] if the database is open;
/// - [`Error::UnsupportedVersion`] if a newer version wrote any of its files;
/// - [`Error::InvalidOptions`]; [`Error::Io`] and [`Error::NoSpace`] as the operating system says.
#[expect(clippy::needless_pass_by_value, reason = "as `Db::open` takes them")]
pub fn repair(path: impl AsRef<Path>, options: Options, how: RepairOptions) -> Result<RepairReport> {
    options.validate()?;
    let path = path.as_ref();
    let registry = Registry::with_level("repair", Instrumentation::Off);
    let recorder = registry.recorder();
    let dir = Dir::new(options.env.files.clone(), path, &recorder);
    // Before the lock, which would leave a file where there is nothing.
    let is_data = |(name, _): &(FileName, u64)| *name != FileName::Lock;
    if !dir.list().is_ok_and(|files| files.iter().any(is_data)) {
        return Err(Error::io("find a database in", path, std::io::ErrorKind::NotFound.into()));
    }
    let _lock = dir.lock()?;
    let evidence = Evidence::gather(&dir)?;
    let values = AllValues::open(&dir, &evidence, options.mapped_reads)?;
    let context = FileContext::new(&dir, &options, &recorder);
    let next = evidence.highest() + 1;
    let mut rebuild = Rebuild {
        dir: &dir,
        options: &options,
        context: &context,
        evidence: &evidence,
        values: &values,
        how,
        next,
        tables: Vec::new(),
        logs: BTreeMap::new(),
        last_seq: evidence.state.last_seq,
        time: evidence.state.time,
        set_aside: evidence.damaged.clone(),
        headers: BTreeSet::new(),
        report: RepairReport {
            dry_run: how.dry_run,
            manifest_whole: evidence.whole,
            ..RepairReport::default()
        },
    };
    if evidence.whole {
        rebuild.keep_tables()?;
        rebuild.keep_logs()?;
    } else {
        rebuild.merge_tables()?;
        rebuild.merge_logs()?;
    }
    rebuild.finish()
}

struct Rebuild<'a> {
    dir: &'a Dir,
    options: &'a Options,
    context: &'a FileContext,
    evidence: &'a Evidence,
    values: &'a AllValues,
    how: RepairOptions,
    next: u64,
    /// What the new manifest says.
    tables: Vec<(usize, TableMeta)>,
    logs: BTreeMap<FileNumber, u64>,
    last_seq: SeqNo,
    time: u64,
    /// Files that go to `quarantine/`.
    set_aside: BTreeSet<FileName>,
    /// Value files that need a new header.
    headers: BTreeSet<FileNumber>,
    report: RepairReport,
}

impl Rebuild<'_> {
    fn number(&mut self) -> FileNumber {
        self.next += 1;
        FileNumber(self.next - 1)
    }

    /// Keeps the tables that the manifest names, or what can be read of them.
    fn keep_tables(&mut self) -> Result<()> {
        for (level, metas) in self.evidence.state.tables.iter().enumerate() {
            for meta in metas.values() {
                match self.check(level, meta) {
                    Ok(()) => self.tables.push((level, meta.clone())),
                    Err(fault @ Error::Corruption { .. }) => {
                        self.report.faults.push(fault);
                        self.rewrite(level, meta)?;
                    }
                    Err(error) => return Err(error),
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
        if reader.verify(level)? != meta.entries
            || (&properties.smallest, &properties.largest) != (&meta.smallest, &meta.largest)
        {
            return Err(Error::corruption(&path, 0, "the table does not hold what the manifest says"));
        }
        let mut used = UsageByFile::default();
        let mut remains = TableRemains::open(self.dir, number, Some(id), self.options.mapped_reads)?;
        while let Some(entry) = remains.next() {
            if let Some(pointer) = pointer_of(&entry) {
                used.count(pointer);
                if !self.values.has(pointer, &entry.user) {
                    return Err(self.value_fault(pointer, &entry.user));
                }
            }
        }
        if used == meta.usage {
            return Ok(());
        }
        Err(Error::corruption(&path, 0, "the table does not use of the value files what the manifest says"))
    }

    fn value_fault(&self, pointer: ValuePointer, user: &[u8]) -> Error {
        let path = self.dir.path_of(FileName::Value(pointer.file));
        Error::corruption(&path, pointer.offset, "a value does not read").of_key(user)
    }

    /// Writes what can be read of a table to a new one in its place.
    fn rewrite(&mut self, level: usize, meta: &TableMeta) -> Result<()> {
        let name = FileName::Table(meta.number);
        let opened = match self.evidence.len_of(name) {
            Some(_) => TableRemains::open(self.dir, meta.number, Some(meta.id), self.options.mapped_reads),
            None => Err(Error::corruption(&self.dir.path_of(name), 0, "the file is missing")),
        };
        let mut remains = match opened {
            Ok(remains) => remains,
            Err(Error::Corruption { .. }) => {
                self.report.losses.push(lost_table(meta));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.set_aside.insert(name);
        let mut out = Out::new(level, u64::MAX);
        while let Some(entry) = remains.next() {
            // It was written by another table under this name, or the manifest is wrong: neither is this table's.
            if entry.user < meta.smallest || entry.user > meta.largest {
                continue;
            }
            match pointer_of(&entry).filter(|pointer| !self.values.has(*pointer, &entry.user)) {
                None => self.add(&mut out, entry.key(), &entry.stored)?,
                Some(pointer) => {
                    self.lose_value(pointer, &entry);
                    // Without it an older value would come back.
                    let deleted = Trailer::new(entry.trailer.seq(), Kind::Tombstone);
                    self.add(&mut out, InternalKey::new(&entry.user, deleted), &[])?;
                }
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

    fn lose_value(&mut self, pointer: ValuePointer, entry: &SavedEntry) {
        self.report.losses.push(Loss {
            file: FileName::Value(pointer.file).to_string(),
            what: format!("the value at {} does not read", pointer.offset),
            first: Some(entry.user.clone()),
            last: Some(entry.user.clone()),
            entries: Some(1),
            bytes: u64::from(pointer.len),
        });
    }

    /// Leaves the logs to the next open if it can read them; else writes what can be read to tables.
    fn keep_logs(&mut self) -> Result<()> {
        let mut state = self.evidence.state.clone();
        match recovery::replay(self.context, &mut state, self.options, &mut RecoveryReport::default()) {
            Ok(_) => {
                self.logs = state.logs;
                Ok(())
            }
            Err(fault @ Error::Corruption { .. }) => {
                self.report.faults.push(fault);
                let logs = &self.evidence.state.logs;
                let logs: Vec<_> = logs.iter().map(|(number, id)| (*number, Some(*id))).collect();
                let present = logs.iter().map(|(number, _)| FileName::Log(*number));
                let present: Vec<_> = present.filter(|name| self.evidence.len_of(*name).is_some()).collect();
                self.set_aside.extend(present);
                let remains = logs::salvage(self.context, &logs, self.last_seq, self.options);
                self.take_logs(remains)
            }
            Err(error) => Err(error),
        }
    }

    fn take_logs(&mut self, remains: LogRemains) -> Result<()> {
        for memtable in &remains.memtables {
            let mut out = Out::new(0, u64::MAX);
            self.write_memtable(memtable, &mut out)?;
            self.end_table(&mut out)?;
        }
        self.last_seq = self.last_seq.max(remains.last_seq);
        self.time = self.time.max(remains.time);
        self.report.losses.extend(remains.losses);
        Ok(())
    }

    /// The newest entry of each key.
    fn write_memtable(&mut self, memtable: &std::sync::Arc<Memtable>, out: &mut Out) -> Result<()> {
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

    /// Merges all tables that are not known to be done with: of each key the newest entry counts.
    fn merge_tables(&mut self) -> Result<()> {
        let known: BTreeMap<FileNumber, &TableMeta> =
            self.evidence.state.tables.iter().flatten().map(|(number, meta)| (*number, meta)).collect();
        let mut sources = Vec::new();
        for (name, len) in &self.evidence.files {
            let FileName::Table(number) = *name else { continue };
            if self.evidence.gone.contains(&number) {
                continue;
            }
            let id = known.get(&number).map(|meta| meta.id);
            match TableRemains::open(self.dir, number, id, self.options.mapped_reads) {
                Ok(remains) => sources.push(remains),
                Err(fault @ Error::Corruption { .. }) => {
                    let what = "nothing of the table reads".into();
                    let loss = Loss { file: name.to_string(), what, bytes: *len, ..Loss::default() };
                    self.report.losses.push(known.get(&number).map_or(loss, |meta| lost_table(meta)));
                    self.report.faults.push(fault);
                    self.set_aside.insert(*name);
                }
                Err(error) => return Err(error),
            }
        }
        let missing =
            known.values().filter(|meta| self.evidence.len_of(FileName::Table(meta.number)).is_none());
        let missing: Vec<Loss> = missing.map(|meta| lost_table(meta)).collect();
        self.report.losses.extend(missing);
        self.merge(&mut sources)?;
        for remains in sources {
            self.last_seq = self.last_seq.max(remains.newest);
            if !remains.losses.is_empty() {
                let name = FileName::Table(remains.number);
                self.report.faults.push(Error::corruption(
                    &self.dir.path_of(name),
                    0,
                    "not all of the table reads",
                ));
                self.set_aside.insert(name);
            }
            self.report.losses.extend(remains.losses);
        }
        Ok(())
    }

    fn merge(&mut self, sources: &mut [TableRemains]) -> Result<()> {
        let mut heads = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            heads.extend(source.next().map(|entry| Head { entry, source: at }));
        }
        let mut out = Out::new(LEVELS - 1, self.options.table_bytes);
        let mut versions: Vec<SavedEntry> = Vec::new();
        while let Some(Head { entry, source }) = heads.pop() {
            heads.extend(
                sources.get_mut(source).and_then(TableRemains::next).map(|entry| Head { entry, source }),
            );
            if versions.first().is_some_and(|first| first.user != entry.user) {
                self.add_newest(&mut out, &versions)?;
                versions.clear();
            }
            versions.push(entry);
        }
        self.add_newest(&mut out, &versions)?;
        self.end_table(&mut out)
    }

    /// Of the versions of one key, newest first, writes the newest: from whichever file it can be read.
    fn add_newest(&mut self, out: &mut Out, versions: &[SavedEntry]) -> Result<()> {
        let Some(newest) = versions.first() else { return Ok(()) };
        let same = versions.iter().take_while(|entry| entry.trailer.seq() == newest.trailer.seq());
        let unreadable = |entry: &&SavedEntry| {
            pointer_of(entry).is_some_and(|pointer| !self.values.has(pointer, &entry.user))
        };
        match same.clone().find(|entry| !unreadable(entry)) {
            // Nothing is below that it could hide.
            Some(entry) if entry.trailer.kind() == Some(Kind::Tombstone) => Ok(()),
            Some(entry) => self.add(out, entry.key(), &entry.stored),
            None => {
                if let Some(pointer) = pointer_of(newest) {
                    self.report.faults.push(self.value_fault(pointer, &newest.user));
                    self.lose_value(pointer, newest);
                }
                Ok(())
            }
        }
    }

    /// Reads all logs that may hold something that no table has.
    fn merge_logs(&mut self) -> Result<()> {
        let state = &self.evidence.state;
        let logs = self.evidence.files.iter().filter_map(|(name, _)| match name {
            FileName::Log(number) if !self.evidence.gone.contains(number) => Some(*number),
            _ => None,
        });
        let mut logs: Vec<FileNumber> = logs.filter(|number| !state.values.contains_key(number)).collect();
        logs.sort_unstable();
        let logs: Vec<_> =
            logs.into_iter().map(|number| (number, state.logs.get(&number).copied())).collect();
        let mut remains = logs::salvage(self.context, &logs, self.last_seq, self.options);
        self.report.faults.append(&mut remains.faults);
        let lost: BTreeSet<&String> = remains.losses.iter().map(|loss| &loss.file).collect();
        let lost: Vec<FileName> = lost.into_iter().filter_map(|name| FileName::parse(name)).collect();
        self.set_aside.extend(lost);
        self.take_logs(remains)
    }

    fn add(&mut self, out: &mut Out, key: InternalKey<'_>, stored: &[u8]) -> Result<()> {
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
            return Ok(());
        }
        let builder = if let Some(builder) = &mut out.builder {
            builder
        } else {
            let number = self.number();
            let shape = TableShape::of_level(self.options, out.level, DEFAULT_KEYSPACE);
            let birth = Birth { at_nanos: self.options.env.clock.unix_nanos(), ..Birth::default() };
            out.builder.insert(TableBuilder::create(self.dir, number, shape, birth)?)
        };
        builder.add(key, stored)
    }

    fn end_table(&mut self, out: &mut Out) -> Result<()> {
        self.report.tables_written += u64::from(out.any || out.builder.is_some());
        out.any = false;
        if let Some(builder) = out.builder.take() {
            self.tables.push((out.level, TableMeta::of(builder.finish()?)));
        }
        Ok(())
    }

    /// The value files that the tables use.
    fn values(&mut self) -> Vec<ValueFileMeta> {
        let mut used: BTreeMap<FileNumber, Usage> = BTreeMap::new();
        for (_, table) in &self.tables {
            table.usage.iter().for_each(|(file, usage)| used.entry(file).or_default().add(usage));
        }
        let mut metas = Vec::new();
        for (number, born) in used {
            let Some(file) = self.values.0.get(&number) else { continue };
            let known = self.evidence.state.values.get(&number).map(|(meta, _)| *meta);
            let bytes = known.map_or(file.len, |meta| meta.bytes.min(file.len));
            if file.header.is_some() {
                self.headers.insert(number);
                self.set_aside.insert(file.name);
            }
            let born = known.map_or(born, |meta| meta.born);
            metas.push(ValueFileMeta { number, id: file.id, bytes, born });
        }
        metas
    }

    /// Says which value files are damaged beyond what their values tell.
    fn note_values(&mut self) {
        for (number, (meta, _)) in &self.evidence.state.values {
            let path = self.dir.path_of(FileName::Value(*number));
            let fault = match self.values.0.get(number) {
                None => Some(Error::corruption(&path, 0, "the value file is missing")),
                Some(file) if file.len < meta.bytes => Some(Error::corruption(
                    &path,
                    file.len,
                    "the value file is shorter than the manifest recorded",
                )),
                Some(file) => match &file.header {
                    Some(Error::Corruption { offset, what, .. }) => {
                        Some(Error::corruption(&path, *offset, what))
                    }
                    _ => None,
                },
            };
            self.report.faults.extend(fault);
        }
    }

    /// Puts what was found into force.
    fn finish(mut self) -> Result<RepairReport> {
        self.note_values();
        let faults = self.evidence.faults.iter().filter_map(|fault| match fault {
            Error::Corruption { path, offset, what, .. } => Some(Error::corruption(path, *offset, what)),
            _ => None,
        });
        self.report.faults.splice(0..0, faults.collect::<Vec<_>>());
        let added_values = self.values();
        let kept = self.tables.iter().map(|(_, table)| FileName::Table(table.number));
        let kept = kept.filter(|name| self.evidence.len_of(*name).is_some());
        let kept = kept.chain(self.logs.keys().map(|number| FileName::Log(*number)));
        let kept = kept.chain(added_values.iter().map(|meta| FileName::Value(meta.number)));
        self.report.kept = kept.map(|name| name.to_string()).collect();
        if self.report.was_sound() {
            return Ok(self.report);
        }
        self.report.quarantined = self.set_aside.iter().map(ToString::to_string).collect();
        if !self.how.dry_run {
            self.install(added_values)?;
        }
        Ok(self.report)
    }

    fn install(&mut self, added_values: Vec<ValueFileMeta>) -> Result<()> {
        let set_aside: Vec<FileName> = self.set_aside.iter().copied().collect();
        quarantine::keep(self.dir, &set_aside)?;
        for meta in added_values.iter().filter(|meta| self.headers.contains(&meta.number)) {
            self.rewrite_header(meta)?;
        }
        if self.tables.iter().any(|(_, table)| table.expiring.entries > 0) {
            self.time = self.time.max(self.options.env.clock.unix_nanos());
        }
        let number = self.number();
        let edit = VersionEdit {
            next_file: Some(FileNumber(self.next)),
            last_seq: Some(self.last_seq),
            added_logs: self.logs.iter().map(|(number, id)| (*number, *id)).collect(),
            added_tables: std::mem::take(&mut self.tables),
            added_values,
            time: Some(self.time),
            ..VersionEdit::default()
        };
        let mut state = ManifestState::default();
        state.apply(&edit).map_err(|what| Error::corruption(self.dir.path(), 0, what))?;
        // The names of new tables, before anything relies on them.
        self.dir.sync()?;
        let birth = Birth { at_nanos: self.options.env.clock.unix_nanos(), ..Birth::default() };
        ManifestWriter::create(self.dir, number, &state, birth)?;
        ManifestWriter::enforce(self.dir)?;
        let replaced = |name: &&FileName| match **name {
            FileName::Current | FileName::Lock => false,
            FileName::Value(number) | FileName::Log(number) => !self.headers.contains(&number),
            _ => true,
        };
        for name in set_aside.iter().filter(replaced) {
            // One that cannot be removed goes when the database is opened: the manifest does not name it.
            self.dir.remove(*name).ok();
        }
        Ok(())
    }

    /// Gives a value file, a copy of which is in quarantine, a header that says who it is.
    fn rewrite_header(&self, meta: &ValueFileMeta) -> Result<()> {
        let Some(values) = self.values.0.get(&meta.number) else { return Ok(()) };
        let kind = if matches!(values.name, FileName::Log(_)) { FileKind::Log } else { FileKind::Value };
        let birth = Birth::default();
        let header = FileHeader { kind, number: meta.number, id: meta.id, recycled: false, birth };
        let file = self.dir.open(values.name, true)?;
        file.write_at(0, &header.encode())?;
        file.sync()
    }
}

/// Where saved entries go.
struct Out {
    level: usize,
    table_bytes: u64,
    builder: Option<TableBuilder>,
    /// In a dry run: whether there would be a table.
    any: bool,
}

impl Out {
    fn new(level: usize, table_bytes: u64) -> Out {
        Out { level, table_bytes, builder: None, any: false }
    }
}

fn pointer_of(entry: &SavedEntry) -> Option<ValuePointer> {
    Stored::pointer(entry.trailer.kind(), &entry.stored)
}

fn lost_table(meta: &TableMeta) -> Loss {
    Loss {
        file: FileName::Table(meta.number).to_string(),
        what: "the table is missing, or nothing of it reads".into(),
        first: Some(meta.smallest.clone()),
        last: Some(meta.largest.clone()),
        entries: Some(meta.entries),
        bytes: meta.bytes,
    }
}
