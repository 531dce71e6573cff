//! The cells of one kind of operation in one shard: a counter that is its own sampler, and two strata of latencies.
//!
//! - *Slow* operations left the fast path (they read a file, waited for a lock, stalled, synced). Each is timed and recorded
//!   with weight 1.
//! - *Fast* operations are sampled. A sample stands for itself and for the fast operations that end before the next
//!   sample, so the weights of all samples add up to the exact number of fast operations at any moment.
//!
//! An operation is looked at when `position`, which every operation raises by one, reaches 0. The next look is then drawn
//! uniformly from 1 to 2N − 1 operations ahead: N on average, and in step with no workload.
//!
//! The weight of the newest sample still grows. It is not in a bucket yet but follows from two cells:
//!
//! ```text
//!   latest = (bucket, settled)        weight so far = fast − settled
//!
//!   fast operation   1  2  3  4  5  6  7  8
//!   sampled          x        x                  settled = 3 when the second sample was taken
//!   weights          3        5 so far           buckets hold 3, the reader adds 5 to the bucket of `latest`
//! ```
//!
//! The owner first raises the bucket of the sample that is complete, then replaces `latest`. A reader loads how many are finished, then
//! `latest`, then the buckets: if these add up to `settled`, nothing happened in between and it adds the weight so far. If
//! they add up to more, the owner has settled that sample meanwhile; the reader loads its bucket again, since it may have
//! passed it too early. Either way no operation is lost or counted twice, and no bucket ever shrinks.
//!
//! Sampling weights after Horvitz and Thompson, "A Generalization of Sampling Without Replacement", JASA 1952.

use crate::cell::{self, Writers};
use crate::histogram::{LazyHistogram, Tally, bucket_of};
use crate::quick::{QuickCells, QuickEnd};
use crate::sync::{AtomicU64, Ordering};

/// The gap to a look that never comes.
pub(crate) const NEVER: u64 = 1 << 60;

/// What every operation touches, first and last. A block of its own for each operation, in pairs of cache lines, since
/// processors fetch them so. What an operation touches that is not timed lies in the first pair: but for gets, which have a cell
/// for each usual end, in its first line.
///
/// The number of operations begun follows from two cells, and a third says whether the two belong together:
///
/// ```text
///   turn = (operations begun when the next look is due, 0)      begun = turn + position, position ≤ 0
///   turn = (operations begun, 1) while a look is being placed   begun = turn
///   looks = looks placed
/// ```
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct OperationCells {
    /// Operations until the next look, as a negative number in two's complement.
    position: AtomicU64,
    /// Operations finished on the fast path, but for those in `quick`.
    fast: AtomicU64,
    /// Gets finished on the fast path in one of the usual ways.
    quick: QuickCells,
    /// See above; the flag is the lowest bit.
    turn: AtomicU64,
    /// Operations finished off the fast path.
    slow: AtomicU64,
    /// The newest sample, see [`Latest`].
    latest: AtomicU64,
    /// Fast operations that no sample stands for: they ended while operations were not timed.
    unsampled: AtomicU64,
    /// Samples of fast operations.
    pub(crate) samples: AtomicU64,
    /// The sum of the samples, in nanoseconds.
    pub(crate) sampled_nanos: AtomicU64,
    /// The sum of the slow operations, in nanoseconds.
    pub(crate) slow_nanos: AtomicU64,
    /// The state of the generator that draws gaps; never 0 once used.
    random: AtomicU64,
    /// See above. A look that is put forward makes `turn` smaller, so `turn` may be again what it was: this never is.
    looks: AtomicU64,
}

/// The newest sample: its bucket, and the fast operations that older samples stand for, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Latest {
    bucket: Option<usize>,
    settled: u64,
}

impl Latest {
    const SETTLED_BITS: u32 = 50;
    const SETTLED: u64 = (1 << Self::SETTLED_BITS) - 1;

    /// The bucket is stored from 1, so that a fresh cell has none.
    fn pack(self) -> u64 {
        let bucket = self.bucket.map_or(0, |bucket| bucket as u64 + 1);
        bucket << Self::SETTLED_BITS | self.settled & Self::SETTLED
    }
    fn unpack(word: u64) -> Self {
        let bucket = (word >> Self::SETTLED_BITS) as usize;
        Self { bucket: bucket.checked_sub(1), settled: word & Self::SETTLED }
    }
}

impl OperationCells {
    /// Counts an operation as begun, if it is not its turn to be looked at: if it is, nothing is counted.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        let position = self.position.load(Ordering::Relaxed).wrapping_add(1).cast_signed();
        let unseen = position < 0;
        if unseen {
            self.position.store(position.cast_unsigned(), Ordering::Release);
        }
        unseen
    }

    /// Counts an operation as begun and places the next look `gap` operations ahead; at 1 it is the next one's turn.
    pub(crate) fn begin_looking(&self, gap: u64) {
        self.place_look(self.begun_by_owner() + 1, gap);
    }

    /// Makes it the next operation's turn, for the owner.
    pub(crate) fn look_next(&self) {
        self.place_look(self.begun_by_owner(), 0);
    }

    /// Places the next look so many operations ahead of those begun.
    fn place_look(&self, begun: u64, ahead: u64) {
        self.turn.store(begun << 1 | 1, Ordering::Release);
        cell::raise(&self.looks, 1, Writers::One);
        self.position.store(ahead.wrapping_neg(), Ordering::Release);
        self.turn.store((begun + ahead) << 1, Ordering::Release);
    }

    /// Operations begun, for the owner: nobody changes the cells meanwhile.
    fn begun_by_owner(&self) -> u64 {
        (self.turn.load(Ordering::Relaxed) >> 1).wrapping_add(self.position.load(Ordering::Relaxed))
    }

    /// Operations begun. Never waits: it looks again only if the owner has gone on, and a look is rare.
    pub(crate) fn begun(&self) -> u64 {
        /// The owner would have to place looks as fast as three cells are loaded, so often in a row.
        const ATTEMPTS: usize = 100;
        let mut looks = cell::read(&self.looks);
        let mut turn = cell::read(&self.turn);
        for _ in 0..ATTEMPTS {
            if turn & 1 == 1 {
                break;
            }
            // Not older than `turn`, which is not older than the look counted: if no other was, they belong to it.
            let position = cell::read(&self.position);
            let again = cell::read(&self.looks);
            if again == looks {
                return (turn >> 1).wrapping_add(position);
            }
            looks = again;
            turn = cell::read(&self.turn);
        }
        turn >> 1
    }

    /// Operations finished on the fast path.
    pub(crate) fn finished_fast(&self) -> u64 {
        cell::read(&self.fast) + self.quick.total()
    }

    /// Operations finished off the fast path.
    pub(crate) fn finished_slow(&self) -> u64 {
        cell::read(&self.slow)
    }

    /// How gets ended on the fast path in one of the usual ways.
    pub(crate) fn quick(&self) -> &QuickCells {
        &self.quick
    }

    /// Counts a get that was not looked at and ended in one of the usual ways, with a value of so many bytes or none.
    #[inline]
    pub(crate) fn finish_quick(&self, end: QuickEnd, value_bytes: Option<u64>) {
        self.quick.count(end, value_bytes);
    }

    /// Counts a fast operation that was not looked at.
    #[inline]
    pub(crate) fn finish_fast(&self) {
        cell::raise(&self.fast, 1, Writers::One);
    }

    /// Counts a fast operation that was timed; the sample of `nanos` stands for it and for those to come.
    pub(crate) fn finish_sample(&self, fast: &LazyHistogram, nanos: u64) {
        let settled = self.settle(fast);
        fast.note(nanos);
        self.latest.store(Latest { bucket: Some(bucket_of(nanos)), settled }.pack(), Ordering::Release);
        cell::raise(&self.samples, 1, Writers::One);
        cell::raise(&self.sampled_nanos, nanos, Writers::One);
        self.finish_fast();
    }

    /// Counts an operation that left the fast path.
    pub(crate) fn finish_slow(&self, slow: &LazyHistogram, nanos: u64) {
        slow.record(nanos, Writers::One);
        cell::raise(&self.slow_nanos, nanos, Writers::One);
        if Latest::unpack(self.latest.load(Ordering::Relaxed)).bucket.is_none() {
            // Fast operations still wait for their first sample: the next operation is looked at.
            self.look_next();
        }
        cell::raise(&self.slow, 1, Writers::One);
    }

    /// Ends the newest sample: what is finished from now on is counted and not timed.
    pub(crate) fn pause(&self, fast: &LazyHistogram) {
        let settled = self.settle(fast);
        self.latest.store(Latest { bucket: None, settled }.pack(), Ordering::Release);
    }

    /// Gives the newest sample its final weight; returns the number of fast operations that samples stand for, or never will.
    fn settle(&self, fast: &LazyHistogram) -> u64 {
        let Latest { bucket, settled } = Latest::unpack(self.latest.load(Ordering::Relaxed));
        let finished = self.finished_fast();
        let weight = (finished & Latest::SETTLED).wrapping_sub(settled) & Latest::SETTLED;
        match bucket {
            Some(bucket) => fast.raise(bucket, weight),
            None => cell::raise(&self.unsampled, weight, Writers::One),
        }
        finished
    }

    /// Draws the gap to the next look.
    pub(crate) fn draw_gap(&self, interval: u64) -> u64 {
        let mut random = self.random();
        let gap = draw_gap(&mut random, interval);
        self.random.store(random, Ordering::Relaxed);
        gap
    }

    /// The state of the generator: any number but 0, another for every cell and every time it is used.
    pub(crate) fn random(&self) -> u64 {
        match self.random.load(Ordering::Relaxed) {
            0 => (std::ptr::from_ref(self) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            random => random,
        }
    }

    /// Adds what fast operations took to `tally`, given that `finished` of them were counted by `fast` before.
    pub(crate) fn add_fast_to(&self, fast: &LazyHistogram, finished: u64, tally: &mut Tally) {
        let Latest { bucket, settled } = Latest::unpack(cell::read(&self.latest));
        let unsampled = cell::read(&self.unsampled);
        let seen = fast.add_to_watching(tally, bucket);
        let Some(bucket) = bucket else { return };
        if seen.total == (settled.wrapping_sub(unsampled)) & Latest::SETTLED {
            let weight = (finished & Latest::SETTLED).saturating_sub(settled);
            tally.raise(bucket, weight);
        } else {
            tally.raise(bucket, fast.count(bucket).saturating_sub(seen.watched));
        }
    }
}

/// Draws a gap from 1 to 2 × `interval` − 1, each as likely as the others (xorshift64, Marsaglia, "Xorshift RNGs", 2003).
pub(crate) fn draw_gap(random: &mut u64, interval: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    let gaps = interval.saturating_mul(2).saturating_sub(1).max(1);
    // The high half of the product is the number as a share of 2⁶⁴, of the gaps: no division.
    1 + ((u128::from(*random) * u128::from(gaps)) >> 64) as u64
}

#[cfg(test)]
mod tests;
