//! The handle on one state.

use std::ops::RangeBounds;
use std::sync::Arc;

use bettong_metrics::{Hold, HolderKind};

use super::{Inner, owned};
use crate::error::Result;
use crate::read::point::ReadPoint;
use crate::read::range::ScanRange;
use crate::read::scan::Scan;
use crate::value::Value;

/// One state of the database, to be read at leisure. Clones read the same state.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = bettong::Db::open(dir.path(), bettong::Options::default())?;
/// db.set(b"k", b"before")?;
/// let snapshot = db.snapshot();
/// db.set(b"k", b"after")?;
/// assert_eq!(snapshot.get(b"k")?.unwrap(), b"before");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Snapshot {
    inner: Arc<Inner>,
    point: ReadPoint,
    /// That it is held, for those who look at the metrics.
    _hold: Hold,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(at {})", self.point.seq.0)
    }
}

impl Snapshot {
    /// A handle on a state that is registered.
    pub(super) fn new(inner: &Arc<Inner>, point: ReadPoint) -> Snapshot {
        let hold = inner.engine.recorder.hold(HolderKind::Snapshot, point.seq.0);
        Snapshot { inner: inner.clone(), point, _hold: hold }
    }

    /// The value that a key had, or `None` if it had none.
    ///
    /// # Errors
    /// As [`Db::get`](super::Db::get).
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        self.inner.get(key.as_ref(), Some(self.point))
    }

    /// The keys of a range and the values they had: see [`Db::scan`](super::Db::scan).
    pub fn scan<'k>(&self, range: impl RangeBounds<&'k [u8]>) -> Scan {
        self.inner.scan(owned(&range), Some(self.point))
    }

    /// The keys that started with `prefix` and the values they had.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Scan {
        self.inner.scan(ScanRange::prefix(prefix.as_ref()), Some(self.point))
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Snapshot {
        self.inner.engine.snapshots.retain(self.point.seq);
        Snapshot::new(&self.inner, self.point)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.inner.engine.snapshots.release(self.point.seq);
    }
}
