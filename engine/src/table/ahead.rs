//! Reads ahead of a walk through a mapped table.
//!
//! The mapping is one for single pages, since gets want no more than one: a walk would wait for the disk at each of them. So it asks
//! the system for what comes next, a window at a time, before it gets there.
//!
//! - Merges and verification read all there is: the windows are large from the beginning.
//! - A scan may end soon: its first window comes with its second block, and each is twice as long as the one before. It asks only
//!   where it comes to a block that nobody touched since the table was opened: to ask for pages that are there costs some 10 µs for
//!   each MiB, a twentieth of a walk over them. Pages that were pushed out since are read one by one.
//!
//! Walks backwards do without: they are short, mostly.
//!
//! Source of the doubling: RocksDB's automatic read-ahead of iterators.

use std::ops::Range;

use super::reader::TableReader;
use crate::metric::ReadOrigin;

const FIRST_BYTES: u64 = 32 << 10;
const MOST_BYTES: u64 = 1 << 20;

/// How far a walk has asked.
#[derive(Debug)]
pub(super) struct ReadAhead {
    /// All before this offset was asked for.
    asked: u64,
    /// The bytes asked for last.
    last: u64,
    /// Those to be asked for next.
    window: u64,
    /// Whether the walk is known to go on.
    certain: bool,
}

impl ReadAhead {
    pub(super) fn of(origin: ReadOrigin) -> ReadAhead {
        let certain = !matches!(origin, ReadOrigin::Get | ReadOrigin::Scan);
        ReadAhead { asked: 0, last: 0, window: if certain { MOST_BYTES } else { FIRST_BYTES }, certain }
    }

    /// Whether the first block is reason enough to read ahead.
    pub(super) fn is_certain(&self) -> bool {
        self.certain
    }

    /// Block `at`, which begins at `offset`, comes next: when half of what was asked for is used up, asks for more.
    pub(super) fn look(&mut self, table: &TableReader, at: usize, offset: u64) {
        // First, since it is one look, and all of it where the blocks are there.
        if !self.certain && table.is_verified(at) {
            return;
        }
        if let Some(range) = self.next(offset) {
            table.will_need(range);
        }
    }

    /// What to ask for before the block at `offset` is entered.
    fn next(&mut self, offset: u64) -> Option<Range<u64>> {
        if offset + self.last / 2 < self.asked {
            return None;
        }
        let from = self.asked.max(offset);
        self.last = self.window;
        self.asked = from + self.window;
        self.window = (self.window * 2).min(MOST_BYTES);
        Some(from..self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows of a walk over blocks of 4 KiB, and how far the walk was when it asked for each.
    fn walk(origin: ReadOrigin, blocks: Range<u64>) -> Vec<(u64, Range<u64>)> {
        let mut ahead = ReadAhead::of(origin);
        let mut asked = |offset: u64| ahead.next(offset).map(|range| (offset, range));
        blocks.filter_map(|block| asked(block * 4_096)).collect()
    }

    #[test]
    fn windows_follow_each_other_and_come_before_they_are_needed() {
        for (origin, first) in [(ReadOrigin::Scan, FIRST_BYTES), (ReadOrigin::Compaction, MOST_BYTES)] {
            let windows = walk(origin, 3..2_000);
            let lengths: Vec<_> = windows.iter().map(|(_, range)| range.end - range.start).collect();
            assert_eq!((lengths[0], windows[0].1.start), (first, 3 * 4_096));
            assert!(lengths.windows(2).all(|pair| pair[1] == (pair[0] * 2).min(MOST_BYTES)));
            for pair in windows.windows(2) {
                let ((_, before), (at, next)) = (&pair[0], &pair[1]);
                assert_eq!(before.end, next.start);
                assert!(*at < next.start, "asked at {at} for {next:?}");
            }
        }
    }

    #[test]
    fn a_short_scan_asks_for_little() {
        for (at, range) in walk(ReadOrigin::Scan, 1..2_000) {
            assert!(range.end <= 4 * at + 2 * FIRST_BYTES, "asked up to {} at {at}", range.end);
        }
        assert_eq!(walk(ReadOrigin::Scan, 1..3).len(), 1, "three blocks, one window");
    }

    #[test]
    fn a_walk_that_begins_elsewhere_asks_for_what_lies_there() {
        let mut ahead = ReadAhead::of(ReadOrigin::Compaction);
        assert_eq!(ahead.next(0), Some(0..MOST_BYTES));
        assert_eq!(ahead.next(9 * MOST_BYTES), Some(9 * MOST_BYTES..10 * MOST_BYTES));
        assert_eq!(ahead.next(5 * MOST_BYTES), None, "it went back: what lies there may well be there");
    }
}
