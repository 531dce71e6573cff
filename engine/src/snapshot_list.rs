//! Which old states are still being read.

use std::collections::BTreeMap;

use crate::expiry::ExpiryClock;
use crate::key::SeqNo;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// The sequence numbers that snapshots read at, how many read at each, and the earliest time at which one of them looks.
#[derive(Debug, Default)]
pub(crate) struct SnapshotList(Mutex<BTreeMap<SeqNo, (usize, u64)>>);

/// The states that must stay readable.
#[derive(Clone, Debug)]
pub(crate) struct Horizons {
    /// Every snapshot, and the newest visible state, ascending.
    pub(crate) seqs: Vec<SeqNo>,
    /// What has expired by this time has expired for all of them.
    pub(crate) time: u64,
}

impl SnapshotList {
    /// Registers a snapshot of the newest visible state; returns its number and its time.
    ///
    /// Both are read under the list's lock, as [`SnapshotList::horizons`] does: a compaction either sees the snapshot, or
    /// started when everything it may drop was older than what this snapshot reads.
    pub(crate) fn take(&self, visible: &AtomicU64, expiry: &ExpiryClock) -> (SeqNo, u64) {
        let mut list = self.0.lock();
        let (seq, time) = (SeqNo(visible.load(Ordering::Acquire)), expiry.moment());
        let place = list.entry(seq).or_insert((0, time));
        *place = (place.0 + 1, place.1.min(time));
        (seq, time)
    }

    /// Registers once more a snapshot that is held.
    pub(crate) fn retain(&self, seq: SeqNo) {
        if let Some((count, _)) = self.0.lock().get_mut(&seq) {
            *count += 1;
        }
    }

    pub(crate) fn release(&self, seq: SeqNo) {
        let mut list = self.0.lock();
        if let Some((count, _)) = list.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                list.remove(&seq);
            }
        }
    }

    /// The states that must stay readable.
    pub(crate) fn horizons(&self, visible: &AtomicU64, expiry: &ExpiryClock) -> Horizons {
        let list = self.0.lock();
        let newest = SeqNo(visible.load(Ordering::Acquire));
        let mut seqs: Vec<SeqNo> = list.keys().copied().collect();
        if seqs.last() != Some(&newest) {
            seqs.push(newest);
        }
        let time = list.values().map(|(_, time)| *time).fold(expiry.moment(), u64::min);
        Horizons { seqs, time }
    }
}
