//! What a power cut does, and the dice that decide.

use crate::checksum::mix;

/// A power cut: what survives of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    pub(super) seed: u64,
    pub(super) keep_percent: u32,
    pub(super) garbage_percent: u32,
}

impl Crash {
    /// Nothing survives; `seed` decides where there is a choice.
    pub fn new(seed: u64) -> Crash {
        Crash { seed, keep_percent: 0, garbage_percent: 0 }
    }

    /// About so many of a hundred changes survive: sectors, directory entries, lengths of files.
    #[must_use]
    pub fn keep_percent(mut self, keep_percent: u32) -> Crash {
        self.keep_percent = keep_percent;
        self
    }

    /// In about so many of a hundred sectors that were being written, what was written of them is garbage. The rest of such a sector
    /// is as it was: a disk does not touch what it was not told to write.
    #[must_use]
    pub fn garbage_percent(mut self, garbage_percent: u32) -> Crash {
        self.garbage_percent = garbage_percent;
        self
    }
}

/// A seeded source of decisions.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(super) fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance as usize
    }
}
