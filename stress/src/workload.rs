//! What each commit does: decided by the seed, the thread and the number of the commit alone.
//!
//! Every thread writes keys of its own, so that the order of its commits is theirs in the database, however threads interleave.

use bettong::Durability;

use crate::random::{Random, mix};

/// The separation threshold of the shapes that have one: value sizes gather around it.
pub(crate) const THRESHOLD: u64 = 512;

/// The commits of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) seed: u64,
    pub(crate) thread: u64,
    /// Keys of this thread.
    pub(crate) keys: u64,
}

/// One write of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    /// Which of the thread's keys.
    pub(crate) slot: usize,
    /// The length of the value, in bytes; `None` deletes.
    pub(crate) set: Option<usize>,
}

/// What follows a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Sync,
    Flush,
    Compact,
    CollectGarbage,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) ops: Vec<Op>,
    /// What it asks for where the run leaves that to the commits.
    pub(crate) durability: Durability,
    pub(crate) then: Then,
}

impl Stream {
    /// Commit `number`; the first one is 1.
    pub(crate) fn commit(&self, number: u64) -> Commit {
        let mut random = Random::of(&[self.seed, self.thread, number]);
        let durability = match random.below(16) {
            0 => Durability::Sync,
            1..=8 => Durability::Os,
            _ => Durability::None,
        };
        let then = match random.below(1600) {
            0..=7 => Then::Sync,
            8..=13 => Then::Flush,
            14..=15 => Then::Compact,
            16 => Then::CollectGarbage,
            _ => Then::Nothing,
        };
        let (ops, deletes_percent) = match random.below(100) {
            0..=49 => (1, 0),
            50..=61 => (1, 100),
            62..=95 => (random.within(2, 12), 30),
            _ => (random.within(30, 60), 50),
        };
        let ops = (0..ops).map(|_| self.op(&mut random, deletes_percent)).collect();
        Commit { ops, durability, then }
    }

    fn op(&self, random: &mut Random, deletes_percent: u64) -> Op {
        let hot = random.below(2) == 0;
        let slot = random.below(if hot { self.keys.div_ceil(8) } else { self.keys }) as usize;
        let deletes = random.below(100) < deletes_percent;
        Op { slot, set: (!deletes).then(|| value_len(random) as usize) }
    }

    /// The key of a slot.
    pub(crate) fn key(&self, slot: usize) -> Vec<u8> {
        format!("{:02x}/{slot:06}", self.thread).into_bytes()
    }

    /// The thread and slot of a key.
    pub(crate) fn place(key: &[u8]) -> Option<(usize, usize)> {
        let (thread, slot) = std::str::from_utf8(key).ok()?.split_once('/')?;
        Some((usize::from_str_radix(thread, 16).ok()?, slot.parse().ok()?))
    }

    /// The value that commit `number` gives a slot: the number of the commit, then bytes that follow from everything.
    pub(crate) fn value(&self, number: u64, slot: usize, len: usize) -> Vec<u8> {
        let mut state = Random::of(&[self.seed, self.thread, number, slot as u64, len as u64]).next();
        let mut bytes = Vec::with_capacity(len + 8);
        bytes.extend(number.to_le_bytes());
        while bytes.len() < len {
            state = mix(state);
            bytes.extend(state.to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// Sizes: few that are empty, many small ones, many beside the threshold, some large ones.
fn value_len(random: &mut Random) -> u64 {
    match random.below(32) {
        0 => 0,
        1..=11 => random.within(1, 100),
        12..=25 => random.within(THRESHOLD - 3, THRESHOLD + 3),
        26..=30 => random.within(THRESHOLD, 4 << 10),
        _ => random.within(8 << 10, 24 << 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream { seed: 7, thread: 3, keys: 100 };

    #[test]
    fn a_commit_follows_from_its_number_alone() {
        let commits: Vec<_> = (1..=2000).map(|number| STREAM.commit(number)).collect();
        assert!((1..=2000).rev().all(|number| STREAM.commit(number) == commits[number as usize - 1]));
        let lone =
            |deletes: bool| commits.iter().any(|c| c.ops.len() == 1 && c.ops[0].set.is_none() == deletes);
        assert!(lone(true) && lone(false) && commits.iter().any(|commit| commit.ops.len() >= 30));
        for len in [THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, 0] {
            assert!(commits.iter().flat_map(|c| &c.ops).any(|op| op.set == Some(len as usize)), "{len}");
        }
        for then in [Then::Sync, Then::Flush, Then::Compact, Then::CollectGarbage] {
            assert!(commits.iter().any(|commit| commit.then == then), "{then:?}");
        }
    }

    #[test]
    fn keys_and_values_lead_back() {
        assert_eq!(Stream::place(&STREAM.key(42)), Some((3, 42)));
        assert_eq!(Stream::place(b"lost+found"), None);
        for len in [0, 1, 7, 8, 9, 1000] {
            let value = STREAM.value(77, 1, len);
            assert_eq!(value.len(), len);
            assert!(77_u64.to_le_bytes().starts_with(&value[..len.min(8)]));
        }
        assert_ne!(STREAM.value(77, 1, 100), STREAM.value(77, 2, 100));
    }
}
