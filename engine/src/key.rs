//! Keys as the engine orders them.
//!
//! An *internal key* is the user's key and a *trailer*: `sequence number << 3 | kind`. Internal keys sort by user key
//! ascending, then by trailer descending, so that the newest version of a key comes first (after LevelDB).

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// The position of a write in the order of all writes; the first one is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct SeqNo(pub(crate) u64);

impl SeqNo {
    /// The largest sequence number that fits a trailer.
    pub(crate) const MAX: SeqNo = SeqNo(u64::MAX >> KIND_BITS);

    pub(crate) fn plus(self, n: u64) -> SeqNo {
        SeqNo(self.0 + n)
    }
}

const KIND_BITS: u32 = 3;

/// What an entry says about its key. The numbers are part of every file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The key has no value from here on.
    Tombstone = 0,
    /// The key has the value stored with it.
    Value = 1,
    /// The key has the value that a [`ValuePointer`](crate::values::pointer::ValuePointer) points to.
    Pointer = 2,
    /// A value with the time from which on it is no longer there.
    ExpiringValue = 3,
    /// A pointer with the time from which on its value is no longer there.
    ExpiringPointer = 4,
}

impl Kind {
    pub(crate) fn from_u8(byte: u8) -> Option<Kind> {
        match byte {
            0 => Some(Kind::Tombstone),
            1 => Some(Kind::Value),
            2 => Some(Kind::Pointer),
            3 => Some(Kind::ExpiringValue),
            4 => Some(Kind::ExpiringPointer),
            _ => None,
        }
    }

    /// Whether the value lies elsewhere.
    pub(crate) fn is_pointer(self) -> bool {
        matches!(self, Kind::Pointer | Kind::ExpiringPointer)
    }

    /// Whether the key has a value only until a time.
    pub(crate) fn expires(self) -> bool {
        matches!(self, Kind::ExpiringValue | Kind::ExpiringPointer)
    }

    /// The kind that stands for an entry of this kind where its value lies elsewhere.
    pub(crate) fn as_pointer(self) -> Kind {
        match self {
            Kind::Value => Kind::Pointer,
            Kind::ExpiringValue => Kind::ExpiringPointer,
            other => other,
        }
    }
}

/// Sequence number and kind in one number: the larger, the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Trailer(pub(crate) u64);

impl Trailer {
    pub(crate) fn new(seq: SeqNo, kind: Kind) -> Trailer {
        debug_assert!(seq <= SeqNo::MAX, "sequence numbers leave room for the kind");
        Trailer(seq.0 << KIND_BITS | kind as u64)
    }

    /// Sorts before every entry with this sequence number or an older one: where a read at `seq` starts.
    pub(crate) fn seek(seq: SeqNo) -> Trailer {
        Trailer(seq.0 << KIND_BITS | ((1 << KIND_BITS) - 1))
    }

    /// Whether it sorts before every entry of its user key.
    #[inline]
    pub(crate) fn is_before_all(self) -> bool {
        self == Trailer::seek(SeqNo::MAX)
    }

    pub(crate) fn seq(self) -> SeqNo {
        SeqNo(self.0 >> KIND_BITS)
    }

    #[inline]
    pub(crate) fn is_of(self, kind: Kind) -> bool {
        self.0 & ((1 << KIND_BITS) - 1) == kind as u64
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        Kind::from_u8((self.0 & ((1 << KIND_BITS) - 1)) as u8)
    }
}

/// A borrowed internal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InternalKey<'a> {
    pub(crate) user: &'a [u8],
    pub(crate) trailer: Trailer,
}

impl<'a> InternalKey<'a> {
    pub(crate) fn new(user: &'a [u8], trailer: Trailer) -> InternalKey<'a> {
        InternalKey { user, trailer }
    }

    /// The key at which a read of `user` at `seq` starts.
    pub(crate) fn seek(user: &'a [u8], seq: SeqNo) -> InternalKey<'a> {
        InternalKey { user, trailer: Trailer::seek(seq) }
    }
}

impl Ord for InternalKey<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.user, other.user).then_with(|| other.trailer.cmp(&self.trailer))
    }
}

impl PartialOrd for InternalKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The keyspace of users who name none.
pub(crate) const DEFAULT_KEYSPACE: u32 = 0;

/// Checks the length of a key that a caller wants to write.
pub(crate) fn check_key(key: &[u8]) -> Result<()> {
    match key.len() {
        0 => Err(Error::EmptyKey),
        len if len > MAX_KEY_BYTES => Err(Error::KeyTooLong { len }),
        _ => Ok(()),
    }
}

/// Checks the length of a value that a caller wants to write.
pub(crate) fn check_value(value: &[u8]) -> Result<()> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(Error::ValueTooLarge { len: value.len() });
    }
    Ok(())
}

/// The order of two user keys: that of their bytes, without a call where they are short.
#[inline]
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    const SHORT: usize = 64;
    let (mut a, mut b) = (a, b);
    if a.len() > SHORT && b.len() > SHORT {
        return a.cmp(b);
    }
    while let (Some((x, a_rest)), Some((y, b_rest))) =
        (a.split_first_chunk::<8>(), b.split_first_chunk::<8>())
    {
        if x != y {
            return u64::from_be_bytes(*x).cmp(&u64::from_be_bytes(*y));
        }
        (a, b) = (a_rest, b_rest);
    }
    let unequal = a.iter().zip(b).find(|(x, y)| x != y);
    unequal.map_or_else(|| a.len().cmp(&b.len()), |(x, y)| x.cmp(y))
}

/// An internal key of one's own, in a buffer that the next one is put into.
#[derive(Debug, Default)]
pub(crate) struct KeyBuffer {
    user: Vec<u8>,
    trailer: Option<Trailer>,
}

impl KeyBuffer {
    pub(crate) fn get(&self) -> Option<InternalKey<'_>> {
        self.trailer.map(|trailer| InternalKey::new(&self.user, trailer))
    }

    pub(crate) fn set(&mut self, key: InternalKey<'_>) {
        self.user.clear();
        self.user.extend_from_slice(key.user);
        self.trailer = Some(key.trailer);
    }
}

/// Whether two user keys are the same. Neighbours that are not differ at their ends, mostly.
#[inline]
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    match (a.split_last_chunk::<8>(), b.split_last_chunk::<8>()) {
        (Some((a_rest, a_end)), Some((b_rest, b_end))) => {
            a.len() == b.len() && a_end == b_end && a_rest == b_rest
        }
        _ => a == b,
    }
}

/// How many bytes two keys have in common from the front.
#[inline]
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (mut a, mut b, mut common) = (a, b, 0);
    while let (Some((x, a_rest)), Some((y, b_rest))) =
        (a.split_first_chunk::<8>(), b.split_first_chunk::<8>())
    {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return common + difference.trailing_zeros() as usize / 8;
        }
        (a, b, common) = (a_rest, b_rest, common + 8);
    }
    common + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The 64-bit hash of a user key that filters and point indexes store: XXH3, part of the table format.
pub(crate) fn hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_sort_first_and_a_seek_lands_before_its_own_sequence_number() {
        let old = InternalKey::new(b"k", Trailer::new(SeqNo(1), Kind::Value));
        let new = InternalKey::new(b"k", Trailer::new(SeqNo(2), Kind::Tombstone));
        assert!(new < old);
        let seek = InternalKey::seek(b"k", SeqNo(1));
        assert!(new < seek && seek < old);
        assert!(InternalKey::seek(b"j", SeqNo::MAX) < new && new < InternalKey::seek(b"k\0", SeqNo::MAX));
    }

    #[test]
    fn what_keys_have_in_common_is_counted_in_words_as_in_bytes() {
        let key: Vec<u8> = (0..40).collect();
        for (len, other) in (0..40).flat_map(|len| (0..40).map(move |other| (len, other))) {
            let mut changed = key.clone();
            changed[other] = 99;
            let (a, b) = (&key[..len], &changed[..]);
            assert_eq!((common_prefix(a, b), common_prefix(b, a)), (len.min(other), len.min(other)));
        }
    }

    #[test]
    fn keys_compare_in_words_as_in_bytes() {
        let keys: Vec<Vec<u8>> = (0..400_u64)
            .map(|dice| {
                let mut key = b"user/0000000000/".repeat(5);
                key.truncate((dice * 7 % 77) as usize);
                key.extend(&crate::checksum::mix(dice).to_le_bytes()[..(dice % 9) as usize]);
                key
            })
            .collect();
        for (a, b) in keys.iter().flat_map(|a| keys.iter().map(move |b| (a, b))) {
            assert_eq!(compare(a, b), a.cmp(b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_trailer_keeps_sequence_number_and_kind() {
        for kind in (0..5).filter_map(Kind::from_u8) {
            let trailer = Trailer::new(SeqNo::MAX, kind);
            assert_eq!((trailer.seq(), trailer.kind()), (SeqNo::MAX, Some(kind)));
        }
        assert_eq!(Trailer(5).kind(), None);
    }

    #[test]
    fn lengths_outside_the_limits_are_typed_errors() {
        assert!(matches!(check_key(b""), Err(Error::EmptyKey)));
        assert!(check_key(&vec![0; MAX_KEY_BYTES]).is_ok());
        let len = MAX_KEY_BYTES + 1;
        assert!(matches!(check_key(&vec![0; len]), Err(Error::KeyTooLong { len: found }) if found == len));
    }
}
