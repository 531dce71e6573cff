//! Makes writes visible in the order of their sequence numbers.
//!
//! Writers insert into the memtable side by side and may finish in any order; a write becomes visible when all before it
//! are complete, so what readers see is always a prefix.
//!
//! Nobody waits for a turn that is only a store: a write that is done before its turn says so in a ring, and whoever is
//! before it publishes it too (as the sequencer of LMAX's Disruptor does for several producers). It waits, since it must not return
//! before it is visible, but nothing waits for it to wake up, unless it is so far ahead that the ring has no place for it.

use std::sync::Arc;

use crate::key::SeqNo;
use crate::sync::{AtomicU64, Mutex, Ordering, PUBLISH_WINDOW, SPINS, spin_loop};
use crate::waiter::Waiter;

/// The newest visible sequence number, and who waits for it to grow.
#[derive(Debug)]
pub(crate) struct Publisher {
    visible: AtomicU64,
    /// The last sequence number of each write that was done before its turn, at the place of the number before its first.
    /// What is not above that number is of an earlier round.
    done: [AtomicU64; PUBLISH_WINDOW],
    /// The lowest number that anybody sleeps for; written under the lock of the sleepers.
    awaited: AtomicU64,
    sleepers: Mutex<Vec<Sleeper>>,
}

#[derive(Debug)]
struct Sleeper {
    awaits: SeqNo,
    waiter: Arc<Waiter<()>>,
}

/// Nobody sleeps.
const NOTHING: u64 = u64::MAX;

impl Publisher {
    pub(crate) fn new(visible: SeqNo) -> Publisher {
        Publisher {
            visible: AtomicU64::new(visible.0),
            done: std::array::from_fn(|_| AtomicU64::new(0)),
            awaited: AtomicU64::new(NOTHING),
            sleepers: Mutex::new(Vec::new()),
        }
    }

    /// The newest visible sequence number.
    #[inline]
    pub(crate) fn visible(&self) -> SeqNo {
        // Acquire: whoever sees the number sees the entries inserted before it was published.
        SeqNo(self.visible.load(Ordering::Acquire))
    }

    pub(crate) fn cell(&self) -> &AtomicU64 {
        &self.visible
    }

    /// Publishes the write with sequence numbers `first ..= last`, and returns once it and everything before it is visible.
    pub(crate) fn publish(&self, first: SeqNo, last: SeqNo) {
        let before = SeqNo(first.0 - 1);
        if self.visible() == before {
            // Only we can go on from here: others go on from numbers whose place in the ring says so.
            self.visible.store(last.0, Ordering::SeqCst);
        } else {
            // Our place may still be that of a write a whole round before.
            self.wait_for(SeqNo(before.0.saturating_sub(PUBLISH_WINDOW as u64 - 1)));
            self.done_after(before.0).store(last.0, Ordering::SeqCst);
        }
        let visible = self.publish_done();
        if self.awaited.load(Ordering::SeqCst) <= visible {
            self.wake_reached();
        }
        self.wait_for(last);
    }

    /// Publishes all writes that are done and whose turn it is; returns what is visible then.
    ///
    /// Sequentially consistent as the store before it: of a writer that says that it is done and one that moves the visible number to
    /// where that begins, one at least sees what the other did.
    #[inline]
    fn publish_done(&self) -> u64 {
        let mut visible = self.visible.load(Ordering::SeqCst);
        loop {
            let last = self.done_after(visible).load(Ordering::SeqCst);
            if last <= visible {
                return visible;
            }
            match self.visible.compare_exchange(visible, last, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => visible = last,
                Err(further) => visible = further,
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is below what it is the remainder of")]
    fn done_after(&self, before: u64) -> &AtomicU64 {
        &self.done[before as usize % PUBLISH_WINDOW]
    }

    /// Returns once `seq` is visible.
    #[inline]
    pub(crate) fn wait_for(&self, seq: SeqNo) {
        for _ in 0..SPINS {
            if self.visible() >= seq {
                return;
            }
            spin_loop();
        }
        self.sleep_until(seq);
    }

    #[cold]
    fn sleep_until(&self, seq: SeqNo) {
        let waiter = Waiter::new();
        {
            let mut sleepers = self.sleepers.lock();
            sleepers.push(Sleeper { awaits: seq, waiter: waiter.clone() });
            self.note_awaited(&sleepers);
        }
        // Either a writer sees what we await, or we see its number.
        if self.visible.load(Ordering::SeqCst) >= seq.0 {
            self.wake_reached();
        }
        waiter.wait();
    }

    #[cold]
    fn wake_reached(&self) {
        let mut sleepers = self.sleepers.lock();
        let visible = SeqNo(self.visible.load(Ordering::SeqCst));
        let reached: Vec<_> = sleepers.extract_if(.., |sleeper| sleeper.awaits <= visible).collect();
        self.note_awaited(&sleepers);
        drop(sleepers);
        reached.iter().for_each(|sleeper| sleeper.waiter.tell(()));
    }

    fn note_awaited(&self, sleepers: &[Sleeper]) {
        let lowest = sleepers.iter().map(|sleeper| sleeper.awaits.0).min().unwrap_or(NOTHING);
        self.awaited.store(lowest, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes writes that end at `ends`, the first from 8 on, side by side, the last begun first. Whoever returns finds all before it
    /// done.
    fn publish_side_by_side(publisher: &Publisher, ends: &[u64]) {
        let done: Vec<_> = ends.iter().map(|_| AtomicU64::new(0)).collect();
        let firsts: Vec<_> = std::iter::once(8).chain(ends.iter().map(|end| end + 1)).collect();
        std::thread::scope(|scope| {
            for (n, (&first, &last)) in firsts.iter().zip(ends).enumerate().rev() {
                let done = &done;
                scope.spawn(move || {
                    done[n].store(1, Ordering::Relaxed);
                    publisher.publish(SeqNo(first), SeqNo(last));
                    assert!(publisher.visible() >= SeqNo(last));
                    assert!(done[..n].iter().all(|done| done.load(Ordering::Relaxed) == 1), "not a prefix");
                });
            }
        });
        assert_eq!(publisher.visible().0, *ends.last().unwrap());
        assert_eq!(publisher.awaited.load(Ordering::SeqCst), NOTHING);
    }

    #[test]
    fn writes_become_visible_in_order_whatever_order_they_finish_in() {
        publish_side_by_side(&Publisher::new(SeqNo(7)), &(1..=200).map(|n| 7 + 2 * n).collect::<Vec<_>>());
    }

    #[test]
    fn so_do_writes_that_go_around_the_ring_and_are_longer_than_it() {
        let round = PUBLISH_WINDOW as u64;
        let lengths = [1, round, round + 1, 3 * round, round - 1, round / 2, 5].repeat(8);
        let ends = lengths.iter().scan(7, |end, length| {
            *end += length;
            Some(*end)
        });
        publish_side_by_side(&Publisher::new(SeqNo(7)), &ends.collect::<Vec<_>>());
    }

    /// Writers once waited for their turn to store a number, each to be woken by the one before: eight on two processors did a tenth
    /// of what one does.
    #[test]
    fn a_write_that_is_done_is_published_by_the_one_before_while_its_writer_sleeps() {
        let publisher = Publisher::new(SeqNo(0));
        std::thread::scope(|scope| {
            for seq in [3, 2] {
                let publisher = &publisher;
                scope.spawn(move || publisher.publish(SeqNo(seq), SeqNo(seq)));
            }
            while publisher.sleepers.lock().len() < 2 {
                std::thread::yield_now();
            }
            // Who sleeps cannot come between: what is visible now was published here.
            let asleep = publisher.sleepers.lock();
            publisher.visible.store(1, Ordering::SeqCst);
            let published = publisher.publish_done();
            drop(asleep);
            publisher.publish(SeqNo(published + 1), SeqNo(published + 1));
            assert_eq!(published, 3);
        });
    }
}
