//! Where a large merge is cut into parts of about the same size: a pure function of the plan and the options.

use super::part::Range;
use super::plan::Plan;
use crate::options::Options;

/// A part has at least so many tables' worth to merge: for less it does not pay to start a thread, and to end a table early.
const TABLES_PER_PART: u64 = 2;

/// The parts of a merge: ranges that follow each other and have all keys between them.
pub(super) fn split(plan: &Plan, options: &Options) -> Vec<Range> {
    let bytes = plan.input_bytes(false) + plan.input_bytes(true);
    let parts = (bytes / (options.table_bytes * TABLES_PER_PART)).min(options.subcompactions as u64);
    // Tables that are written anew where they are end where they ended.
    if parts < 2 || plan.is_in_place() {
        return vec![Range::default()];
    }
    // L0 has no order to go by.
    let runs = plan.inputs.iter().filter(|(level, _)| *level > 0);
    let sizes = runs.map(|(_, tables)| tables.iter().map(|t| (t.meta.smallest.as_slice(), t.meta.bytes)));
    let largest = sizes.max_by_key(|tables| tables.clone().map(|(_, bytes)| bytes).sum::<u64>());
    largest
        .map_or_else(|| vec![Range::default()], |tables| between(&cuts(&tables.collect::<Vec<_>>(), parts)))
}

/// The ranges up to, between and from these keys on.
fn between(cuts: &[&[u8]]) -> Vec<Range> {
    let cut = |at: usize| cuts.get(at).map(|key| key.to_vec());
    (0..=cuts.len()).map(|at| Range { from: at.checked_sub(1).and_then(cut), to: cut(at) }).collect()
}

/// The keys that cut a sorted run, given as the first key and the bytes of each table, into about equal parts: ascending, fewer than
/// `parts`.
fn cuts<'a>(run: &[(&'a [u8], u64)], parts: u64) -> Vec<&'a [u8]> {
    let all: u64 = run.iter().map(|(_, bytes)| bytes).sum();
    let (mut before, mut cuts) = (0, Vec::new());
    for (first, bytes) in run {
        let made = cuts.len() as u64;
        // Whichever end of the table is nearer to where the cut should be.
        if before > 0 && made + 1 < parts && (2 * before + bytes) * parts >= 2 * all * (made + 1) {
            cuts.push(*first);
        }
        before += bytes;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(run: &[(&'static str, u64)], parts: u64) -> Vec<&'static str> {
        let run: Vec<_> = run.iter().map(|(first, bytes)| (first.as_bytes(), *bytes)).collect();
        cuts(&run, parts).into_iter().map(|key| std::str::from_utf8(key).unwrap()).collect()
    }

    #[test]
    fn parts_are_about_equal() {
        let run = [("a", 10), ("b", 10), ("c", 10), ("d", 10), ("e", 10), ("f", 10)];
        assert_eq!(cut(&run, 2), ["d"]);
        assert_eq!(cut(&run, 3), ["c", "e"]);
        assert_eq!(cut(&[("a", 1), ("b", 50), ("c", 1), ("d", 50)], 2), ["c"]);
        assert_eq!(cut(&[("a", 50), ("b", 51)], 2), ["b"]);
    }

    #[test]
    fn there_are_no_more_parts_than_tables() {
        assert_eq!(cut(&[("a", 10)], 4), [""; 0]);
        assert_eq!(cut(&[("a", 10), ("b", 10)], 4), ["b"]);
        assert_eq!(cut(&[("a", 1), ("b", 1), ("c", 100)], 2), ["c"]);
        assert_eq!(cut(&[], 2), [""; 0]);
    }

    #[test]
    fn every_key_is_in_one_part() {
        let ranges = between(&[b"d".as_slice(), b"m"]);
        assert_eq!(ranges.len(), 3);
        for key in [b"a".as_slice(), b"d", b"f", b"m", b"z"] {
            let inside = |range: &&Range| {
                let begun = range.from.as_deref().is_none_or(|from| from <= key);
                begun && range.to.as_deref().is_none_or(|to| key < to)
            };
            assert_eq!(ranges.iter().filter(inside).count(), 1, "{key:?}");
        }
    }
}
