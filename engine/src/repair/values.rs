//! Separated values, read by their entries alone: headers, seals and recorded lengths do not matter here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::evidence::{Evidence, header_of};
use super::reading;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, Dir};
use crate::error::{Error, Result};
use crate::key::Kind;
use crate::record::reader::decode_entry;
use crate::values::pointer::ValuePointer;

/// Files that are open at once: descriptors are few.
const OPEN_MAX: usize = 64;

/// A file that values may lie in.
#[derive(Debug)]
pub(super) struct ValueSource {
    /// Its name on the disk: that of a log, perhaps, also if it is a value file by now.
    pub(super) name: FileName,
    pub(super) id: u64,
    pub(super) len: u64,
    /// Whether its header is that of another file, or damaged.
    pub(super) header: Option<Error>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct AllValues {
    dir: Dir,
    files: BTreeMap<FileNumber, ValueSource>,
    open: RefCell<BTreeMap<FileNumber, DataFile>>,
}

impl AllValues {
    /// Looks at value files, and logs that tables may point into.
    ///
    /// # Errors
    /// [`Error::Io`] if a header cannot be read: it may be good, and must not be taken for one to replace.
    pub(super) fn find(dir: &Dir, evidence: &Evidence) -> Result<AllValues> {
        let mut files = BTreeMap::new();
        for (name, len) in &evidence.files {
            let (FileName::Value(number) | FileName::Log(number)) = *name else { continue };
            let known = evidence.id_of_values(number);
            let header = match header_of(dir, *name, *len) {
                Err(error) if !matches!(error, Error::Corruption { .. }) => return Err(error),
                header => header,
            };
            let own = header.as_ref().ok().map(|header| header.id);
            let fault = header.err().or_else(|| {
                let what = "another value file under this name: the manifest knows a different id";
                let differs = known.is_some() && known != own;
                differs.then(|| Error::corruption(&dir.path_of(*name), 24, what))
            });
            let Some(id) = known.or(own) else { continue };
            files.insert(number, ValueSource { name: *name, id, len: *len, header: fault });
        }
        Ok(AllValues { dir: dir.clone(), files, open: RefCell::default() })
    }

    pub(super) fn get(&self, number: FileNumber) -> Option<&ValueSource> {
        self.files.get(&number)
    }

    /// The name of the file on the disk, if there is one.
    pub(super) fn name_of(&self, number: FileNumber) -> FileName {
        self.get(number).map_or(FileName::Value(number), |file| file.name)
    }

    /// Whether the value of `user` lies where the pointer leads.
    ///
    /// # Errors
    /// If nobody can tell.
    pub(super) fn has(&self, pointer: ValuePointer, user: &[u8]) -> Result<bool> {
        let Some(source) = self.get(pointer.file).filter(|source| pointer.fits(source.len)) else {
            return Ok(false);
        };
        let file = self.file(pointer.file, source.name)?;
        let Some(bytes) = reading::read(&file, pointer.offset, u64::from(pointer.len))? else {
            return Ok(false);
        };
        let is_value = decode_entry(&bytes, source.id, pointer.offset).is_some_and(|entry| {
            let is_value = matches!(entry.kind, Kind::Value | Kind::ExpiringValue);
            is_value && entry.key == user && entry.len == pointer.len
        });
        Ok(is_value)
    }

    fn file(&self, number: FileNumber, name: FileName) -> Result<DataFile> {
        let mut open = self.open.borrow_mut();
        if let Some(file) = open.get(&number) {
            return Ok(file.clone());
        }
        if open.len() == OPEN_MAX {
            open.clear();
        }
        let file = self.dir.open(name, false)?;
        open.insert(number, file.clone());
        Ok(file)
    }
}
