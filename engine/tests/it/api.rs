//! What a caller sees.

use bettong::{Db, Durability, Error, ErrorKind, Options, WriteBatch, WriteOptions};

fn open() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    (dir, db)
}

#[test]
fn a_value_is_read_back_replaced_and_deleted() {
    let (_dir, db) = open();
    assert!(db.get(b"k").unwrap().is_none());
    db.set(b"k", b"one").unwrap();
    db.set("k", "two").unwrap();
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"two");
    assert!(db.contains(b"k").unwrap());
    db.delete(b"k").unwrap();
    assert!(!db.contains(b"k").unwrap());
    db.delete(b"never there").unwrap();
}

/// F87: an empty value is a value.
#[test]
fn f87_an_empty_value_is_not_an_absent_one() {
    let (_dir, db) = open();
    db.set(b"k", b"").unwrap();
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"");
    db.flush().unwrap();
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"");
}

#[test]
fn a_tombstone_hides_older_values_after_a_flush_and_after_a_compaction() {
    let (_dir, db) = open();
    db.set(b"k", b"v").unwrap();
    db.flush().unwrap();
    db.delete(b"k").unwrap();
    db.flush().unwrap();
    assert!(db.get(b"k").unwrap().is_none());
    db.compact(..).unwrap();
    assert!(db.get(b"k").unwrap().is_none());
    assert_eq!(db.scan(..).count(), 0);
    assert_eq!(db.stats().levels.iter().map(|level| level.entries).sum::<u64>(), 0, "nothing is left of it");
}

#[test]
fn a_batch_applies_in_order_and_as_a_whole() {
    let (_dir, db) = open();
    db.set(b"gone", b"x").unwrap();
    let mut batch = WriteBatch::new();
    batch.set(b"a", b"1");
    batch.set(b"a", b"2");
    batch.delete(b"gone");
    batch.set(b"b", b"3");
    db.write(batch).unwrap();
    assert_eq!(db.get(b"a").unwrap().unwrap(), b"2");
    assert!(db.get(b"gone").unwrap().is_none());
    db.write(WriteBatch::new()).unwrap();
}

#[test]
fn multi_get_answers_in_the_order_of_its_keys() {
    let (_dir, db) = open();
    db.set(b"a", b"1").unwrap();
    db.set(b"c", b"3").unwrap();
    let values = db.multi_get(&[b"c", b"b", b"a"]).unwrap();
    let values: Vec<_> = values.iter().map(|value| value.as_deref()).collect();
    assert_eq!(values, [Some(&b"3"[..]), None, Some(b"1")]);
}

#[test]
fn prefixes_at_the_edge_of_the_byte_range_find_their_keys() {
    let (_dir, db) = open();
    for key in [&b"\xff"[..], b"\xff\xff", b"\xff\xff\x00", b"\xfe\xff", b"\xfe"] {
        db.set(key, key).unwrap();
    }
    let keys = |prefix: &[u8]| db.prefix(prefix).map(|item| item.unwrap().key().to_vec()).collect::<Vec<_>>();
    assert_eq!(keys(b"\xff\xff"), [b"\xff\xff".to_vec(), b"\xff\xff\x00".to_vec()]);
    assert_eq!(keys(b"\xfe"), [b"\xfe".to_vec(), b"\xfe\xff".to_vec()]);
    assert_eq!(keys(b"").len(), 5);
}

/// F91, G11: whatever happens to the files, a scan and a snapshot see the state they were taken at.
#[test]
fn f91_scans_and_snapshots_outlive_flush_compaction_and_closing() {
    let (_dir, db) = open();
    for n in 0..1000u32 {
        db.set(n.to_be_bytes(), [1; 100]).unwrap();
    }
    let snapshot = db.snapshot();
    let mut scan = db.scan(..);
    assert_eq!(scan.next().unwrap().unwrap().value().unwrap(), [1; 100]);
    for n in 0..1000u32 {
        db.set(n.to_be_bytes(), [2; 100]).unwrap();
    }
    db.flush().unwrap();
    db.compact(..).unwrap();
    assert_eq!(snapshot.get(5u32.to_be_bytes()).unwrap().unwrap(), [1; 100]);
    assert!(snapshot.clone().scan(..).all(|item| item.unwrap().value().unwrap() == [1; 100]));
    db.close().unwrap();
    assert_eq!(scan.by_ref().map(|item| assert_eq!(item.unwrap().value().unwrap(), [1; 100])).count(), 999);
    assert!(matches!(snapshot.get(b"k"), Err(Error::Closed)));
}

#[test]
fn a_closed_database_refuses_everything_with_a_typed_error() {
    let (dir, db) = open();
    let other = db.clone();
    db.close().unwrap();
    assert!(matches!(other.set(b"k", b"v"), Err(Error::Closed)));
    assert!(matches!(other.get(b"k"), Err(Error::Closed)));
    assert!(matches!(other.flush(), Err(Error::Closed)));
    assert_eq!(other.scan(..).next().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    other.close().unwrap();
    Db::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn every_durability_is_read_back_after_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    for (key, durability) in [("s", Durability::Sync), ("o", Durability::Os), ("n", Durability::None)] {
        db.set_with(key, key, WriteOptions::new().durability(durability)).unwrap();
    }
    db.delete_with(b"o", WriteOptions::new().durability(Durability::Sync)).unwrap();
    drop(db);
    let db = Db::open(dir.path(), Options::default()).unwrap();
    assert!(db.recovery().clean && !db.recovery().created);
    assert_eq!(
        (db.contains("s").unwrap(), db.contains("o").unwrap(), db.contains("n").unwrap()),
        (true, false, true)
    );
}

#[test]
fn opening_where_nothing_is_can_be_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Db::open(dir.path().join("typo"), Options::default().create_if_missing(false));
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::Io);
    let empty = Db::open(dir.path(), Options::default().create_if_missing(false));
    assert_eq!(empty.unwrap_err().kind(), ErrorKind::Io);
}

/// F83: a directory reached through a symbolic link is the same database.
#[test]
fn f83_a_symbolic_link_to_the_directory_works_and_is_the_same_database() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let db = Db::open(&link, Options::default()).unwrap();
    db.set(b"k", b"v").unwrap();
    assert!(matches!(Db::open(&real, Options::default()), Err(Error::Locked { .. })), "F82");
    db.close().unwrap();
    assert!(Db::open(&real, Options::default()).unwrap().contains(b"k").unwrap());
}

#[test]
fn the_example_of_the_readme_is_the_one_that_is_compiled() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let shown = readme.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(include_str!("../../examples/readme.rs").ends_with(shown));
}
