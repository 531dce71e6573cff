//! Who holds an old state of the database, and since when: iterators and snapshots.
//!
//! A table of places, two words each. Whoever begins to hold claims a free place by compare-and-swap and clears it at the
//! end; a reader looks at all of them. Nobody waits, nothing is allocated. Those that find every place taken are only counted.
//!
//! ```text
//!   claimed by:  sequence number << 2 | kind + 1        0 = free
//!   since:       time stamp                             0 = not yet
//! ```

use crate::catalog::{Gauge, GaugeCell};
use crate::clock::{Clock, Ticks};
use crate::events::unix_seconds;
use std::sync::atomic::{AtomicU64, Ordering};

/// Holders that are known one by one.
const PLACES: usize = 256;
/// The cache lines that they lie in.
const LINES: usize = PLACES * size_of::<Place>() / 64;

const KIND_BITS: u32 = 2;
const KIND_MASK: u64 = (1 << KIND_BITS) - 1;

/// What holds an old state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HolderKind {
    /// A scan.
    Iterator,
    /// A snapshot.
    Snapshot,
}

impl HolderKind {
    /// Every kind, in index order.
    pub const ALL: [Self; 2] = [Self::Iterator, Self::Snapshot];

    /// The name: `iterator` or `snapshot`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iterator => "iterator",
            Self::Snapshot => "snapshot",
        }
    }

    /// Position in [`HolderKind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// An iterator or a snapshot that is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holder {
    /// What it is.
    pub kind: HolderKind,
    /// The sequence number of the state that it reads.
    pub sequence: u64,
    /// Since when it is held, in seconds since the Unix epoch.
    pub since: f64,
    /// For how long it has been held, in nanoseconds.
    pub age_nanos: u64,
}

/// Everything that is held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holders {
    /// The holders, oldest first: 256 at most.
    pub known: Vec<Holder>,
    /// How many there are of each kind beyond those, in the order of [`HolderKind::ALL`].
    pub unknown: [u64; HolderKind::ALL.len()],
}

impl Holders {
    /// How many there are of a kind.
    pub fn count(&self, kind: HolderKind) -> u64 {
        let known = self.known.iter().filter(|holder| holder.kind == kind).count() as u64;
        known + self.unknown.get(kind.index()).copied().unwrap_or_default()
    }

    /// The age of the oldest of a kind, in nanoseconds; 0 if there is none.
    pub fn oldest_age_nanos(&self, kind: HolderKind) -> u64 {
        let ages = self.known.iter().filter(|holder| holder.kind == kind).map(|holder| holder.age_nanos);
        ages.max().unwrap_or_default()
    }

    /// Fills in the gauges about holders.
    pub(crate) fn describe(&self, gauges: &mut [f64]) {
        let cells = [
            (HolderKind::Iterator, Gauge::IteratorsOpen, Gauge::IteratorOldestAge),
            (HolderKind::Snapshot, Gauge::SnapshotsOpen, Gauge::SnapshotOldestAge),
        ];
        for (kind, open, oldest) in cells {
            let values =
                [(open, self.count(kind) as f64), (oldest, self.oldest_age_nanos(kind) as f64 / 1e9)];
            for (gauge, value) in values {
                if let Some(cell) = gauges.get_mut(GaugeCell::from(gauge).position()) {
                    *cell = value;
                }
            }
        }
    }
}

/// Where this thread looks for a free place first: always at the same one, in a cache line that few others use, so that threads do not
/// take lines from each other.
#[inline]
fn first_place() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    // Threads keep their variables pages apart; the upper bits of the product depend on all of the address (Knuth's multiplicative hashing).
    let page = HERE.with(|here| std::ptr::from_ref(here).addr() >> 12);
    let line = page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - LINES.ilog2());
    line * (PLACES / LINES)
}

/// The holders of one database.
#[derive(Debug)]
pub(crate) struct HolderTable {
    places: Box<[Place]>,
    beyond: [AtomicU64; HolderKind::ALL.len()],
}

#[derive(Debug, Default)]
struct Place {
    claim: AtomicU64,
    since: AtomicU64,
}

/// What a holder claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A place of its own.
    Place(u16),
    /// None was free.
    Beyond(HolderKind),
}

impl Default for HolderTable {
    fn default() -> Self {
        Self {
            places: std::iter::repeat_with(Place::default).take(PLACES).collect(),
            beyond: [const { AtomicU64::new(0) }; HolderKind::ALL.len()],
        }
    }
}

impl HolderTable {
    /// Notes that something begins to hold the state of a sequence number. What it claims is to be
    /// [released](HolderTable::release) once.
    #[inline]
    pub(crate) fn claim(&self, kind: HolderKind, sequence: u64, now: Ticks) -> Claim {
        let word = sequence << KIND_BITS | (kind as u64 + 1);
        let first = first_place();
        if self.places.get(first).is_some_and(|place| place.claim(word, now)) {
            return Claim::Place(first as u16);
        }
        self.claim_another(first, kind, word, now)
    }

    #[cold]
    #[inline(never)]
    fn claim_another(&self, first: usize, kind: HolderKind, word: u64, now: Ticks) -> Claim {
        for at in (first + 1..PLACES).chain(0..first) {
            if self.places.get(at).is_some_and(|place| place.claim(word, now)) {
                return Claim::Place(at as u16);
            }
        }
        self.count_beyond(kind, 1)
    }

    #[cold]
    fn count_beyond(&self, kind: HolderKind, difference: u64) -> Claim {
        if let Some(beyond) = self.beyond.get(kind.index()) {
            beyond.fetch_add(difference, Ordering::Relaxed);
        }
        Claim::Beyond(kind)
    }

    /// What made the claim holds no longer.
    #[inline]
    pub(crate) fn release(&self, claim: Claim) {
        match claim {
            Claim::Place(at) => {
                if let Some(place) = self.places.get(usize::from(at)) {
                    place.since.store(0, Ordering::Relaxed);
                    place.claim.store(0, Ordering::Release);
                }
            }
            Claim::Beyond(kind) => {
                self.count_beyond(kind, 1_u64.wrapping_neg());
            }
        }
    }

    /// Everything that is held now.
    pub(crate) fn read(&self, clock: Clock) -> Holders {
        let (now, wall) = (clock.now(), unix_seconds());
        let read = |place: &Place| {
            let (word, since) = place.read()?;
            let kind = HolderKind::ALL.get((word & KIND_MASK).checked_sub(1)? as usize)?;
            let age_nanos = clock.nanos_between(Ticks::from_bits(since), now);
            let since = wall - age_nanos as f64 / 1e9;
            Some(Holder { kind: *kind, sequence: word >> KIND_BITS, since, age_nanos })
        };
        let mut known: Vec<_> = self.places.iter().filter_map(read).collect();
        known.sort_by_key(|holder| std::cmp::Reverse(holder.age_nanos));
        let unknown = [0, 1].map(|at| self.beyond.get(at).map_or(0, |n| n.load(Ordering::Relaxed)));
        Holders { known, unknown }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.places)
    }
}

impl Place {
    /// Claims the place, if it is free.
    #[inline]
    fn claim(&self, word: u64, now: Ticks) -> bool {
        // Acquire: the stamp of whoever had the place before is gone when it is ours. Release: see `read`.
        let is_ours = self.claim.load(Ordering::Relaxed) == 0
            && self.claim.compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if is_ours {
            self.since.store(now.to_bits(), Ordering::Release);
        }
        is_ours
    }

    /// Claim and stamp, if they belong together.
    fn read(&self) -> Option<(u64, u64)> {
        let since = self.since.load(Ordering::Acquire);
        // If this claim is a later one than the stamp's, the stamp had been cleared before the claim was made.
        let word = self.claim.load(Ordering::Acquire);
        (since != 0 && word != 0 && self.since.load(Ordering::Relaxed) == since).then_some((word, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_known_until_they_let_go_and_beyond_the_table_counted() {
        let clock = Clock::global();
        let table = HolderTable::default();
        let first = table.claim(HolderKind::Snapshot, 41, clock.now());
        let rest: Vec<_> =
            (0..PLACES as u64 + 9).map(|n| table.claim(HolderKind::Iterator, n, clock.now())).collect();
        let holders = table.read(clock);
        assert_eq!(holders.known.len(), PLACES);
        assert_eq!((holders.known[0].kind, holders.known[0].sequence), (HolderKind::Snapshot, 41));
        assert_eq!(holders.count(HolderKind::Iterator), PLACES as u64 + 9);
        assert_eq!(holders.unknown, [10, 0]);
        rest.into_iter().for_each(|claim| table.release(claim));
        let before = table.read(clock).oldest_age_nanos(HolderKind::Snapshot);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(table.read(clock).oldest_age_nanos(HolderKind::Snapshot) >= before + 2_000_000);
        table.release(first);
        assert_eq!(table.read(clock), Holders::default());
    }

    #[test]
    fn a_reader_never_takes_one_holder_for_another() {
        let clock = Clock::global();
        let table = HolderTable::default();
        std::thread::scope(|scope| {
            // Each thread's sequence numbers tell its kind.
            for (kind, parity) in [(HolderKind::Iterator, 0), (HolderKind::Snapshot, 1)] {
                let table = &table;
                scope.spawn(move || {
                    for n in 0..50_000 {
                        let claim = table.claim(kind, 2 * n + parity, clock.now());
                        table.release(claim);
                    }
                });
            }
            for _ in 0..500 {
                for holder in table.read(clock).known {
                    assert_eq!(holder.sequence % 2, holder.kind as u64);
                    assert!(holder.age_nanos < 60_000_000_000);
                }
            }
        });
        assert_eq!(table.read(clock), Holders::default());
    }
}
