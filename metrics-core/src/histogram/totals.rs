//! What a histogram knows beside its buckets.

/// Sum and extremes of all observations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(super) sum: u64,
    /// The largest number if nothing was observed.
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) overflows: u64,
    pub(super) recent_max: Option<u64>,
}

impl Default for Totals {
    /// Those of no observations.
    fn default() -> Self {
        Self { sum: 0, min: u64::MAX, max: 0, overflows: 0, recent_max: None }
    }
}

impl Totals {
    /// Adds those of other observations.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.overflows += other.overflows;
        self.recent_max = self.recent_max.max(other.recent_max);
    }
}
