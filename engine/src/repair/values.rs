//! Separated values, read by their entries alone: headers, seals and recorded lengths do not matter here.

use std::collections::BTreeMap;

use super::evidence::{Evidence, header_of};
use crate::env::Dir;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::key::Kind;
use crate::record::reader::decode_entry;
use crate::values::pointer::ValuePointer;

/// A file that values may lie in.
#[derive(Debug)]
pub(super) struct ValueBytes {
    pub(super) name: FileName,
    pub(super) id: u64,
    pub(super) len: u64,
    bytes: Mapping,
    /// Whether its header is that of another file, or damaged.
    pub(super) header: Option<Error>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct AllValues(pub(super) BTreeMap<FileNumber, ValueBytes>);

impl AllValues {
    /// Opens value files, and logs that tables may point into.
    pub(super) fn open(dir: &Dir, evidence: &Evidence, mapped: bool) -> Result<AllValues> {
        let mut all = BTreeMap::new();
        for (name, len) in &evidence.files {
            let (FileName::Value(number) | FileName::Log(number)) = *name else { continue };
            let known = evidence.state.values.get(&number).map(|(meta, _)| meta.id);
            let header = header_of(dir, *name, *len);
            let own = header.as_ref().ok().map(|header| header.id);
            let fault = header.err().or_else(|| {
                let what = "another value file under this name: the manifest knows a different id";
                let differs = known.is_some() && known != own;
                differs.then(|| Error::corruption(&dir.path_of(*name), 24, what))
            });
            let Some(id) = known.or(own) else { continue };
            let bytes = dir.open(*name, false)?.contents(*len, mapped && *len > 0)?;
            all.insert(number, ValueBytes { name: *name, id, len: *len, bytes, header: fault });
        }
        Ok(AllValues(all))
    }

    /// Whether the value of `user` lies where the pointer leads.
    pub(super) fn has(&self, pointer: ValuePointer, user: &[u8]) -> bool {
        let entry = || {
            let file = self.0.get(&pointer.file)?;
            let bytes = file.bytes.get(pointer.range()?)?;
            let entry = decode_entry(bytes, file.id, pointer.offset)?;
            let is_value = matches!(entry.kind, Kind::Value | Kind::ExpiringValue);
            (is_value && entry.key == user && entry.len == pointer.len).then_some(())
        };
        entry().is_some()
    }
}
