//! What is known of every key, so that a read can be judged.
//!
//! Each key is written by one thread, so its writes are numbered 1, 2, 3 … in order. The ledger holds the last write that
//! was begun and the last one that was done. A read notes what was done before it and what was begun after it: what it
//! found must lie between. For a key of the reading thread's own the two are the same, and the answer is exact.
//!
//! The cells are written with `Release` and read with `Acquire`: whoever sees a write as done also sees it in the database.

use std::sync::atomic::{AtomicU64, Ordering};

/// One write of a key: its number, and whether the key was there after it. Number 0 is the state before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) present: bool,
}

impl State {
    fn to_bits(self) -> u64 {
        self.version << 1 | u64::from(self.present)
    }

    fn from_bits(bits: u64) -> State {
        State { version: bits >> 1, present: bits & 1 == 1 }
    }
}

/// One key's last writes.
#[derive(Debug, Default)]
struct Cell {
    begun: AtomicU64,
    done: AtomicU64,
}

/// All keys.
#[derive(Debug)]
pub(super) struct Ledger {
    cells: Vec<Cell>,
}

impl Ledger {
    pub(super) fn new(keys: u64) -> Ledger {
        Ledger { cells: (0..keys).map(|_| Cell::default()).collect() }
    }

    pub(super) fn keys(&self) -> u64 {
        self.cells.len() as u64
    }

    /// Notes that the next write of a key begins, and returns it.
    pub(super) fn begin(&self, id: u64, present: bool) -> State {
        let state = State { version: self.done(id).version + 1, present };
        if let Some(cell) = self.cells.get(id as usize) {
            cell.begun.store(state.to_bits(), Ordering::Release);
        }
        state
    }

    /// Notes that it is done.
    pub(super) fn finish(&self, id: u64, state: State) {
        if let Some(cell) = self.cells.get(id as usize) {
            cell.done.store(state.to_bits(), Ordering::Release);
        }
    }

    /// The last write that was done: to be asked before a read.
    pub(super) fn done(&self, id: u64) -> State {
        let bits = self.cells.get(id as usize).map_or(0, |cell| cell.done.load(Ordering::Acquire));
        State::from_bits(bits)
    }

    /// The last write that was begun: to be asked after a read.
    pub(super) fn begun(&self, id: u64) -> State {
        let bits = self.cells.get(id as usize).map_or(0, |cell| cell.begun.load(Ordering::Acquire));
        State::from_bits(bits)
    }
}

/// Why a read cannot be right, if it cannot: `found` is the version that was read, `done` the last write done before the
/// read, `begun` the last one begun after it.
pub(super) fn judge(found: Option<u64>, done: State, begun: State) -> Option<&'static str> {
    let Some(version) = found else {
        // Between the two there may be a delete that nobody noted, but only if there is something between.
        let sure = begun.version <= done.version + 1;
        return (sure && done.present && begun.present).then_some("is missing");
    };
    let known = [done, begun].into_iter().find(|state| state.version == version);
    if version < done.version {
        Some("has an old value")
    } else if version > begun.version {
        Some("has a value that was never written")
    } else if known.is_some_and(|state| !state.present) {
        Some("was deleted and is there")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(version: u64, present: bool) -> State {
        State { version, present }
    }

    #[test]
    fn a_key_of_ones_own_has_one_right_answer() {
        let (set, deleted) = (state(5, true), state(6, false));
        assert_eq!(judge(Some(5), set, set), None);
        assert_eq!(judge(Some(4), set, set), Some("has an old value"));
        assert_eq!(judge(Some(6), set, set), Some("has a value that was never written"));
        assert_eq!(judge(None, set, set), Some("is missing"));
        assert_eq!(judge(None, deleted, deleted), None);
        assert_eq!(judge(Some(6), deleted, deleted), Some("was deleted and is there"));
        assert_eq!(judge(None, State::default(), State::default()), None);
    }

    #[test]
    fn a_key_that_is_being_written_has_several() {
        let (before, after) = (state(5, true), state(6, false));
        assert_eq!([judge(Some(5), before, after), judge(None, before, after)], [None, None]);
        assert_eq!(judge(None, before, state(6, true)), Some("is missing"));
        assert_eq!(judge(None, before, state(9, true)), None);
        assert_eq!(judge(Some(7), before, state(9, true)), None);
        assert_eq!(judge(Some(4), before, after), Some("has an old value"));
    }

    #[test]
    fn writes_are_numbered_and_kept() {
        let ledger = Ledger::new(2);
        let first = ledger.begin(1, true);
        assert_eq!((first, ledger.done(1), ledger.begun(1)), (state(1, true), State::default(), first));
        ledger.finish(1, first);
        assert_eq!((ledger.done(1), ledger.begin(1, false)), (first, state(2, false)));
        assert_eq!(ledger.done(0), State::default());
    }
}
