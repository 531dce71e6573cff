//! Whether sets and gets of one key look as if they had been done one after the other.
//!
//! Every set writes a value that no other writes, so each get names the set it has read. Then there is a quick test that is
//! exact (Gibbons and Korach, "Testing Shared Memories", SIAM J. Comput. 26, 1997): the operations on one value span a zone from
//! the first end of any of them to the last beginning; if the zone runs forward the value must have been there all that time, so
//! no two such zones may overlap, and a zone that runs backward may not lie inside one that runs forward.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bettong::Db;

use crate::support::{Dice, small_options};

const THREADS: u64 = 8;
const OPERATIONS: u64 = 6_000;
const KEYS: u64 = 8;

/// An operation on a key: the value it wrote or read (0: there was none), and when it began and ended.
#[derive(Clone, Copy, Debug)]
struct Event {
    key: u64,
    value: u64,
    is_set: bool,
    began: u64,
    ended: u64,
}

/// All operations on one value.
#[derive(Debug)]
struct Zone {
    first_end: u64,
    last_begin: u64,
    set_began: Option<u64>,
}

/// What contradicts an order of the operations on one key, if anything does.
fn contradiction(events: &[Event]) -> Option<String> {
    let mut zones: BTreeMap<u64, Zone> = BTreeMap::new();
    // That nothing was there was written before anything began.
    zones.insert(0, Zone { first_end: 0, last_begin: 0, set_began: Some(0) });
    for event in events {
        let fresh = Zone { first_end: u64::MAX, last_begin: 0, set_began: None };
        let zone = zones.entry(event.value).or_insert(fresh);
        zone.first_end = zone.first_end.min(event.ended);
        zone.last_begin = zone.last_begin.max(event.began);
        if event.is_set {
            zone.set_began = Some(event.began);
        }
    }
    if let Some((value, _)) =
        zones.iter().find(|(_, zone)| zone.set_began.is_none_or(|at| at > zone.first_end))
    {
        return Some(format!("{value} was read before it was written"));
    }
    let (mut forward, backward): (Vec<_>, Vec<_>) =
        zones.values().partition(|zone| zone.first_end < zone.last_begin);
    forward.sort_by_key(|zone| zone.first_end);
    if let Some(pair) = forward.windows(2).find(|pair| pair[1].first_end < pair[0].last_begin) {
        return Some(format!("both must have been there at once: {pair:?}"));
    }
    let within = |inner: &&&Zone| {
        forward.iter().any(|outer| outer.first_end < inner.last_begin && inner.first_end < outer.last_begin)
    };
    backward.iter().find(within).map(|zone| format!("{zone:?} was never there"))
}

/// G1–G3 beside each other: eight threads set and get a few keys while flushes and compactions go on.
#[test]
fn sets_and_gets_of_a_key_are_linearizable_with_eight_threads() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), small_options().separation_threshold(100)).unwrap();
    let (clock, next) = (AtomicU64::new(1), AtomicU64::new(1));
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let events: Vec<Event> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (db, next, tick) = (&db, &next, &tick);
                scope.spawn(move || {
                    let mut dice = Dice::new(seed);
                    let one = |_| {
                        let (key, is_set) = (dice.below(KEYS), dice.percent(50));
                        let fresh = next.fetch_add(1, Ordering::Relaxed);
                        // Every third value is long enough to stay in the log.
                        let long = if fresh % 3 == 0 { 150 } else { 8 };
                        let mut written = vec![0; long];
                        written[..8].copy_from_slice(&fresh.to_le_bytes());
                        let began = tick();
                        let value = if is_set {
                            db.set(key.to_be_bytes(), &written).unwrap();
                            fresh
                        } else {
                            let read = db.get(key.to_be_bytes()).unwrap();
                            read.map_or(0, |read| u64::from_le_bytes(read[..8].try_into().unwrap()))
                        };
                        Event { key, value, is_set, began, ended: tick() }
                    };
                    (0..OPERATIONS).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(events.len() as u64, THREADS * OPERATIONS);
    for key in 0..KEYS {
        let of_key: Vec<Event> = events.iter().filter(|event| event.key == key).copied().collect();
        assert_eq!(contradiction(&of_key), None, "key {key}");
    }
}

#[test]
fn the_check_knows_what_is_not_linearizable() {
    let event = |value, is_set, began, ended| Event { key: 0, value, is_set, began, ended };
    let (set, get) = (|v, b, e| event(v, true, b, e), |v, b, e| event(v, false, b, e));
    let fine = [set(1, 1, 4), get(0, 2, 3), get(1, 5, 6), set(2, 7, 10), get(2, 8, 9), get(2, 11, 12)];
    assert_eq!(contradiction(&fine), None);
    // A value is read, then the one before it.
    assert!(contradiction(&[set(1, 1, 2), set(2, 3, 8), get(2, 4, 5), get(1, 6, 7)]).is_some());
    // A write is over, and nobody sees it.
    assert!(contradiction(&[set(1, 1, 2), get(0, 3, 4)]).is_some());
    // A write that is over gives way to one that was over before it began.
    assert!(contradiction(&[set(1, 1, 2), set(2, 3, 4), get(1, 5, 6)]).is_some());
    assert!(contradiction(&[get(1, 1, 2), set(1, 3, 4)]).is_some());
}
