//! The keys of a history: numbers in operations, bytes in the database.

/// Keys of many shapes (shared prefixes, zero bytes, runs of `0xff`, binary numbers), sorted: a key's number is its rank.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// About `count` different keys, at least one.
    pub(crate) fn new(count: u16) -> Keys {
        let mut keys: Vec<Vec<u8>> = (0..usize::from(count.max(1))).map(shape).collect();
        keys.sort_unstable();
        keys.dedup();
        Keys(keys)
    }

    /// The rank of the key that an operation names: every number names one.
    pub(crate) fn rank(&self, number: u16) -> u16 {
        number % self.0.len() as u16
    }

    /// The bytes of a key.
    pub(crate) fn bytes(&self, rank: u16) -> &[u8] {
        self.0.get(usize::from(rank)).map_or(&[], Vec::as_slice)
    }

    /// The rank of a key that a database returned.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<u16> {
        self.0.binary_search_by(|key| key.as_slice().cmp(bytes)).ok().map(|at| at as u16)
    }
}

fn shape(n: usize) -> Vec<u8> {
    match n % 5 {
        0 => format!("shared/prefix/{n:06}").into_bytes(),
        1 => (n as u64).to_be_bytes().to_vec(),
        2 if n < 50 => vec![0xff; 1 + n % 9],
        3 => [&[0][..], n.to_string().as_bytes(), &[0, 0xff]].concat(),
        _ => n.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_names_a_key_and_ranks_follow_the_order_of_the_bytes() {
        let keys = Keys::new(300);
        assert!(keys.0.len() > 280 && keys.0.is_sorted());
        for number in [0, 1, 299, u16::MAX] {
            let rank = keys.rank(number);
            assert_eq!(keys.find(keys.bytes(rank)), Some(rank));
        }
        assert_eq!(keys.find(b"none of them"), None);
    }
}
