//! Part of a mapping, with the mapping.

use std::ops::{Deref, Range};
use std::ptr::NonNull;
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

    /// Some of these bytes as a handle that keeps this part: with a count that no other walk over the file shares, which is cheaper than a
    /// copy. `None` if they lie elsewhere.
    #[inline]
    pub(crate) fn lend_shared(self: &Arc<Self>, bytes: &[u8]) -> Option<Value> {
        let start = bytes.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        let bytes = self.get(start..)?.get(..bytes.len())?;
        // SAFETY: the bytes lie in the mapping, which nobody changes and which the handle keeps with the part.
        Some(unsafe { Value::borrowed(bytes, || self.clone()) })
    }
}

/// Bytes that were found in a file, not copied yet: a get moves them from hand to hand and makes a [`Value`] of them at its end. Where
/// they are stands apart from whose they are: what is in the variants of an enum goes through memory from hand to hand.
#[derive(Debug)]
pub(crate) struct Bytes<'a> {
    bytes: NonNull<[u8]>,
    home: Home<'a>,
}

/// Where bytes lie.
#[derive(Debug)]
enum Home<'a> {
    /// In what outlives the search.
    Shared(&'a SharedMapping),
    Own(Arc<Mapping>),
}

impl<'a> Bytes<'a> {
    /// The bytes of `map` from `start` on, as far as `range` of them says; none if it does not have them.
    #[inline]
    pub(crate) fn mapped(map: &'a SharedMapping, start: usize, range: Range<usize>) -> Self {
        let bytes = map.get(start..).and_then(|rest| rest.get(range)).unwrap_or_default();
        Bytes { bytes: NonNull::from(bytes), home: Home::Shared(map) }
    }

    /// The bytes of a part.
    #[inline]
    pub(crate) fn part(part: Part) -> Self {
        Bytes { bytes: NonNull::from(&*part), home: Home::Own(part.owner) }
    }

    /// The bytes as a handle that outlives what was searched.
    #[inline]
    pub(crate) fn lend(&self) -> Value {
        let owner = || match &self.home {
            Home::Shared(map) => map.owner(),
            Home::Own(owner) => owner.clone(),
        };
        // SAFETY: the bytes lie in the mapping, which nobody changes and which the handle keeps.
        unsafe { Value::lent(self, owner) }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: they lie in a mapping that is borrowed or held for as long as `self`, and that nobody writes to.
        unsafe { self.bytes.as_ref() }
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
