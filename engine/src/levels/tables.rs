//! The tables of a level, and the way to the one that may hold a key.

use std::ops::Deref;
use std::sync::Arc;

use super::table_file::TableFile;
use crate::key_heads::KeyHeads;

/// L0: newest first, ranges overlap. Below: ascending, without overlap in user keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    all: Arc<[Arc<TableFile>]>,
    /// Of their largest keys, where they are many. These themselves lie elsewhere, each behind two pointers.
    ends: Option<Arc<KeyHeads>>,
}

/// Fewer tables stay in the processor's cache, as do their keys.
const MANY: usize = 16;

impl Tables {
    pub(crate) fn new(all: Vec<Arc<TableFile>>) -> Tables {
        let ends = all.iter().map(|table| table.meta.largest.as_slice());
        let first = ends.clone().next().unwrap_or_default();
        let last = ends.clone().next_back().unwrap_or_default();
        let ends = (all.len() >= MANY).then(|| Arc::new(KeyHeads::new(first, last, ends)));
        Tables { all: all.into(), ends }
    }

    /// On a level below L0, where the first table is whose largest key is not before `user`.
    pub(crate) fn position(&self, user: &[u8]) -> usize {
        let alike = self.ends.as_ref().and_then(|ends| ends.alike(user)).unwrap_or(0..self.all.len());
        let start = alike.start;
        let tables = self.all.get(alike).unwrap_or_default();
        start + tables.partition_point(|table| table.meta.largest.as_slice() < user)
    }

    /// The same, without a detour where they are few.
    #[inline]
    pub(crate) fn position_among_few(&self, user: &[u8]) -> usize {
        self.all.partition_point(|table| table.meta.largest.as_slice() < user)
    }

    pub(crate) fn are_many(&self) -> bool {
        self.ends.is_some()
    }
}

impl Deref for Tables {
    type Target = [Arc<TableFile>];

    #[inline]
    fn deref(&self) -> &[Arc<TableFile>] {
        &self.all
    }
}
