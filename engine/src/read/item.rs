//! What a scan comes to: a key and its value.

use crate::error::Result;
use crate::read::fetch::{ApartValue, ItemValue};
use crate::value::Value;

/// One key and its value.
#[derive(Clone, Debug)]
pub struct Item {
    pub(crate) key: Value,
    pub(crate) value: ItemValue,
}

impl Item {
    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The value, borrowed from where it lies if it is not very small: an item keeps a block of its table alive. A separated one is read
    /// when it is asked for, and ahead of that once a scan has seen that it is: a walk over keys alone reads none.
    ///
    /// # Errors
    /// [`Error::Corruption`](crate::Error::Corruption) or [`Error::Io`](crate::Error::Io) if it cannot be read. The scan can go on.
    pub fn value(&self) -> Result<&[u8]> {
        self.borrowed().value()
    }

    /// The value as a handle that outlives the item.
    ///
    /// # Errors
    /// As [`Item::value`].
    pub fn into_value(self) -> Result<Value> {
        match self.value {
            ItemValue::Here(value) => Ok(value.detached_if_small()),
            ItemValue::Apart(value) => value.get(&self.key).cloned(),
        }
    }

    /// The item as [`Scan::next_ref`](crate::Scan::next_ref) returns it.
    pub fn borrowed(&self) -> ItemRef<'_> {
        let value = match &self.value {
            ItemValue::Here(value) => ValueRef::Here(value),
            ItemValue::Apart(value) => ValueRef::Apart(value),
        };
        ItemRef { key: &self.key, value }
    }

    pub(crate) fn is_apart(&self) -> bool {
        matches!(self.value, ItemValue::Apart(_))
    }

    pub(crate) fn apart_bytes(&self) -> u64 {
        if let ItemValue::Apart(value) = &self.value { value.bytes() } else { 0 }
    }
}

/// One key and its value, where they lie, until the scan goes on.
#[derive(Clone, Copy, Debug)]
pub struct ItemRef<'a> {
    key: &'a [u8],
    value: ValueRef<'a>,
}

#[derive(Clone, Copy, Debug)]
enum ValueRef<'a> {
    Here(&'a [u8]),
    Apart(&'a ApartValue),
}

impl<'a> ItemRef<'a> {
    #[inline]
    pub(crate) fn here(key: &'a [u8], value: &'a [u8]) -> ItemRef<'a> {
        ItemRef { key, value: ValueRef::Here(value) }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The value. A separated one is read when it is asked for, as that of an [`Item`] is.
    ///
    /// # Errors
    /// As [`Item::value`].
    #[inline]
    pub fn value(&self) -> Result<&'a [u8]> {
        match self.value {
            ValueRef::Here(value) => Ok(value),
            ValueRef::Apart(value) => Ok(value.get(self.key)?),
        }
    }

    /// The bytes that count as read when the item is handed out; those of a separated value count when it is asked for.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let here = if let ValueRef::Here(value) = self.value { value.len() } else { 0 };
        self.key.len() + here
    }
}
