//! A distribution of the embedding application: a histogram or a summary, which differ in how they are exported alone.

use crate::cell::Writers;
use crate::histogram::{HistogramSnapshot, LazyHistogram};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A histogram or summary of the embedding application, from [`Registry::histogram_of`](crate::Registry::histogram_of)
/// or [`Registry::summary_of`](crate::Registry::summary_of).
///
/// A clone records into the same series; so does every handle of the same name and labels. Recording takes no lock: about
/// 15 ns, and ten times that while other threads record into the same series, for they write the same cells. The first
/// observation allocates 36 KiB.
#[derive(Clone, Default)]
pub struct CustomHistogram {
    cells: Arc<LazyHistogram>,
}

impl CustomHistogram {
    /// Records one observation: in nanoseconds, bytes, or as a plain number, as the family measures. Values above
    /// [`HIGHEST_VALUE`](crate::histogram::HIGHEST_VALUE) are counted in the last bucket.
    #[inline]
    pub fn record(&self, value: u64) {
        self.cells.record(value, Writers::Many);
    }

    /// Records one duration, for families that measure [`Seconds`](super::Measure::Seconds).
    #[inline]
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What was recorded so far.
    pub(super) fn read(&self) -> HistogramSnapshot {
        HistogramSnapshot::of(&self.cells)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<LazyHistogram>() + self.cells.heap_bytes()
    }
}

impl fmt::Debug for CustomHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomHistogram").finish_non_exhaustive()
    }
}
