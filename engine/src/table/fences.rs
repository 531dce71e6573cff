//! What every few blocks of a table end with, in memory: a search of the index begins here, in a few kilobytes, and ends in the index
//! among a few entries. (After the fence pointers of LSM trees; twelve bytes for sixteen blocks.)

use std::ops::Range;

use super::index::Index;
use crate::key_heads::KeyHeads;

/// Blocks from one fence to the next.
const STEP: usize = 16;

/// The beginnings of some last keys of blocks.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    /// Of every last block of a group of blocks.
    ends: KeyHeads,
    /// Where the index has the first block of a group.
    starts: Box<[u32]>,
}

impl Fences {
    /// `None` for a damaged index.
    pub(crate) fn of(index: Index<'_>) -> Option<Fences> {
        let Some(last) = index.len().checked_sub(1) else { return Some(Fences::default()) };
        let user = |at| Some(index.get(at)?.0.user);
        let ends = (STEP - 1..index.len()).step_by(STEP).map(user).collect::<Option<Vec<_>>>()?;
        let starts = (0..index.len()).step_by(STEP).map(|at| index.start_of(at));
        Some(Fences {
            ends: KeyHeads::new(user(0)?, user(last)?, ends),
            starts: starts.collect::<Option<_>>()?,
        })
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.ends.bytes() + size_of_val(&*self.starts)
    }

    /// The blocks of the index among which is the first whose last key is at or behind `user`, if there is one.
    #[inline]
    pub(crate) fn blocks(&self, user: &[u8], index: Index<'_>) -> Range<usize> {
        let Some(groups) = self.ends.alike(user) else { return 0..index.len() };
        if let Some(start) = self.starts.get(groups.start) {
            index.prefetch(groups.start * STEP, *start, STEP);
        }
        groups.start * STEP..((groups.end + 1) * STEP).min(index.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{InternalKey, Kind, SeqNo, Trailer};
    use crate::table::format::BlockHandle;
    use crate::table::index::IndexBuilder;

    /// Searches for every key, and for what lies beside it, through the fences and without.
    fn check(keys: &[Vec<u8>], versions: u64) {
        let mut builder = IndexBuilder::default();
        for (key, seq) in keys.iter().flat_map(|key| (0..versions).rev().map(move |seq| (key, seq * 3))) {
            let last = InternalKey::new(key, Trailer::new(SeqNo(seq), Kind::Value));
            builder.add(last, BlockHandle { offset: 0, len: 0 });
        }
        let bytes = builder.finish();
        let index = Index::parse(&bytes).unwrap();
        let fences = Fences::of(index).unwrap();
        for key in keys {
            let mut beside = vec![key.clone(), [key.as_slice(), b"\0"].concat(), vec![], vec![0xff; 12]];
            beside.extend((0..key.len()).map(|len| key[..len].to_vec()));
            beside.extend(
                (0..key.len()).map(|at| key.iter().enumerate().map(|(i, b)| b ^ u8::from(i == at)).collect()),
            );
            for user in beside {
                for seq in [SeqNo(0), SeqNo(4), SeqNo(versions), SeqNo::MAX] {
                    let sought = InternalKey::seek(&user, seq);
                    let found = index.search(sought, fences.blocks(&user, index));
                    assert_eq!(found, index.search(sought, 0..index.len()), "{user:?}");
                }
            }
        }
    }

    #[test]
    fn a_search_between_fences_finds_what_a_search_of_the_whole_index_finds() {
        for count in [0, 1, 15, 16, 17, 100, 500] {
            let mut numbers: Vec<_> =
                (0..count).map(|at| format!("user{:012}", at * 7).into_bytes()).collect();
            check(&numbers, 1);
            // Keys that are shorter than what a fence knows, and others that part behind it.
            numbers.extend((0..count).map(|at| format!("user{at}").into_bytes()));
            numbers.extend((0..count).map(|at| format!("user/a/common/beginning/{at:04}").into_bytes()));
            numbers.sort();
            numbers.dedup();
            check(&numbers, 1);
            check(numbers.get(..3).unwrap_or_default(), 40);
        }
    }
}
