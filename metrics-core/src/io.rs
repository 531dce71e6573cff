//! The calls of the file system under way: what tells a stalled disk from an idle one.
//!
//! A table of slots, one word each. Whoever begins a call claims a free slot by compare-and-swap and clears it at the end;
//! a reader looks at all of them. Nobody waits. A call that finds every slot taken goes untracked: so many at once are
//! seen anyway.
//!
//! ```text
//!   slot:  time stamp, its last three bits replaced by operation + 1        0 = free
//! ```

use crate::catalog::{Gauge, GaugeCell, IoOperation};
use crate::clock::{Clock, Ticks};
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls that can be tracked at once.
const SLOTS: usize = 64;
/// The bits of a slot that say which operation. The time stamp loses them: some nanoseconds.
const OPERATION_MASK: u64 = 7;

const _: () = assert!(IoOperation::ALL.len() <= OPERATION_MASK as usize);

/// The calls of the file system that one database has under way.
#[derive(Debug)]
pub(crate) struct IoTable {
    slots: [AtomicU64; SLOTS],
}

impl Default for IoTable {
    fn default() -> Self {
        Self { slots: [const { AtomicU64::new(0) }; SLOTS] }
    }
}

impl IoTable {
    /// Notes that a call began; the slot is to be given to [`IoTable::leave`]. `None` when all are taken.
    pub(crate) fn enter(&self, operation: IoOperation, began: Ticks) -> Option<&AtomicU64> {
        let word = began.to_bits() & !OPERATION_MASK | (operation.index() as u64 + 1);
        // Threads that begin at different times start to look at different places.
        let first = (began.to_bits() ^ (began.to_bits() >> 8)) as usize % SLOTS;
        let (before, after) = self.slots.split_at_checked(first)?;
        after.iter().chain(before).find(|slot| {
            // A slot publishes nothing but its own word, hence relaxed.
            slot.load(Ordering::Relaxed) == 0
                && slot.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        })
    }

    /// The call that claimed the slot has ended.
    pub(crate) fn leave(slot: &AtomicU64) {
        slot.store(0, Ordering::Relaxed);
    }

    /// Fills in the gauges about calls under way.
    pub(crate) fn describe(&self, clock: Clock, gauges: &mut [f64]) {
        let mut in_flight = [0_u32; IoOperation::ALL.len()];
        let mut oldest: Option<Ticks> = None;
        for word in self.slots.iter().map(|slot| slot.load(Ordering::Relaxed)).filter(|word| *word != 0) {
            if let Some(count) = in_flight.get_mut((word & OPERATION_MASK) as usize - 1) {
                *count += 1;
            }
            let began = Ticks::from_bits(word & !OPERATION_MASK);
            oldest = Some(oldest.map_or(began, |oldest| oldest.min(began)));
        }
        let age = oldest.map_or(0, |began| clock.nanos_between(began, clock.now()));
        let mut store = |cell: GaugeCell, value| {
            if let Some(gauge) = gauges.get_mut(cell.position()) {
                *gauge = value;
            }
        };
        store(Gauge::IoOldestInFlightAge.at(0), age as f64 / 1e9);
        for (cell, count) in Gauge::IoInFlight.cells().zip(in_flight) {
            store(cell, f64::from(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(table: &IoTable) -> Vec<f64> {
        let mut gauges = vec![-1.0; Gauge::CELLS];
        table.describe(Clock::global(), &mut gauges);
        gauges
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are small integers")]
    fn calls_are_in_flight_from_their_beginning_to_their_end() {
        let clock = Clock::global();
        let table = IoTable::default();
        let old = table.enter(IoOperation::Sync, clock.now()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let young = table.enter(IoOperation::Unlink, clock.now()).unwrap();
        let value = |gauges: &[f64], cell: GaugeCell| gauges[cell.position()];
        let gauges = described(&table);
        assert_eq!(value(&gauges, Gauge::IoInFlight.at(IoOperation::Sync.index())), 1.0);
        assert_eq!(value(&gauges, Gauge::IoInFlight.at(IoOperation::Unlink.index())), 1.0);
        assert_eq!(value(&gauges, Gauge::IoInFlight.at(IoOperation::Read.index())), 0.0);
        let age = value(&gauges, Gauge::IoOldestInFlightAge.at(0));
        assert!((0.005..1.0).contains(&age), "the older of the two: {age}");
        IoTable::leave(old);
        assert!(value(&described(&table), Gauge::IoOldestInFlightAge.at(0)) < age);
        IoTable::leave(young);
        assert_eq!(value(&described(&table), Gauge::IoOldestInFlightAge.at(0)), 0.0);
    }

    #[test]
    fn a_full_table_takes_no_more_until_one_leaves() {
        let table = IoTable::default();
        let now = Clock::global().now();
        let slots: Vec<_> = (0..SLOTS).map(|_| table.enter(IoOperation::Read, now).unwrap()).collect();
        assert!(table.enter(IoOperation::Read, now).is_none());
        IoTable::leave(slots[7]);
        assert!(table.enter(IoOperation::Write, now).is_some());
    }

    #[test]
    fn threads_at_once_claim_different_slots() {
        let table = IoTable::default();
        let clock = Clock::global();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let slot = table.enter(IoOperation::Write, clock.now()).unwrap();
                        assert_ne!(slot.load(Ordering::Relaxed), 0);
                        IoTable::leave(slot);
                    }
                });
            }
        });
        assert!(table.slots.iter().all(|slot| slot.load(Ordering::Relaxed) == 0));
    }
}
