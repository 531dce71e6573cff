//! `quarantine/`: what is damaged is kept there, for whoever wants to look further.

use super::reading;
use crate::env::Dir;
use crate::env::names::FileName;
use crate::error::{Error, Result};

const NAME: &str = "quarantine";

/// Copies files to `quarantine/`, durably. The originals stay until the new manifest is in force. A file that is there under the same name
/// is replaced: an interrupted repair left it (numbers are used once), or it is an earlier `CURRENT`.
///
/// What the disk cannot read is zeros in the copy; where that is so is returned.
pub(super) fn keep(dir: &Dir, names: &[FileName]) -> Result<Vec<Error>> {
    let mut faults = Vec::new();
    if names.is_empty() {
        return Ok(faults);
    }
    let quarantine = dir.below(NAME);
    quarantine.create_all()?;
    for name in names {
        let source = dir.open(*name, false)?;
        let copy = quarantine.create(*name)?;
        let bad = reading::pieces(&source, source.len()?, |at, bytes| copy.write_at(at, bytes))?;
        let what = "the disk cannot read this sector: the copy in quarantine has zeros in its place";
        faults.extend(bad.iter().map(|sector| Error::corruption(source.path(), sector.start, what)));
        copy.sync()?;
    }
    quarantine.sync()?;
    dir.sync()?;
    Ok(faults)
}
