//! What may be there: the state that is certain to survive, and the commits after it.
//!
//! 1. Commits are pending until something makes them durable.
//! 2. After a crash the state must be the durable one with the first n pending commits, for some n (G3): no hole, no half batch. After a
//!    kill n is not below the last commit that the operating system had (G2).
//! 3. Which n, the serial numbers in the values tell. Where two prefixes look alike they are alike for ever: what differs has expired.

use bettong::Durability;

use crate::failure::Checked;
use crate::state::{Change, Contents, State};

/// How much a process that ended has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// What was synced, at least.
    Synced,
    /// What was handed to the operating system, at least.
    HandedOver,
}

/// The state, and those before it that a crash may bring back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    now: State,
    durable: State,
    pending: Vec<Change>,
    /// How many of the pending commits the operating system has, at least.
    handed_over: usize,
}

impl Oracle {
    /// What the database shows while it is open.
    pub(crate) fn state(&self) -> &State {
        &self.now
    }

    /// A commit became visible. `promised` is what was said of it, if it was acknowledged.
    pub(crate) fn commit(&mut self, change: Change, promised: Option<Durability>) {
        self.now.apply(&change);
        self.pending.push(change);
        match promised {
            Some(Durability::Sync) => self.settle(),
            Some(Durability::Os) => self.handed_over = self.pending.len(),
            _ => {}
        }
    }

    /// Everything is durable.
    pub(crate) fn settle(&mut self) {
        for change in self.pending.drain(..) {
            self.durable.apply(&change);
        }
        self.handed_over = 0;
    }

    /// Goes on from what was found, if that may be: from then on it is what there is, and durable.
    pub(crate) fn recovered(&mut self, found: &Contents, left: Left, time: u64) -> Checked {
        let least = if left == Left::HandedOver { self.handed_over } else { 0 };
        let mut state = self.durable.clone();
        let mut different = Different::new(&state, found, time);
        let mut applied = 0;
        let mut fits = different.0 == 0 && least == 0;
        while !fits {
            let Some(change) = self.pending.get(applied) else {
                return Err(self.no_prefix(found, least, time));
            };
            for (rank, kept) in change {
                let before = state.get(*rank, time) == found.get(rank).copied();
                state.put(*rank, *kept);
                let after = state.get(*rank, time) == found.get(rank).copied();
                different.change(before, after);
            }
            applied += 1;
            fits = different.0 == 0 && applied >= least;
        }
        self.pending.clear();
        self.handed_over = 0;
        self.now.clone_from(&state);
        self.durable = state;
        Ok(())
    }

    fn no_prefix(&self, found: &Contents, least: usize, time: u64) -> String {
        let expected = self.durable.contents(time);
        let differs = |rank: &u16| expected.get(rank) != found.get(rank);
        let mut ranks: Vec<u16> = expected.keys().chain(found.keys()).copied().filter(differs).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let shown: Vec<String> = ranks
            .iter()
            .take(5)
            .map(|rank| format!("key {rank}: durable {:?}, found {:?}", expected.get(rank), found.get(rank)))
            .collect();
        format!(
            "what is left is no prefix of the {} commits since the last sync, of which {least} must be there; {} keys differ from \
             the durable state: {}",
            self.pending.len(),
            ranks.len(),
            shown.join("; ")
        )
    }
}

/// How many keys differ.
struct Different(usize);

impl Different {
    fn new(state: &State, found: &Contents, time: u64) -> Different {
        let expected = state.contents(time);
        let missing = expected.iter().filter(|(rank, cell)| found.get(rank) != Some(cell)).count();
        Different(missing + found.keys().filter(|rank| !expected.contains_key(rank)).count())
    }

    fn change(&mut self, was_equal: bool, is_equal: bool) {
        self.0 += usize::from(was_equal && !is_equal);
        self.0 -= usize::from(!was_equal && is_equal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell;
    use crate::state::Kept;

    const NOW: u64 = 100;

    fn set(rank: u16, serial: u64) -> Change {
        vec![(rank, Some(Kept { cell: Cell::new(9, serial), until: u64::MAX }))]
    }

    /// Commits 1 and 2 on one key, 3 on another.
    fn oracle() -> Oracle {
        let mut oracle = Oracle::default();
        oracle.commit(set(7, 1), Some(Durability::Sync));
        oracle.commit(set(7, 2), Some(Durability::Os));
        oracle.commit(set(8, 3), Some(Durability::None));
        oracle
    }

    fn found(cells: &[(u16, u64)]) -> Contents {
        cells.iter().map(|(rank, serial)| (*rank, Cell::new(9, *serial))).collect()
    }

    #[test]
    fn every_prefix_from_the_last_sync_on_may_be_left_and_nothing_else() {
        let left = |cells: &[(u16, u64)], left| oracle().recovered(&found(cells), left, NOW).is_ok();
        for prefix in [&[(7, 1)][..], &[(7, 2)], &[(7, 2), (8, 3)]] {
            assert!(left(prefix, Left::Synced));
        }
        assert!(!left(&[], Left::Synced), "a lost commit that was synced");
        assert!(!left(&[(7, 1), (8, 3)], Left::Synced), "a hole");
        assert!(!left(&[(7, 2), (8, 4)], Left::Synced), "a value that nobody wrote");
        assert!(!left(&[(7, 1)], Left::HandedOver), "what the operating system had");
        assert!(left(&[(7, 2)], Left::HandedOver));
    }

    #[test]
    fn what_was_found_is_what_there_is() {
        let mut oracle = oracle();
        oracle.recovered(&found(&[(7, 2)]), Left::Synced, NOW).unwrap();
        assert_eq!(oracle.state().contents(NOW), found(&[(7, 2)]));
        assert!(oracle.recovered(&found(&[(7, 1)]), Left::Synced, NOW).is_err());
    }

    #[test]
    fn what_expired_is_as_if_deleted() {
        let mut oracle = oracle();
        oracle.settle();
        oracle.commit(vec![(7, Some(Kept { cell: Cell::new(9, 5), until: 50 })), (8, None)], None);
        assert!(oracle.clone().recovered(&found(&[]), Left::Synced, NOW).is_ok());
        assert!(oracle.recovered(&found(&[(7, 5)]), Left::Synced, NOW).is_err());
    }
}
