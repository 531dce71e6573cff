//! A thread that sleeps until it is told something.
//!
//! Each waits for itself: woken together, they would queue for one lock, each a wake-up behind the one before.

use std::sync::Arc;

use crate::sync::{Condvar, Mutex};

/// Where one thread waits for one word of another.
#[derive(Debug)]
pub(crate) struct Waiter<T> {
    word: Mutex<Option<T>>,
    come: Condvar,
}

impl<T> Waiter<T> {
    pub(crate) fn new() -> Arc<Waiter<T>> {
        Arc::new(Waiter { word: Mutex::new(None), come: Condvar::new() })
    }

    /// Sleeps until [`tell`](Waiter::tell).
    pub(crate) fn wait(&self) -> T {
        let mut word = self.word.lock();
        loop {
            match word.take() {
                Some(word) => return word,
                None => self.come.wait(&mut word),
            }
        }
    }

    pub(crate) fn tell(&self, word: T) {
        *self.word.lock() = Some(word);
        self.come.notify_one();
    }
}
