use super::*;
use crate::record::writer::{GroupWriter, NewEntry};

const ID: u64 = 0x1122_3344;

fn commit(file: &mut Vec<u8>, seq: u64, key: &[u8], value: &[u8], promise: u64) {
    let offset = file.len() as u64;
    let mut group = GroupWriter::new(file, ID, offset);
    group.entry(NewEntry { kind: Kind::Value, keyspace: 0, seq: SeqNo(seq), key, head: b"", value });
    group.entry(NewEntry {
        kind: Kind::Tombstone,
        keyspace: 1,
        seq: SeqNo(seq + 1),
        key,
        head: b"",
        value: b"",
    });
    group.finish(GroupType::Commit, promise);
}

fn seal(file: &mut Vec<u8>) {
    let offset = file.len() as u64;
    GroupWriter::new(file, ID, offset).finish(GroupType::Seal, 0);
}

/// A file of `n` commits, each promising what came before it when `promising`.
fn file(n: u64, promising: bool) -> Vec<u8> {
    let mut file = vec![0; HEADER_BYTES as usize];
    for i in 0..n {
        let promise = if promising { file.len() as u64 } else { 0 };
        commit(&mut file, 1 + 2 * i, format!("key{i}").as_bytes(), &[i as u8; 40], promise);
    }
    file
}

/// The sequence numbers read, and how the file ended.
fn read(bytes: &[u8], promised: u64) -> Result<(Vec<u64>, End)> {
    let mut reader = GroupReader::new(bytes, Path::new("000001.log"), ID, promised);
    let mut seqs = Vec::new();
    while let Some(group) = reader.next()? {
        seqs.extend(group.entries.iter().map(|entry| entry.seq.0));
    }
    Ok((seqs, reader.end().expect("the reader ended")))
}

#[test]
fn groups_read_back_with_kinds_keyspaces_keys_and_values() {
    let bytes = file(1, false);
    let mut reader = GroupReader::new(&bytes, Path::new("x"), ID, 0);
    let group = reader.next().unwrap().unwrap();
    let offset = HEADER_BYTES + GROUP_HEADER_BYTES as u64;
    let value = Entry {
        kind: Kind::Value,
        keyspace: 0,
        seq: SeqNo(1),
        key: b"key0",
        value: &[0; 40],
        offset,
        len: 53,
    };
    let offset = offset + 53;
    let tombstone = Entry {
        kind: Kind::Tombstone,
        keyspace: 1,
        seq: SeqNo(2),
        key: b"key0",
        value: b"",
        offset,
        len: 13,
    };
    assert_eq!((group.kind, group.entries), (GroupType::Commit, vec![value, tombstone]));
    assert!(reader.next().unwrap().is_none());
    assert_eq!(reader.position(), bytes.len() as u64);
}

/// F1: a tail cut at any byte loses the cut group and nothing before it.
#[test]
fn f1_a_tail_cut_at_every_byte_keeps_every_whole_group() {
    let whole = file(3, false);
    let ends: Vec<usize> = (0..=3).map(|n| file(n, false).len()).collect();
    for len in HEADER_BYTES as usize..=whole.len() {
        let (seqs, end) = read(&whole[..len], 0).unwrap();
        let groups = ends.iter().filter(|end| **end <= len).count() - 1;
        assert_eq!(seqs.len(), groups * 2, "cut at {len}");
        assert_eq!(end, End::Open { torn_bytes: read_nonzero(&whole[ends[groups]..len]) });
    }
}

fn read_nonzero(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

/// F2: preallocated zeros are the end of the log, with nothing torn.
#[test]
fn f2_a_tail_of_zeros_is_the_end() {
    let mut bytes = file(2, true);
    bytes.extend_from_slice(&[0; 4096]);
    assert_eq!(read(&bytes, 0).unwrap(), (vec![1, 2, 3, 4], End::Open { torn_bytes: 0 }));
}

/// F3: a sector of garbage behind the last group is a torn tail.
#[test]
fn f3_a_tail_of_garbage_is_torn() {
    let mut bytes = file(2, true);
    bytes.extend((0..512u32).map(|i| (checksum::mix(u64::from(i)) | 1) as u8));
    assert_eq!(read(&bytes, 0).unwrap(), (vec![1, 2, 3, 4], End::Open { torn_bytes: 512 }));
}

/// F4, F5: damage that a later group promised to be durable is corruption, wherever it is.
#[test]
fn f4_f5_a_flip_below_a_later_promise_is_corruption() {
    let bytes = file(4, true);
    let last = file(3, true).len();
    for at in HEADER_BYTES as usize..last {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(matches!(read(&damaged, 0), Err(Error::Corruption { .. })), "byte {at}");
    }
}

/// F76: without promises, later groups may survive where an earlier one did not; what counts is the prefix.
#[test]
fn f76_damage_above_every_promise_ends_the_log_there() {
    let bytes = file(4, false);
    let (first, second) = (file(1, false).len(), file(2, false).len());
    for at in first..second {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert_eq!(read(&damaged, 0).unwrap().0, vec![1, 2], "byte {at}");
    }
}

/// F6: lengths and counts of 0 or of four gigabytes are damage like any other; nothing is allocated for them.
#[test]
fn f6_damaged_lengths_allocate_nothing() {
    for at in [8, 9, 10, 11, 12, 13, 14, 15] {
        for value in [0, 0xff] {
            let mut bytes = file(1, false);
            bytes[HEADER_BYTES as usize + at] = value;
            if bytes != file(1, false) {
                assert_eq!(read(&bytes, 0).unwrap().0, Vec::<u64>::new());
            }
        }
    }
}

/// F9: groups of a file's earlier life (another id), or shifted to another offset, do not read.
#[test]
fn f9_groups_of_another_life_or_place_are_rejected() {
    let bytes = file(2, false);
    let mut reader = GroupReader::new(&bytes, Path::new("x"), ID + 1, 0);
    assert!(reader.next().unwrap().is_none());
    let mut shifted = vec![0; HEADER_BYTES as usize + 8];
    shifted.extend_from_slice(&bytes[HEADER_BYTES as usize..]);
    let mut reader = GroupReader::new(&shifted, Path::new("x"), ID, 0);
    reader.position += 8;
    assert!(reader.next().unwrap().is_none());
}

/// F10: of a batch whose middle is lost nothing is left.
#[test]
fn f10_a_batch_with_a_hole_is_gone_as_a_whole() {
    let mut bytes = vec![0; HEADER_BYTES as usize];
    let mut group = GroupWriter::new(&mut bytes, ID, HEADER_BYTES);
    for i in 0..100u64 {
        group.entry(NewEntry {
            kind: Kind::Value,
            keyspace: 0,
            seq: SeqNo(i + 1),
            key: b"k",
            head: b"",
            value: &[7; 100],
        });
    }
    group.finish(GroupType::Commit, 0);
    bytes[5000..5512].fill(0);
    assert_eq!(read(&bytes, 0).unwrap().0, Vec::<u64>::new());
}

/// F16: a length known from a clean close makes any damage below it corruption.
#[test]
fn f16_damage_below_a_known_length_is_corruption() {
    let bytes = file(2, false);
    let mut damaged = bytes.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert!(read(&damaged, 0).is_ok());
    assert!(matches!(read(&damaged, bytes.len() as u64), Err(Error::Corruption { .. })));
}

#[test]
fn a_seal_ends_the_file_whatever_follows() {
    let mut bytes = file(2, false);
    seal(&mut bytes);
    commit(&mut bytes, 99, b"ghost", b"", 0);
    assert_eq!(read(&bytes, 0).unwrap(), (vec![1, 2, 3, 4], End::Sealed));
}

#[test]
fn a_group_that_promises_its_own_bytes_is_corruption() {
    let mut bytes = vec![0; HEADER_BYTES as usize];
    commit(&mut bytes, 1, b"k", b"v", HEADER_BYTES + 1);
    assert!(matches!(read(&bytes, 0), Err(Error::Corruption { .. })));
}

/// F7: a group of a type that no version writes is no group, even if its checksum is right.
#[test]
fn f7_an_unknown_type_does_not_read() {
    let mut bytes = file(2, true);
    let start = file(1, true).len();
    bytes[start + 6] = 9;
    let checksum = checksum::salted(&bytes[start + 4..start + GROUP_HEADER_BYTES], ID, start as u64);
    bytes[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(read(&bytes, 0).unwrap().0, vec![1, 2], "the last group: torn, as far as anybody can tell");
    commit(&mut bytes, 5, b"k", b"v", start as u64 + 1);
    assert!(matches!(read(&bytes, 0), Err(Error::Corruption { .. })), "a promised one: corruption");
}

/// F8: a write that was retried at another place leaves a copy that does not read there.
#[test]
fn f8_a_duplicated_group_is_not_read_twice() {
    let bytes = file(2, false);
    let first = file(1, false).len();
    let twice = [&bytes[..], &bytes[first..]].concat();
    let (seqs, end) = read(&twice, 0).unwrap();
    assert_eq!(seqs, vec![1, 2, 3, 4]);
    assert_eq!(end, End::Open { torn_bytes: (bytes.len() - first) as u64 });
}

#[test]
fn of_a_recycled_file_only_groups_of_this_life_count_as_torn() {
    let mut bytes = file(1, false);
    let end = bytes.len();
    bytes.extend_from_slice(&[0xee; 3000]);
    let torn = |bytes: &[u8]| {
        let mut reader = GroupReader::new(bytes, Path::new("x"), ID, 0).recycled(true);
        while reader.next().unwrap().is_some() {}
        reader.end()
    };
    assert_eq!(torn(&bytes), Some(End::Open { torn_bytes: 0 }));
    let mut next = bytes[..end].to_vec();
    commit(&mut next, 3, b"key", &[1; 100], 0);
    bytes[end..end + 60].copy_from_slice(&next[end..end + 60]);
    assert_eq!(torn(&bytes), Some(End::Open { torn_bytes: (next.len() - end) as u64 }));
}

#[test]
fn zeros_at_the_end_are_not_used_wherever_the_last_byte_is() {
    for len in [0, 1, 63, 64, 65, 1000] {
        for last in 0..len {
            let mut bytes = vec![0; len];
            bytes[last] = 1;
            assert_eq!(used_bytes(&bytes), last + 1, "of {len}");
        }
        assert_eq!(used_bytes(&vec![0; len]), 0);
    }
}
