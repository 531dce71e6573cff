//! What the tests share: a seeded source of decisions and options drawn by it (both the simulator's), small options, a model.

use std::collections::BTreeMap;

use bettong::env::Env;
use bettong::env::sim::SimDisk;
use bettong::{Compression, Db, Options};
pub(crate) use bettong_simulator::{Dice, random_options};

/// The state a database should have.
pub(crate) type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Options that make a small history flush, compact and stall.
pub(crate) fn small_options() -> Options {
    Options::default()
        .memtable_bytes(16 << 10)
        .table_bytes(8 << 10)
        .level_base_bytes(16 << 10)
        .level_fanout(4)
        .block_bytes(256)
        .cache_bytes(32 << 10)
        .compression([Compression::Lz4; 7])
}

/// A database on a simulated disk.
pub(crate) fn sim_db(disk: &SimDisk, options: Options) -> bettong::Result<Db> {
    Db::open("/db", options.env(Env::sim(disk)))
}

/// Everything that a forward scan of the database returns.
pub(crate) fn contents(db: &Db) -> Model {
    let items = db.scan(..).map(|item| {
        let item = item.unwrap();
        (item.key().to_vec(), item.value().unwrap().to_vec())
    });
    items.collect()
}
