//! Walks over several runs at once, compared with a model: a merge reads on in one block while others wait, and comes upon everything that
//! may end that, in the middle of a block or at its end.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, RangeBounds};

use bettong::env::sim::SimDisk;
use bettong::{Db, Options, Scan, Snapshot};

use crate::support::{Dice, Model, sim_db, small_options};

/// What a scan still has to return.
type Rest = VecDeque<(Vec<u8>, Vec<u8>)>;

/// Keys that share enough to be stored without what they share, where values are short; some are others with something behind them.
fn some_key(dice: &mut Dice, keys: u64) -> Vec<u8> {
    let mut key = format!("a/common/beginning/of/keys/{:04}", dice.below(keys)).into_bytes();
    match dice.below(40) {
        0..5 => key.push(0),
        // Too long for what most steps can read by themselves.
        5 => key.extend([7; 200]),
        _ => {}
    }
    key
}

/// Some writes, to all keys or to neighbours, and then perhaps a flush or a compaction: runs that lie between each other's entries, and many
/// versions of one key.
fn some_writes(db: &Db, model: &mut Model, dice: &mut Dice, keys: u64, value_bytes: u64) {
    let crowded = dice.below(4) == 0;
    for _ in 0..dice.below(300) {
        let key = if crowded { some_key(dice, 3) } else { some_key(dice, keys) };
        if dice.below(5) == 0 {
            db.delete(&key).unwrap();
            model.remove(&key);
        } else {
            let value = vec![dice.below(256) as u8; dice.below(value_bytes) as usize];
            db.set(&key, &value).unwrap();
            model.insert(key, value);
        }
    }
    match dice.below(4) {
        0 => {}
        1 => db.compact(..).unwrap(),
        _ => db.flush().unwrap(),
    }
}

/// Takes steps from both ends, borrowed and not, until they meet or the walk has gone on long enough.
fn walk(mut scan: Scan, mut rest: Rest, dice: &mut Dice) {
    let both_ends = dice.below(2) == 0;
    for _ in 0..dice.below(1_000) {
        if both_ends && dice.below(3) == 0 {
            let found = scan.next_back().map(|item| item.unwrap());
            let found = found.map(|item| (item.key().to_vec(), item.value().unwrap().to_vec()));
            assert_eq!(found, rest.pop_back());
        } else if dice.below(2) == 0 {
            let found = scan.next().map(|item| item.unwrap());
            let found = found.map(|item| (item.key().to_vec(), item.value().unwrap().to_vec()));
            assert_eq!(found, rest.pop_front());
        } else {
            let found = scan.next_ref().map(|item| item.unwrap());
            let found = found.map(|item| (item.key().to_vec(), item.value().unwrap().to_vec()));
            assert_eq!(found, rest.pop_front());
        }
    }
}

fn some_bound(dice: &mut Dice, keys: u64) -> Bound<Vec<u8>> {
    match dice.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(some_key(dice, keys)),
        _ => Bound::Excluded(some_key(dice, keys)),
    }
}

fn walk_somewhere(scan_of: impl Fn((Bound<&[u8]>, Bound<&[u8]>)) -> Scan, model: &Model, dice: &mut Dice) {
    let (lower, upper) = (some_bound(dice, 300), some_bound(dice, 300));
    let range = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
    let rest = model.iter().filter(|(key, _)| range.contains(&key.as_slice()));
    let rest = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    walk(scan_of(range), rest, dice);
}

/// A merge keeps all that some snapshot sees, and nothing else: it knows by its steps alone where the versions of a key end.
fn merge_with_snapshots_and_without(db: &Db, model: &Model, past: Vec<(Snapshot, Model)>) {
    db.compact(..).unwrap();
    for (snapshot, then) in &past {
        walk_all(snapshot.scan(..), then);
    }
    drop(past);
    db.compact(..).unwrap();
    walk_all(db.scan(..), model);
    let entries: u64 = db.stats().levels.iter().map(|level| level.entries).sum();
    assert_eq!(entries, model.len() as u64);
}

fn walk_all(scan: Scan, model: &Model) {
    let found = scan.map(|item| item.unwrap());
    let found = found.map(|item| (item.key().to_vec(), item.value().unwrap().to_vec()));
    assert!(found.eq(model.iter().map(|(key, value)| (key.clone(), value.clone()))));
}

#[test]
fn walks_over_many_runs_see_what_a_model_sees() {
    for seed in 0..60 {
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed));
        // Long values make keys whole; with short ones they are put together.
        let value_bytes = [4, 40, 400, 20_000][seed as usize % 4];
        // The longest lie in their blocks, or apart from their keys.
        let options: Options = small_options()
            .block_bytes([128, 1_024, 4_096][dice.below(3) as usize])
            .separation_threshold([8_000, 64_000][dice.below(2) as usize]);
        let db = sim_db(&disk, options).unwrap();
        let mut model = BTreeMap::new();
        let mut past: Vec<(Snapshot, Model)> = Vec::new();
        for _ in 0..6 {
            some_writes(&db, &mut model, &mut dice, 300, value_bytes);
            past.push((db.snapshot(), model.clone()));
            for _ in 0..4 {
                walk_somewhere(|range| db.scan(range), &model, &mut dice);
                let (snapshot, then) = &past[dice.below(past.len() as u64) as usize];
                walk_somewhere(|range| snapshot.scan(range), then, &mut dice);
            }
        }
        merge_with_snapshots_and_without(&db, &model, past);
    }
}
