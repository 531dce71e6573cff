//! What the directory says belongs to the database.

use std::collections::BTreeSet;
use std::path::Path;

use super::reading::is_bad_sector;
use crate::env::Dir;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::inventory;
use crate::levels::manifest::{self, FoundManifest, ManifestState, Readable};

/// The files, and what can be read of the manifest.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) files: Vec<(FileName, u64)>,
    pub(super) state: ManifestState,
    /// Whether the state is all there is to know.
    pub(super) whole: bool,
    /// Files that the database is known to have let go.
    pub(super) gone: BTreeSet<FileNumber>,
    pub(super) faults: Vec<Error>,
    /// `CURRENT` and manifests that are damaged.
    pub(super) damaged: BTreeSet<FileName>,
}

impl Evidence {
    /// Reads `CURRENT` and manifests, and looks at every header.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] if any file has a newer format; [`Error::Io`] if one cannot be read: a manifest that is whole must
    /// not be taken for a damaged one because of a fault that passes.
    pub(super) fn gather(dir: &Dir) -> Result<Evidence> {
        let mut evidence = Evidence { files: dir.list()?, ..Evidence::default() };
        for (name, len) in &evidence.files {
            refuse_newer(dir, *name, *len)?;
        }
        let named = evidence.current(dir)?;
        let mut numbers: Vec<FileNumber> =
            evidence.files.iter().filter_map(|(name, _)| manifest_of(*name)).collect();
        numbers.sort_unstable();
        let newest = numbers.last().copied();
        // The one in force; failing that, the newest that can be read.
        let in_force = named.and_then(|named| numbers.binary_search(&named).ok());
        if let Some(current) = in_force.map(|at| numbers.remove(at)) {
            numbers.push(current);
        }
        for number in numbers.into_iter().rev() {
            // One that is older than the one in force does not say everything.
            let first_choice = named.or(newest).is_some_and(|named| number >= named);
            let Readable { found, gone, fault } = match manifest::salvage(dir, number) {
                Ok(readable) => readable,
                Err(fault @ Error::Corruption { .. }) => {
                    evidence.note(number, fault);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let has_edits = found.state.next_file.0 > 1;
            let fault = match fault {
                None => lost_edits(dir, &found, &evidence.files)?,
                damaged => damaged,
            };
            evidence.whole = first_choice && fault.is_none();
            if let Some(fault) = fault {
                evidence.note(number, fault);
                if !has_edits {
                    continue;
                }
            }
            evidence.gone = gone;
            evidence.state = found.state;
            break;
        }
        Ok(evidence)
    }

    /// What is damaged goes to quarantine.
    fn note(&mut self, number: FileNumber, fault: Error) {
        self.damaged.insert(FileName::Manifest(number));
        self.faults.push(fault);
    }

    /// The manifest that `CURRENT` names; it may be missing.
    fn current(&mut self, dir: &Dir) -> Result<Option<FileNumber>> {
        let len = self.len_of(FileName::Current);
        let missing = || Error::corruption(&dir.path_of(FileName::Current), 0, "the file is missing");
        match len.map_or_else(|| Err(missing()), |len| manifest::read_current(dir, len)) {
            Ok(number) => {
                if self.len_of(FileName::Manifest(number)).is_none() {
                    let path = dir.path_of(FileName::Manifest(number));
                    let what = "the file is missing, though CURRENT names it";
                    self.faults.push(Error::corruption(&path, 0, what));
                }
                Ok(Some(number))
            }
            Err(fault @ Error::Corruption { .. }) => {
                self.faults.push(fault);
                self.damaged.extend(len.map(|_| FileName::Current));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The id of a file with values, or of a log that tables may point into, if an edit that can be read says it.
    pub(super) fn id_of_values(&self, number: FileNumber) -> Option<u64> {
        let of_values = self.state.values.get(&number).map(|(meta, _)| meta.id);
        of_values.or_else(|| self.state.logs.get(&number).copied())
    }

    pub(super) fn len_of(&self, name: FileName) -> Option<u64> {
        self.files.iter().find(|(other, _)| *other == name).map(|(_, len)| *len)
    }

    /// The highest number in any name.
    pub(super) fn highest(&self) -> u64 {
        let named = self.files.iter().filter_map(|(name, _)| name.number()).map(|number| number.0);
        named.chain([self.state.next_file.0]).max().unwrap_or(0)
    }
}

fn manifest_of(name: FileName) -> Option<FileNumber> {
    match name {
        FileName::Manifest(number) => Some(number),
        _ => None,
    }
}

/// What can be told of a header.
pub(super) fn header_of(dir: &Dir, name: FileName, len: u64) -> Result<FileHeader> {
    let path = dir.path_of(name);
    if len < HEADER_BYTES {
        return Err(Error::corruption(&path, len, "the file is shorter than its header"));
    }
    let bytes = dir.open(name, false)?.contents(HEADER_BYTES, false)?;
    decode(&bytes, name, &path)
}

fn decode(bytes: &[u8], name: FileName, path: &Path) -> Result<FileHeader> {
    match name {
        FileName::Log(number) => FileHeader::decode(bytes, FileKind::Log, number, path),
        FileName::Table(number) => FileHeader::decode(bytes, FileKind::Table, number, path),
        FileName::Manifest(number) => FileHeader::decode(bytes, FileKind::Manifest, number, path),
        FileName::Value(number) => FileHeader::decode_of_values(bytes, number, path),
        _ => Err(Error::corruption(path, 0, "the file has no header")),
    }
}

fn refuse_newer(dir: &Dir, name: FileName, len: u64) -> Result<()> {
    let is_table = match name {
        FileName::Table(_) => true,
        FileName::Log(_) | FileName::Value(_) | FileName::Manifest(_) => false,
        _ => return Ok(()),
    };
    match header_of(dir, name, len) {
        Ok(_) | Err(Error::Corruption { .. }) => Ok(()),
        // The footer says as well who a table is.
        Err(error) if is_table && is_bad_sector(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether files prove that edits are missing at the end.
fn lost_edits(dir: &Dir, found: &FoundManifest, files: &[(FileName, u64)]) -> Result<Option<Error>> {
    match inventory::check_orphans(dir, found, files) {
        Ok(()) => {}
        Err(fault @ Error::Corruption { .. }) => return Ok(Some(fault)),
        Err(error) => return Err(error),
    }
    // A file goes only once the edit that lets it go is durable: one that looks as if its writing had been cut off was in force.
    let tables = found.state.tables.iter().flat_map(|tables| tables.keys());
    let mut named = tables
        .map(|number| FileName::Table(*number))
        .chain(found.state.logs.keys().map(|number| FileName::Log(*number)));
    let is_missing = |name: FileName| !files.iter().any(|(other, _)| *other == name);
    let was_in_force = found.torn && named.any(is_missing);
    let path = dir.path_of(FileName::Manifest(found.number));
    let what = "an edit at its end does not read, and was in force: files that it let go are gone";
    Ok(was_in_force.then(|| Error::corruption(&path, found.length, what)))
}
