//! The newest changes of the tree: which tables came and which went.
//!
//! The engine announces states, not changes, and they are looked at once a second: what is announced in one second is one change here.
//! Who knows the present state and these can go back through them, one by one.

use super::ring::{put, separated};
use bettong_metrics::{LevelState, PublishedState, TableState, TreeChange};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// The most changes that are kept.
pub(super) const EDITS: usize = 500;

/// The most tables that all changes together name. Older changes go when there are more.
const TABLES: usize = 8_192;

/// One change, its number counted from 1 in the order of all that were seen.
#[derive(Clone, Copy, Debug)]
struct Edit {
    number: u64,
    /// When it was seen, in Unix milliseconds; 0 if nobody knows.
    at_millis: u64,
    /// How many tables came, and how many went.
    added: usize,
    removed: usize,
}

/// A table as it is kept. The beginnings of its keys are part of it: thousands of small allocations that live for minutes would lie
/// between the large ones of each second, and hold the memory around them.
#[derive(Clone, Copy, Debug)]
struct Kept {
    level: u32,
    lens: [u8; 2],
    prefixes: [[u8; TableState::KEY_PREFIX_BYTES]; 2],
    number: u64,
    bytes: u64,
    entries: u64,
    tombstones: u64,
}

impl Kept {
    fn of(level: u32, table: &TableState) -> Self {
        let (mut lens, mut prefixes) = ([0; 2], [[0; TableState::KEY_PREFIX_BYTES]; 2]);
        let keys = [&table.smallest_key_prefix, &table.largest_key_prefix];
        for ((len, prefix), key) in lens.iter_mut().zip(&mut prefixes).zip(keys) {
            prefix.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
            *len = key.len().min(TableState::KEY_PREFIX_BYTES) as u8;
        }
        let TableState { number, bytes, entries, tombstones, .. } = *table;
        Self { level, lens, prefixes, number, bytes, entries, tombstones }
    }

    fn fields(&self, text: &mut String) {
        let Self { number, bytes, entries, tombstones, .. } = self;
        let _ = write!(text, "{number},{bytes},{entries},{tombstones}");
        for (prefix, len) in self.prefixes.iter().zip(self.lens) {
            text.push_str(",\"");
            let bytes = prefix.iter().take(usize::from(len));
            bytes.for_each(|byte| put(text, format_args!("{byte:02x}")));
            text.push('"');
        }
    }
}

/// What changed from one state to the next.
fn between(before: &[LevelState], now: &[LevelState], number: u64) -> TreeChange {
    let (old, new) = (by_place(before), by_place(now));
    let only = |these: &BTreeMap<(u32, u64), &TableState>, those: &BTreeMap<(u32, u64), &TableState>| {
        let missing = these.iter().filter(|(place, _)| !those.contains_key(*place));
        missing.map(|((level, _), table)| (*level, TableState::clone(table))).collect::<Vec<_>>()
    };
    TreeChange { number, added: only(&new, &old), removed: only(&old, &new) }
}

fn tables(change: &TreeChange) -> usize {
    change.added.len() + change.removed.len()
}

fn by_place(levels: &[LevelState]) -> BTreeMap<(u32, u64), &TableState> {
    let tables = levels.iter().flat_map(|level| level.tables.iter().map(|table| (level.level, table)));
    tables.map(|(level, table)| ((level, table.number), table)).collect()
}

/// Writes number, bytes, entries, tombstones, and the beginnings of the smallest and the largest key in hexadecimal.
pub(super) fn fields(text: &mut String, table: &TableState) {
    Kept::of(0, table).fields(text);
}

/// The changes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Edits {
    kept: VecDeque<Edit>,
    /// The tables of all of them, of each first those that came, then those that went.
    tables: VecDeque<Kept>,
    seen: u64,
}

impl Edits {
    /// Notes what changed from one state to the next, if anything did.
    pub(super) fn note(&mut self, before: &PublishedState, now: &PublishedState, at: f64) {
        let change = between(&before.levels, &now.levels, self.seen + 1);
        if tables(&change) > 0 {
            self.push(&change, (at * 1e3) as u64);
        }
    }

    fn push(&mut self, change: &TreeChange, at_millis: u64) {
        let TreeChange { number, added, removed } = change;
        self.seen = *number;
        // Room is made before it is used, so that no more is ever asked for than what is kept at the most.
        while self.kept.len() >= EDITS || self.tables.len() + tables(change) > TABLES {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.tables.drain(..oldest.added + oldest.removed);
        }
        self.tables.extend(added.iter().chain(removed).map(|(level, table)| Kept::of(*level, table)));
        let (added, removed) = (added.len(), removed.len());
        self.kept.push_back(Edit { number: *number, at_millis, added, removed });
    }

    /// The number of the newest change, 0 if there was none.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Writes `[…]`: all that are kept, oldest first.
    pub(super) fn write(&self, text: &mut String) {
        let mut first = 0;
        text.push('[');
        separated(text, self.kept.iter(), |text, edit| {
            self.write_edit(text, edit, first);
            first += edit.added + edit.removed;
        });
        text.push(']');
    }

    /// Writes the newest change, `null` if it is not kept or there was none.
    pub(super) fn write_newest(&self, text: &mut String) {
        match self.kept.back() {
            Some(edit) => self.write_edit(text, edit, self.tables.len() - edit.added - edit.removed),
            None => text.push_str("null"),
        }
    }

    /// Writes a change whose tables begin at `first`.
    fn write_edit(&self, text: &mut String, edit: &Edit, first: usize) {
        let Edit { number, at_millis, added, removed } = *edit;
        let _ = write!(text, "{{\"number\":{number},\"at\":{:.3}", at_millis as f64 / 1e3);
        let removed_from = first + added;
        for (name, places) in
            [("added", first..removed_from), ("removed", removed_from..removed_from + removed)]
        {
            let _ = write!(text, ",\"{name}\":[");
            separated(text, self.tables.range(places), |text, table| {
                let _ = write!(text, "[{},", table.level);
                table.fields(text);
                text.push(']');
            });
            text.push(']');
        }
        text.push('}');
    }

    /// Bytes of memory beside its own.
    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<Edit>() + self.tables.capacity() * size_of::<Kept>()
    }
}

/// Of these changes, oldest first, as many of the newest as are kept.
pub(crate) fn newest_changes<'a, 'b>(all: &'a [&'b TreeChange]) -> &'a [&'b TreeChange] {
    let mut named = 0;
    let kept = all.iter().rev().take(EDITS).take_while(|change| {
        named += tables(change);
        named <= TABLES
    });
    all.get(all.len() - kept.count()..).unwrap_or_default()
}

/// The changes in the shape of [`Edits::write`]. When they were made nobody knows.
pub(crate) fn changes(changes: &[&TreeChange]) -> serde_json::Value {
    let mut edits = Edits::default();
    changes.iter().for_each(|change| edits.push(change, 0));
    let mut text = String::new();
    edits.write(&mut text);
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn state(tables: &[(u32, u64)]) -> PublishedState {
        let level = |level| LevelState {
            level,
            tables: tables
                .iter()
                .filter(|(of, _)| *of == level)
                .map(|(_, number)| TableState {
                    number: *number,
                    largest_key_prefix: vec![0xab],
                    ..TableState::default()
                })
                .collect(),
        };
        PublishedState { levels: (0..3).map(level).collect(), ..PublishedState::default() }
    }

    fn json(edits: &Edits) -> Value {
        let mut text = String::new();
        edits.write(&mut text);
        serde_json::from_str(&text).unwrap()
    }

    /// The oracle is the list of states themselves: going back through the changes leads to each of them.
    #[test]
    fn going_back_through_the_changes_leads_through_all_states() {
        let mut random: u64 = 7;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let mut states: Vec<Vec<(u32, u64)>> = vec![Vec::new()];
        let mut edits = Edits::default();
        for number in 1..=300 {
            let mut tables = states.last().unwrap().clone();
            tables.retain(|_| next(5) > 0);
            // A move to another level is a change as well.
            tables
                .iter_mut()
                .for_each(|(level, _)| *level = if next(9) == 0 { (*level + 1).min(2) } else { *level });
            tables.push((0, number));
            edits.note(&state(states.last().unwrap()), &state(&tables), number as f64);
            tables.sort_unstable();
            states.push(tables);
        }
        let kept = json(&edits);
        let mut present = states.pop().unwrap();
        for edit in kept.as_array().unwrap().iter().rev() {
            let tables = |name: &str| -> Vec<(u32, u64)> {
                let list = edit[name].as_array().unwrap();
                list.iter().map(|one| (one[0].as_u64().unwrap() as u32, one[1].as_u64().unwrap())).collect()
            };
            present.retain(|table| !tables("added").contains(table));
            present.extend(tables("removed"));
            present.sort_unstable();
            assert_eq!(present, states.pop().unwrap());
        }
        assert_eq!((kept.as_array().unwrap().len(), states.len()), (300, 0));
    }

    #[test]
    fn changes_are_bounded_by_their_number_and_by_the_tables_they_name() {
        let mut edits = Edits::default();
        let mut before = state(&[]);
        for number in 0..2 * EDITS as u64 {
            let now = state(&[(0, number)]);
            edits.note(&before, &now, 1.0);
            before = now;
        }
        let kept = json(&edits);
        assert_eq!(kept.as_array().unwrap().len(), EDITS);
        assert_eq!((kept[0]["number"].as_u64(), edits.seen()), (Some(EDITS as u64 + 1), 2 * EDITS as u64));
        let many: Vec<_> = (0..5_000).map(|number| (1, 10_000 + number)).collect();
        for (one, other) in [(state(&many), state(&[])), (state(&[]), state(&many))] {
            edits.note(&one, &other, 2.0);
        }
        assert_eq!((json(&edits).as_array().unwrap().len(), edits.tables.len()), (1, 5_000));
        edits.note(&state(&[]), &state(&(0..9_000).map(|number| (1, number)).collect::<Vec<_>>()), 3.0);
        assert_eq!((json(&edits).as_array().unwrap().len(), edits.tables.len()), (0, 0));
        edits.note(&before, &before, 4.0);
        assert_eq!(edits.seen(), 2 * EDITS as u64 + 3);
    }

    #[test]
    fn memory_is_bounded_whatever_changes() {
        let full: Vec<_> = (0..TABLES as u64).map(|number| (1, number)).collect();
        let mut edits = Edits::default();
        edits.note(&state(&[]), &state(&full[..=TABLES / 2]), 1.0);
        for _ in 0..2 * EDITS {
            edits.note(&state(&[]), &state(&[(0, 1)]), 2.0);
            assert!(edits.heap_bytes() <= 5 << 17, "{}", edits.heap_bytes());
        }
        edits.note(&state(&[]), &state(&full), 3.0);
        assert_eq!(edits.tables.len(), TABLES);
        assert!(edits.heap_bytes() <= 5 << 17, "{}", edits.heap_bytes());
    }
}
