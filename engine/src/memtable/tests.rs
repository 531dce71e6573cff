use std::collections::BTreeMap;
use std::path::Path;

use bettong_metrics::Registry;

use super::*;
use crate::checksum::mix;
use crate::context::FileContext;
use crate::env::sim::SimDisk;
use crate::env::{Dir, Env};
use crate::options::Options;
use crate::values::usage::{Usage, ValueFileMeta};

fn put(memtable: &Memtable, seq: u64, user: &[u8], kind: Kind, value: &[u8]) {
    let seq = SeqNo(seq);
    let bytes = Memtable::bytes_needed(seq, [(user.len(), value.len())].into_iter());
    let mut room = memtable.reserve(bytes, seq).expect("room");
    memtable.insert(&mut room, InternalKey::new(user, Trailer::new(seq, kind)), value);
}

fn get<'a>(memtable: &'a Memtable, user: &[u8], seq: u64) -> Option<(Trailer, &'a [u8])> {
    memtable.get(user, key::hash(user), SeqNo(seq))
}

/// A log for a memtable that points to nothing.
fn log() -> Arc<ValueFile> {
    let env = Env::sim(&SimDisk::new(1));
    let dir = Dir::new(env.files, Path::new("/db"), &Registry::new("test").recorder());
    let context = FileContext::new(&dir, &Options::default(), &Registry::new("test").recorder());
    let meta = ValueFileMeta { number: FileNumber(1), id: 1, bytes: 64, born: Usage::default() };
    Arc::new(ValueFile::of_manifest(&meta, &context))
}

#[test]
fn a_read_sees_the_newest_version_at_its_sequence_number() {
    let memtable = Memtable::new(1 << 16, &log());
    put(&memtable, 1, b"k", Kind::Value, b"one");
    put(&memtable, 3, b"k", Kind::Tombstone, b"");
    put(&memtable, 5, b"k", Kind::Value, b"five");
    let at = |seq| get(&memtable, b"k", seq).map(|(trailer, value)| (trailer.kind(), value.to_vec()));
    assert_eq!(at(0), None);
    assert_eq!(at(2), Some((Some(Kind::Value), b"one".to_vec())));
    assert_eq!(at(4), Some((Some(Kind::Tombstone), vec![])));
    assert_eq!(at(9), Some((Some(Kind::Value), b"five".to_vec())));
    assert_eq!(get(&memtable, b"j", 9), None);
    assert_eq!((memtable.entries(), memtable.tombstones(), memtable.payload_bytes()), (3, 1, 10));
}

#[test]
fn the_bytes_used_are_exactly_those_reserved_and_no_more_fit() {
    let memtable = Memtable::new(Memtable::capacity_for(4096), &log());
    let empty = memtable.used_bytes();
    let mut expected = 0;
    let mut seq = 1;
    loop {
        let bytes = Memtable::bytes_needed(SeqNo(seq), [(8, 20)].into_iter());
        let Some(mut room) = memtable.reserve(bytes, SeqNo(seq)) else {
            break;
        };
        let key = seq.to_be_bytes();
        memtable.insert(&mut room, InternalKey::new(&key, Trailer::new(SeqNo(seq), Kind::Value)), &[7; 20]);
        expected += bytes;
        seq += 1;
    }
    assert_eq!(memtable.used_bytes() - empty, expected);
    // Capacities are rounded up to whole cache lines.
    assert!(expected <= 4096 + 64 && expected > 3900, "{expected}");
}

#[test]
fn walks_in_both_directions_agree_with_a_btree_map() {
    let memtable = Arc::new(Memtable::new(1 << 20, &log()));
    let mut model = BTreeMap::new();
    for seq in 1..=2000 {
        let user = format!("{:0width$}", mix(seq) % 700, width = (mix(seq) % 12) as usize);
        put(&memtable, seq, user.as_bytes(), Kind::Value, &seq.to_le_bytes());
        model.insert((user, std::cmp::Reverse(seq)), seq);
    }
    let mut iter = memtable.iter();
    let mut forward = Vec::new();
    iter.seek_to_first().unwrap();
    while let Some((key, value)) = iter.current() {
        forward.push((key.user.to_vec(), u64::from_le_bytes(value.try_into().unwrap())));
        iter.next().unwrap();
    }
    let expected: Vec<_> = model.iter().map(|((user, _), seq)| (user.clone().into_bytes(), *seq)).collect();
    assert_eq!(forward, expected);
    let mut backward = Vec::new();
    iter.seek_to_last().unwrap();
    while let Some((key, value)) = iter.current() {
        backward.push((key.user.to_vec(), u64::from_le_bytes(value.try_into().unwrap())));
        iter.prev().unwrap();
    }
    backward.reverse();
    assert_eq!(backward, expected);
}

#[test]
fn concurrent_inserts_are_all_found_in_order() {
    let memtable = Arc::new(Memtable::new(16 << 20, &log()));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let memtable = &memtable;
            scope.spawn(move || {
                for i in 0..5000 {
                    let seq = 1 + i * 4 + thread;
                    put(memtable, seq, &mix(seq).to_be_bytes(), Kind::Value, &seq.to_le_bytes());
                    assert!(get(memtable, &mix(seq).to_be_bytes(), seq).is_some(), "own writes are seen");
                }
            });
        }
    });
    let mut iter = memtable.iter();
    iter.seek_to_first().unwrap();
    let mut last = None;
    let mut count = 0;
    while let Some((key, value)) = iter.current() {
        assert!(last.as_deref() < Some(key.user));
        assert_eq!(mix(u64::from_le_bytes(value.try_into().unwrap())).to_be_bytes(), key.user);
        last = Some(key.user.to_vec());
        count += 1;
        iter.next().unwrap();
    }
    assert_eq!(count, 20_000);
}

#[test]
fn a_memtable_that_is_fuller_than_its_index_finds_all_keys() {
    // The smallest entries there are: more of them than the index has slots.
    let memtable = Memtable::new(64 << 10, &log());
    let mut seq = 0;
    while memtable.has_room(Memtable::bytes_needed(SeqNo(seq + 1), [(2, 0)].into_iter())) {
        seq += 1;
        put(&memtable, seq, &(seq as u16).to_be_bytes(), Kind::Tombstone, b"");
    }
    let slots = memtable.index_bytes() / 4;
    assert!(seq as usize > slots, "{seq} entries, {slots} slots");
    for at in 1..=seq {
        let found = get(&memtable, &(at as u16).to_be_bytes(), seq).map(|(trailer, _)| trailer.seq());
        assert_eq!(found, Some(SeqNo(at)));
    }
    assert_eq!(get(&memtable, b"absent", seq), None);
}

#[test]
fn versions_that_are_inserted_out_of_order_are_found_by_their_numbers() {
    let memtable = Memtable::new(1 << 16, &log());
    for seq in [5, 2, 9, 1, 7] {
        put(&memtable, seq, b"k", Kind::Value, &[seq as u8]);
    }
    for (at, expected) in [(1, 1), (4, 2), (6, 5), (8, 7), (9, 9), (99, 9)] {
        assert_eq!(
            get(&memtable, b"k", at).map(|(_, value)| value.to_vec()),
            Some(vec![expected]),
            "at {at}"
        );
    }
    assert_eq!(get(&memtable, b"k", 0), None);
}

#[test]
fn writers_of_the_same_keys_leave_the_newest_version_to_be_found() {
    let memtable = Arc::new(Memtable::new(1 << 20, &log()));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let memtable = &memtable;
            scope.spawn(move || {
                for round in 0..200 {
                    put(memtable, 1 + round * 4 + writer, &[(round % 7) as u8], Kind::Value, b"v");
                }
            });
        }
    });
    for key in 0..7 {
        let last_round = (0..200).rfind(|round| round % 7 == key).unwrap_or_default();
        let found = get(&memtable, &[key as u8], 10_000).map(|(trailer, _)| trailer.seq().0);
        assert_eq!(found, Some(1 + last_round * 4 + 3), "key {key}");
    }
}
