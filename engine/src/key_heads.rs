//! Keys by what they begin with: a search among many of them looks at eight bytes of each, which lie together.

use std::ops::Range;

use crate::key::common_prefix;

/// The beginnings of keys in ascending order.
#[derive(Debug, Default)]
pub(crate) struct KeyHeads {
    /// What all keys begin with.
    prefix: Box<[u8]>,
    /// The bytes of each behind the prefix, as a number.
    heads: Box<[u64]>,
}

impl KeyHeads {
    /// Of `keys`, none of which lies before `first` or behind `last`.
    pub(crate) fn new<'k>(first: &[u8], last: &[u8], keys: impl IntoIterator<Item = &'k [u8]>) -> KeyHeads {
        let prefix = first.get(..common_prefix(first, last)).unwrap_or_default();
        // Keys out of order are noticed elsewhere; here they must only not lead out of bounds.
        let head = |key: &[u8]| head_of(key.get(prefix.len()..).unwrap_or_default());
        KeyHeads { prefix: prefix.into(), heads: keys.into_iter().map(head).collect() }
    }

    /// Which of the keys have the head of `user`: these can be before it or behind it, others lie on their side. `None` says nothing of
    /// any key.
    #[inline]
    pub(crate) fn alike(&self, user: &[u8]) -> Option<Range<usize>> {
        let head = head_of(user.strip_prefix(&*self.prefix)?);
        let first = self.heads.partition_point(|known| *known < head);
        let behind = self.heads.get(first..).unwrap_or_default();
        Some(first..first + behind.partition_point(|known| *known == head))
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.prefix.len() + size_of_val(&*self.heads)
    }
}

/// The first eight bytes of a key as a number in the order of keys; what is missing is zero.
#[inline]
fn head_of(key: &[u8]) -> u64 {
    if let Some(head) = key.first_chunk::<8>() {
        return u64::from_be_bytes(*head);
    }
    let mut head = [0; 8];
    head.iter_mut().zip(key).for_each(|(byte, known)| *byte = *known);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key, and what is beside it, lies behind those before the keys that are alike, and not behind those after them.
    fn check(keys: &[Vec<u8>]) {
        let (first, last) = (keys.first().map_or(&[][..], |key| key), keys.last().map_or(&[][..], |key| key));
        let heads = KeyHeads::new(first, last, keys.iter().map(Vec::as_slice));
        let beside = |key: &Vec<u8>| {
            let shorter = (0..=key.len()).map(|len| key[..len].to_vec());
            let other =
                (0..key.len()).map(|at| key.iter().enumerate().map(|(i, b)| b ^ u8::from(i == at)).collect());
            shorter.chain(other).chain([[key.as_slice(), b"\0"].concat()]).collect::<Vec<Vec<u8>>>()
        };
        for user in keys.iter().flat_map(beside) {
            let Some(alike) = heads.alike(&user) else { continue };
            let place = keys.partition_point(|key| *key < user);
            assert!(
                alike.start <= place && place <= alike.end,
                "{user:?} belongs to {place}, not in {alike:?}"
            );
        }
        assert_eq!(keys.iter().filter(|key| heads.alike(key).is_none()).count(), 0, "a key begins as all do");
    }

    #[test]
    fn what_is_not_alike_lies_on_its_side() {
        for count in [0, 1, 2, 17, 300] {
            let mut keys: Vec<_> = (0..count).map(|at| format!("user{:012}", at * 7).into_bytes()).collect();
            check(&keys);
            keys.extend((0..count).map(|at| format!("user{at}").into_bytes()));
            keys.extend((0..count).map(|at| format!("user/a/common/beginning/{at:04}").into_bytes()));
            keys.sort();
            keys.dedup();
            check(&keys);
        }
    }
}
