//! What a repair is asked, and what it did.

use std::fmt;

use crate::error::Error;

/// What [`repair`](super::repair) may do.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct RepairOptions {
    pub(crate) dry_run: bool,
}

impl RepairOptions {
    /// The defaults: repair what needs it.
    pub fn new() -> RepairOptions {
        RepairOptions::default()
    }

    /// Whether to say what would be done, and change nothing. Default: false.
    pub fn dry_run(mut self, dry_run: bool) -> RepairOptions {
        self.dry_run = dry_run;
        self
    }
}

/// Something that could not be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The damaged or missing file.
    pub file: String,
    /// What of it is lost.
    pub what: String,
    /// The user keys between which something is lost, both included, where that is known.
    pub first: Option<Vec<u8>>,
    /// See [`Loss::first`].
    pub last: Option<Vec<u8>>,
    /// Entries lost, where that is known.
    pub entries: Option<u64>,
    /// Bytes of the file that could not be used.
    pub bytes: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)?;
        if let (Some(first), Some(last)) = (&self.first, &self.last) {
            write!(f, ", keys from {} to {}", first.escape_ascii(), last.escape_ascii())?;
        }
        match self.entries {
            Some(entries) => write!(f, ", {entries} entries"),
            None => Ok(()),
        }
    }
}

/// What [`repair`](super::repair) found and did, or would do.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RepairReport {
    /// Whether nothing was changed because that was asked for.
    pub dry_run: bool,
    /// Whether the manifest said, wholly, what belongs to the database. If not, all tables and logs that were there were merged, and a key
    /// that had been deleted may be back: see [`repair`](super::repair).
    pub manifest_whole: bool,
    /// Everything that was damaged, with file and offset.
    pub faults: Vec<Error>,
    /// Files that stay as they are.
    pub kept: Vec<String>,
    /// Files of which there is a copy in `quarantine/`. Those that the database does not use any more are gone from their place.
    pub quarantined: Vec<String>,
    /// Tables written from what could be read.
    pub tables_written: u64,
    /// Entries in them.
    pub entries_saved: u64,
    /// What could not be saved.
    pub losses: Vec<Loss>,
}

impl RepairReport {
    /// Whether there was nothing to repair.
    pub fn was_sound(&self) -> bool {
        self.faults.is_empty()
    }
}
