//! Leaves a directory in good order, so that the next opening has nothing to replay.

use std::sync::Arc;

use crate::engine::Engine;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::flush;
use crate::levels::edit::{CleanClose, VersionEdit};

/// Writes all memtables to tables and leaves a mark that all is well. If there is no room for tables, the log, which has
/// everything, is sealed instead.
pub(crate) fn leave_clean(engine: &Engine) -> Result<()> {
    // Values stay in the log, so it must end before the tables that point into it are written.
    let sealed = seal_log(engine);
    let flushed = match &sealed {
        Err(error) if engine.view.load().active.pointers() > 0 => Err(Error::ReadOnly(error.clone())),
        _ => flush::run_last(engine),
    };
    let mut edit = VersionEdit::default();
    if flushed.is_ok() {
        edit.removed_logs = engine.set.logs();
        edit.clean_close = Some(CleanClose { log: FileNumber(0), length: 0 });
    } else {
        let log = engine.view.load().active.log();
        let length = sealed.map_err(Error::ReadOnly)?;
        engine.sync_log()?;
        edit.clean_close = Some(CleanClose { log, length });
    }
    engine.forget_recycled();
    let logs = edit.removed_logs.clone();
    engine.set.apply(edit, |_| {})?;
    logs.into_iter().for_each(|log| engine.files.graveyard.bury(FileName::Log(log)));
    flushed
}

/// Ends the log for good; returns its length.
fn seal_log(engine: &Engine) -> std::result::Result<u64, Arc<Error>> {
    let mut commit = engine.commit.lock();
    let sealed = commit.writer.seal().map_err(Arc::new)?;
    engine.view.load().active.values().set_sealed(sealed);
    Ok(sealed)
}
