//! Part of a mapping, with the mapping.

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::file::Mapping;
use crate::value::{Owner, Value};

/// A section or a block of a file: borrowed from the file's mapping, or all of an own copy.
#[derive(Clone)]
pub(crate) struct Part {
    owner: Arc<Mapping>,
    // Looked up once: a scan comes by here at every step.
    bytes: *const [u8],
}

// SAFETY: the bytes are those of the mapping, which is Send and Sync, and which nobody writes to.
unsafe impl Send for Part {}
// SAFETY: as above.
unsafe impl Sync for Part {}

impl Part {
    /// The bytes of `owner` in `range`; none if it does not have all of them.
    pub(crate) fn new(owner: Arc<Mapping>, range: Range<usize>) -> Part {
        let bytes = std::ptr::from_ref(owner.get(range).unwrap_or_default());
        Part { owner, bytes }
    }

    /// All bytes of `owner`.
    pub(crate) fn all(owner: Arc<Mapping>) -> Part {
        let bytes = std::ptr::from_ref(&**owner);
        Part { owner, bytes }
    }

    /// The first `len` bytes; none if there are not as many.
    pub(crate) fn head(self, len: usize) -> Part {
        let bytes = std::ptr::from_ref(self.get(..len).unwrap_or_default());
        Part { bytes, ..self }
    }

    /// Some of the bytes as a handle that outlives the part.
    pub(crate) fn lend(&self, range: Range<usize>) -> Value {
        let bytes = self.get(range).unwrap_or_default();
        // SAFETY: the bytes lie in the mapping, which nobody changes and which the handle keeps.
        unsafe { Value::lent(bytes, || self.owner.clone()) }
    }

    /// Some of the bytes as a handle that keeps this part: with a count that no other walk over the file shares, which is cheaper than a copy.
    #[inline]
    pub(crate) fn lend_shared(self: &Arc<Self>, range: Range<usize>) -> Value {
        let bytes = self.get(range).unwrap_or_default();
        // SAFETY: as above.
        unsafe { Value::borrowed(bytes, || self.clone()) }
    }
}

impl Owner for Part {}

impl Deref for Part {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: they lie in the mapping, which is held, and whose bytes stay where they are wherever its handle goes.
        unsafe { &*self.bytes }
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({} bytes)", self.len())
    }
}
