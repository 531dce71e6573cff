//! Histories with crashes: after each one the state is that of the model after some number of the last commits.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run history`
#![no_main]

use std::collections::BTreeMap;

use bettong::env::{Env, sim::SimDisk};
use bettong::{Db, Durability, Options, WriteOptions};
use libfuzzer_sys::fuzz_target;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(disk: &SimDisk) -> Db {
    let options = Options::default().memtable_bytes(4 << 10).table_bytes(4 << 10).level_base_bytes(4 << 10);
    Db::open("/db", options.env(Env::sim(disk))).expect("a crash is no corruption")
}

fn contents(db: &Db) -> Model {
    let items = db.scan(..).map(|item| item.expect("a sound database"));
    items.map(|item| (item.key().to_vec(), item.value().expect("a value").to_vec())).collect()
}

fuzz_target!(|input: Vec<(u8, u8, u8)>| {
    let disk = SimDisk::new(3);
    let mut db = open(&disk);
    let mut durable = Model::new();
    let mut pending: Vec<(u8, Option<u8>)> = Vec::new();
    for (op, key, value) in input {
        match op % 16 {
            0..=8 => {
                let durability = [Durability::Os, Durability::None, Durability::Sync][usize::from(op % 3)];
                db.set_with([key], vec![value; 100], WriteOptions::new().durability(durability)).unwrap();
                pending.push((key, Some(value)));
                if durability == Durability::Sync {
                    settle(&mut durable, &mut pending);
                }
            }
            9 | 10 => {
                db.delete([key]).unwrap();
                pending.push((key, None));
            }
            11 => db.flush().unwrap(),
            12 => db.compact(..).unwrap(),
            13 => drop(db.step().unwrap()),
            _ => {
                disk.crash(u64::from(key), u32::from(value) % 101);
                db = open(&disk);
                let found = contents(&db);
                let mut state = durable.clone();
                let mut commits = pending.drain(..);
                while state != found {
                    let commit = commits.next().expect("what is left is a prefix");
                    apply(&mut state, commit);
                }
                drop(commits);
                durable = state;
            }
        }
    }
});

fn settle(durable: &mut Model, pending: &mut Vec<(u8, Option<u8>)>) {
    pending.drain(..).for_each(|commit| apply(durable, commit));
}

fn apply(state: &mut Model, (key, value): (u8, Option<u8>)) {
    match value {
        Some(value) => drop(state.insert(vec![key], vec![value; 100])),
        None => drop(state.remove([key].as_slice())),
    }
}
