//! What a scan is to walk.

use std::ops::Bound;
use std::sync::Arc;

use crate::key;
use crate::levels::table_file::{TableFile, TableMeta};

/// The keys between two bounds.
#[derive(Debug)]
pub(crate) struct ScanRange {
    pub(crate) lower: Bound<Vec<u8>>,
    pub(crate) upper: Bound<Vec<u8>>,
}

impl ScanRange {
    /// All keys that start with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> ScanRange {
        // The first key behind all of them: the prefix with its last byte that can grow grown by one.
        let mut end = prefix.to_vec();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        let upper = match end.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(end)
            }
            None => Bound::Unbounded,
        };
        ScanRange { lower: Bound::Included(prefix.to_vec()), upper }
    }

    /// Whether a table may have keys of it.
    pub(crate) fn touches(&self, meta: &TableMeta) -> bool {
        !self.is_above(&meta.smallest) && !self.is_below(&meta.largest)
    }

    /// Whether one of the tables of a level, which ascend, may have keys of it.
    pub(crate) fn touches_any(&self, tables: &[Arc<TableFile>]) -> bool {
        let first = tables.partition_point(|table| self.is_below(&table.meta.largest));
        tables.get(first).is_some_and(|table| !self.is_above(&table.meta.smallest))
    }

    /// Whether a key lies below all of it.
    pub(crate) fn is_below(&self, key: &[u8]) -> bool {
        match &self.lower {
            Bound::Included(lower) => key < lower.as_slice(),
            Bound::Excluded(lower) => key <= lower.as_slice(),
            Bound::Unbounded => false,
        }
    }

    /// Whether a key lies above all of it.
    #[inline]
    pub(crate) fn is_above(&self, key: &[u8]) -> bool {
        let (upper, is_excluded) = match &self.upper {
            Bound::Included(upper) => (upper, false),
            Bound::Excluded(upper) => (upper, true),
            Bound::Unbounded => return false,
        };
        let order = key::compare(key, upper);
        order.is_gt() || is_excluded && order.is_eq()
    }
}
