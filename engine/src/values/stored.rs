//! What stands beside a key in memtables and tables.

use super::pointer::ValuePointer;
use crate::key::Kind;

/// The bytes of an expiry time before a value or pointer: nanoseconds since 1970, little-endian.
pub(crate) const EXPIRY_BYTES: usize = 8;

/// An entry's stored bytes, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored<'a> {
    /// The time from which on the entry says that there is no value; `u64::MAX` for never.
    pub(crate) expires_at: u64,
    pub(crate) place: Place<'a>,
}

/// Where the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// There is none.
    Nowhere,
    /// Here.
    Here(&'a [u8]),
    /// In a log or value file.
    Apart(ValuePointer),
}

impl<'a> Stored<'a> {
    /// Takes the bytes of an entry of `kind` apart; `None` if they are none of its kind.
    #[inline]
    pub(crate) fn parse(kind: Kind, bytes: &'a [u8]) -> Option<Stored<'a>> {
        let forever = |place| Some(Stored { expires_at: u64::MAX, place });
        match kind {
            Kind::Value => forever(Place::Here(bytes)),
            Kind::Tombstone => forever(Place::Nowhere),
            Kind::Pointer => forever(Place::Apart(ValuePointer::decode(bytes)?)),
            Kind::ExpiringValue | Kind::ExpiringPointer => {
                let (time, rest) = bytes.split_first_chunk::<EXPIRY_BYTES>()?;
                let place = if kind == Kind::ExpiringValue {
                    Place::Here(rest)
                } else {
                    Place::Apart(ValuePointer::decode(rest)?)
                };
                Some(Stored { expires_at: u64::from_le_bytes(*time), place })
            }
        }
    }

    /// Whether it has expired by `time`. What does so at the end of time never does.
    pub(crate) fn is_past(&self, time: u64) -> bool {
        self.expires_at != u64::MAX && self.expires_at <= time
    }

    /// The pointer among the bytes of an entry, if it is one of a kind that has one.
    pub(crate) fn pointer(kind: Option<Kind>, bytes: &[u8]) -> Option<ValuePointer> {
        match Stored::parse(kind.filter(|kind| kind.is_pointer())?, bytes)?.place {
            Place::Apart(pointer) => Some(pointer),
            _ => None,
        }
    }
}

/// The bytes that stand for a separated value: the head of `bytes` (its time, if it has one) and another pointer.
pub(crate) fn with_pointer(kind: Kind, bytes: &[u8], pointer: ValuePointer) -> Vec<u8> {
    let head = if kind == Kind::ExpiringPointer { EXPIRY_BYTES } else { 0 };
    let mut stored = bytes.get(..head).unwrap_or_default().to_vec();
    pointer.encode(&mut stored);
    stored
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::names::FileNumber;

    #[test]
    fn entries_of_every_kind_read_back() {
        let pointer = ValuePointer { file: FileNumber(3), offset: 4, len: 5 };
        let forever = |place| Some(Stored { expires_at: u64::MAX, place });
        let at_7 = |place| Some(Stored { expires_at: 7, place });
        let encoded = with_pointer(Kind::Pointer, &[], pointer);
        assert_eq!(Stored::parse(Kind::Tombstone, b""), forever(Place::Nowhere));
        assert_eq!(Stored::parse(Kind::Value, b"v"), forever(Place::Here(b"v")));
        assert_eq!(Stored::parse(Kind::Pointer, &encoded), forever(Place::Apart(pointer)));
        let expiring = [7u64.to_le_bytes().as_slice(), &encoded].concat();
        assert_eq!(Stored::parse(Kind::ExpiringPointer, &expiring), at_7(Place::Apart(pointer)));
        assert_eq!(with_pointer(Kind::ExpiringPointer, &expiring, pointer), expiring);
        let value = [7u64.to_le_bytes().as_slice(), b"v"].concat();
        assert_eq!(Stored::parse(Kind::ExpiringValue, &value), at_7(Place::Here(b"v")));
    }

    #[test]
    fn bytes_that_are_too_short_for_their_kind_are_refused() {
        for kind in [Kind::ExpiringValue, Kind::ExpiringPointer] {
            assert_eq!(Stored::parse(kind, &[0; 7]), None);
        }
        assert_eq!(Stored::parse(Kind::Pointer, b""), None);
        assert_eq!(Stored::parse(Kind::ExpiringPointer, &[0; 8]), None);
    }
}
