//! What the tests share: a seeded source of decisions, small options, a model.

use std::collections::BTreeMap;

use bettong::env::Env;
use bettong::env::sim::SimDisk;
use bettong::{Compression, Db, Options};

/// A seeded source of decisions (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}

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

/// Options drawn by seed, within what keeps histories short.
pub(crate) fn random_options(dice: &mut Dice) -> Options {
    let lz4_from = dice.below(8) as usize;
    Options::default()
        .memtable_bytes(dice.pick(&[4 << 10, 8 << 10, 32 << 10, 256 << 10]))
        .separation_threshold(dice.pick(&[0, 20, 60, 1000, usize::MAX]))
        .max_space_amplification(dice.pick(&[1.1, 1.5, 3.0]))
        .max_immutable_memtables(dice.pick(&[1, 2, 4]))
        .table_bytes(dice.pick(&[4 << 10, 16 << 10, 64 << 10]))
        .level_base_bytes(dice.pick(&[4 << 10, 16 << 10, 64 << 10]))
        .level_fanout(dice.pick(&[2, 4, 10]))
        .block_bytes(dice.pick(&[128, 512, 4096]))
        .restart_interval(dice.pick(&[1, 2, 8, 16]))
        .filter_bits_per_key(dice.pick(&[0, 1, 10]))
        .cache_bytes(dice.pick(&[0, 4 << 10, 1 << 20]))
        .l0_compaction_tables(dice.pick(&[1, 2, 4]))
        .mapped_reads(dice.percent(50))
        .verify_always(dice.percent(20))
        .compression(std::array::from_fn(|level| {
            if level >= lz4_from { Compression::Lz4 } else { Compression::None }
        }))
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
