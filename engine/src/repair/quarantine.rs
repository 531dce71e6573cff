//! `quarantine/`: what is damaged is kept there, for whoever wants to look further.

use crate::env::Dir;
use crate::env::names::FileName;
use crate::error::Result;

const NAME: &str = "quarantine";

/// Copies files to `quarantine/`, durably. The originals stay until the new manifest is in force. A file that is there under the same name
/// is replaced: an interrupted repair left it (numbers are used once), or it is an earlier `CURRENT`.
pub(super) fn keep(dir: &Dir, names: &[FileName]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let quarantine = dir.below(NAME);
    quarantine.create_all()?;
    for name in names {
        let source = dir.open(*name, false)?;
        let bytes = source.contents(source.len()?, false)?;
        let copy = quarantine.create(*name)?;
        copy.write_at(0, &bytes)?;
        copy.sync()?;
    }
    quarantine.sync()?;
    dir.sync()
}
