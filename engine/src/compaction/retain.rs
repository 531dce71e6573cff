//! Which entries a merge keeps.
//!
//! The states that must stay readable (snapshots, and the newest) cut sequence numbers into stripes. Of each key, each stripe
//! needs its newest entry; all others are invisible to everyone. A tombstone in the oldest stripe is needed only as long as
//! something older may lie below.

use bettong_metrics::{Counter, Recorder};

use crate::key::{InternalKey, Kind, Trailer};
use crate::snapshot_list::Horizons;
use crate::values::stored::Stored;

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// To be kept for no reason but a snapshot that reads it.
    Held,
    /// A newer entry of the same key hides it from everyone.
    Shadowed,
    /// A tombstone with nothing left to hide.
    Spent,
}

/// Judges the entries of a merge, which come in internal key order.
#[derive(Debug)]
pub(crate) struct Retain {
    horizons: Horizons,
    /// Of the entry before.
    stripe: usize,
}

impl Retain {
    pub(crate) fn new(horizons: Horizons) -> Retain {
        Retain { horizons, stripe: 0 }
    }

    /// The entry as everybody sees it who still looks: one that has expired for all of them is a tombstone.
    pub(crate) fn as_seen<'a>(&self, key: InternalKey<'a>, stored: &'a [u8]) -> (InternalKey<'a>, &'a [u8]) {
        let kind = key.trailer.kind().filter(|kind| kind.expires());
        let parsed = kind.and_then(|kind| Stored::parse(kind, stored));
        if parsed.is_some_and(|parsed| parsed.is_past(self.horizons.time)) {
            let tombstone = Trailer::new(key.trailer.seq(), Kind::Tombstone);
            return (InternalKey::new(key.user, tombstone), &[]);
        }
        (key, stored)
    }

    /// `is_new` says whether it is the first entry of its user key, `is_bottom` whether no older entry of a key can lie below the merge's
    /// output.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        key: InternalKey<'_>,
        is_new: bool,
        is_bottom: impl FnOnce(&[u8]) -> bool,
    ) -> Verdict {
        let stripe = self.horizons.seqs.partition_point(|horizon| *horizon < key.trailer.seq());
        if !is_new && self.stripe == stripe {
            return Verdict::Shadowed;
        }
        self.stripe = stripe;
        // Without snapshots there would be one stripe: a second entry of a key would go, and a tombstone that hides nothing.
        let visible = stripe < self.horizons.seqs.len();
        let spent = visible && key.trailer.kind() == Some(Kind::Tombstone) && is_bottom(key.user);
        let second = !is_new && stripe + 1 < self.horizons.seqs.len();
        match (spent, second) {
            (true, _) if stripe == 0 => Verdict::Spent,
            (false, false) => Verdict::Keep,
            _ => Verdict::Held,
        }
    }
}

/// Entries kept for no reason but a snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    entries: u64,
    bytes: u64,
}

impl Held {
    pub(crate) fn count(&mut self, key: InternalKey<'_>, value: &[u8]) {
        self.entries += 1;
        self.bytes += (key.user.len() + value.len()) as u64;
    }

    pub(crate) fn add(&mut self, other: Held) {
        self.entries += other.entries;
        self.bytes += other.bytes;
    }

    pub(crate) fn record(self, recorder: &Recorder) {
        recorder.add(Counter::SnapshotPinnedEntries, self.entries);
        recorder.add(Counter::SnapshotPinnedBytes, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SeqNo;

    fn at(horizons: &[u64]) -> Horizons {
        Horizons { seqs: horizons.iter().copied().map(SeqNo).collect(), time: 0 }
    }

    /// What is left of `entries` (key, sequence number, kind; sorted) with snapshots at `horizons`.
    fn kept(horizons: &[u64], entries: &[(&'static str, u64, Kind)], bottom: bool) -> Vec<(String, u64)> {
        let verdicts = judged(horizons, entries, bottom);
        let keep = |((user, seq, _), verdict): (&(&str, u64, Kind), &Verdict)| {
            matches!(verdict, Verdict::Keep | Verdict::Held).then(|| ((*user).to_owned(), *seq))
        };
        entries.iter().zip(&verdicts).filter_map(keep).collect()
    }

    fn judged(horizons: &[u64], entries: &[(&'static str, u64, Kind)], bottom: bool) -> Vec<Verdict> {
        let mut retain = Retain::new(at(horizons));
        let mut last = "";
        let judge = |(user, seq, kind): &(&'static str, u64, Kind)| {
            let key = InternalKey::new(user.as_bytes(), Trailer::new(SeqNo(*seq), *kind));
            retain.judge(key, std::mem::replace(&mut last, user) != *user, |_| bottom)
        };
        entries.iter().map(judge).collect()
    }

    #[test]
    fn without_snapshots_only_the_newest_entry_of_a_key_stays() {
        let entries =
            [("a", 9, Kind::Value), ("a", 5, Kind::Value), ("b", 7, Kind::Tombstone), ("b", 6, Kind::Value)];
        assert_eq!(kept(&[10], &entries, false), [("a".into(), 9), ("b".into(), 7)]);
        assert_eq!(
            kept(&[10], &entries, true),
            [("a".into(), 9)],
            "a spent tombstone goes, and what it hid with it"
        );
    }

    #[test]
    fn what_only_a_snapshot_keeps_is_told_apart() {
        let judge = |horizons: &[u64], entries| judged(horizons, entries, true);
        let twice = [("a", 9, Kind::Value), ("a", 4, Kind::Value)];
        assert_eq!(judge(&[5, 10], &twice), [Verdict::Keep, Verdict::Held]);
        assert_eq!(judge(&[10], &twice), [Verdict::Keep, Verdict::Shadowed]);
        let deleted = [("a", 9, Kind::Tombstone), ("a", 4, Kind::Value), ("b", 3, Kind::Value)];
        assert_eq!(judge(&[5, 10], &deleted), [Verdict::Held, Verdict::Held, Verdict::Keep]);
        assert_eq!(judge(&[10], &deleted), [Verdict::Spent, Verdict::Shadowed, Verdict::Keep]);
    }

    #[test]
    fn an_entry_that_has_expired_for_all_is_a_tombstone() {
        let retain = Retain::new(Horizons { seqs: vec![SeqNo(9)], time: 100 });
        for (expires_at, kind) in [(100u64, Kind::Tombstone), (101, Kind::ExpiringValue)] {
            let stored = [expires_at.to_le_bytes().as_slice(), b"v"].concat();
            let key = InternalKey::new(b"k", Trailer::new(SeqNo(4), Kind::ExpiringValue));
            let (key, seen) = retain.as_seen(key, &stored);
            assert_eq!((key.trailer.seq(), key.trailer.kind()), (SeqNo(4), Some(kind)));
            assert_eq!(seen.is_empty(), kind == Kind::Tombstone);
        }
    }

    #[test]
    fn every_snapshot_keeps_the_entry_it_reads() {
        let entries =
            [("a", 9, Kind::Value), ("a", 5, Kind::Tombstone), ("a", 4, Kind::Value), ("a", 2, Kind::Value)];
        assert_eq!(kept(&[3, 5, 10], &entries, true), [("a".into(), 9), ("a".into(), 5), ("a".into(), 2)]);
        assert_eq!(
            kept(&[5, 10], &entries, true),
            [("a".into(), 9)],
            "the tombstone is in the oldest stripe"
        );
        assert_eq!(kept(&[1, 10], &entries, true), [("a".into(), 9)]);
    }
}
