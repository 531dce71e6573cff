//! How large each level should be, and how far it is from that.
//!
//! Sizes follow the last level, which holds nearly everything: each level above is a `level_fanout`-th of the one below, down to
//! `level_base_bytes`; levels above that stay empty, and L0 is compacted right into the first level that is used, the *base*
//! (RocksDB's `level_compaction_dynamic_level_bytes`). So at most about a ninth of the data lies above the last level.

use super::version::Version;
use crate::options::{LEVELS, Options};

const LAST: usize = LEVELS - 1;

/// The shape a version should have.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    base: usize,
    targets: [u64; LEVELS],
    scores: [f64; LEVELS],
}

impl Shape {
    pub(crate) fn of(version: &Version, options: &Options) -> Shape {
        let bytes: [u64; LEVELS] =
            std::array::from_fn(|at| version.levels.get(at).map_or(0, |level| level.bytes));
        let l0_tables = version.levels.first().map_or(0, |level| level.tables.len());
        let (base, targets) = targets(&bytes, options);
        let scores = std::array::from_fn(|at| match at {
            0 => l0_tables as f64 / options.l0_compaction_tables as f64,
            LAST => 0.0,
            _ => value(&bytes, at) as f64 / value(&targets, at).max(1) as f64,
        });
        Shape { base, targets, scores }
    }

    /// The level that L0 is compacted into.
    pub(crate) fn base(&self) -> usize {
        self.base
    }

    pub(crate) fn target_bytes(&self, level: usize) -> u64 {
        value(&self.targets, level)
    }

    /// From 1 on, the level is due for compaction.
    pub(crate) fn score(&self, level: usize) -> f64 {
        self.scores.get(level).copied().unwrap_or(0.0)
    }

    /// Levels by how much they are due, the most due first.
    pub(crate) fn by_score(&self) -> Vec<usize> {
        let mut due: Vec<usize> = (0..LAST).filter(|level| self.score(*level) >= 1.0).collect();
        due.sort_by(|a, b| self.score(*b).total_cmp(&self.score(*a)));
        due
    }

    /// An estimate of the bytes that compaction has to write until every level has its size: what is too much in a level is merged
    /// with its share of the next.
    pub(crate) fn debt_bytes(&self, version: &Version, options: &Options) -> u64 {
        let bytes = |at: usize| version.levels.get(at).map_or(0, |level| level.bytes);
        let l0_due = version.levels.first().is_some_and(|l0| l0.tables.len() >= options.l0_compaction_tables);
        let mut debt = if l0_due { bytes(0) + bytes(self.base) } else { 0 };
        let mut arriving = if l0_due { bytes(0) } else { 0 };
        for at in self.base..LAST {
            let here = bytes(at) + arriving;
            let over = here.saturating_sub(self.target_bytes(at));
            let share = bytes(at + 1) as f64 / here.max(1) as f64;
            debt += over + (over as f64 * share) as u64;
            arriving = over;
        }
        debt
    }
}

fn targets(bytes: &[u64; LEVELS], options: &Options) -> (usize, [u64; LEVELS]) {
    let mut targets = [0; LEVELS];
    let fanout = options.level_fanout;
    let base_max = options.level_base_bytes;
    let largest = bytes.iter().skip(1).max().copied().unwrap_or(0);
    let first = (1..LEVELS).find(|at| value(bytes, *at) > 0).unwrap_or(LAST);
    // The size of level `first` if the last level had the largest level's size.
    let mut size = (first..LAST).fold(largest, |size, _| size / fanout);
    let mut base = first;
    while base > 1 && size > base_max {
        base -= 1;
        size /= fanout;
    }
    let mut size = size.clamp(base_max / fanout + 1, base_max);
    for target in targets.iter_mut().skip(base) {
        // A level smaller than the base would make the tree an hourglass.
        *target = size.max(base_max);
        size = size.saturating_mul(fanout);
    }
    (base, targets)
}

fn value(values: &[u64; LEVELS], at: usize) -> u64 {
    values.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(mib: [u64; LEVELS]) -> (usize, [u64; LEVELS]) {
        let (base, targets) = targets(&mib.map(|mib| mib << 20), &Options::default());
        (base, targets.map(|bytes| bytes >> 20))
    }

    #[test]
    fn an_empty_tree_starts_at_the_last_level() {
        assert_eq!(shape([0; 7]).0, 6);
    }

    #[test]
    fn the_base_moves_up_as_the_last_level_grows() {
        assert_eq!(shape([0, 0, 0, 0, 0, 0, 200]).0, 6);
        let (base, targets) = shape([0, 0, 0, 0, 0, 0, 1000]);
        assert_eq!((base, targets[5]), (5, 256));
        let (base, targets) = shape([0, 0, 0, 0, 0, 200, 20_000]);
        assert_eq!((base, targets[4], targets[5]), (4, 256, 2000), "{targets:?}");
        let (base, targets) = shape([0, 0, 0, 0, 0, 200, 30_000]);
        assert_eq!((base, targets[3], targets[4], targets[5]), (3, 256, 300, 3000), "{targets:?}");
    }

    #[test]
    fn the_levels_above_the_last_hold_about_a_ninth_of_it() {
        let (_, targets) = shape([0, 0, 0, 256, 2_560, 25_600, 256_000]);
        let above: u64 = targets[1..6].iter().sum();
        assert!(above as f64 / 256_000.0 < 0.12, "{targets:?}");
    }
}
