//! What the benches share: databases of a known shape, and keys in a known order.

pub mod hdr;
pub mod paths;
pub mod slices;

use bettong::{Db, Durability, Options, Result};

use tempfile::TempDir;

/// A database in a temporary directory, removed with it.
#[derive(Debug)]
pub struct Bench {
    /// The database.
    pub db: Db,
    /// Keys in it.
    pub keys: u64,
    _dir: TempDir,
}

/// Where the data of a bench lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the memtable.
    Memtable,
    /// In the tables of one level.
    Tables,
}

impl Bench {
    /// `keys` keys of 16 bytes with values of `value_bytes`, written in random order.
    ///
    /// # Errors
    /// Of the engine.
    pub fn new(keys: u64, value_bytes: usize, place: Place) -> Result<Bench> {
        let dir = tempfile::tempdir().map_err(|source| bettong::Error::Io {
            action: "create",
            path: std::env::temp_dir(),
            source,
        })?;
        // A memtable that holds everything, so that the place is the one that was asked for.
        let options = Options::default().memtable_bytes(1 << 30).durability(Durability::Os);
        let db = Db::open(dir.path(), options)?;
        let value = vec![7; value_bytes];
        // A prime step that does not divide the number of keys visits each of them once.
        for n in 0..keys {
            db.set(key(n.wrapping_mul(7_919) % keys.max(1)), &value)?;
        }
        if place == Place::Tables {
            db.compact(..)?;
        }
        Ok(Bench { db, keys, _dir: dir })
    }
}

/// Key number `n`: 16 bytes, in the order of the numbers.
pub fn key(n: u64) -> [u8; 16] {
    let mut key = *b"key:00000000\0\0\0\0";
    let number = n.to_be_bytes();
    for (place, byte) in key.iter_mut().skip(8).zip(number) {
        *place = byte;
    }
    key
}

/// A key that is not there, right behind key number `n`: it lies between the keys of the tables, which must look for it.
pub fn missing_key(n: u64) -> [u8; 17] {
    let mut missing = [0; 17];
    for (place, byte) in missing.iter_mut().zip(key(n)) {
        *place = byte;
    }
    missing
}

/// Jumps about in `0 .. n`: consecutive arguments give places far apart, each about equally often.
pub fn shuffled(at: u64, n: u64) -> u64 {
    at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % n.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_between_two_that_are_there() {
        assert!(key(255)[..] < missing_key(255)[..] && missing_key(255)[..] < key(256)[..]);
        let bench = Bench::new(300, 10, Place::Tables).unwrap();
        assert!((0..300).all(|n| bench.db.get(key(n)).unwrap().is_some()));
        assert!((0..300).all(|n| bench.db.get(missing_key(n)).unwrap().is_none()));
    }
}
