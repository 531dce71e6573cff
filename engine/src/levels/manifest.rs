//! The manifest: a file of version edits, and `CURRENT`, which names the manifest in force.
//!
//! Every edit is synced before anything relies on it. A new manifest begins with one edit that says everything; it comes
//! into force when `CURRENT` is replaced, by a rename, atomically.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bettong_metrics::{TableState, TreeChange};

use super::edit::{CleanClose, VersionEdit};
use super::table_file::TableMeta;
use crate::checksum;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::{Error, Result};
use crate::header::{Birth, FileHeader, FileKind, HEADER_BYTES};
use crate::key::{Kind, SeqNo};
use crate::options::LEVELS;
use crate::record::format::GroupType;
use crate::record::reader::{End, GroupReader};
use crate::record::writer::{GroupWriter, NewEntry};
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// The largest `CURRENT` that is read.
const CURRENT_BYTES_MAX: u64 = 256;
/// Room is reserved in steps of this.
const RESERVE_BYTES: u64 = 64 << 10;

/// All edits of a manifest, added up.
#[derive(Clone, Debug, Default)]
pub(crate) struct ManifestState {
    pub(crate) next_file: FileNumber0,
    pub(crate) last_seq: SeqNo,
    /// Segments that may hold writes, with their ids.
    pub(crate) logs: BTreeMap<FileNumber, u64>,
    pub(crate) tables: [BTreeMap<FileNumber, TableMeta>; LEVELS],
    /// Value files, and what the tables use of each.
    pub(crate) values: BTreeMap<FileNumber, (ValueFileMeta, Usage)>,
    /// How far the time for expiring values was.
    pub(crate) time: u64,
    /// Set if the last edit was a clean close.
    pub(crate) clean_close: Option<CleanClose>,
}

/// The next file number; 1 in an empty state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileNumber0(pub(crate) u64);

impl Default for FileNumber0 {
    fn default() -> Self {
        FileNumber0(1)
    }
}

impl ManifestState {
    /// Adds an edit; the text says what does not fit.
    pub(crate) fn apply(&mut self, edit: &VersionEdit) -> std::result::Result<(), &'static str> {
        for meta in &edit.added_values {
            let before = self.values.insert(meta.number, (*meta, Usage::default()));
            before.map_or(Ok(()), |_| Err("an edit adds a value file twice"))?;
        }
        let mut released = Vec::new();
        for (level, number) in &edit.removed_tables {
            let removed = self.tables.get_mut(*level).and_then(|tables| tables.remove(number));
            released.push(removed.ok_or("an edit removes a table that is not there")?.usage);
        }
        for (level, meta) in &edit.added_tables {
            let there = self.tables.iter().any(|tables| tables.contains_key(&meta.number));
            let tables = self.tables.get_mut(*level).filter(|_| !there);
            tables.ok_or("an edit adds a table twice")?.insert(meta.number, meta.clone());
            for (file, usage) in meta.usage.iter() {
                let (_, used) =
                    self.values.get_mut(&file).ok_or("a table uses a value file that is not there")?;
                used.add(usage);
            }
        }
        for (file, usage) in released.iter().flat_map(UsageByFile::iter) {
            let (_, used) =
                self.values.get_mut(&file).ok_or("a table used a value file that is not there")?;
            *used = used.minus(usage).ok_or("more of a value file is released than was used")?;
        }
        for number in &edit.removed_values {
            let removed =
                self.values.remove(number).ok_or("an edit removes a value file that is not there")?;
            if removed.1.entries > 0 {
                return Err("an edit removes a value file that is used");
            }
        }
        for number in &edit.removed_logs {
            self.logs.remove(number).ok_or("an edit removes a log that is not there")?;
        }
        self.logs.extend(edit.added_logs.iter().copied());
        self.next_file = FileNumber0(self.next_file.0.max(edit.next_file.map_or(0, |next| next.0)));
        self.last_seq = self.last_seq.max(edit.last_seq.unwrap_or_default());
        self.time = self.time.max(edit.time.unwrap_or_default());
        self.clean_close = edit.clean_close;
        Ok(())
    }

    /// Value files that no table uses.
    pub(crate) fn unused_values(&self) -> Vec<FileNumber> {
        let unused = self.values.iter().filter(|(_, (_, used))| used.entries == 0);
        unused.map(|(number, _)| *number).collect()
    }

    /// One edit that says everything.
    pub(crate) fn as_edit(&self) -> VersionEdit {
        let tables = self.tables.iter().enumerate();
        VersionEdit {
            next_file: Some(FileNumber(self.next_file.0)),
            last_seq: Some(self.last_seq),
            added_logs: self.logs.iter().map(|(number, id)| (*number, *id)).collect(),
            added_values: self.values.values().map(|(meta, _)| *meta).collect(),
            time: (self.time > 0).then_some(self.time),
            added_tables: tables.flat_map(|(at, t)| t.values().map(move |meta| (at, meta.clone()))).collect(),
            ..VersionEdit::default()
        }
    }
}

/// A manifest as it was found.
#[derive(Debug)]
pub(crate) struct FoundManifest {
    pub(crate) number: FileNumber,
    pub(crate) state: ManifestState,
    /// Whether an edit was being written when the power failed.
    pub(crate) torn: bool,
    /// Whether it says that it has the format of today, and so may be added to.
    pub(crate) current: bool,
    id: u64,
    /// Its length up to the last whole edit.
    pub(crate) length: u64,
    snapshot_end: u64,
    /// Where its last whole edit begins.
    last_edit: u64,
}

/// Reads the manifest that `CURRENT` names, or `None` where there is no database.
///
/// # Errors
/// [`Error::Corruption`] if `CURRENT` or the manifest is damaged or missing beside files that need it.
pub(crate) fn load(dir: &Dir, files: &[(FileName, u64)]) -> Result<Option<FoundManifest>> {
    let Some((_, current_len)) = files.iter().find(|(name, _)| *name == FileName::Current) else {
        let data = files
            .iter()
            .find(|(name, _)| matches!(name, FileName::Table(_) | FileName::Log(_) | FileName::Value(_)));
        return if data.is_none() {
            Ok(None)
        } else {
            let path = dir.path_of(FileName::Current);
            Err(Error::corruption(&path, 0, "the file is missing beside data that it should lead to"))
        };
    };
    let number = read_current(dir, *current_len)?;
    let name = FileName::Manifest(number);
    let path = dir.path_of(name);
    let file = dir.open(name, true)?;
    // A process that was killed may have left edits in the page cache alone. What is read here is built upon, so it must be
    // durable first.
    file.sync()?;
    let bytes = file.contents(file.len()?, false)?;
    let header = FileHeader::decode(&bytes, FileKind::Manifest, number, &path)?;
    replay(&bytes, number, header.id, &path).map(Some)
}

fn replay(bytes: &[u8], number: FileNumber, id: u64, path: &Path) -> Result<FoundManifest> {
    let Readable { found, fault, .. } = read_edits(bytes, number, id, path, u64::MAX);
    fault.map_or(Ok(found), Err)
}

/// As much of a manifest as can be read.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) found: FoundManifest,
    /// The files that its edits let go of.
    pub(crate) gone: BTreeSet<FileNumber>,
    /// Why it ends where it does, if that is not its end.
    pub(crate) fault: Option<Error>,
}

/// Reads a manifest up to where it is damaged.
///
/// # Errors
/// If its header does not read: then nothing does.
pub(crate) fn salvage(dir: &Dir, number: FileNumber) -> Result<Readable> {
    let name = FileName::Manifest(number);
    let path = dir.path_of(name);
    let file = dir.open(name, false)?;
    let bytes = file.contents(file.len()?, false)?;
    let header = FileHeader::decode(&bytes, FileKind::Manifest, number, &path)?;
    Ok(read_edits(&bytes, number, header.id, &path, u64::MAX))
}

/// Checks that `CURRENT` names manifest `number`, and that its first `length` bytes are edits that read.
///
/// # Errors
/// [`Error::Corruption`] if not.
pub(crate) fn check(dir: &Dir, number: FileNumber, length: u64) -> Result<()> {
    let path = dir.path_of(FileName::Manifest(number));
    if read_current(dir, dir.open(FileName::Current, false)?.len()?)? != number {
        return Err(Error::corruption(
            &dir.path_of(FileName::Current),
            0,
            "the line names another manifest than the one in force",
        ));
    }
    let file = dir.open(FileName::Manifest(number), false)?;
    let bytes = file.contents(length.min(file.len()?), false)?;
    let header = FileHeader::decode(&bytes, FileKind::Manifest, number, &path)?;
    let found = replay(&bytes, number, header.id, &path)?;
    if found.length < length {
        return Err(Error::corruption(&path, found.length, "an edit that was synced does not read"));
    }
    Ok(())
}

/// The changes of the tree that the first `length` bytes of manifest `number` record, oldest first, but for those that led to its first
/// edit, which is what there was when it was written.
///
/// # Errors
/// [`Error::Corruption`] if it is not as it was written.
pub(crate) fn changes(dir: &Dir, number: FileNumber, length: u64) -> Result<Vec<TreeChange>> {
    let path = dir.path_of(FileName::Manifest(number));
    let file = dir.open(FileName::Manifest(number), false)?;
    let bytes = file.contents(length.min(file.len()?), false)?;
    let header = FileHeader::decode(&bytes, FileKind::Manifest, number, &path)?;
    let mut reader = GroupReader::new(&bytes, &path, header.id, 0);
    let (mut present, mut changes, mut is_first) = (BTreeMap::new(), Vec::new(), true);
    while let Some(edit) = next_edit(&mut reader, &path)? {
        let place = |(level, number): &(usize, FileNumber)| {
            let removed = present.remove(&(*level as u32, *number));
            removed.map(|table: TableState| (*level as u32, table))
        };
        let removed: Vec<_> = edit.removed_tables.iter().filter_map(place).collect();
        let of = |(level, meta): &(usize, TableMeta)| (*level as u32, meta.state());
        let added: Vec<_> = edit.added_tables.iter().map(of).collect();
        present
            .extend(added.iter().map(|(level, table)| ((*level, FileNumber(table.number)), table.clone())));
        if !is_first && added.len() + removed.len() > 0 {
            changes.push(TreeChange { number: changes.len() as u64 + 1, added, removed });
        }
        is_first = false;
    }
    Ok(changes)
}

/// Reads at most so many edits.
fn read_edits(bytes: &[u8], number: FileNumber, id: u64, path: &Path, most: u64) -> Readable {
    let mut reader = GroupReader::new(bytes, path, id, 0);
    let (mut state, mut gone, mut snapshot_end) = (ManifestState::default(), BTreeSet::new(), 0);
    let (mut edits, mut last_edit) = (0, HEADER_BYTES);
    let mut fault = loop {
        let offset = reader.position();
        if edits == most {
            break None;
        }
        match next_edit(&mut reader, path) {
            Ok(Some(edit)) => {
                if let Err(what) = state.apply(&edit) {
                    // It may be half applied: the state is the one before.
                    let fault = Some(Error::corruption(path, offset, what));
                    return Readable { fault, ..read_edits(bytes, number, id, path, edits) };
                }
                edits += 1;
                last_edit = offset;
                gone.extend(edit.removed_tables.iter().map(|(_, table)| *table));
                gone.extend(edit.removed_logs.iter().chain(&edit.removed_values));
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        if snapshot_end == 0 {
            snapshot_end = reader.position();
        }
    };
    if snapshot_end == 0 && fault.is_none() {
        // The first edit is durable before CURRENT names the manifest.
        fault = Some(Error::corruption(path, HEADER_BYTES, "the manifest has no edit"));
    }
    // A table that moves leaves one level and joins another; a log becomes a value file.
    let named = |number: &FileNumber| {
        state.tables.iter().any(|tables| tables.contains_key(number)) || state.values.contains_key(number)
    };
    gone.retain(|number| !named(number));
    let torn = matches!(reader.end(), Some(End::Open { torn_bytes }) if torn_bytes > 0);
    let current = FileHeader::is_current(bytes);
    let length = reader.position();
    let found = FoundManifest { number, state, torn, current, id, length, snapshot_end, last_edit };
    Readable { found, gone, fault }
}

fn next_edit(reader: &mut GroupReader<'_>, path: &Path) -> Result<Option<VersionEdit>> {
    let offset = reader.position();
    let fault = |what| Error::corruption(path, offset, what);
    let Some(group) = reader.next()? else { return Ok(None) };
    let [entry] = group.entries.as_slice() else {
        return Err(fault("an edit has one entry"));
    };
    if group.kind != GroupType::Edit {
        return Err(fault("a manifest holds edits only"));
    }
    VersionEdit::decode(entry.value).map(Some).ok_or(fault("an edit does not read"))
}

/// The manifest that `CURRENT` names.
pub(crate) fn read_current(dir: &Dir, len: u64) -> Result<FileNumber> {
    let path = dir.path_of(FileName::Current);
    let fault = |what| Error::corruption(&path, 0, what);
    if len > CURRENT_BYTES_MAX {
        return Err(fault("the file is too long"));
    }
    let bytes = dir.open(FileName::Current, false)?.contents(len, false)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("the file is not text"))?;
    let line = text.strip_suffix('\n').ok_or(fault("the line has no end"))?;
    let (name, sum) = line.split_once(' ').ok_or(fault("the line has no checksum"))?;
    if sum != current_checksum(name) {
        return Err(fault("the checksum does not match"));
    }
    match FileName::parse(name) {
        Some(FileName::Manifest(number)) => Ok(number),
        _ => Err(fault("the line names no manifest")),
    }
}

fn current_checksum(name: &str) -> String {
    format!("{:08x}", checksum::salted(name.as_bytes(), 0, 0))
}

/// The manifest in force, open for appending.
#[derive(Debug)]
pub(crate) struct ManifestWriter {
    number: FileNumber,
    file: DataFile,
    id: u64,
    /// Where the next edit goes; everything before is durable.
    end: u64,
    /// Bytes that the file has room for: what is written below never meets a full disk.
    reserved: u64,
    /// The length after the first edit: what a rewrite would come down to.
    snapshot_end: u64,
}

impl ManifestWriter {
    /// Writes a manifest that holds `state`, durable but not yet in force.
    pub(crate) fn create(
        dir: &Dir,
        number: FileNumber,
        state: &ManifestState,
        birth: Birth,
    ) -> Result<ManifestWriter> {
        let file = dir.create(FileName::Manifest(number))?;
        let id = dir.unique_id();
        let header = FileHeader { kind: FileKind::Manifest, number, id, recycled: false, birth };
        file.write_at(0, &header.encode())?;
        let mut writer = ManifestWriter { number, file, id, end: HEADER_BYTES, reserved: 0, snapshot_end: 0 };
        writer.append(&state.as_edit())?;
        writer.snapshot_end = writer.end;
        let temp = dir.create(FileName::CurrentTemp)?;
        let name = FileName::Manifest(number).to_string();
        temp.write_at(0, format!("{name} {}\n", current_checksum(&name)).as_bytes())?;
        temp.sync()?;
        dir.sync()?;
        Ok(writer)
    }

    /// Opens the manifest `found` for appending: it must be whole, with every byte of it durable.
    pub(crate) fn reopen(dir: &Dir, found: &FoundManifest) -> Result<ManifestWriter> {
        let file = dir.open(FileName::Manifest(found.number), true)?;
        let (id, end) = (found.id, found.length);
        // The sync of the last edit may have failed, and then no later one saves what it dropped: only writing it again does.
        let mut last_edit = vec![0; (end - found.last_edit) as usize];
        file.read_at(found.last_edit, &mut last_edit)?;
        file.write_at(found.last_edit, &last_edit)?;
        file.sync()?;
        Ok(ManifestWriter {
            number: found.number,
            file,
            id,
            end,
            reserved: 0,
            snapshot_end: found.snapshot_end,
        })
    }

    /// Puts the manifest that was just created into force.
    ///
    /// # Errors
    /// Whether it is in force is then unknown.
    pub(crate) fn enforce(dir: &Dir) -> Result<()> {
        dir.rename(FileName::CurrentTemp, FileName::Current)?;
        dir.sync()
    }

    pub(crate) fn number(&self) -> FileNumber {
        self.number
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.end
    }

    /// Whether most of the file is history.
    pub(crate) fn is_long(&self) -> bool {
        self.end > (4 << 20) + 4 * self.snapshot_end
    }

    /// Appends an edit and makes it durable.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: nothing was written that counts. Any other: the edit may or may not survive, and nothing may be appended
    /// any more.
    pub(crate) fn append(&mut self, edit: &VersionEdit) -> Result<u64> {
        let mut bytes = Vec::new();
        let mut group = GroupWriter::new(&mut bytes, self.id, self.end);
        let value = edit.encode();
        group.entry(NewEntry {
            kind: Kind::Value,
            keyspace: 0,
            seq: SeqNo(0),
            key: b"",
            head: b"",
            value: &value,
        });
        let promise = if self.end == HEADER_BYTES { 0 } else { self.end };
        let len = group.finish(GroupType::Edit, promise);
        if self.end + len > self.reserved {
            let room = self.end + len.max(RESERVE_BYTES);
            self.file.preallocate(room)?;
            self.reserved = room;
        }
        // A limit on the sizes of files, or a file system that copies what it writes, has no room even where it was reserved. What was
        // written then is no edit, and the next one goes over it. A sync is in doubt whatever it says.
        self.file.write_at(self.end, &bytes).map_err(|error| match error {
            full @ Error::NoSpace { .. } => full,
            other => Error::ReadOnly(Arc::new(other)),
        })?;
        self.file.sync().map_err(|error| Error::ReadOnly(Arc::new(error)))?;
        self.end += len;
        Ok(len)
    }
}
