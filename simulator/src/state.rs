//! The model: a `BTreeMap`, and how it changes.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::cell::Cell;

/// A value, and until when it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) cell: Cell,
    pub(crate) until: u64,
}

/// One commit: ranks of keys, and what becomes of them. Later entries win.
pub(crate) type Change = Vec<(u16, Option<Kept>)>;

/// What a scan of everything shows.
pub(crate) type Contents = BTreeMap<u16, Cell>;

/// What a database holds, by rank of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(BTreeMap<u16, Kept>);

impl State {
    pub(crate) fn apply(&mut self, change: &[(u16, Option<Kept>)]) {
        change.iter().for_each(|(rank, kept)| self.put(*rank, *kept));
    }

    pub(crate) fn put(&mut self, rank: u16, kept: Option<Kept>) {
        match kept {
            Some(kept) => drop(self.0.insert(rank, kept)),
            None => drop(self.0.remove(&rank)),
        }
    }

    /// What a key has at a time.
    pub(crate) fn get(&self, rank: u16, now: u64) -> Option<Cell> {
        self.0.get(&rank).filter(|kept| kept.until > now).map(|kept| kept.cell)
    }

    /// What is there at a time, in order.
    pub(crate) fn range(
        &self,
        range: (Bound<u16>, Bound<u16>),
        now: u64,
    ) -> impl Iterator<Item = (u16, Cell)> + '_ {
        let inside = if is_empty(range) { None } else { Some(self.0.range(range)) };
        let alive = inside.into_iter().flatten().filter(move |(_, kept)| kept.until > now);
        alive.map(|(rank, kept)| (*rank, kept.cell))
    }

    pub(crate) fn contents(&self, now: u64) -> Contents {
        self.range((Bound::Unbounded, Bound::Unbounded), now).collect()
    }
}

/// Whether nothing lies between the two: `BTreeMap` panics where the database is asked for nothing.
fn is_empty((lower, upper): (Bound<u16>, Bound<u16>)) -> bool {
    match (lower, upper) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        _ => false,
    }
}
