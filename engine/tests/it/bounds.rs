//! Sizes at, just over and far over their limits, and memory that stays within its budget.

use bettong::{Db, Durability, Error, MAX_KEY_BYTES, MAX_VALUE_BYTES, Options, WriteBatch};

use crate::support::small_options;

/// F87, F88: what is too long is refused with its length, and nothing of it is written.
#[test]
fn f87_f88_keys_and_values_outside_their_limits_are_typed_errors() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    assert!(matches!(db.set(b"", b"v"), Err(Error::EmptyKey)));
    assert!(matches!(db.delete(b""), Err(Error::EmptyKey)));
    let key = vec![b'k'; MAX_KEY_BYTES];
    db.set(&key, b"v").unwrap();
    let long = vec![b'k'; MAX_KEY_BYTES + 1];
    assert!(matches!(db.set(&long, b"v"), Err(Error::KeyTooLong { len }) if len == MAX_KEY_BYTES + 1));
    // Zeroed memory that is never touched: a gigabyte of it costs nothing.
    let value = vec![0; MAX_VALUE_BYTES + 1];
    assert!(matches!(db.set(b"k", &value), Err(Error::ValueTooLarge { len }) if len == value.len()));
    let mut batch = WriteBatch::new();
    batch.set(b"good", b"v");
    batch.set(&long, b"v");
    assert!(matches!(db.write(batch), Err(Error::KeyTooLong { .. })));
    assert!(!db.contains(b"good").unwrap(), "nothing half written");
    assert_eq!(db.get(&key).unwrap().unwrap(), b"v");
    db.flush().unwrap();
    assert_eq!(db.get(&key).unwrap().unwrap(), b"v");
    assert_eq!(db.scan(..).count(), 1);
}

/// F89: a batch larger than a memtable, and one of very many entries, are atomic like any other.
#[test]
fn f89_a_batch_larger_than_the_memtable_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), small_options()).unwrap();
    let mut batch = WriteBatch::new();
    for n in 0..100_000u32 {
        batch.set(n.to_be_bytes(), n.to_le_bytes());
    }
    db.write(batch).unwrap();
    db.set(b"large", vec![7; 1 << 20]).unwrap();
    assert_eq!(db.scan(..).count(), 100_001);
    db.close().unwrap();
    let db = Db::open(dir.path(), small_options()).unwrap();
    assert_eq!(db.scan(..).count(), 100_001);
    assert_eq!(db.get(b"large").unwrap().unwrap(), vec![7; 1 << 20]);
}

/// F90: keys with zeros and 0xff, that are prefixes of each other, that are no UTF-8: order and ranges are those of bytes.
#[test]
fn f90_strange_keys_keep_the_order_of_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), small_options()).unwrap();
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for a in [0u8, 1, 0x7f, 0x80, 0xfe, 0xff] {
        for b in [0u8, 1, 0xff] {
            keys.extend([vec![a], vec![a, b], vec![a, b, 0], vec![a; 9], vec![b; 300]]);
        }
    }
    for key in &keys {
        db.set(key, key).unwrap();
    }
    keys.sort();
    keys.dedup();
    for flushed in [false, true] {
        if flushed {
            db.compact(..).unwrap();
        }
        let found: Vec<_> = db.scan(..).map(|item| item.unwrap().key().to_vec()).collect();
        assert_eq!(found, keys);
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(db.get(key).unwrap().unwrap(), key);
            let behind =
                db.scan((std::ops::Bound::Excluded(key.as_slice()), std::ops::Bound::Unbounded)).count();
            assert_eq!(behind, keys.len() - at - 1);
        }
    }
}

#[test]
fn writes_much_larger_than_the_memory_budget_stay_readable_and_settle() {
    let dir = tempfile::tempdir().unwrap();
    let options = small_options().memtable_bytes(64 << 10).durability(Durability::None);
    let db = Db::open(dir.path(), options).unwrap();
    let value = |n: u32| vec![n as u8; 100];
    for round in 0..3 {
        for n in 0..20_000u32 {
            db.set(n.wrapping_mul(2_654_435_761).to_be_bytes(), value(n + round)).unwrap();
        }
    }
    for n in (0..20_000u32).step_by(37) {
        assert_eq!(db.get(n.wrapping_mul(2_654_435_761).to_be_bytes()).unwrap().unwrap(), value(n + 2));
    }
    db.compact(..).unwrap();
    let stats = db.stats();
    assert_eq!(stats.levels.iter().map(|level| level.entries).sum::<u64>(), 20_000, "each key is left once");
    assert!(stats.memtable_bytes <= 3 * (64 << 10) + 4096, "{}", stats.memtable_bytes);
    assert!(db.verify().unwrap().is_sound());
}
