//! Whether the next block of a table is worth an attempt to compress it.
//!
//! Where the last blocks came out no smaller, most of the next ones would not either, and the attempts are a good part of what a merge
//! costs. So fewer and fewer are tried, until one succeeds.

/// Blocks in a row that are tried in vain before others are left alone.
const PATIENCE: u32 = 4;
/// Of so many blocks one at least is tried: data that change their kind are noticed.
const BETWEEN_ATTEMPTS_MAX: u32 = 32;

#[derive(Debug, Default)]
pub(super) struct Thrift {
    /// Attempts in a row that saved nothing.
    failures: u32,
    /// Blocks to leave alone before the next attempt.
    skip: u32,
}

impl Thrift {
    /// Whether to try the next block.
    pub(super) fn tries_next(&mut self) -> bool {
        let tries = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        tries
    }

    /// An attempt has ended.
    pub(super) fn tried(&mut self, saved: bool) {
        self.failures =
            if saved { 0 } else { (self.failures + 1).min(PATIENCE + BETWEEN_ATTEMPTS_MAX.ilog2()) };
        self.skip = self.failures.checked_sub(PATIENCE).map_or(0, |more| (1 << more) - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of `count` blocks are tried, where each comes to `saved`.
    fn tried(thrift: &mut Thrift, count: usize, saved: bool) -> usize {
        let block = |_: &usize| {
            let tries = thrift.tries_next();
            if tries {
                thrift.tried(saved);
            }
            tries
        };
        (0..count).filter(block).count()
    }

    #[test]
    fn all_blocks_are_tried_while_that_saves_something() {
        let mut thrift = Thrift::default();
        assert_eq!(tried(&mut thrift, 1000, true), 1000);
        assert_eq!(tried(&mut thrift, 3, false), 3);
        assert_eq!(tried(&mut thrift, 1000, true), 1000);
    }

    #[test]
    fn few_are_tried_where_it_is_in_vain_and_all_again_when_one_succeeds() {
        let mut thrift = Thrift::default();
        assert!(tried(&mut thrift, 10_000, false) < 10_000 / 30);
        let at_most_until_the_next = tried(&mut thrift, 64, true);
        assert!(at_most_until_the_next >= 64 - BETWEEN_ATTEMPTS_MAX as usize, "{at_most_until_the_next}");
    }
}
