//! Reads a database in every way there is, and finds the state it is in.

use std::ops::RangeInclusive;

use bettong::Db;

use crate::fault::{Fault, Result};
use crate::model::{Held, Model};
use crate::workload::Stream;

/// What every thread's keys hold. A forward scan, a backward scan and a get of each possible key must agree.
///
/// # Errors
/// Of the engine; or that ways of reading disagree, or that there is a key which nobody wrote.
pub(crate) fn read_all(db: &Db, streams: &[Stream]) -> Result<Vec<Held>> {
    let mut held: Vec<Held> = streams.iter().map(|stream| vec![None; stream.keys as usize]).collect();
    let mut scanned = 0_usize;
    for item in db.scan(..) {
        let item = item?;
        let place = Stream::place(item.key()).and_then(|(thread, slot)| held.get_mut(thread)?.get_mut(slot));
        let Some(cell) = place else {
            return Err(Fault::Bad(format!("nobody wrote the key {}", item.key().escape_ascii())));
        };
        *cell = Some(item.value()?.to_vec());
        scanned += 1;
    }
    let mut backward = 0_usize;
    for item in db.scan(..).rev() {
        let item = item?;
        let value = item.value()?;
        let place = Stream::place(item.key()).and_then(|(thread, slot)| held.get(thread)?.get(slot));
        if place.and_then(Option::as_deref) != Some(value) {
            return Err(Fault::Bad(format!("a backward scan disagrees on {}", item.key().escape_ascii())));
        }
        backward += 1;
    }
    if scanned != backward {
        return Err(Fault::Bad(format!("forward there are {scanned} keys, backward {backward}")));
    }
    for (stream, held) in streams.iter().zip(&held) {
        for (slot, expected) in held.iter().enumerate() {
            let key = stream.key(slot);
            if db.get(&key)?.as_deref() != expected.as_deref() {
                return Err(Fault::Bad(format!("a get disagrees with the scans on {}", key.escape_ascii())));
            }
        }
    }
    Ok(held)
}

/// The number of commits after which each thread's keys are as they are, within what is possible. The models go on to there.
///
/// # Errors
/// As [`read_all`]; or that there is no such number.
pub(crate) fn locate(
    db: &Db,
    streams: &[Stream],
    models: &mut [Model],
    possible: &[RangeInclusive<u64>],
) -> Result<Vec<u64>> {
    let held = read_all(db, streams)?;
    let each = models.iter_mut().zip(&held).zip(possible);
    each.map(|((model, held), range)| model.locate(held, range).map_err(Fault::Bad)).collect()
}

/// Checks every file, and the accounts of them.
///
/// # Errors
/// What is damaged.
pub(crate) fn sound(db: &Db) -> Result<()> {
    let report = db.verify()?;
    match report.faults.first() {
        Some(fault) => Err(Fault::Bad(format!("{} faults, the first: {fault}", report.faults.len()))),
        None => Ok(()),
    }
}
