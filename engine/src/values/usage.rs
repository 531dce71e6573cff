//! How much of the value files is in use: known exactly, since every table knows what its entries point to.

use std::collections::BTreeMap;

use super::pointer::ValuePointer;
use crate::env::names::FileNumber;

/// Entries of one value file that something points to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) entries: u64,
    /// Bytes of the entries as they lie in the file: keys and framing included.
    pub(crate) bytes: u64,
}

impl Usage {
    pub(crate) fn add(&mut self, other: Usage) {
        // A manifest may claim anything.
        self.entries = self.entries.saturating_add(other.entries);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// `None` if there is less than `other`.
    pub(crate) fn minus(self, other: Usage) -> Option<Usage> {
        let entries = self.entries.checked_sub(other.entries)?;
        Some(Usage { entries, bytes: self.bytes.checked_sub(other.bytes)? })
    }
}

/// What a table, or several, use of each value file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UsageByFile(BTreeMap<FileNumber, Usage>);

impl UsageByFile {
    pub(crate) fn count(&mut self, pointer: ValuePointer) {
        self.add(pointer.file, Usage { entries: 1, bytes: u64::from(pointer.len) });
    }

    pub(crate) fn add(&mut self, file: FileNumber, usage: Usage) {
        self.0.entry(file).or_default().add(usage);
    }

    pub(crate) fn of(&self, file: FileNumber) -> Usage {
        self.0.get(&file).copied().unwrap_or_default()
    }

    /// Bytes in all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|usage| usage.bytes).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files that are used at all, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FileNumber, Usage)> + '_ {
        self.0.iter().map(|(file, usage)| (*file, *usage))
    }
}

/// What the manifest records of a value file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueFileMeta {
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    /// Bytes that belong to it. There may be more behind them, of a log whose end was torn; nobody reads those.
    pub(crate) bytes: u64,
    /// What pointed into it when it became a value file.
    pub(crate) born: Usage,
}
