//! A lock that counts how long threads wait for it.
//!
//! A lock that is free is taken by one compare-and-swap, as without this; only who finds it held takes time stamps.

use bettong_metrics::{Counter, Recorder};

use crate::metric::LockLabel;
use crate::sync::{Mutex, MutexGuard};

/// A mutex whose contended waits are timed.
#[derive(Debug)]
pub(crate) struct TimedMutex<T> {
    inner: Mutex<T>,
    label: LockLabel,
    recorder: Recorder,
}

impl<T> TimedMutex<T> {
    pub(crate) fn new(value: T, label: LockLabel, recorder: &Recorder) -> TimedMutex<T> {
        TimedMutex { inner: Mutex::new(value), label, recorder: recorder.clone() }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.try_lock().unwrap_or_else(|| self.wait())
    }

    /// The lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock()
    }

    /// Waits for the lock.
    #[cold]
    pub(crate) fn wait(&self) -> MutexGuard<'_, T> {
        let _queued = (self.label == LockLabel::Commit).then(|| self.recorder.queue());
        let began = self.recorder.now();
        let guard = self.inner.lock();
        self.recorder.add(Counter::LockWaitNanos.at(self.label as usize), self.recorder.nanos_since(began));
        guard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bettong_metrics::{Gauge, Registry};

    #[test]
    fn only_waits_are_timed_and_whoever_waits_for_a_commit_is_in_the_queue() {
        let registry = Registry::new("test");
        let mutex = TimedMutex::new(0, LockLabel::Commit, &registry.recorder());
        *mutex.lock() += 1;
        let cell = Counter::LockWaitNanos.at(LockLabel::Commit as usize);
        assert_eq!(registry.snapshot().counter(cell), 0);
        let guard = mutex.lock();
        std::thread::scope(|scope| {
            scope.spawn(|| *mutex.lock() += 1);
            while registry.snapshot().gauge(Gauge::WriteQueueDepth) < 1.0 {
                std::thread::yield_now();
            }
            drop(guard);
        });
        assert!(registry.snapshot().counter(cell) > 0);
        assert!(registry.snapshot().gauge(Gauge::WriteQueueDepth) < 1.0);
        assert_eq!(*mutex.lock(), 2);
    }
}
