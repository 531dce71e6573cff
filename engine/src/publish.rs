//! Makes writes visible in the order of their sequence numbers.
//!
//! Writers insert into the memtable side by side and may finish in any order; a write becomes visible when all before it
//! are complete, so what readers see is always a prefix.

use crate::key::SeqNo;
use crate::sync::{AtomicU64, AtomicUsize, Condvar, Mutex, Ordering, SPINS, spin_loop};

/// The newest visible sequence number, and who waits for it to grow.
#[derive(Debug)]
pub(crate) struct Publisher {
    visible: AtomicU64,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    grown: Condvar,
}

impl Publisher {
    pub(crate) fn new(visible: SeqNo) -> Publisher {
        Publisher {
            visible: AtomicU64::new(visible.0),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            grown: Condvar::new(),
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

    /// Publishes the write with sequence numbers `first ..= last` once everything before it is visible.
    pub(crate) fn publish(&self, first: SeqNo, last: SeqNo) {
        self.wait_for(SeqNo(first.0 - 1));
        // Sequentially consistent, and so is the look at the sleepers: either we see a sleeper, or it sees the number.
        self.visible.store(last.0, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _guard = self.lock.lock();
            self.grown.notify_all();
        }
    }

    /// Returns once `seq` is visible.
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
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock.lock();
        while self.visible.load(Ordering::SeqCst) < seq.0 {
            self.grown.wait(&mut guard);
        }
        drop(guard);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_become_visible_in_order_whatever_order_they_finish_in() {
        let publisher = Publisher::new(SeqNo(0));
        std::thread::scope(|scope| {
            for n in (1..=200u64).rev() {
                let publisher = &publisher;
                scope.spawn(move || {
                    publisher.publish(SeqNo(2 * n - 1), SeqNo(2 * n));
                    assert!(publisher.visible() >= SeqNo(2 * n));
                });
            }
        });
        assert_eq!(publisher.visible(), SeqNo(400));
    }
}
