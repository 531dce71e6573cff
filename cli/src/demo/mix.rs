//! What the load consists of.
//!
//! Keys are chosen with the skew of YCSB, scattered over the key space, unless the scene has a skew of its own.

use super::scene::{HOT_KEYS, Scene};
use crate::random::{Permutation, Random, Zipf};

/// Keys of the demo.
pub(super) const KEYS: u64 = 200_000;
/// Keys a scan covers.
pub(super) const SCAN_KEYS: u64 = 50;
/// The most writes of a batch.
pub(super) const BATCH_WRITES: u64 = 8;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Get,
    GetMissing,
    Set,
    Delete,
    Scan,
    ScanBack,
    Batch,
}

/// Chooses operations, keys and sizes.
#[derive(Debug)]
pub(super) struct Mix {
    scene: Scene,
    random: Random,
    zipf: Zipf,
    scatter: Permutation,
    thread: u64,
    threads: u64,
}

impl Mix {
    pub(super) fn new(scene: Scene, seed: u64, thread: u64, threads: u64) -> Mix {
        let scatter = Permutation::new(KEYS, seed);
        Mix { scene, random: Random::new(seed, thread), zipf: Zipf::new(KEYS), scatter, thread, threads }
    }

    pub(super) fn action(&mut self) -> Action {
        let actions = [
            Action::Get,
            Action::GetMissing,
            Action::Set,
            Action::Delete,
            Action::Scan,
            Action::ScanBack,
            Action::Batch,
        ];
        let mut number = self.random.below(100);
        for (action, share) in actions.into_iter().zip(self.scene.shares()) {
            if number < share {
                return action;
            }
            number -= share;
        }
        Action::Get
    }

    /// Any key.
    pub(super) fn key(&mut self) -> u64 {
        let hot = self.scene.hot_share();
        if hot > 0 && self.random.below(100) < hot {
            return self.scatter.at(self.random.below(HOT_KEYS));
        }
        self.scatter.at(self.zipf.pick(&mut self.random))
    }

    /// A key that this thread writes.
    pub(super) fn own_key(&mut self) -> u64 {
        let key = self.key();
        let own = key - key % self.threads + self.thread;
        if own < KEYS { own } else { self.thread }
    }

    /// The writes of a batch.
    pub(super) fn batch_writes(&mut self) -> u64 {
        2 + self.random.below(BATCH_WRITES - 1)
    }

    /// Whether a write of a batch is a delete.
    pub(super) fn batch_deletes(&mut self) -> bool {
        self.random.below(8) == 0
    }

    /// Bytes of a value: tens of bytes to 16 KiB.
    pub(super) fn value_bytes(&mut self) -> usize {
        let mut number = self.random.below(100);
        let sizes = self.scene.sizes();
        let size = sizes.iter().find(|(share, ..)| {
            let is_it = number < *share;
            number = number.saturating_sub(*share);
            is_it
        });
        let (least, most) = size.map_or((24, 128), |(_, least, most)| (*least, *most));
        (least + self.random.below(most - least + 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_write_keys_of_their_own() {
        for thread in 0..3 {
            let mut mix = Mix::new(Scene::Steady, 1, thread, 3);
            assert!((0..1000).map(|_| mix.own_key()).all(|key| key < KEYS && key % 3 == thread));
        }
    }

    #[test]
    fn sizes_go_from_tens_of_bytes_to_16_kib() {
        let mut mix = Mix::new(Scene::Steady, 1, 0, 1);
        let mut sizes: Vec<usize> = (0..10_000).map(|_| mix.value_bytes()).collect();
        sizes.sort_unstable();
        assert!(sizes[0] >= 24 && sizes[5000] < 200 && sizes[9999] > 12 << 10 && sizes[9999] <= 16 << 10);
    }
}
