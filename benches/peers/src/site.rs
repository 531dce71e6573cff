//! The data that a chain works on, and how far it has come with them.

use serde::{Deserialize, Serialize};

use crate::keys::Shuffle;
use crate::random::{Random, mix};
use crate::values::{Check, Sizes, Values};

/// What the data are like: the same for all engines of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) keys: u64,
    pub(crate) sizes: Sizes,
    /// Share of a value that is zeros.
    pub(crate) compressible: f64,
    /// Whether every cache line of a value that is read is touched.
    pub(crate) consume: bool,
    pub(crate) seed: u64,
}

/// When a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// Operations of all threads together.
    pub(crate) ops: Option<u64>,
    pub(crate) seconds: Option<f64>,
}

impl Bounds {
    pub(crate) const NONE: Bounds = Bounds { ops: None, seconds: None };

    /// The share of one thread in the operations.
    pub(crate) fn ops_of(self, threads: usize) -> u64 {
        self.ops.map_or(u64::MAX, |ops| ops.div_ceil(threads as u64))
    }
}

/// A database's data in the middle of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) shape: Shape,
    pub(crate) threads: usize,
    pub(crate) bounds: Bounds,
    /// The first key number that no step has used yet.
    pub(crate) next: u64,
    /// How many keys each thread has deleted of its part.
    pub(crate) deleted: Vec<u64>,
    /// Sets a second of the thread that writes beside readers, if it is held to that.
    pub(crate) write_rate: Option<f64>,
    /// Steps so far: each draws other keys than the last.
    pub(crate) step: u64,
}

impl Site {
    /// The random order in which all keys are set.
    pub(crate) fn shuffle(&self) -> Shuffle {
        Shuffle::new(self.shape.keys, self.shape.seed)
    }

    /// Another one, for what comes after: what is often asked for, or deleted together, was not set together.
    pub(crate) fn scatter(&self) -> Shuffle {
        Shuffle::new(self.shape.keys, !self.shape.seed)
    }

    /// Random numbers of one thread in this step.
    pub(crate) fn random(&self, thread: usize) -> Random {
        Random::new(mix(self.shape.seed) ^ mix(self.step << 16 | thread as u64))
    }

    pub(crate) fn values(&self, random: &mut Random) -> Values {
        Values::new(self.shape.sizes, self.shape.compressible, random)
    }

    pub(crate) fn check(&self) -> Check {
        Check { sizes: self.shape.sizes, consume: self.shape.consume }
    }

    /// Where a thread's part of the keys begins and ends.
    pub(crate) fn part(&self, thread: usize) -> std::ops::Range<u64> {
        let at = |thread: usize| (u128::from(self.shape.keys) * thread as u128 / self.threads as u128) as u64;
        at(thread)..at(thread + 1)
    }
}
