//! What the manifest names, and what is there.

use bettong_metrics::{Counter, Event, EventKind, Recorder};

use crate::env::Dir;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::header::{FileHeader, FileKind, HEADER_BYTES};
use crate::levels::manifest::{FoundManifest, ManifestState};
use crate::metric::FileLabel;
use crate::record::reader::GroupReader;

/// Checks that every file the manifest names is there, tables at their exact length.
pub(crate) fn check_files(dir: &Dir, state: &ManifestState, files: &[(FileName, u64)]) -> Result<()> {
    let len_of = |name| files.iter().find(|(other, _)| *other == name).map(|(_, len)| *len);
    for meta in state.tables.iter().flat_map(|tables| tables.values()) {
        let name = FileName::Table(meta.number);
        match len_of(name) {
            Some(len) if len == meta.bytes => {}
            Some(len) => {
                let what = "the table's length is not what the manifest recorded";
                return Err(Error::corruption(&dir.path_of(name), len.min(meta.bytes), what));
            }
            None => {
                let what = "the file is missing, though the manifest names it";
                return Err(Error::corruption(&dir.path_of(name), 0, what));
            }
        }
    }
    for number in state.logs.keys() {
        let name = FileName::Log(*number);
        if len_of(name).is_none() {
            let what = "the file is missing, though the manifest names it";
            return Err(Error::corruption(&dir.path_of(name), 0, what));
        }
    }
    Ok(())
}

/// Says which value files are missing or cut off. That is no reason to stay closed: whoever asks for one of their values gets the
/// error, and everything else can be read.
pub(crate) fn warn_of_values(
    dir: &Dir,
    state: &ManifestState,
    files: &[(FileName, u64)],
    recorder: &Recorder,
) {
    for (number, (meta, _)) in &state.values {
        let (value, log) = (FileName::Value(*number), FileName::Log(*number));
        let len = files.iter().find(|(name, _)| *name == value || *name == log).map(|(_, len)| *len);
        if len.is_none_or(|len| len < meta.bytes) {
            let what = "the value file is missing or cut off: its values cannot be read";
            let error = Error::corruption(&dir.path_of(value), len.unwrap_or(0), what);
            recorder.add(Counter::ChecksumFailures.at(FileLabel::Vlog as usize), 1);
            recorder.emit(Event::new(EventKind::Corruption).file(number.0).message(error.sentence()));
        }
    }
}

/// Checks that no file that the manifest does not name knows of more edits than it has: its end would then be missing, and what
/// looks like left-overs would be the data.
pub(crate) fn check_orphans(dir: &Dir, found: &FoundManifest, files: &[(FileName, u64)]) -> Result<()> {
    let lost = || {
        let what = "edits are missing at its end: other files know of more";
        Err(Error::corruption(&dir.path_of(FileName::Manifest(found.number)), found.length, what))
    };
    let state = &found.state;
    for (name, len) in files.iter().filter(|(_, len)| *len >= HEADER_BYTES) {
        let (kind, number, named) = match *name {
            FileName::Table(n) => {
                (FileKind::Table, n, state.tables.iter().any(|tables| tables.contains_key(&n)))
            }
            // A log that became a value file may still have its old name.
            FileName::Log(n) => {
                (FileKind::Log, n, state.logs.contains_key(&n) || state.values.contains_key(&n))
            }
            FileName::Value(n) => (FileKind::Value, n, state.values.contains_key(&n)),
            _ => continue,
        };
        if named {
            continue;
        }
        let file = dir.open(*name, false)?;
        let bytes = file.contents(HEADER_BYTES, false)?;
        // A header that does not read is that of a file whose making was interrupted: it knows nothing.
        let path = dir.path_of(*name);
        let header = match kind {
            FileKind::Value => FileHeader::decode_of_values(&bytes, number, &path),
            _ => FileHeader::decode(&bytes, kind, number, &path),
        };
        let Ok(header) = header else { continue };
        if header.birth.manifest == found.number && header.birth.manifest_len > found.length {
            return lost();
        }
        // A log is written to only after the manifest has named it.
        if kind == FileKind::Log && number.0 >= state.next_file.0 {
            let bytes = file.contents(*len, false)?;
            let mut reader = GroupReader::new(&bytes, &path, header.id, 0);
            if matches!(reader.next(), Ok(Some(_))) {
                return lost();
            }
        }
    }
    Ok(())
}
