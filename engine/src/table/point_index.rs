//! A point index: from the hash of a key straight to where its entry lies.
//!
//! A filter says whether a table may hold a key, the index in which block, and the block has to be searched: some twenty cache
//! misses for one key. A hash table in the file answers all three with one cache line, and denies better than the filter does. Its
//! buckets are such lines, with one-byte tags in front that are compared all at once (the layout of Google's Swiss tables).
//!
//! ```text
//! 0   kind          1   1
//! 1   offset bits   1   of a position, the lower: where in its block; the higher: the block's number
//! 2   reserved      2   zero
//! 4   buckets       4
//! 8   blocks        4
//! 12  padding      52   zero
//! 64  buckets      64 each
//!     blocks        4 each: where the block lies; the highest bit says that it is compressed
//!
//! bucket:
//! 0   tags         12   one byte of the key's hash, not 0; 0: a free slot, as are all behind it
//! 12  overflowed    1   1: keys that belong here lie in the next bucket (behind the last comes the first)
//! 13  reserved      3   zero
//! 16  slots        12 × 4   a position (28 bits), and 4 bits more of the hash
//! ```
//!
//! Each user key has one slot, whatever the number of its versions. The position is that of the last restart at or before the
//! newest version: the key is one of the entries from there up to the next restart.

use super::hashes::Hashes;
use crate::coding::Decoder;
use crate::pages::PageVec;
use crate::prefetch::prefetch;

const BUCKET_BYTES: usize = 64;
const HEADER: usize = 64;
const KIND_TAGGED_BUCKETS: u8 = 1;
const SLOTS: usize = 12;
const OVERFLOWED: usize = SLOTS;
const FIRST_SLOT: usize = 16;
const POSITION_BITS: u32 = 28;
/// Blocks lie below this: the highest bit of their place has another meaning.
const BLOCK_OFFSET_END: u64 = 1 << 31;
const COMPRESSED: u32 = 1 << 31;
/// Keys for each ten buckets: 7 slots of 10. Fuller, more keys are not in their own bucket; emptier, the index takes more room.
const KEYS_PER_TEN_BUCKETS: usize = 84;

/// Keys are put where chance wants it, each a miss: so many of them are fetched at once.
const PUT_AHEAD: usize = 16;

/// Where an entry is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) block: usize,
    /// Of a restart, in the block.
    pub(crate) offset: usize,
}

/// A point index in the making.
#[derive(Debug)]
pub(crate) struct PointIndexBuilder {
    offset_bits: u32,
    /// A `u32` each.
    positions: PageVec,
    blocks: Vec<u32>,
    /// Whether the table turned out too large.
    given_up: bool,
}

impl PointIndexBuilder {
    /// For a table whose entries begin before `block_bytes` of their block.
    pub(crate) fn new(block_bytes: usize) -> PointIndexBuilder {
        let offset_bits = block_bytes.next_power_of_two().ilog2().min(POSITION_BITS);
        PointIndexBuilder { offset_bits, positions: PageVec::default(), blocks: Vec::new(), given_up: false }
    }

    /// Adds the next user key, the `restart` before whose entry lies in the block that is not complete yet.
    pub(crate) fn add(&mut self, restart: usize) {
        let block = self.blocks.len() as u64;
        let position = block << self.offset_bits | restart as u64;
        if restart >= 1 << self.offset_bits || position >= 1 << POSITION_BITS {
            self.given_up = true;
        }
        if !self.given_up {
            self.positions.extend_from_slice(&(position as u32).to_le_bytes());
        }
    }

    /// The block is complete and lies at `offset`.
    pub(crate) fn end_block(&mut self, offset: u64, compressed: bool) {
        self.given_up |= offset >= BLOCK_OFFSET_END;
        self.blocks.push(offset as u32 | if compressed { COMPRESSED } else { 0 });
    }

    /// The index of the keys with these hashes, one for each that was added; `end` is where the last block and its trailer end. Empty
    /// if there is no key, or the table is too large for it.
    pub(crate) fn finish(mut self, hashes: &Hashes, end: u64) -> PageVec {
        self.end_block(end, false);
        if self.given_up || hashes.is_empty() {
            return PageVec::default();
        }
        let buckets = (hashes.len() * 10).div_ceil(KEYS_PER_TEN_BUCKETS);
        let mut bytes = PageVec::zeros(HEADER + buckets * BUCKET_BYTES + self.blocks.len() * 4);
        let (layout, rest) = bytes.split_at_mut(HEADER);
        let (all, places) = rest.split_at_mut(buckets * BUCKET_BYTES);
        let numbers =
            [u32::from_le_bytes([KIND_TAGGED_BUCKETS, self.offset_bits as u8, 0, 0]), buckets as u32];
        put_numbers(layout, numbers.iter().chain(&[self.blocks.len() as u32]));
        put_numbers(places, &self.blocks);
        let (all, _) = all.as_chunks_mut();
        let positions = self.positions.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        for (at, (hash, position)) in hashes.iter().zip(positions).enumerate() {
            if let Some(soon) = hashes.get(at + PUT_AHEAD) {
                prefetch_bucket(all, soon);
            }
            put(all, hash, position);
        }
        bytes
    }
}

fn put_numbers<'a>(room: &mut [u8], numbers: impl IntoIterator<Item = &'a u32>) {
    room.as_chunks_mut().0.iter_mut().zip(numbers).for_each(|(room, number)| *room = number.to_le_bytes());
}

fn prefetch_bucket(buckets: &[[u8; BUCKET_BYTES]], hash: u64) {
    if let Some(bucket) = buckets.get(bucket_of(hash, buckets.len() as u32) as usize) {
        // Where these buckets are made they may lie across two lines.
        prefetch(bucket, 0);
        prefetch(bucket, BUCKET_BYTES - 1);
    }
}

fn put(buckets: &mut [[u8; BUCKET_BYTES]], hash: u64, position: u32) {
    let home = bucket_of(hash, buckets.len() as u32) as usize;
    let (before, from_home) = buckets.split_at_mut(home);
    for bucket in from_home.iter_mut().chain(before) {
        let (tags, slots) = bucket.split_at_mut(FIRST_SLOT);
        let free = tags.iter().take(SLOTS).position(|tag| *tag == 0);
        let place = free.and_then(|free| tags.get_mut(free).zip(slots.as_chunks_mut::<4>().0.get_mut(free)));
        if let Some((tag, slot)) = place {
            *tag = tag_of(hash);
            *slot = (check_of(hash) << POSITION_BITS | position).to_le_bytes();
            return;
        }
        if let Some(overflowed) = tags.get_mut(OVERFLOWED) {
            *overflowed = 1;
        }
    }
}

/// How a point index is laid out; read once when the table is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointIndex {
    buckets: u32,
    blocks: u32,
    offset_bits: u32,
}

impl PointIndex {
    /// Reads the layout of the index that `bytes` hold; `None` for damage or an unknown kind.
    pub(crate) fn decode(bytes: &[u8]) -> Option<PointIndex> {
        let mut fields = Decoder::new(bytes);
        let known = fields.u8()? == KIND_TAGGED_BUCKETS;
        let offset_bits = u32::from(fields.u8()?);
        fields.bytes(2)?;
        let (buckets, blocks) = (fields.u32()?, fields.u32()?);
        let len = HEADER as u64 + u64::from(buckets) * BUCKET_BYTES as u64 + u64::from(blocks) * 4;
        let sound = buckets > 0 && blocks > 1 && offset_bits <= POSITION_BITS && bytes.len() as u64 == len;
        (known && sound).then_some(PointIndex { buckets, blocks, offset_bits })
    }

    /// The number of data blocks.
    pub(crate) fn blocks(self) -> usize {
        self.blocks as usize - 1
    }

    /// Has the processor fetch the bucket of a key with this hash.
    #[inline]
    pub(crate) fn foresee(self, bytes: &[u8], hash: u64) {
        prefetch(bytes, HEADER + bucket_of(hash, self.buckets) as usize * BUCKET_BYTES);
    }

    /// Where a key with this hash may be. That it is nowhere is certain.
    #[inline]
    pub(crate) fn candidates(self, bytes: &[u8], hash: u64) -> Candidates {
        let at = bucket_of(hash, self.buckets);
        let left = bucket(bytes, at).map_or(0, |bucket| matching(bucket, hash));
        Candidates::new(at, left).without_others(self, bytes, hash)
    }

    /// Where block `at` lies, how long it is with its trailer, and whether it is compressed.
    #[inline]
    pub(crate) fn block(self, bytes: &[u8], at: usize) -> Option<(u64, u64, bool)> {
        let blocks = bytes.get(HEADER + self.buckets as usize * BUCKET_BYTES..)?;
        let place = |at: usize| Some(u32::from_le_bytes(*blocks.get(at * 4..)?.first_chunk::<4>()?));
        let (this, next) = (place(at)?, place(at + 1)?);
        let (start, end) = (this & !COMPRESSED, next & !COMPRESSED);
        Some((u64::from(start), u64::from(end.checked_sub(start)?), this & COMPRESSED != 0))
    }
}

/// The slots that may be a key's: those of its bucket, and of the next ones where that one is full. One word, which stays in a register:
///
/// ```text
/// bits 0 – 31   the bucket
///     32 – 47   a bit for each matching slot of it that was not passed yet
///     48        1 once the first of these was handed out. The next one is looked for when somebody wants it: mostly nobody does
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidates(u64);

impl Candidates {
    /// None.
    pub(crate) const NOWHERE: Candidates = Candidates::new(0, 0);
    /// Of a table that has no point index: the key may be anywhere.
    pub(crate) const ANYWHERE: Candidates = Candidates::new(0, u16::MAX);
    const TAKEN: u64 = 1 << 48;

    #[inline]
    const fn new(at: u32, left: u16) -> Candidates {
        Candidates(at as u64 | (left as u64) << 32)
    }

    #[inline]
    fn at(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn left(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.left() == 0
    }

    /// The next place to look at.
    #[inline]
    pub(crate) fn next(&mut self, index: PointIndex, bytes: &[u8], hash: u64) -> Option<Position> {
        if self.is_empty() {
            return None;
        }
        if self.0 & Self::TAKEN != 0 {
            let left = self.left();
            *self =
                Candidates::new(self.at(), left & left.wrapping_sub(1)).without_others(index, bytes, hash);
        }
        self.0 |= Self::TAKEN;
        let slot = slot(bucket(bytes, self.at())?, self.left())?;
        let position = (slot & ((1 << POSITION_BITS) - 1)) as usize;
        let offset = position & ((1 << index.offset_bits) - 1);
        Some(Position { block: position >> index.offset_bits, offset })
    }

    /// Those from the first one on that has the other bits of the hash, too.
    #[inline]
    fn without_others(self, index: PointIndex, bytes: &[u8], hash: u64) -> Candidates {
        let Some(bucket) = bucket(bytes, self.at()) else { return Candidates::NOWHERE };
        let left = without_others(self.left(), bucket, hash);
        if left == 0 && bucket.get(OVERFLOWED) == Some(&1) {
            return overflow(self.at(), index, bytes, hash);
        }
        Candidates::new(self.at(), left)
    }
}

/// Goes on in the buckets behind `at`, to before the one where the key belongs.
#[cold]
#[inline(never)]
fn overflow(mut at: u32, index: PointIndex, bytes: &[u8], hash: u64) -> Candidates {
    let home = bucket_of(hash, index.buckets);
    loop {
        at = (at + 1) % index.buckets;
        let Some(bucket) = bucket(bytes, at).filter(|_| at != home) else { return Candidates::NOWHERE };
        let left = without_others(matching(bucket, hash), bucket, hash);
        if left != 0 || bucket.get(OVERFLOWED) != Some(&1) {
            return Candidates::new(at, left);
        }
    }
}

/// The slots of a bucket that are `left`, from the first one on that has the other bits of the hash, too.
#[inline]
fn without_others(mut left: u16, bucket: &[u8; BUCKET_BYTES], hash: u64) -> u16 {
    while let Some(slot) = slot(bucket, left)
        && slot >> POSITION_BITS != check_of(hash)
    {
        left &= left.wrapping_sub(1);
    }
    left
}

#[inline]
fn bucket(bytes: &[u8], at: u32) -> Option<&[u8; BUCKET_BYTES]> {
    bytes.get(HEADER + at as usize * BUCKET_BYTES..)?.first_chunk()
}

/// The first slot of a bucket that is `left`.
#[inline]
fn slot(bucket: &[u8; BUCKET_BYTES], left: u16) -> Option<u32> {
    let (slots, _) = bucket.split_at(FIRST_SLOT).1.as_chunks::<4>();
    slots.get(left.trailing_zeros() as usize).map(|slot| u32::from_le_bytes(*slot))
}

/// The slots of a bucket whose tags are those of the hash. All are compared at once: a search waits for the memory, and the shorter
/// the way from one bucket to the next one that is wanted, the more of them the processor fetches at the same time.
#[inline]
fn matching(bucket: &[u8; BUCKET_BYTES], hash: u64) -> u16 {
    let (words, _) = bucket.as_chunks::<8>();
    let &[first, second, ..] = words else { return 0 };
    equal_bytes(first, second, tag_of(hash)) & ((1 << SLOTS) - 1)
}

/// A bit for each of sixteen bytes that is `tag`.
#[cfg(target_arch = "x86_64")]
#[inline]
fn equal_bytes(first: [u8; 8], second: [u8; 8], tag: u8) -> u16 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    #[target_feature(enable = "sse2")]
    fn with_sse2(first: i64, second: i64, tag: i8) -> u16 {
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_set_epi64x(second, first), _mm_set1_epi8(tag))) as u16
    }
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { with_sse2(i64::from_le_bytes(first), i64::from_le_bytes(second), tag.cast_signed()) }
}

/// A bit for each of sixteen bytes that is `tag` (after H. S. Warren, "Hacker's Delight", 6-1).
#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_bytes_anywhere(first: [u8; 8], second: [u8; 8], tag: u8) -> u16 {
    const SEVENS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let equal = |bytes| {
        let word = u64::from_le_bytes(bytes) ^ (u64::from(tag) * 0x0101_0101_0101_0101);
        // No carry leaves a byte, and the product moves the bits of all bytes next to each other.
        let zeros = !(((word & SEVENS) + SEVENS) | word | SEVENS) >> 7;
        (zeros.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
    };
    equal(first) | equal(second) << 8
}

#[cfg(not(target_arch = "x86_64"))]
use equal_bytes_anywhere as equal_bytes;

/// The upper half of the hash picks the bucket.
#[inline]
fn bucket_of(hash: u64, buckets: u32) -> u32 {
    (((hash >> 32) * u64::from(buckets)) >> 32) as u32
}

/// The lower half tells keys of a bucket apart: by eight bits,
#[inline]
fn tag_of(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// and by four more.
#[inline]
fn check_of(hash: u64) -> u32 {
    (hash >> 8) as u32 & 0xf
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key;

    fn hashes(range: std::ops::Range<u64>) -> Hashes {
        range.map(|i| key::hash(&i.to_be_bytes())).collect()
    }

    /// The index of keys that lie at 0, 10, 20, … of blocks of 100 bytes.
    fn index_of(hashes: &Hashes) -> (PointIndex, PageVec) {
        let mut builder = PointIndexBuilder::new(100);
        for at in 0..hashes.len() {
            builder.add(at % 10 * 10);
            if at % 10 == 9 || at + 1 == hashes.len() {
                builder.end_block(64 + at as u64 / 10 * 105, at % 20 == 19);
            }
        }
        let bytes = builder.finish(hashes, 1 << 30);
        (PointIndex::decode(&bytes).unwrap(), bytes)
    }

    #[test]
    fn bytes_are_found_wherever_they_are() {
        let mut random = 1;
        for _ in 0..10_000 {
            let mut word = || {
                random = key::hash(&u64::to_le_bytes(random));
                // Few different bytes, so that many are equal, and next to what is nearly so.
                u64::to_le_bytes(random)
                    .map(|byte| [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff][usize::from(byte % 8)])
            };
            let (first, second, [tag, ..]) = (word(), word(), word());
            let both = first.iter().chain(&second).enumerate();
            let expected = both.fold(0, |bits, (at, byte)| bits | u16::from(*byte == tag) << at);
            assert_eq!(equal_bytes(first, second, tag), expected, "{tag} in {first:?} {second:?}");
            assert_eq!(equal_bytes_anywhere(first, second, tag), expected, "{tag} in {first:?} {second:?}");
        }
    }

    fn positions(index: PointIndex, bytes: &[u8], hash: u64) -> Vec<Position> {
        let mut candidates = index.candidates(bytes, hash);
        std::iter::from_fn(|| candidates.next(index, bytes, hash)).collect()
    }

    #[test]
    fn every_key_is_where_it_was_put_and_few_others_are_anywhere() {
        for n in [1, 2, 13, 100, 10_000, 100_000] {
            let keys = hashes(0..n);
            let (index, bytes) = index_of(&keys);
            for (at, hash) in keys.iter().enumerate() {
                let there = Position { block: at / 10, offset: at % 10 * 10 };
                assert!(positions(index, &bytes, hash).contains(&there), "{at} of {n}");
            }
        }
        let (index, bytes) = index_of(&hashes(0..100_000));
        let others = hashes(100_000..300_000);
        let found = others.iter().filter(|hash| !index.candidates(&bytes, *hash).is_empty()).count();
        let rate = found as f64 / others.len() as f64;
        assert!(rate < 0.004, "twelve bits of hash give one of 400 in a bucket of nine, not {rate}");
    }

    #[test]
    fn keys_that_all_hash_to_one_bucket_spill_over_the_end() {
        let (index, bytes) = index_of(&[u64::MAX; 50].into_iter().collect());
        assert_eq!(positions(index, &bytes, u64::MAX).len(), 50);
        assert!(positions(index, &bytes, u64::MAX - 1).is_empty(), "another tag");
    }

    #[test]
    fn blocks_are_where_they_were_put() {
        let (index, bytes) = index_of(&hashes(0..100));
        assert_eq!(index.blocks(), 10);
        assert_eq!(index.block(&bytes, 0), Some((64, 105, false)));
        assert_eq!(index.block(&bytes, 1), Some((169, 105, true)));
        assert_eq!(index.block(&bytes, 9).map(|(start, len, _)| start + len), Some(1 << 30));
        assert_eq!(index.block(&bytes, 10), None);
    }

    #[test]
    fn a_table_that_is_too_large_has_none() {
        let mut builder = PointIndexBuilder::new(1 << 20);
        builder.add(0);
        assert!(builder.finish(&[7].into_iter().collect(), BLOCK_OFFSET_END).is_empty(), "a block too far");
        let mut builder = PointIndexBuilder::new(1 << 20);
        (0..257).for_each(|at| builder.end_block(64 + at, false));
        builder.add(0);
        assert!(builder.finish(&[7].into_iter().collect(), 1 << 20).is_empty(), "too many blocks");
        assert!(PointIndexBuilder::new(4096).finish(&Hashes::default(), 64).is_empty(), "no key");
    }

    #[test]
    fn a_damaged_layout_is_refused_and_damaged_buckets_end() {
        let keys = hashes(0..100);
        let (_, bytes) = index_of(&keys);
        assert!(PointIndex::decode(&bytes[..bytes.len() - 1]).is_none());
        for (at, value) in [(0, 9), (1, 29), (4, 0), (7, 0x7f), (8, 0)] {
            let mut damaged = bytes.to_vec();
            damaged[at] = value;
            assert!(PointIndex::decode(&damaged).is_none(), "byte {at}");
        }
        let mut damaged = bytes;
        damaged[HEADER..].fill(1);
        let index = PointIndex::decode(&damaged).unwrap();
        keys.iter().for_each(|hash| assert!(positions(index, &damaged, hash).len() <= 12 * 12));
    }
}
