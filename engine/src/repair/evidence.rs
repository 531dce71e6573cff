//! What the directory says belongs to the database.

use std::collections::BTreeSet;
use std::path::Path;

use crate::env::Dir;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::inventory;
use crate::levels::manifest::{self, ManifestState, Readable};

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
    /// [`Error::UnsupportedVersion`] if any file has a newer format.
    pub(super) fn gather(dir: &Dir) -> Result<Evidence> {
        let mut evidence = Evidence { files: dir.list()?, ..Evidence::default() };
        for (name, len) in &evidence.files {
            refuse_newer(dir, *name, *len)?;
        }
        let named = evidence.current(dir);
        let current = named.filter(|number| evidence.len_of(FileName::Manifest(*number)).is_some());
        let mut numbers: Vec<FileNumber> =
            evidence.files.iter().filter_map(|(name, _)| manifest_of(*name)).collect();
        numbers.sort_unstable();
        let newest = numbers.last().copied();
        // The one in force; failing that, the newest that can be read.
        numbers.extend(current);
        for number in numbers.into_iter().rev() {
            // One that is older than the one in force does not say everything.
            let first_choice = named.or(newest).is_some_and(|named| number >= named);
            let read = manifest::salvage(dir, number);
            let Ok(Readable { found, gone, fault }) = read.map_err(|fault| evidence.note(number, fault))
            else {
                continue;
            };
            if found.state.next_file.0 == 1 && fault.is_some() {
                evidence.faults.extend(fault);
                continue;
            }
            let lost = if fault.is_none() {
                inventory::check_orphans(dir, &found, &evidence.files).err()
            } else {
                None
            };
            evidence.whole = first_choice && fault.is_none() && lost.is_none();
            if fault.is_some() {
                evidence.damaged.insert(FileName::Manifest(number));
            }
            evidence.faults.extend(fault.into_iter().chain(lost));
            evidence.gone = gone;
            evidence.state = found.state;
            break;
        }
        Ok(evidence)
    }

    fn note(&mut self, number: FileNumber, fault: Error) {
        let name = FileName::Manifest(number);
        if self.files.iter().any(|(other, _)| *other == name) && self.damaged.insert(name) {
            self.faults.push(fault);
        }
    }

    /// The manifest that `CURRENT` names; it may be missing.
    fn current(&mut self, dir: &Dir) -> Option<FileNumber> {
        let len = self.len_of(FileName::Current);
        let read = len.map(|len| manifest::read_current(dir, len));
        let missing = || Error::corruption(&dir.path_of(FileName::Current), 0, "the file is missing");
        match read.unwrap_or_else(|| Err(missing())) {
            Ok(number) if self.len_of(FileName::Manifest(number)).is_some() => Some(number),
            Ok(number) => {
                let path = dir.path_of(FileName::Manifest(number));
                self.faults.push(Error::corruption(&path, 0, "the file is missing, though CURRENT names it"));
                Some(number)
            }
            Err(fault) => {
                self.faults.push(fault);
                if len.is_some() {
                    self.damaged.insert(FileName::Current);
                }
                None
            }
        }
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
    match header_of(dir, name, len) {
        Err(error @ (Error::UnsupportedVersion { .. } | Error::Io { .. })) => Err(error),
        _ => Ok(()),
    }
}
