//! Files that nobody needs any more, from when the manifest drops them to when they are removed.

use std::collections::{BTreeMap, VecDeque};

use crate::env::names::FileName;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Files that no version needs. Those that readers still hold are known with their sizes; the others wait to be removed by
/// whoever passes.
#[derive(Debug, Default)]
pub(crate) struct Graveyard {
    waiting: Mutex<VecDeque<Waiting>>,
    rings: Mutex<u64>,
    bell: Condvar,
    held: Mutex<BTreeMap<FileName, u64>>,
    removing: Mutex<()>,
}

/// A file that waits to be removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) file: FileName,
    /// What the removal of a value file will give back, where that is known and can be expected.
    pub(crate) value_bytes: u64,
}

impl Graveyard {
    /// Nobody holds the file: it can be removed.
    pub(crate) fn bury(&self, file: FileName) {
        self.lay_down(file, 0);
    }

    fn lay_down(&self, file: FileName, value_bytes: u64) {
        self.waiting.lock().push_back(Waiting { file, value_bytes });
        self.ring();
    }

    /// The file could not be removed: whoever passes next tries again, but nobody waits for its room.
    pub(crate) fn keep(&self, file: FileName) {
        self.waiting.lock().push_back(Waiting { file, value_bytes: 0 });
    }

    /// Wakes the keeper, who removes files and makes ready what writers will want.
    pub(crate) fn ring(&self) {
        *self.rings.lock() += 1;
        self.bell.notify_all();
    }

    /// How often it was rung for him.
    pub(crate) fn rings(&self) -> u64 {
        *self.rings.lock()
    }

    /// Waits until it has been rung more often than that.
    pub(crate) fn wait(&self, rings: u64) {
        let mut rung = self.rings.lock();
        while *rung == rings {
            self.bell.wait(&mut rung);
        }
    }

    /// Held by who removes files: one who wants them gone waits for one who is at it.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.removing.lock()
    }

    /// The files that wait to be removed.
    pub(crate) fn waiting(&self) -> Vec<FileName> {
        self.waiting.lock().iter().map(|waiting| waiting.file).collect()
    }

    /// What the value files that nobody holds any more still take of the disk, and will give back.
    pub(crate) fn value_bytes(&self) -> u64 {
        self.waiting.lock().iter().map(|waiting| waiting.value_bytes).sum()
    }

    /// How many files wait to be removed.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// The file that waits longest.
    pub(crate) fn take(&self) -> Option<Waiting> {
        self.waiting.lock().pop_front()
    }

    /// Files that no version needs and a reader holds, with their sizes in bytes.
    pub(crate) fn held(&self) -> Vec<(FileName, u64)> {
        self.held.lock().iter().map(|(name, bytes)| (*name, *bytes)).collect()
    }

    /// The manifest no longer names the file, but somebody may read it.
    pub(crate) fn hold(&self, file: FileName, bytes: u64) {
        self.held.lock().insert(file, bytes);
    }

    /// The last reader of a file is gone that was held as `file` and is called `now` today.
    pub(crate) fn let_go(&self, file: FileName, now: FileName) {
        let bytes = self.held.lock().remove(&file).unwrap_or(0);
        self.lay_down(now, if matches!(now, FileName::Value(_)) { bytes } else { 0 });
    }
}
