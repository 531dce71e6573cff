use super::*;
use crate::key::{Kind, SeqNo};
use crate::table::block_builder::BlockBuilder;

type Model = Vec<(Vec<u8>, u64, Vec<u8>)>;

fn model() -> Model {
    let mut model: Model = Vec::new();
    for i in 0..200u64 {
        let key = format!("{}{:03}", "prefix/".repeat((i % 3) as usize), i / 2).into_bytes();
        model.push((key, i, vec![i as u8; (i % 17) as usize]));
    }
    model.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    model
}

fn key(entry: &(Vec<u8>, u64, Vec<u8>)) -> InternalKey<'_> {
    InternalKey::new(&entry.0, Trailer::new(SeqNo(entry.1), Kind::Value))
}

fn build(model: &Model, restart_interval: usize) -> Vec<u8> {
    let mut builder = BlockBuilder::new(restart_interval);
    let mut last: &[u8] = &[];
    for entry in model {
        builder.add(last, key(entry), &entry.2);
        last = &entry.0;
    }
    let expected = builder.len();
    let bytes = builder.finish().to_vec();
    assert_eq!(bytes.len(), expected);
    bytes
}

#[test]
fn every_entry_is_found_from_both_directions_and_by_every_seek() {
    let model = model();
    for interval in [1, 2, 8, 16, 128] {
        let bytes = build(&model, interval);
        let block = Block::parse(&bytes).unwrap();
        let mut cursor = BlockCursor::new();
        let check = |cursor: &BlockCursor, expected: Option<&(Vec<u8>, u64, Vec<u8>)>| {
            assert_eq!(cursor.current(block), expected.map(|entry| (key(entry), &entry.2[..])));
            assert_eq!(cursor.value_range().map(|range| &bytes[range]), expected.map(|entry| &entry.2[..]));
        };
        cursor.seek_to_first(block).unwrap();
        for entry in &model {
            check(&cursor, Some(entry));
            cursor.next(block).unwrap();
        }
        check(&cursor, None);
        cursor.seek_to_last(block).unwrap();
        for entry in model.iter().rev() {
            check(&cursor, Some(entry));
            cursor.prev(block).unwrap();
        }
        check(&cursor, None);
        for (at, entry) in model.iter().enumerate() {
            cursor.seek(block, key(entry)).unwrap();
            check(&cursor, Some(entry));
            cursor.seek_before(block, key(entry)).unwrap();
            check(&cursor, at.checked_sub(1).map(|before| &model[before]));
            let between = [entry.0.clone(), vec![0]].concat();
            cursor.seek(block, InternalKey::seek(&between, SeqNo::MAX)).unwrap();
            check(&cursor, model.iter().find(|other| other.0 >= between));
        }
        cursor.seek_before(block, InternalKey::seek(b"\xff", SeqNo::MAX)).unwrap();
        check(&cursor, model.last());
        assert_eq!(check_order(block, |_| {}), Ok(200));
    }
}

/// F22, F30: whatever a block's bytes are, reading it ends, in bounds, without a panic.
#[test]
fn f22_f30_damaged_blocks_never_panic() {
    let model: Model = model().into_iter().take(20).collect();
    let bytes = build(&model, 4);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok(block) = Block::parse(&damaged) else {
            continue;
        };
        check_order(block, |_| {}).ok();
        let mut cursor = BlockCursor::new();
        cursor.seek(block, key(&model[7])).ok();
        cursor.prev(block).ok();
        cursor.seek_to_last(block).ok();
    }
    for len in 0..bytes.len() {
        if let Ok(block) = Block::parse(&bytes[..len]) {
            check_order(block, |_| {}).ok();
        }
    }
}

#[test]
fn keys_out_of_order_are_noticed() {
    let mut model = model();
    model.swap(3, 4);
    let bytes = build(&model, 4);
    assert_eq!(check_order(Block::parse(&bytes).unwrap(), |_| {}), Err(Damaged));
}

/// A restart that leads elsewhere is met only by those who seek or go backwards: a check that went forwards alone called the block
/// sound while a scan backwards left entries out.
#[test]
fn f30_restarts_that_lead_elsewhere_are_noticed() {
    let model: Model = model().into_iter().take(12).collect();
    let bytes = build(&model, 4);
    let restarts = bytes.len() - 4 - 3 * 4;
    for (place, offset) in [(0, 1_u32), (1, 0), (1, 1), (2, 0), (2, u32::MAX)] {
        let mut damaged = bytes.clone();
        damaged[restarts + 4 * place..][..4].copy_from_slice(&offset.to_le_bytes());
        assert_eq!(
            check_order(Block::parse(&damaged).unwrap(), |_| {}),
            Err(Damaged),
            "restart {place}: {offset}"
        );
    }
}

/// The head of an entry, read in the usual way and in the general one.
#[test]
fn heads_are_read_alike_in_both_ways() {
    let lengths = [0, 1, 127, 128, 16_384];
    let trailers: Vec<u64> = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit]).collect();
    for (at, trailer) in trailers.into_iter().enumerate() {
        for dice in 0..lengths.len().pow(3) {
            let [shared, unshared, value] = [1, 5, 25].map(|place| lengths[dice / place % lengths.len()]);
            let mut bytes = Vec::new();
            for number in [shared, unshared, value, trailer] {
                crate::coding::put_varint(&mut bytes, number);
            }
            let len = bytes.len();
            // The block ends here, or goes on.
            bytes.resize(len + at % 13, 0xa5);
            let (general, general_len) = EntryHead::long(&bytes).unwrap();
            assert_eq!(general_len, len);
            let user = whole_user_of(&bytes);
            assert!(
                user.is_none_or(|user| shared == 0 && Some(user) == bytes.get(len..len + unshared as usize))
            );
            let Some((usual, usual_len)) = EntryHead::short(&bytes) else { continue };
            let parts = |head: &EntryHead| (head.shared, head.unshared, head.value_len, head.trailer);
            assert_eq!((parts(&usual), usual_len), (parts(&general), general_len));
        }
    }
    for head in [[0, 16, 100, 0x88, 1, 0, 0, 0, 0, 0, 0, 0], [0, 16, 0x80, 1, 0x88, 1, 0, 0, 0, 0, 0, 0]] {
        assert!(EntryHead::short(&head).is_some(), "the usual way is taken");
        assert_eq!(whole_user_of(&[&head[..], &[7; 16]].concat()).map(<[u8]>::len), Some(16));
    }
}
