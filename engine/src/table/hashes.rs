//! The hashes of a table's user keys, in their order.

use crate::pages::PageVec;

/// For filter and point index, which are made when all are known.
#[derive(Debug, Default)]
pub(crate) struct Hashes(PageVec);

impl Hashes {
    #[inline]
    pub(crate) fn push(&mut self, hash: u64) {
        self.0.extend_from_slice(&hash.to_le_bytes());
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_chunks::<8>().0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<u64> {
        self.0.as_chunks().0.get(at).map(|bytes| u64::from_le_bytes(*bytes))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

impl FromIterator<u64> for Hashes {
    fn from_iter<I: IntoIterator<Item = u64>>(all: I) -> Hashes {
        let mut hashes = Hashes::default();
        all.into_iter().for_each(|hash| hashes.push(hash));
        hashes
    }
}
