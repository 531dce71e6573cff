//! The hot paths of the engine, each as a function that does one of them `n` times: what the benches time, and what
//! callgrind counts the instructions of.

use std::hint::black_box;

use bettong::{Db, Result};
use bettong_metrics::Operation;

use crate::{key, missing_key, shuffled};

/// A key in a cache line of its own: where a key lies decides which way a comparison takes, and that must not differ between
/// programs that are compared.
#[repr(align(64))]
struct Aligned<T>(T);

/// One hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Gets served by the memtable.
    GetMemtable,
    /// Gets served by a table.
    GetTable,
    /// Gets of keys that are not there, over tables.
    GetMissing,
    /// Sets of small values.
    Set,
    /// Positioning a scan and taking ten steps.
    Scan,
    /// Steps of a scan.
    Steps,
    /// Steps of a scan whose items are borrowed.
    StepsBorrowed,
}

impl Path {
    /// Every path.
    pub const ALL: [Path; 7] = [
        Path::GetMemtable,
        Path::GetTable,
        Path::GetMissing,
        Path::Set,
        Path::Scan,
        Path::Steps,
        Path::StepsBorrowed,
    ];

    /// The name on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Path::GetMemtable => "get_memtable",
            Path::GetTable => "get_table",
            Path::GetMissing => "get_missing",
            Path::Set => "set",
            Path::Scan => "scan",
            Path::Steps => "steps",
            Path::StepsBorrowed => "steps_borrowed",
        }
    }

    /// The path with this name.
    pub fn named(name: &str) -> Option<Path> {
        Path::ALL.into_iter().find(|path| path.name() == name)
    }

    /// The kind of operation it consists of.
    pub fn operation(self) -> Operation {
        match self {
            Path::GetMemtable | Path::GetTable | Path::GetMissing => Operation::Get,
            Path::Set => Operation::Set,
            Path::Scan | Path::Steps | Path::StepsBorrowed => Operation::Scan,
        }
    }

    /// Whether the data lie in tables.
    pub fn wants_tables(self) -> bool {
        !matches!(self, Path::GetMemtable | Path::Set)
    }

    /// Whether the database grows on it.
    pub fn grows(self) -> bool {
        self == Path::Set
    }

    /// Goes the path `n` times on a database with `keys` keys, beginning with the `from`-th key of a fixed order.
    ///
    /// # Errors
    /// Of the engine.
    #[inline(never)]
    pub fn run(self, db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
        match self {
            Path::GetMemtable | Path::GetTable => get(db, keys, from, n),
            Path::GetMissing => get_missing(db, keys, from, n),
            Path::Set => set(db, keys, from, n),
            Path::Scan => scan(db, keys, from, n),
            Path::Steps => steps(db, keys, from, n),
            Path::StepsBorrowed => steps_borrowed(db, keys, from, n),
        }
    }
}

fn get(db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
    for at in from..from + n {
        let key = Aligned(key(shuffled(at, keys)));
        black_box(db.get(key.0.as_slice())?);
    }
    Ok(())
}

fn get_missing(db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
    for at in from..from + n {
        let absent = Aligned(missing_key(shuffled(at, keys)));
        black_box(db.get(absent.0.as_slice())?);
    }
    Ok(())
}

fn set(db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
    for at in from..from + n {
        let key = Aligned(key(shuffled(at, keys)));
        db.set(key.0.as_slice(), [7; 100])?;
    }
    Ok(())
}

fn scan(db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
    for at in from..from + n {
        for item in db.scan(Aligned(key(shuffled(at, keys))).0.as_slice()..).take(10) {
            black_box(item?);
        }
    }
    Ok(())
}

fn steps(db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
    let mut left = n;
    let mut at = from;
    while left > 0 {
        for item in db.scan(Aligned(key(shuffled(at, keys))).0.as_slice()..).take(left.min(5_000) as usize) {
            black_box(item?);
            left -= 1;
        }
        at += 1;
    }
    Ok(())
}

fn steps_borrowed(db: &Db, keys: u64, from: u64, n: u64) -> Result<()> {
    let mut left = n;
    let mut at = from;
    while left > 0 {
        let mut scan = db.scan(Aligned(key(shuffled(at, keys))).0.as_slice()..);
        let mut steps = left.min(5_000);
        while steps > 0
            && let Some(item) = scan.next_ref()
        {
            black_box(item?);
            steps -= 1;
            left -= 1;
        }
        at += 1;
    }
    Ok(())
}
