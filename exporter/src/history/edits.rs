//! The newest changes of the tree: which tables came and which went.
//!
//! The engine announces states, not changes, and they are looked at once a second: what is announced in one second is one change here.
//! Who knows the present state and these can go back through them, one by one.

use super::ring::{put, separated};
use bettong_metrics::{LevelState, PublishedState, TableState};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// The most changes that are kept.
pub(super) const EDITS: usize = 500;

/// The most tables that all changes together name. Older changes go when there are more.
const TABLES: usize = 8_192;

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its place in the order of all changes that were seen, counted from 1.
    number: u64,
    /// When it was seen, in Unix milliseconds.
    at_millis: u64,
    added: Vec<(u32, TableState)>,
    removed: Vec<(u32, TableState)>,
}

impl Edit {
    fn tables(&self) -> usize {
        self.added.len() + self.removed.len()
    }

    /// What changed, if anything did.
    fn between(before: &[LevelState], now: &[LevelState]) -> Option<Self> {
        let (old, new) = (by_place(before), by_place(now));
        let only = |these: &BTreeMap<(u32, u64), &TableState>, those: &BTreeMap<(u32, u64), &TableState>| {
            let missing = these.iter().filter(|(place, _)| !those.contains_key(*place));
            missing.map(|((level, _), table)| (*level, TableState::clone(table))).collect::<Vec<_>>()
        };
        let edit = Self { added: only(&new, &old), removed: only(&old, &new), ..Self::default() };
        (edit.tables() > 0).then_some(edit)
    }

    fn write(&self, text: &mut String) {
        let _ = write!(text, "{{\"number\":{},\"at\":{:.3}", self.number, self.at_millis as f64 / 1e3);
        for (name, tables) in [("added", &self.added), ("removed", &self.removed)] {
            let _ = write!(text, ",\"{name}\":[");
            separated(text, tables.iter(), |text, (level, table)| {
                let _ = write!(text, "[{level},");
                fields(text, table);
                text.push(']');
            });
            text.push(']');
        }
        text.push('}');
    }
}

fn by_place(levels: &[LevelState]) -> BTreeMap<(u32, u64), &TableState> {
    let tables = levels.iter().flat_map(|level| level.tables.iter().map(|table| (level.level, table)));
    tables.map(|(level, table)| ((level, table.number), table)).collect()
}

/// Writes number, bytes, entries, tombstones, and the beginnings of the smallest and the largest key in hexadecimal.
pub(super) fn fields(text: &mut String, table: &TableState) {
    let TableState { number, bytes, entries, tombstones, .. } = table;
    let _ = write!(text, "{number},{bytes},{entries},{tombstones}");
    for prefix in [&table.smallest_key_prefix, &table.largest_key_prefix] {
        text.push_str(",\"");
        prefix.iter().for_each(|byte| put(text, format_args!("{byte:02x}")));
        text.push('"');
    }
}

/// The changes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Edits {
    kept: VecDeque<Edit>,
    tables: usize,
    seen: u64,
}

impl Edits {
    /// Notes what changed from one state to the next.
    pub(super) fn note(&mut self, before: &PublishedState, now: &PublishedState, at: f64) {
        let Some(edit) = Edit::between(&before.levels, &now.levels) else { return };
        self.seen += 1;
        self.tables += edit.tables();
        self.kept.push_back(Edit { number: self.seen, at_millis: (at * 1e3) as u64, ..edit });
        while self.kept.len() > EDITS || self.tables > TABLES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.tables -= oldest.tables();
        }
    }

    /// The number of the newest change, 0 if there was none.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Writes `[…]`: all that are kept, oldest first.
    pub(super) fn write(&self, text: &mut String) {
        text.push('[');
        separated(text, self.kept.iter(), |text, edit| edit.write(text));
        text.push(']');
    }

    /// Writes the newest change, `null` if there was none.
    pub(super) fn write_newest(&self, text: &mut String) {
        match self.kept.back() {
            Some(edit) => edit.write(text),
            None => text.push_str("null"),
        }
    }
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
        assert_eq!((json(&edits).as_array().unwrap().len(), edits.tables), (1, 5_000));
        edits.note(&state(&[]), &state(&(0..9_000).map(|number| (1, number)).collect::<Vec<_>>()), 3.0);
        assert_eq!((json(&edits).as_array().unwrap().len(), edits.tables), (0, 0));
        edits.note(&before, &before, 4.0);
        assert_eq!(edits.seen(), 2 * EDITS as u64 + 3);
    }
}
