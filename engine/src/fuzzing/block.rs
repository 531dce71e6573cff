//! Data blocks: a cursor, wherever it is sent, stands where a plain decoding of the whole block says.

use super::script::Script;
use crate::coding::Decoder;
use crate::key::{InternalKey, Kind, SeqNo, Trailer};
use crate::table::block::{Block, BlockCursor, check_order};
use crate::table::block_builder::BlockBuilder;

/// An entry: user key, trailer, value.
type Entry = (Vec<u8>, Trailer, Vec<u8>);
/// Where entries begin, and whether each has its whole key.
type Starts = Vec<(usize, bool)>;

/// A block of entries that the input names, with damage or without, or of any bytes.
pub fn block(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    if choice & 1 == 1 {
        return check(script.rest());
    }
    let (mut bytes, entries) = build(&mut script, usize::from(choice >> 1));
    let found = plain(&bytes).map(|(found, _)| found);
    assert_eq!(found, (!entries.is_empty()).then_some(entries), "a block does not read back");
    check(&bytes);
    while !script.is_done() {
        script.damage(&mut bytes);
    }
    check(&bytes);
}

/// A block of ascending keys.
fn build(script: &mut Script<'_>, restart_interval: usize) -> (Vec<u8>, Vec<Entry>) {
    let mut builder = BlockBuilder::new(restart_interval.max(1));
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..script.byte() % 40 {
        let (keep, step) = (usize::from(script.byte() % 8), script.byte() % 4);
        let mut key = entries.last().map_or(Vec::new(), |(last, ..)| last.clone());
        let mut seq = entries.last().map_or(100, |(_, trailer, _)| trailer.seq().0);
        if step == 0 && seq > 0 && !entries.is_empty() {
            seq -= 1;
        } else {
            let last = key.clone();
            key.truncate(keep);
            key.extend_from_slice(script.bytes(usize::from(step) + 1));
            if key <= last {
                key = [last.as_slice(), &[step]].concat();
            }
            seq = 100;
        }
        let kind = Kind::from_u8(step).unwrap_or(Kind::Value);
        let trailer = Trailer::new(SeqNo(seq), kind);
        let value = vec![step; keep * 3];
        let last = entries.last().map_or(&[][..], |(last, ..)| last);
        builder.add(last, InternalKey::new(&key, trailer), &value);
        entries.push((key, trailer, value));
    }
    (builder.finish().to_vec(), entries)
}

/// Decodes a block from its front to its end, and says where its entries begin; `None` for damage.
fn plain(bytes: &[u8]) -> Option<(Vec<Entry>, Starts)> {
    let (rest, count) = bytes.split_last_chunk::<4>()?;
    let restarts = (u32::from_le_bytes(*count) as usize).checked_mul(4).filter(|len| *len > 0)?;
    let body = rest.get(..rest.len().checked_sub(restarts)?)?;
    let mut fields = Decoder::new(body);
    let (mut entries, mut starts): (Vec<Entry>, Starts) = (Vec::new(), Vec::new());
    while !fields.is_empty() || entries.is_empty() {
        let start = body.len() - fields.rest().len();
        let (shared, unshared) = (fields.varint()? as usize, fields.varint()?);
        let (value_len, trailer) = (fields.varint()?, Trailer(fields.varint()?));
        let mut key = entries.last().map_or(Vec::new(), |(last, ..)| last.clone());
        trailer.kind()?;
        key.get(..shared)?;
        key.truncate(shared);
        key.extend_from_slice(fields.bytes(unshared)?);
        entries.push((key, trailer, fields.bytes(value_len)?.to_vec()));
        starts.push((start, shared == 0));
    }
    Some((entries, starts))
}

fn check(bytes: &[u8]) {
    let Ok(block) = Block::parse(bytes) else {
        return assert!(plain(bytes).is_none(), "a sound block is refused");
    };
    let expected = plain(bytes);
    let forward = walk(bytes, |cursor| cursor.seek_to_first(block), |cursor| cursor.next(block).map(|_| ()));
    walk_everywhere(bytes, block);
    let Some((entries, starts)) = expected else { return };
    if !restarts_are_good(bytes, &starts) {
        return;
    }
    assert_eq!(forward.as_ref(), Some(&entries), "forwards");
    if check_order(block, |_| {}).is_err() {
        return;
    }
    let mut backward = walk(bytes, |cursor| cursor.seek_to_last(block), |cursor| cursor.prev(block));
    if let Some(backward) = &mut backward {
        backward.reverse();
    }
    assert_eq!(backward.as_ref(), Some(&entries), "backwards");
    entries.iter().for_each(|entry| check_seeks(bytes, block, &entries, entry));
}

/// Seeks to an entry and to the places just beside it.
fn check_seeks(bytes: &[u8], block: Block<'_>, entries: &[Entry], (user, trailer, _): &Entry) {
    let longer = [user.as_slice(), b"\0"].concat();
    let beside = [
        InternalKey::new(user, *trailer),
        InternalKey::new(user, Trailer(u64::MAX)),
        InternalKey::new(user, Trailer(0)),
        InternalKey::new(&longer, *trailer),
    ];
    for key in beside {
        let at = entries.partition_point(|(user, trailer, _)| InternalKey::new(user, *trailer) < key);
        let mut cursor = BlockCursor::new();
        assert!(cursor.seek(block, key).is_ok());
        assert_eq!(here(&cursor, bytes).as_ref(), entries.get(at), "seek");
        assert!(cursor.seek_before(block, key).is_ok());
        assert_eq!(
            here(&cursor, bytes).as_ref(),
            at.checked_sub(1).and_then(|at| entries.get(at)),
            "seek before"
        );
    }
}

/// Whether the first entry and some others are restarts, in order, all with their whole keys.
fn restarts_are_good(bytes: &[u8], starts: &[(usize, bool)]) -> bool {
    let Some((rest, count)) = bytes.split_last_chunk::<4>() else { return false };
    let from = rest.len() - u32::from_le_bytes(*count) as usize * 4;
    let (restarts, _) = rest[from..].as_chunks::<4>();
    let restarts: Vec<usize> = restarts.iter().map(|restart| u32::from_le_bytes(*restart) as usize).collect();
    restarts.first() == Some(&0)
        && restarts.is_sorted_by(|a, b| a < b)
        && restarts.iter().all(|restart| starts.contains(&(*restart, true)))
}

type Step = Result<(), crate::table::block::Damaged>;

/// Everything that a cursor meets on its way; `None` if it meets damage.
fn walk(
    bytes: &[u8],
    start: impl FnOnce(&mut BlockCursor) -> Step,
    mut step: impl FnMut(&mut BlockCursor) -> Step,
) -> Option<Vec<Entry>> {
    let mut cursor = BlockCursor::new();
    let mut found = Vec::new();
    start(&mut cursor).ok()?;
    while let Some(entry) = here(&cursor, bytes) {
        found.push(entry);
        assert!(found.len() <= bytes.len(), "a cursor walks for ever");
        step(&mut cursor).ok()?;
    }
    Some(found)
}

/// Sends a cursor to every place of a block that may be damaged, backwards as well.
fn walk_everywhere(bytes: &[u8], block: Block<'_>) {
    walk(bytes, |cursor| cursor.seek_to_last(block), |cursor| cursor.prev(block));
    for user in [b"".as_slice(), b"m", b"\xff\xff", &bytes[..bytes.len().min(9)]] {
        let key = InternalKey::seek(user, SeqNo(50));
        walk(bytes, |cursor| cursor.seek(block, key), |cursor| cursor.next(block).map(|_| ()));
        walk(bytes, |cursor| cursor.seek_before(block, key), |cursor| cursor.prev(block));
    }
}

fn here(cursor: &BlockCursor, bytes: &[u8]) -> Option<Entry> {
    let (key, value) = cursor.current(Block::parse(bytes).ok()?)?;
    Some((key.user.to_vec(), key.trailer, value.to_vec()))
}
