//! What a table knows of itself: a list of numbered fields, so that later versions can add some.

use crate::coding::{Decoder, put_slice, put_varint};
use crate::key::SeqNo;

/// Facts about a whole table.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Properties {
    /// Entries, tombstones included.
    pub(crate) entries: u64,
    pub(crate) tombstones: u64,
    /// Bytes of user keys, uncompressed.
    pub(crate) key_bytes: u64,
    /// Bytes of values, uncompressed.
    pub(crate) value_bytes: u64,
    pub(crate) data_blocks: u64,
    pub(crate) keyspace: u32,
    /// The first and the last user key.
    pub(crate) smallest: Vec<u8>,
    pub(crate) largest: Vec<u8>,
    pub(crate) oldest_seq: SeqNo,
    pub(crate) newest_seq: SeqNo,
}

impl Properties {
    /// Field number and value, each value behind its length.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let numbers = [
            self.entries,
            self.tombstones,
            self.key_bytes,
            self.value_bytes,
            self.data_blocks,
            u64::from(self.keyspace),
            self.oldest_seq.0,
            self.newest_seq.0,
        ];
        for (field, number) in (1..).zip(numbers) {
            let mut value = Vec::new();
            put_varint(&mut value, number);
            put_varint(&mut out, field);
            put_slice(&mut out, &value);
        }
        for (field, key) in [(9, &self.smallest), (10, &self.largest)] {
            put_varint(&mut out, field);
            put_slice(&mut out, key);
        }
        out
    }

    /// Reads the fields it knows and passes over the others.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Properties> {
        let mut properties = Properties::default();
        let mut rest = Decoder::new(bytes);
        while !rest.is_empty() {
            let field = rest.varint()?;
            let value = rest.slice()?;
            let number = || Decoder::new(value).varint();
            match field {
                1 => properties.entries = number()?,
                2 => properties.tombstones = number()?,
                3 => properties.key_bytes = number()?,
                4 => properties.value_bytes = number()?,
                5 => properties.data_blocks = number()?,
                6 => properties.keyspace = u32::try_from(number()?).ok()?,
                7 => properties.oldest_seq = SeqNo(number()?),
                8 => properties.newest_seq = SeqNo(number()?),
                9 => properties.smallest = value.to_vec(),
                10 => properties.largest = value.to_vec(),
                _ => {}
            }
        }
        Some(properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_read_back_and_unknown_fields_are_passed_over() {
        let properties = Properties {
            entries: 7,
            tombstones: 2,
            key_bytes: 70,
            value_bytes: 700,
            data_blocks: 3,
            keyspace: 1,
            smallest: b"a".to_vec(),
            largest: b"z".to_vec(),
            oldest_seq: SeqNo(5),
            newest_seq: SeqNo(12),
        };
        let mut bytes = properties.encode();
        put_varint(&mut bytes, 99);
        put_slice(&mut bytes, b"from the future");
        assert_eq!(Properties::decode(&bytes), Some(properties));
        bytes.pop();
        assert_eq!(Properties::decode(&bytes), None);
    }
}
