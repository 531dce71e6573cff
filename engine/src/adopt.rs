//! Which logs of flushed memtables become value files.
//!
//! A log that is mostly values which live on is *adopted*: it becomes a value file as it is, no byte is copied. Of any other the values are
//! copied, in the order of their keys, and the log is done with.

use std::sync::Arc;

use bettong_metrics::Histogram;

use crate::compaction::retain::{Retain, Verdict};
use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::Result;
use crate::iter::InternalIterator;
use crate::key::InternalKey;
use crate::log::segment::LogPosition;
use crate::memtable::Memtable;
use crate::merge::{MergeIter, Source};
use crate::snapshot_list::Horizons;
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;
use crate::values::stored::Stored;
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// A log is adopted if at least one in so many of its bytes belongs to a value that lives on.
const ADOPTED_SHARE: u64 = 2;

/// A log that becomes a value file.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) file: Arc<ValueFile>,
    used: Usage,
}

impl Adopted {
    pub(crate) fn meta(&self) -> ValueFileMeta {
        ValueFileMeta {
            number: self.file.number,
            id: self.file.id,
            bytes: self.file.sealed_bytes(),
            born: self.used,
        }
    }
}

/// The logs of `memtables`, which nobody writes to any more, that are to be adopted.
pub(crate) fn choose(memtables: &[Arc<Memtable>], horizons: &Horizons) -> Result<Vec<Adopted>> {
    if memtables.iter().all(|memtable| memtable.pointers() == 0) {
        return Ok(Vec::new());
    }
    let used = usage_of(memtables, horizons)?;
    let adopted = memtables.iter().filter_map(|memtable| {
        let (file, used) = (memtable.values().clone(), used.of(memtable.log()));
        let worth_it = used.entries > 0 && used.bytes >= file.sealed_bytes() / ADOPTED_SHARE;
        worth_it.then_some(Adopted { file, used })
    });
    Ok(adopted.collect())
}

/// What a flush of `memtables` keeps of their logs.
fn usage_of(memtables: &[Arc<Memtable>], horizons: &Horizons) -> Result<UsageByFile> {
    let mut retain = Retain::new(horizons.clone());
    let mut used = UsageByFile::default();
    let mut source =
        MergeIter::new(memtables.iter().map(|memtable| Source::Memtable(memtable.iter())).collect());
    source.seek_to_first()?;
    let mut is_new = true;
    while let Some((key, stored)) = source.current() {
        let (key, stored) = retain.as_seen(key, stored);
        let kept = matches!(retain.judge(key, is_new, |_| false), Verdict::Keep | Verdict::Held);
        if let Some(pointer) = Stored::pointer(key.trailer.kind(), stored).filter(|_| kept) {
            used.count(pointer);
        }
        is_new = source.step()?;
    }
    Ok(used)
}

/// Where the value of an entry lies, if that is a log which is not adopted: it has to move.
pub(crate) fn log_to_leave<'a>(
    adopted: &[Adopted],
    memtables: &'a [Arc<Memtable>],
    key: InternalKey<'_>,
    stored: &[u8],
) -> Option<(ValuePointer, &'a Arc<ValueFile>)> {
    let pointer = Stored::pointer(key.trailer.kind(), stored)?;
    let stays = adopted.iter().any(|adopted| adopted.file.number == pointer.file);
    let mut logs = memtables.iter().map(|memtable| memtable.values());
    let log = if stays { None } else { logs.find(|file| file.number == pointer.file) };
    Some((pointer, log?))
}

/// Makes the bytes of adopted logs durable, before anything relies on them alone; and gives back the room that was reserved
/// behind them.
///
/// # Errors
/// Of the sync, which is final.
pub(crate) fn make_durable(engine: &Engine, adopted: &[Adopted]) -> Result<()> {
    for Adopted { file, .. } in adopted {
        let timer = engine.recorder.timer(Histogram::VlogSyncDuration);
        engine.wait_durable(LogPosition { segment: file.number, offset: file.sealed_bytes() })?;
        timer.stop();
        file.truncate();
    }
    Ok(())
}

/// Gives adopted logs, which the manifest names as value files now, the names of such. A name that cannot be changed is
/// changed when the database is opened next: the number says what the file is.
pub(crate) fn rename(engine: &Engine, adopted: &[Arc<ValueFile>]) {
    for file in adopted {
        if engine.dir.rename(FileName::Log(file.number), FileName::Value(file.number)).is_ok() {
            file.set_renamed();
        }
    }
}
