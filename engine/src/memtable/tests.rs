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
    let bytes = Memtable::bytes_needed([(user.len(), value.len())].into_iter());
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
fn a_memtable_is_full_when_entries_and_branches_take_its_capacity() {
    let capacity = 64 << 10;
    let memtable = Memtable::new(capacity, &log());
    let empty = memtable.used_bytes();
    let bytes = Memtable::bytes_needed([(8, 20)].into_iter());
    let (mut entries, mut seq) = (0, 1);
    while memtable.has_room(bytes) {
        let mut room = memtable.reserve(bytes, SeqNo(seq)).expect("there is room");
        let key = mix(seq).to_be_bytes();
        memtable.insert(&mut room, InternalKey::new(&key, Trailer::new(SeqNo(seq), Kind::Value)), &[7; 20]);
        entries += bytes;
        seq += 1;
    }
    // What the last insert adds may be one branch, and that of the largest kind.
    let used = memtable.used_bytes() - empty;
    assert!(used > capacity - bytes - 8 && used < capacity + 1100, "{used} bytes");
    assert!(entries < used && entries > used / 2, "{entries} bytes of entries in {used}");
}

#[test]
fn memory_is_made_ahead_of_those_who_write_and_of_nobody_else() {
    let memtable = Memtable::new(24 << 20, &log());
    let small = Memtable::new(8 << 20, &log());
    small.expect_many();
    assert!(!small.is_busy());
    let bytes = Memtable::bytes_needed([(8, 1000)].into_iter());
    let (mut steps, mut seq) = (0, 0);
    while memtable.has_room(bytes) {
        seq += 1;
        let mut room = memtable.reserve(bytes, SeqNo(seq)).expect("there is room");
        if memtable.wants_memory(&room) {
            steps += 1;
            memtable.populate_ahead();
        }
        let key = seq.to_be_bytes();
        memtable.insert(&mut room, InternalKey::new(&key, Trailer::new(SeqNo(seq), Kind::Value)), &[7; 1000]);
        if seq < BUSY_FROM_ENTRIES {
            assert_eq!(steps, 0, "a memtable with little in it takes no more than it needs");
        }
    }
    assert!((5..12).contains(&steps), "{steps} times for 24 MiB, most of them with many entries");
    assert!((1..=seq).all(|seq| get(&memtable, &seq.to_be_bytes(), seq).is_some()));
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
    while memtable.has_room(Memtable::bytes_needed([(2, 0)].into_iter())) {
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

/// Keys that share long beginnings, that begin others, that branch in every way there is.
fn wild_key(dice: u64) -> Vec<u8> {
    let mut dice = mix(dice);
    let mut draw = |below: u64| {
        dice = mix(dice);
        dice % below
    };
    let mut key = match draw(4) {
        0 => Vec::new(),
        1 => b"user0000".to_vec(),
        2 => b"https://example.com/a/rather/long/path/".to_vec(),
        _ => vec![draw(256) as u8],
    };
    for _ in 0..=draw(4) {
        key.push(match draw(3) {
            0 => draw(256) as u8,
            1 => b'0' + draw(10) as u8,
            _ => 0,
        });
    }
    key
}

#[test]
fn seeks_agree_with_a_btree_map_whatever_the_keys() {
    let memtable = Arc::new(Memtable::new(8 << 20, &log()));
    let mut model = BTreeMap::new();
    for seq in 1..=30_000 {
        let user = wild_key(seq);
        put(&memtable, seq, &user, Kind::Value, &seq.to_le_bytes());
        model.insert((user, std::cmp::Reverse(seq)), seq);
    }
    let here = |iter: &MemtableIter| {
        iter.current().map(|(key, _)| (key.user.to_vec(), std::cmp::Reverse(key.trailer.seq().0)))
    };
    let mut iter = memtable.iter();
    for dice in 0..20_000 {
        let sought = (wild_key(dice * 7), std::cmp::Reverse(mix(dice) % 40_000));
        let key = InternalKey::seek(&sought.0, SeqNo(sought.1.0));
        iter.seek(key).unwrap();
        let at = model.range(&sought..).next().map(|(key, _)| key);
        let before = model.range(..&sought).next_back().map(|(key, _)| key);
        assert_eq!(here(&iter).as_ref(), at, "at {sought:?}");
        if at.is_some() {
            iter.prev().unwrap();
            assert_eq!(here(&iter).as_ref(), before, "one back from {sought:?}");
        }
        iter.seek_before(key).unwrap();
        assert_eq!(here(&iter).as_ref(), before, "before {sought:?}");
        if before.is_some() {
            iter.next().unwrap();
            assert_eq!(here(&iter).as_ref(), at, "one on from before {sought:?}");
        }
        let found = get(&memtable, &sought.0, sought.1.0).map(|(trailer, _)| trailer.seq().0);
        let expected = model.range(&sought..).next().filter(|((user, _), _)| *user == sought.0);
        assert_eq!(found, expected.map(|(_, seq)| *seq), "get {sought:?}");
    }
}

#[test]
fn a_walk_during_inserts_sees_all_that_was_there_before_it() {
    let memtable = Arc::new(Memtable::new(16 << 20, &log()));
    let published = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 1..=20_000 {
                put(&memtable, seq, &wild_key(seq), Kind::Value, b"");
                published.store(seq, std::sync::atomic::Ordering::Release);
            }
        });
        let mut last = 0;
        while last < 20_000 {
            last = published.load(std::sync::atomic::Ordering::Acquire);
            let mut iter = memtable.iter();
            // From some key on, in every second round.
            let from = if last % 2 == 0 { Vec::new() } else { wild_key(last) };
            let expected = (1..=last).filter(|seq| wild_key(*seq) >= from).count() as u64;
            let (mut seen, mut before) = (0, None);
            iter.seek(InternalKey::seek(&from, SeqNo::MAX)).unwrap();
            while let Some((key, _)) = iter.current() {
                let owned = (key.user.to_vec(), std::cmp::Reverse(key.trailer));
                assert!(before.as_ref() < Some(&owned), "in order");
                seen += u64::from(key.trailer.seq().0 <= last);
                before = Some(owned);
                iter.next().unwrap();
            }
            assert_eq!(seen, expected, "entries that were there when the walk began");
        }
    });
}

#[test]
fn branches_never_take_more_room_than_there_is() {
    // The most branches for each byte of entries: keys of one byte less than what shares nothing, in an order that makes branches grow.
    let memtable = Memtable::new(1 << 20, &log());
    let mut seq = 0;
    'full: for low in 0..=255u8 {
        for high in 0..=255u8 {
            for middle in [0, 255u8] {
                seq += 1;
                let key = [high, middle, low];
                let bytes = Memtable::bytes_needed([(3, 0)].into_iter());
                let Some(mut room) = memtable.reserve(bytes, SeqNo(seq)) else { break 'full };
                let trailer = Trailer::new(SeqNo(seq), Kind::Tombstone);
                memtable.insert(&mut room, InternalKey::new(&key, trailer), b"");
            }
        }
    }
    assert!(seq > 30_000, "{seq} entries");
}

#[test]
fn a_walk_back_over_many_versions_of_a_key_takes_a_step_for_each() {
    // It began anew at the newest version for each older one: 20,000 million steps here, and nothing to stop them.
    let memtable = Arc::new(Memtable::new(16 << 20, &log()));
    for seq in 1..=200_000 {
        put(&memtable, seq, b"counter", Kind::Value, b"");
    }
    put(&memtable, 200_001, b"before", Kind::Value, b"");
    let mut iter = memtable.iter();
    iter.seek_to_last().unwrap();
    for seq in 1..=200_000 {
        assert_eq!(iter.current().map(|(key, _)| key.trailer.seq().0), Some(seq));
        iter.prev().unwrap();
    }
    assert_eq!(iter.current().map(|(key, _)| key.user.to_vec()), Some(b"before".to_vec()));
    iter.prev().unwrap();
    assert!(iter.current().is_none());
}
