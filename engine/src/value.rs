//! A value handed to the caller: small ones inside the handle, large ones borrowed from where they lie.

use std::ops::Deref;
use std::sync::Arc;

/// Values up to this many bytes live inside the handle: no allocation, no reference count.
const INLINE_BYTES: usize = 30;
/// From this size on a value is borrowed from its owner instead of copied: below, a copy costs less than a shared count.
const SHARED_BYTES: usize = 512;

/// Something that holds bytes still for as long as it lives: a mapped file, a cached block, a memtable.
pub(crate) trait Owner: Send + Sync {}

/// The bytes of one value (or of one key of a scan).
///
/// Dereferences to `[u8]`. Values of 512 bytes and more are not copied: the handle keeps the file mapping, cached block or
/// memtable they lie in alive, so hold it briefly, or detach the bytes with [`Value::into_bytes`] or `to_vec()`.
#[derive(Clone)]
pub struct Value(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Heap(Box<[u8]>),
    Shared { ptr: *const u8, len: usize, owner: Arc<dyn Owner> },
}

// SAFETY: the pointer of a shared value leads to bytes that nobody writes and that its owner, itself Send and Sync, keeps.
unsafe impl Send for Value {}
// SAFETY: as above; a Value gives out shared references only.
unsafe impl Sync for Value {}

impl Value {
    /// A value with its own copy of `bytes`.
    #[inline]
    pub(crate) fn copied(bytes: &[u8]) -> Value {
        let mut inline = [0; INLINE_BYTES];
        if let Some(head) = inline.get_mut(..bytes.len()) {
            head.copy_from_slice(bytes);
            return Value(Repr::Inline { len: bytes.len() as u8, bytes: inline });
        }
        Value(Repr::Heap(bytes.into()))
    }

    /// Borrows `bytes` from what `owner` returns, or copies them when that is cheaper.
    ///
    /// # Safety
    /// `bytes` lies in memory that the owner keeps unchanged for as long as it lives.
    #[inline]
    pub(crate) unsafe fn lent(bytes: &[u8], owner: impl FnOnce() -> Arc<dyn Owner>) -> Value {
        if bytes.len() < SHARED_BYTES {
            return Value::copied(bytes);
        }
        Value(Repr::Shared { ptr: bytes.as_ptr(), len: bytes.len(), owner: owner() })
    }

    /// Borrows `bytes` from what `owner` returns, or copies them into the handle.
    ///
    /// # Safety
    /// As [`Value::lent`].
    #[inline]
    pub(crate) unsafe fn borrowed(bytes: &[u8], owner: impl FnOnce() -> Arc<dyn Owner>) -> Value {
        if bytes.len() <= INLINE_BYTES {
            return Value::copied(bytes);
        }
        Value(Repr::Shared { ptr: bytes.as_ptr(), len: bytes.len(), owner: owner() })
    }

    /// The value as one may keep it: a small one as a copy that holds nothing else.
    pub(crate) fn detached_if_small(self) -> Value {
        match &self.0 {
            Repr::Shared { len, .. } if *len < SHARED_BYTES => Value::copied(&self),
            _ => self,
        }
    }

    /// The same value without its first `len` bytes.
    pub(crate) fn without_head(self, len: usize) -> Value {
        let rest = self.get(len..).unwrap_or_default();
        match &self.0 {
            Repr::Shared { owner, .. } => {
                Value(Repr::Shared { ptr: rest.as_ptr(), len: rest.len(), owner: owner.clone() })
            }
            _ => Value::copied(rest),
        }
    }

    /// The bytes as an own allocation, which pins nothing.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.0 {
            Repr::Heap(bytes) => bytes.into_vec(),
            _ => self.to_vec(),
        }
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Heap(bytes) => bytes,
            // SAFETY: by the contract of `lent` the owner, which this value holds, keeps these bytes.
            Repr::Shared { ptr, len, .. } => unsafe { std::slice::from_raw_parts(*ptr, *len) },
        }
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Value> for Vec<u8> {
    fn from(value: Value) -> Vec<u8> {
        value.into_bytes()
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Value {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl Eq for Value {}

impl std::fmt::Debug for Value {
    /// Prints length and first bytes only: values can be a gigabyte.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.get(..32).unwrap_or(self);
        write!(f, "Value({} bytes, {}", self.len(), shown.escape_ascii())?;
        f.write_str(if shown.len() < self.len() { "…)" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Holder(Vec<u8>);
    impl Owner for Holder {}

    #[test]
    fn values_of_every_size_read_the_same_and_outlive_the_handle_of_their_owner() {
        for len in [0, 1, INLINE_BYTES, INLINE_BYTES + 1, SHARED_BYTES - 1, SHARED_BYTES, 100_000] {
            let holder = Arc::new(Holder((0..len).map(|at| at as u8).collect()));
            let expected = holder.0.clone();
            // SAFETY: the bytes are the holder's own and never change.
            let value = unsafe { Value::lent(&holder.0, || holder.clone()) };
            drop(holder);
            assert_eq!(value, expected);
            assert_eq!(value.clone().into_bytes(), expected);
            assert_eq!(value.without_head(8), expected.get(8..).unwrap_or_default());
        }
    }

    #[test]
    fn a_value_is_small() {
        assert!(size_of::<Value>() <= 40, "{}", size_of::<Value>());
    }
}
