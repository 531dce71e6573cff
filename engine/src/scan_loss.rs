//! What scans lose to sorted runs that they need not have met, and when merging them pays.
//!
//! Nobody knows how many scans are still to come. It is the ski-rental problem (Karlin, Manasse, Rudolph, Sleator: *Competitive snoopy
//! caching*, 1988): rent until what was paid comes to the price, then buy, and no course of events costs much more than twice what
//! it would have with foresight. Scans pay into an account what they lose; a merge that makes the next ones cheaper is due when its price
//! is there, and takes it. Databases that nobody scans are never merged for scans. (LevelDB's seek compaction and Pebble's read-triggered
//! compaction count fruitless reads of a file.)
//!
//! Losses and prices are estimates in nanoseconds. They are worked out from counts and not from clocks, so that a simulation runs again as it ran.

use std::sync::Arc;

use crate::sync::{AtomicU64, Ordering};
use crate::work::Work;

/// What it takes to place a cursor in one more run, mostly waiting for memory.
const SEEK_NANOS: u64 = 1_000;
/// By how much a step is longer where runs have to be compared.
const STEP_NANOS: u64 = 20;
/// What it takes to merge, for each byte that is read: 4 M entries of 131 bytes in 1.1 s.
const MERGE_NANOS_PER_BYTE: u64 = 2;
/// How much is lost before anybody looks for something to merge.
const LOOK_NANOS: u64 = 10_000_000;

/// What it takes to merge so many bytes.
pub(crate) fn price_of(bytes: u64) -> u64 {
    bytes.saturating_mul(MERGE_NANOS_PER_BYTE)
}

/// The account of one database.
#[derive(Debug)]
pub(crate) struct ScanLoss {
    /// Whether merges are made for scans at all.
    wanted: bool,
    lost: AtomicU64,
    /// The loss that whoever compacts waits for: `u64::MAX` once it is reached, until he has looked.
    awaited: AtomicU64,
    work: Arc<Work>,
}

impl ScanLoss {
    pub(crate) fn new(wanted: bool, work: &Arc<Work>) -> ScanLoss {
        let (lost, awaited) = (AtomicU64::new(0), AtomicU64::new(LOOK_NANOS));
        ScanLoss { wanted, lost, awaited, work: work.clone() }
    }

    /// A scan was placed so many times among `runs` of tables, and took so many steps.
    pub(crate) fn add(&self, runs: usize, seeks: u64, steps: u64) {
        let more = runs.saturating_sub(1) as u64;
        if more == 0 || !self.wanted {
            return;
        }
        let loss = seeks * more * SEEK_NANOS + steps * STEP_NANOS;
        // Relaxed: a count that nothing else hangs on. Who sees a little less than was lost waits a little longer.
        let lost = self.lost.fetch_add(loss, Ordering::Relaxed).saturating_add(loss);
        if lost >= self.awaited.load(Ordering::Relaxed)
            && self.awaited.swap(u64::MAX, Ordering::Relaxed) != u64::MAX
        {
            self.work.ring();
        }
    }

    /// What was lost and not made good, in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// A merge is made that costs so much. No more than that is left for the next: what scans lose while one is made would pay for merges that are
    /// still made when nobody scans any more. What costs nothing leaves all there is.
    pub(crate) fn make_good(&self, price: u64) {
        if price == 0 {
            return;
        }
        let rest = |lost: u64| Some(lost.saturating_sub(price).min(price));
        self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok();
    }

    /// No merge is made now. Whoever compacts is woken when the next one pays, whose price `price` says; `None` if there is none to be made, so that
    /// nothing that was lost can be made good.
    pub(crate) fn await_price(&self, price: impl FnOnce() -> Option<u64>) {
        if !self.wanted {
            return;
        }
        let lost = self.nanos();
        let price = if lost > 0 { price() } else { Some(0) };
        if price.is_none() {
            self.lost.store(0, Ordering::Relaxed);
        }
        // A merge that pays, but has to wait for another one, must not be asked for at every scan.
        let later = self.nanos().saturating_add(LOOK_NANOS);
        self.awaited.store(later.max(price.unwrap_or(0)), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> ScanLoss {
        let recorder = bettong_metrics::Registry::new("test").recorder();
        ScanLoss::new(true, &Arc::new(Work::new(&recorder)))
    }

    #[test]
    fn one_run_costs_nothing_and_more_cost_seeks_and_steps() {
        let account = account();
        account.add(1, 5, 1_000);
        assert_eq!(account.nanos(), 0);
        account.add(3, 5, 1_000);
        assert_eq!(account.nanos(), 5 * 2 * SEEK_NANOS + 1_000 * STEP_NANOS);
    }

    #[test]
    fn a_merge_takes_its_price_and_leaves_no_more_than_that() {
        let account = account();
        account.add(2, 100, 0);
        account.make_good(90 * SEEK_NANOS);
        assert_eq!(account.nanos(), 10 * SEEK_NANOS);
        account.add(2, 1_000, 0);
        account.make_good(90 * SEEK_NANOS);
        assert_eq!(account.nanos(), 90 * SEEK_NANOS);
    }

    /// It emptied the account: "no more than its price is left for the next" was true of a price of nothing as well.
    #[test]
    fn a_table_that_only_moves_leaves_all_there_is() {
        let account = account();
        account.add(2, 100, 0);
        account.make_good(0);
        assert_eq!(account.nanos(), 100 * SEEK_NANOS);
    }

    #[test]
    fn what_nothing_can_make_good_is_forgotten() {
        let account = account();
        account.add(2, 100, 0);
        account.await_price(|| Some(5));
        assert_eq!(account.nanos(), 100 * SEEK_NANOS);
        account.await_price(|| None);
        assert_eq!(account.nanos(), 0);
    }
}
