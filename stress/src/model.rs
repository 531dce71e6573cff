//! The independent model: what each key must hold after so many commits of its thread.

use std::ops::RangeInclusive;

use crate::workload::Stream;

/// What the keys of one thread hold: the bytes by slot.
pub(crate) type Held = Vec<Option<Vec<u8>>>;

/// Which commit wrote a value, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    commit: u64,
    len: usize,
}

/// The state of one thread's keys after `at` commits.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    stream: Stream,
    at: u64,
    slots: Vec<Option<Version>>,
}

impl Model {
    pub(crate) fn new(stream: Stream) -> Model {
        Model { stream, at: 0, slots: vec![None; stream.keys as usize] }
    }

    /// Applies the next commit, and returns the slots that it wrote.
    fn advance(&mut self) -> Vec<usize> {
        self.at += 1;
        let commit = self.stream.commit(self.at);
        for op in &commit.ops {
            if let Some(version) = self.slots.get_mut(op.slot) {
                *version = op.set.map(|len| Version { commit: self.at, len });
            }
        }
        commit.ops.into_iter().map(|op| op.slot).collect()
    }

    /// Goes on until `number` commits are applied.
    pub(crate) fn advance_to(&mut self, number: u64) {
        while self.at < number {
            self.advance();
        }
    }

    fn matches(&self, slot: usize, held: &Held) -> bool {
        let expected = self.slots.get(slot).copied().flatten();
        match (expected, held.get(slot).and_then(Option::as_ref)) {
            (None, None) => true,
            (Some(version), Some(bytes)) => {
                version.len == bytes.len() && self.stream.value(version.commit, slot, version.len) == *bytes
            }
            _ => false,
        }
    }

    /// Goes on to the first number of commits in `range` after which the model is what is held.
    ///
    /// # Errors
    /// If there is none: how the last state of the range that comes nearest differs.
    pub(crate) fn locate(&mut self, held: &Held, range: &RangeInclusive<u64>) -> Result<u64, String> {
        self.advance_to(*range.start());
        let mut agrees: Vec<bool> = (0..self.slots.len()).map(|slot| self.matches(slot, held)).collect();
        let mut nearest = (usize::MAX, 0, String::new());
        loop {
            let differing = agrees.iter().filter(|agrees| !**agrees).count();
            if differing == 0 {
                return Ok(self.at);
            }
            if differing <= nearest.0 {
                nearest = (differing, self.at, self.difference(&agrees, held));
            }
            if self.at >= *range.end() {
                break;
            }
            for slot in self.advance() {
                let now = self.matches(slot, held);
                agrees.get_mut(slot).into_iter().for_each(|agrees| *agrees = now);
            }
        }
        let (differing, at, example) = nearest;
        let (thread, low, high) = (self.stream.thread, range.start(), range.end());
        Err(format!(
            "thread {thread}: no state after {low} to {high} commits; after {at} it differs in {differing} keys: {example}"
        ))
    }

    fn difference(&self, agrees: &[bool], held: &Held) -> String {
        let Some(slot) = agrees.iter().position(|agrees| !agrees) else { return String::new() };
        let expected = self.slots.get(slot).copied().flatten();
        let expected = expected.map_or_else(
            || "no value".to_owned(),
            |version| format!("{} bytes of commit {}", version.len, version.commit),
        );
        let found = held.get(slot).and_then(Option::as_ref).map_or_else(
            || "no value".to_owned(),
            |bytes| match bytes.first_chunk() {
                Some(commit) => format!("{} bytes of commit {}", bytes.len(), u64::from_le_bytes(*commit)),
                None => format!("{} bytes", bytes.len()),
            },
        );
        let key = self.stream.key(slot);
        format!("{} should have {expected}, and has {found}", key.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream { seed: 1, thread: 0, keys: 50 };

    fn held_after(number: u64) -> Held {
        let mut model = Model::new(STREAM);
        model.advance_to(number);
        let bytes = |(slot, version): (usize, &Option<Version>)| {
            version.map(|version| STREAM.value(version.commit, slot, version.len))
        };
        model.slots.iter().enumerate().map(bytes).collect()
    }

    #[test]
    fn a_state_is_found_among_the_possible_ones() {
        let found = Model::new(STREAM).locate(&held_after(70), &(60..=80)).unwrap();
        assert_eq!(held_after(found), held_after(70));
        // 41 commits, each of which overwrites something, lie between.
        assert!(Model::new(STREAM).locate(&held_after(70), &(111..=130)).is_err());
        assert!(Model::new(STREAM).locate(&held_after(70), &(0..=30)).is_err());
    }

    #[test]
    fn a_hole_a_torn_batch_and_a_wrong_byte_are_noticed() {
        let whole = held_after(70);
        for slot in 0..whole.len() {
            let mut holed = whole.clone();
            if holed[slot].take().is_some() {
                let found = Model::new(STREAM).locate(&holed, &(70..=70));
                assert!(found.unwrap_err().contains("differs in 1 keys"));
            }
            let mut flipped = whole.clone();
            if let Some(byte) = flipped[slot].as_mut().and_then(|bytes| bytes.last_mut()) {
                *byte ^= 1;
                assert!(Model::new(STREAM).locate(&flipped, &(0..=200)).is_err());
            }
        }
    }
}
