//! Which old states are still being read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::key::SeqNo;

/// The sequence numbers that snapshots read at, and since when.
#[derive(Debug, Default)]
pub(crate) struct SnapshotList(Mutex<BTreeMap<SeqNo, Held>>);

#[derive(Debug)]
struct Held {
    count: usize,
    since_nanos: u64,
}

impl SnapshotList {
    /// Registers a snapshot of the newest visible state.
    ///
    /// The number is read under the list's lock, as [`SnapshotList::horizons`] does: a compaction either sees the snapshot, or
    /// started when everything it may drop was older than what this snapshot reads.
    pub(crate) fn take(&self, visible: &AtomicU64, now_nanos: u64) -> SeqNo {
        let mut list = self.0.lock();
        let seq = SeqNo(visible.load(Ordering::Acquire));
        list.entry(seq).or_insert(Held { count: 0, since_nanos: now_nanos }).count += 1;
        seq
    }

    /// Registers once more a snapshot that is held.
    pub(crate) fn retain(&self, seq: SeqNo) {
        if let Some(held) = self.0.lock().get_mut(&seq) {
            held.count += 1;
        }
    }

    pub(crate) fn release(&self, seq: SeqNo) {
        let mut list = self.0.lock();
        if let Some(held) = list.get_mut(&seq) {
            held.count -= 1;
            if held.count == 0 {
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

    /// How many snapshots are held, and since when the oldest.
    pub(crate) fn held(&self) -> (usize, Option<u64>) {
        let list = self.0.lock();
        (list.values().map(|held| held.count).sum(), list.values().map(|held| held.since_nanos).min())
    }
}
