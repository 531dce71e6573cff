//! Whole directories: whatever happened to the files, an open gives right data or a typed error, and the database works on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::mend::mend;
use super::rig;
use super::script::{Dice, Script};
use crate::batch::WriteBatch;
use crate::db::Db;
use crate::env::Env;
use crate::env::names::FileName;
use crate::env::sim::SimDisk;
use crate::error::{Error, ErrorKind};
use crate::options::{Compression, Durability, LEVELS, Options};

/// Every key that there ever is, so that all can be asked for.
const KEYS: u8 = 24;

/// What each key has; `None` where there is no telling.
type Answers = Vec<Option<Option<Vec<u8>>>>;

/// A directory as it was left.
struct Built {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// The state after each commit, the last one first.
    states: Vec<Answers>,
    clean: bool,
}

/// One of some directories, with several files damaged, swapped or gone; checksums mended or not.
pub fn open(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    let variant = script.byte() & 0x3f;
    let built = built(variant);
    let mut files = built.files.clone();
    let mended = choice & 1 == 1;
    let mut damaged = false;
    while !script.is_done() {
        let what = script.byte();
        let path = built.files.keys().nth(usize::from(what) % built.files.len()).expect("below the length");
        match what >> 6 {
            3 if what & 0x20 != 0 => drop(files.remove(path)),
            3 => {
                let other = built.files.values().nth(usize::from(script.byte()) % built.files.len());
                files.insert(path.clone(), other.cloned().unwrap_or_default());
            }
            _ => {
                if let Some(bytes) = files.get_mut(path) {
                    script.damage(bytes);
                }
            }
        }
        let name = path.file_name().and_then(|name| FileName::parse(name.to_str()?)).expect("our own file");
        damaged |= matches!(name, FileName::Log(_));
        if let Some(bytes) = files.get_mut(path).filter(|_| mended) {
            mend(name, bytes);
        }
    }
    let disk = SimDisk::new(9);
    files.iter().for_each(|(path, bytes)| disk.overwrite(path, bytes));
    let options = || options(variant).mapped_reads(choice & 2 == 2).env(Env::sim(&disk));
    let db = match Db::open(rig::dir(), options()) {
        Ok(db) => db,
        Err(error) => return assert_typed(&error),
    };
    let found = answers(&db);
    if !mended && !db.recovery().created {
        // The end of a log that nobody closed may be torn, and so may anything that its last commits wrote.
        let may_be_short = damaged && !built.clean;
        let states = built.states.iter().take(if may_be_short { usize::MAX } else { 1 });
        let agrees =
            |state: &Answers| found.iter().zip(state).all(|(found, known)| found.is_none() || found == known);
        assert!(states.into_iter().any(agrees), "wrong data");
    }
    work_on(db, options(), (!mended).then_some(found));
}

fn assert_typed(error: &Error) {
    let kinds = [ErrorKind::Corruption, ErrorKind::Unsupported];
    let missing = matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    assert!(kinds.contains(&error.kind()) || missing, "damage is reported as what it is, not as {error:?}");
}

/// Everything that a database does, on one that may be damaged: it fails with an error, and what it did is there afterwards.
fn work_on(db: Db, options: Options, found: Option<Answers>) {
    db.scan(..).take(1 << 12).take_while(Result::is_ok).count();
    db.scan(..).rev().take(1 << 12).take_while(Result::is_ok).count();
    db.verify().expect("damage is no error of a check");
    let written = db.set(b"new", [9; 50]).is_ok();
    let _ = db.stats().to_string();
    let failed = [db.flush(), db.compact(..), db.collect_garbage().map(drop), db.close()];
    for error in failed.iter().filter_map(|done| done.as_ref().err()) {
        let kinds = [ErrorKind::Corruption, ErrorKind::ReadOnly, ErrorKind::Io, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "{error:?}");
    }
    let Some(found) = found else {
        // What is not damage but a lie of its own may do harm; it may not do more than that.
        return drop(Db::open(rig::dir(), options));
    };
    let db = Db::open(rig::dir(), options).expect("what was opened once opens again");
    for (now, before) in answers(&db).iter().zip(&found) {
        assert!(now.is_none() || before.is_none() || now == before, "working on changed what was there");
    }
    if let Ok(value) = db.get(b"new") {
        assert_eq!(value.is_some(), written, "a write is lost, or came from nowhere");
    }
}

fn options(variant: u8) -> Options {
    let compression = if variant & 1 == 0 { Compression::None } else { Compression::Lz4 };
    let threshold = if variant & 2 == 0 { usize::MAX } else { 60 };
    let options = Options::default().memtable_bytes(4 << 10).table_bytes(4 << 10).level_base_bytes(4 << 10);
    let options = options.compression([compression; LEVELS]).separation_threshold(threshold).block_bytes(256);
    options.cache_bytes(1 << 16).durability(Durability::Sync)
}

fn key(n: u8) -> Vec<u8> {
    format!("key{n:02}").into_bytes()
}

fn answers(db: &Db) -> Answers {
    let answer = |n| db.get(key(n)).map(|value| value.map(|value| value.to_vec()));
    (0..KEYS).map(|n| answer(n).inspect_err(assert_typed).ok()).collect()
}

fn built(variant: u8) -> Arc<Built> {
    static DIRECTORIES: Mutex<BTreeMap<u8, Arc<Built>>> = Mutex::new(BTreeMap::new());
    let mut directories = DIRECTORIES.lock().unwrap_or_else(PoisonError::into_inner);
    directories.entry(variant).or_insert_with(|| Arc::new(build(variant))).clone()
}

/// Bit 0: compressed; 1: values apart; 2: tables; 3: closed; the others choose what is written.
fn build(variant: u8) -> Built {
    let disk = SimDisk::new(u64::from(variant));
    let db = Db::open(rig::dir(), options(variant).env(Env::sim(&disk))).expect("a sound disk");
    let mut dice = Dice::new(variant);
    let mut states: Vec<Answers> = vec![vec![Some(None); usize::from(KEYS)]];
    for step in 0..16 {
        let mut batch = WriteBatch::new();
        let mut state = states.last().expect("the first is there").clone();
        for _ in 0..=dice.below(3) {
            let (n, byte) = (dice.below(KEYS.into()) as u8, dice.below(256) as u8);
            let value = (dice.below(5) > 0).then(|| vec![byte; dice.below(120) as usize]);
            match &value {
                Some(value) => batch.set(key(n), value),
                None => batch.delete(key(n)),
            }
            if let Some(place) = state.get_mut(usize::from(n)) {
                *place = Some(value);
            }
        }
        db.write(batch).expect("a sound disk");
        states.push(state);
        if variant & 4 != 0 && [6, 9, 12].contains(&step) {
            let done = if step == 9 { db.compact(..) } else { db.flush() };
            done.expect("a sound disk");
        }
    }
    let clean = variant & 8 != 0;
    if clean {
        db.close().expect("a sound disk");
    }
    disk.kill();
    states.reverse();
    let read = |path: PathBuf| disk.read(&path).map(|bytes| (path, bytes));
    Built { files: disk.paths().into_iter().filter_map(read).collect(), states, clean }
}
