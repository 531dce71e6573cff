//! Goes one hot path, for callgrind to count its instructions: `instructions PATH LEVEL COUNT`.
//!
//! The instructions of one operation are the difference between two counts: see `benches/instructions.sh`.

use std::error::Error;

use bettong_benches::paths::Path;
use bettong_benches::{Bench, Place};

const KEYS: u64 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: instructions PATH off|counters|sampled|full COUNT");
    let path = Path::named(&next()?).ok_or("no such path")?;
    let level = next()?.parse()?;
    let count = next()?.parse()?;
    let bench = Bench::new(KEYS, 100, if path.wants_tables() { Place::Tables } else { Place::Memtable })?;
    bench.db.metrics().set_level(level);
    // Every block has been read once, and everything that is made at first use is there.
    path.run(&bench.db, KEYS, 0, KEYS)?;
    path.run(&bench.db, KEYS, KEYS, count)?;
    Ok(())
}
