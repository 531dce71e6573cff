//! Part of a mapping, with the mapping.

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::file::Mapping;
use super::shared_mapping::SharedMapping;
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
        self.cut(0..len)
    }

    /// The bytes in `range`; none if there are not as many.
    pub(crate) fn cut(self, range: Range<usize>) -> Part {
        let bytes = std::ptr::from_ref(self.get(range).unwrap_or_default());
        Part { bytes, ..self }
    }

    /// Some of the bytes as a handle that outlives the part.
    pub(crate) fn lend(&self, range: Range<usize>) -> Value {
        let bytes = self.get(range).unwrap_or_default();
        // SAFETY: the bytes lie in the mapping, which nobody changes and which the handle keeps.
        unsafe { Value::lent(bytes, || self.owner.clone()) }
    }

    /// Some of these bytes as a handle that keeps this part: with a count that no other walk over the file shares, which is cheaper than a
    /// copy. `None` if they lie elsewhere.
    #[inline]
    pub(crate) fn lend_shared(self: &Arc<Self>, bytes: &[u8]) -> Option<Value> {
        let start = bytes.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        let bytes = self.get(start..)?.get(..bytes.len())?;
        // SAFETY: as above.
        Some(unsafe { Value::borrowed(bytes, || self.clone()) })
    }
}

/// Bytes that were found in a file, not copied yet: a get moves them from hand to hand and makes a [`Value`] of them at its end.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(Place<'a>);

#[derive(Debug)]
enum Place<'a> {
    /// They lie in this mapping.
    Mapped(&'a [u8], &'a SharedMapping),
    Part(Part),
}

impl<'a> Bytes<'a> {
    /// The bytes of `map` from `start` on, as far as `range` of them says; none if it does not have them.
    #[inline]
    pub(crate) fn mapped(map: &'a SharedMapping, start: usize, range: Range<usize>) -> Self {
        let bytes = map.get(start..).and_then(|rest| rest.get(range)).unwrap_or_default();
        Bytes(Place::Mapped(bytes, map))
    }

    /// The bytes of a part.
    pub(crate) fn part(part: Part) -> Self {
        Bytes(Place::Part(part))
    }

    /// The bytes as a handle that outlives what was searched.
    #[inline]
    pub(crate) fn lend(&self) -> Value {
        match &self.0 {
            // SAFETY: the bytes lie in the mapping, which nobody changes and which the handle keeps.
            Place::Mapped(bytes, map) => unsafe { Value::lent(bytes, || map.owner()) },
            Place::Part(part) => part.lend(0..part.len()),
        }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Mapped(bytes, _) => bytes,
            Place::Part(part) => part,
        }
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
