//! The order of a repair.

use std::collections::BTreeMap;
use std::path::Path;

use bettong_metrics::{Instrumentation, Registry};

use super::evidence::Evidence;
use super::rebuild::Rebuild;
use super::report::{RepairOptions, RepairReport};
use super::values::AllValues;
use crate::context::FileContext;
use crate::env::Dir;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::values::usage::UsageByFile;

/// Makes a damaged database open again, and says what was lost. A sound one is left as it is.
///
/// # When to use it
/// 1. [`Db::open`](crate::Db::open) or [`Db::verify`](crate::Db::verify) says `Corruption`. If there is a copy that is recent enough, restore
///    that instead: a repair brings back what can be read, not what was there.
/// 2. Copy the directory, if there is room. Look at what would happen: [`RepairOptions::dry_run`].
/// 3. Repair; read [`RepairReport::losses`]; open; verify. What was damaged is in `quarantine/`, which the engine never touches again: remove
///    it when it is not needed any more.
///
/// # What it does
/// While the manifest is whole, everything it names that can be read stays, and nothing else comes in. Of a damaged table all
/// blocks that can be read are kept, of a damaged log all records, those behind the damage included. A key whose value cannot be read
/// is gone: an older value of it does not come back. Where a block, a table or records are lost, older values of keys in their range
/// do, and keys that they had deleted: the losses name the ranges.
///
/// If the manifest is damaged, too ([`RepairReport::manifest_whole`]), all tables and logs are merged, and the newest entry of a key
/// counts. Files that wait to be removed, or to be used again, then count as well, so a key may come back that was deleted and compacted away.
///
/// What lies in a sector that the disk cannot read is lost as well, and reported. But if the disk cannot read a manifest, `CURRENT`, or the
/// header of a log or value file, the repair ends with [`Error::Io`]: copy the directory with a tool that reads around bad sectors first.
///
/// It can be interrupted at any time, and begun again. It needs room for what it writes: in the second case that is all tables once more.
///
/// ```
/// use bettong::{Db, Options, RepairOptions};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path();
/// # Db::open(path, Options::default())?.set(b"k", b"v")?;
/// let report = bettong::repair(path, Options::default(), RepairOptions::new())?;
/// report.losses.iter().for_each(|loss| println!("lost: {loss}"));
/// let db = Db::open(path, Options::default())?;
/// assert!(db.verify()?.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// - [`Error::Locked`] if the database is open;
/// - [`Error::UnsupportedVersion`] if a newer version wrote any of its files;
/// - [`Error::InvalidOptions`]; [`Error::Io`] and [`Error::NoSpace`] as the operating system says.
pub fn repair(path: impl AsRef<Path>, options: Options, how: RepairOptions) -> Result<RepairReport> {
    options.validate()?;
    // A bad sector in a mapping would end the process.
    let options = options.mapped_reads(false);
    let path = path.as_ref();
    let registry = Registry::with_level("repair", Instrumentation::Off);
    let recorder = registry.recorder();
    let dir = Dir::new(options.env.files.clone(), path, &recorder);
    // Before the lock, which would leave a file where there is nothing.
    let is_data = |(name, _): &(FileName, u64)| *name != FileName::Lock;
    let files = dir.list().unwrap_or_default();
    if !files.iter().any(is_data) {
        return Err(Error::io("find a database in", path, std::io::ErrorKind::NotFound.into()));
    }
    // Who has the database open has made the file: a dry run need not.
    let is_locked = files.iter().any(|file| !is_data(file));
    let _lock = if is_locked || !how.dry_run { Some(dir.lock()?) } else { None };
    let mut evidence = Evidence::gather(&dir)?;
    let faults = std::mem::take(&mut evidence.faults);
    let values = AllValues::find(&dir, &evidence)?;
    let context = FileContext::new(&dir, &options, &recorder);
    let mut rebuild = Rebuild {
        dir: &dir,
        options: &options,
        context: &context,
        evidence: &evidence,
        values: &values,
        how,
        next: evidence.highest() + 1,
        tables: Vec::new(),
        logs: BTreeMap::new(),
        last_seq: evidence.state.last_seq,
        time: evidence.state.time,
        unwritten: UsageByFile::default(),
        set_aside: evidence.damaged.clone(),
        report: RepairReport {
            dry_run: how.dry_run,
            manifest_whole: evidence.whole,
            faults,
            ..RepairReport::default()
        },
    };
    if evidence.whole {
        rebuild.keep_tables()?;
        rebuild.keep_logs()?;
    } else {
        rebuild.merge_everything()?;
    }
    rebuild.finish()
}
