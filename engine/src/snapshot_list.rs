//! Which old states are still being read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::key::SeqNo;

/// The sequence numbers that snapshots read at, and how many read at each.
#[derive(Debug, Default)]
pub(crate) struct SnapshotList(Mutex<BTreeMap<SeqNo, usize>>);

impl SnapshotList {
    /// Registers a snapshot of the newest visible state.
    ///
    /// The number is read under the list's lock, as [`SnapshotList::horizons`] does: a compaction either sees the snapshot, or
    /// started when everything it may drop was older than what this snapshot reads.
    pub(crate) fn take(&self, visible: &AtomicU64) -> SeqNo {
        let mut list = self.0.lock();
        let seq = SeqNo(visible.load(Ordering::Acquire));
        *list.entry(seq).or_insert(0) += 1;
        seq
    }

    /// Registers once more a snapshot that is held.
    pub(crate) fn retain(&self, seq: SeqNo) {
        if let Some(count) = self.0.lock().get_mut(&seq) {
            *count += 1;
        }
    }

    pub(crate) fn release(&self, seq: SeqNo) {
        let mut list = self.0.lock();
        if let Some(count) = list.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                list.remove(&seq);
            }
        }
    }

    /// The states that must stay readable, ascending: every snapshot, and the newest visible one.
    pub(crate) fn horizons(&self, visible: &AtomicU64) -> Vec<SeqNo> {
        let list = self.0.lock();
        let newest = SeqNo(visible.load(Ordering::Acquire));
        let mut horizons: Vec<SeqNo> = list.keys().copied().collect();
        if horizons.last() != Some(&newest) {
            horizons.push(newest);
        }
        horizons
    }
}
