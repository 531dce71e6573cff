//! Damage: whatever happens to a file between two openings, the answer is the right data or a typed error (G4).

use std::path::{Path, PathBuf};

use bettong::env::Env;
use bettong::env::sim::SimDisk;
use bettong::{Compression, Db, Durability, Error, ErrorKind, Options, Result};

use crate::support::{Model, sim_db};

fn options() -> Options {
    let mut compression = [Compression::None; 7];
    compression[6] = Compression::Lz4;
    let small = Options::default().memtable_bytes(8 << 10).block_bytes(256).table_bytes(4 << 10);
    // Tens of thousands of openings: what they would allocate to be measured is a third of their cost.
    small.separation_threshold(100).compression(compression).instrumentation(bettong::Instrumentation::Off)
}

/// A small database with tables on two levels, value files, and writes that are only in the log; and what it holds.
fn build(disk: &SimDisk) -> (Db, Model) {
    let db = sim_db(disk, options().durability(Durability::Sync)).unwrap();
    let mut model = Model::new();
    let put = |model: &mut Model, n: u32, len: usize| {
        let (key, value) = (format!("key{n:03}").into_bytes(), vec![n as u8; len]);
        db.set(&key, &value).unwrap();
        model.insert(key, value);
    };
    (0..40).for_each(|n| put(&mut model, n, 40));
    (20..24).for_each(|n| put(&mut model, n, 110));
    db.compact(..).unwrap();
    (30..50).for_each(|n| put(&mut model, n, 20));
    db.delete(b"key000").unwrap();
    model.remove(b"key000".as_slice());
    db.flush().unwrap();
    (60..70).for_each(|n| put(&mut model, n, if n % 5 == 0 { 120 } else { 10 }));
    (db, model)
}

/// A disk with the database closed in good order, or its process killed.
fn built(clean: bool) -> (SimDisk, Model) {
    let disk = SimDisk::new(5);
    let (db, model) = build(&disk);
    if clean {
        db.close().unwrap();
    } else {
        disk.kill();
    }
    (disk, model)
}

fn is_typed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corruption | ErrorKind::Unsupported | ErrorKind::ReadOnly)
}

/// Opens a damaged database both ways and reads all of it; then everything is compacted.
fn examine(disk: &SimDisk, model: &Model, case: &str) -> Result<()> {
    for mapped in [true, false] {
        read_all(&disk.crashed_copy(0, 100), mapped, model, case)?.compact(..)?;
    }
    Ok(())
}

/// Opens a damaged database and reads all of it in every way. What is read must be right; what fails must say so by type.
fn read_all(disk: &SimDisk, mapped: bool, model: &Model, case: &str) -> Result<Db> {
    let db = Db::open("/db", options().mapped_reads(mapped).env(Env::sim(disk)))?;
    for key in (0..80).map(|n| format!("key{n:03}").into_bytes()) {
        match db.get(&key) {
            Ok(value) => {
                assert_eq!(value.as_deref(), model.get(&key).map(Vec::as_slice), "{case}: wrong data");
            }
            Err(error) => assert!(is_typed(&error), "{case}: {error:?}"),
        }
    }
    let mut expected = model.iter();
    for item in db.scan(..) {
        match item {
            Ok(item) => {
                let (key, value) = expected.next().unwrap_or_else(|| panic!("{case}: a key too many"));
                assert_eq!(item.key(), key, "{case}: wrong data");
                match item.value() {
                    Ok(read) => assert_eq!(read, value, "{case}: wrong data"),
                    Err(error) => assert!(is_typed(&error), "{case}: {error:?}"),
                }
            }
            Err(error) => {
                assert!(is_typed(&error), "{case}: {error:?}");
                expected = std::collections::btree_map::Iter::default();
            }
        }
    }
    assert!(expected.next().is_none(), "{case}: keys are missing and nobody said so");
    Ok(db)
}

/// The files whose damage must be noticed.
fn data_files(disk: &SimDisk) -> Vec<PathBuf> {
    let is_data = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.starts_with("OPTIONS") && name != "LOCK"
    };
    disk.paths().into_iter().filter(is_data).collect()
}

/// The bytes that mean something: behind them are only reserved zeros.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn damaged(disk: &SimDisk, path: &Path, bytes: &[u8]) -> SimDisk {
    let copy = disk.crashed_copy(0, 100);
    copy.overwrite(path, bytes);
    copy
}

/// G4, F4, F16–F24, F26, F31, F44, F45: every bit of every byte of every file flipped, after a clean close.
#[test]
fn g4_every_flipped_bit_gives_right_data_or_a_typed_error() {
    let (disk, model) = built(true);
    let (mut flips, mut refused) = (0, 0);
    for path in data_files(&disk) {
        let bytes = disk.read(&path).unwrap();
        for bit in 0..used(&bytes) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let case = format!("{}: bit {} of byte {}", path.display(), bit % 8, bit / 8);
            // What is flipped is read mapped and not, by turns; what compaction makes of it is asked once a byte.
            let copy = damaged(&disk, &path, &flipped);
            let read = read_all(&copy, bit % 2 == 0, &model, &case);
            let outcome = read.and_then(|db| if bit % 8 == 0 { db.compact(..) } else { Ok(()) });
            flips += 1;
            if let Err(error) = outcome {
                assert!(is_typed(&error), "{case}: {error:?}");
                refused += 1;
            }
        }
    }
    println!("{flips} flips, {refused} refused as a whole");
    assert!(flips > 30_000 && refused > flips / 8, "{refused} of {flips} flips were refused");
}

/// F12, F13, F15, F23, F24, F28, F43: every length that a file may be cut to, and a file that grew, after a clean close.
#[test]
fn f23_f43_a_file_of_any_other_length_gives_right_data_or_a_typed_error() {
    let (disk, model) = built(true);
    for path in data_files(&disk) {
        let bytes = disk.read(&path).unwrap();
        let mut lengths: Vec<usize> = (0..used(&bytes)).collect();
        lengths.extend([bytes.len() + 1, bytes.len() + 4096]);
        for len in lengths {
            let mut other = bytes.clone();
            other.resize(len, 0xa5);
            let case = format!("{}: length {len} of {}", path.display(), bytes.len());
            let read = read_all(&damaged(&disk, &path, &other), len % 2 == 0, &model, &case);
            if let Err(error) = read.and_then(|db| if len % 8 == 0 { db.compact(..) } else { Ok(()) }) {
                assert!(is_typed(&error), "{case}: {error:?}");
            }
        }
    }
}

/// F11, F25, F45, F48: a file that is gone is corruption that names it, before anything is written.
#[test]
fn f11_f25_f45_f48_a_missing_file_is_corruption_and_changes_nothing() {
    for clean in [true, false] {
        let (disk, model) = built(clean);
        for path in data_files(&disk) {
            let copy = disk.crashed_copy(0, 100);
            copy.delete(&path);
            let before = snapshot_of(&copy);
            match Db::open("/db", options().env(Env::sim(&copy))) {
                Err(Error::Corruption { path: named, .. }) => assert_eq!(named, path),
                // F35: values that are gone are missed by those who ask for them.
                Ok(db) if path.extension() == Some("val".as_ref()) => {
                    drop(db);
                    let db = read_all(&copy, true, &model, "a value file is missing").unwrap();
                    assert!(!db.verify().unwrap().is_sound());
                    continue;
                }
                // A log that waits to be recycled is nobody's loss.
                Ok(db) if path.extension() == Some("log".as_ref()) => {
                    assert_eq!(crate::support::contents(&db), model, "{} missing", path.display());
                    continue;
                }
                other => panic!("{} missing: {other:?}", path.display()),
            }
            assert_eq!(snapshot_of(&copy), before, "{} missing", path.display());
        }
    }
}

fn snapshot_of(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    disk.paths().into_iter().map(|path| (path.clone(), disk.read(&path).unwrap())).collect()
}

/// F26, F27: files that swapped their names, and stale files of the same names, are not taken for each other.
#[test]
fn f26_f27_swapped_and_stale_files_are_noticed() {
    let (disk, model) = built(true);
    let files = data_files(&disk);
    for (at, a) in files.iter().enumerate() {
        for b in &files[at + 1..] {
            let copy = disk.crashed_copy(0, 100);
            copy.overwrite(a, &disk.read(b).unwrap());
            copy.overwrite(b, &disk.read(a).unwrap());
            noticed(&copy, &model, &format!("{} and {} swapped", a.display(), b.display()));
        }
    }

    // The same history with other ids: every file has its name, its length and its number, and is another one.
    let twin = SimDisk::new(6);
    let (db, _) = build(&twin);
    db.close().unwrap();
    assert_eq!(data_files(&twin), files);
    let says_something =
        |path: &&PathBuf| !path.ends_with("CURRENT") && path.extension() != Some("log".as_ref());
    for path in files.iter().filter(says_something) {
        noticed(
            &damaged(&disk, path, &twin.read(path).unwrap()),
            &model,
            &format!("stale {}", path.display()),
        );
    }
}

/// What is wrong with a disk shows when everything on it is read, by a typed error.
fn noticed(disk: &SimDisk, model: &Model, case: &str) {
    let verified = examine(disk, model, case).and_then(|()| sim_db(disk, options())?.verify());
    match verified {
        Ok(report) => assert!(!report.is_sound(), "{case}: not noticed"),
        Err(error) => assert!(is_typed(&error), "{case}: {error:?}"),
    }
}

/// F44, F51: a newer format is refused as such, and every byte stays as it was.
#[test]
fn f51_a_newer_format_is_unsupported_and_changes_nothing() {
    let (disk, _) = built(true);
    let path =
        data_files(&disk).into_iter().find(|path| path.to_string_lossy().contains("MANIFEST")).unwrap();
    let mut bytes = disk.read(&path).unwrap();
    bytes[8] = 3;
    // The checksum of a header is that of its first 60 bytes, salted with the id: the tests have no business knowing how,
    // so they take what a flipped version gives instead: damage, not an upgrade.
    let flipped = damaged(&disk, &path, &bytes);
    let before = snapshot_of(&flipped);
    let error = Db::open("/db", options().env(Env::sim(&flipped))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption, "a flipped version is damage, not an upgrade");
    assert_eq!(snapshot_of(&flipped), before);
}

/// F49: files that are not ours are never touched; files of ours that nothing needs go.
#[test]
fn f15_f47_f49_orphans_go_and_foreign_files_stay() {
    let (disk, model) = built(true);
    // The last of these has the largest number there is: the manifest got one more, a name that the next open did not know.
    let ours = ["999990.sst", "999991.log", "MANIFEST-999992", "CURRENT.tmp", "1152921504606846976.log"];
    let foreign = [".DS_Store", "README", "12.sst", "000012.sst.bak", "lost+found"];
    for name in ours.iter().chain(&foreign) {
        disk.overwrite(&Path::new("/db").join(name), b"left over");
    }
    let db = sim_db(&disk, options()).unwrap();
    assert_eq!(crate::support::contents(&db), model);
    assert!(db.recovery().orphans as usize >= ours.len());
    let there = |name: &str| disk.read(&Path::new("/db").join(name)).is_some();
    assert!(ours.iter().all(|name| !there(name)));
    assert!(foreign.iter().all(|name| there(name)));
    db.close().unwrap();
    assert_eq!(crate::support::contents(&sim_db(&disk, options()).unwrap()), model);
}

/// G4: `verify` of an open database reads its journals, too: the manifest, `CURRENT`, and the log of what is in memory.
#[test]
fn g4_verify_finds_damage_in_the_journals_of_an_open_database() {
    for name in ["CURRENT", "MANIFEST-", ".log"] {
        let disk = SimDisk::new(1);
        let db = sim_db(&disk, options()).unwrap();
        db.set(b"flushed", b"1").unwrap();
        db.flush().unwrap();
        db.set(b"in memory", b"2").unwrap();
        let report = db.verify().unwrap();
        assert!(report.is_sound(), "{:?}", report.faults);
        assert_eq!((report.logs, report.tables), (1, 1));
        assert!(report.log_bytes > 0);
        let log = db.metrics().snapshot().gauge(bettong_metrics::Gauge::ManifestBytes) as usize;
        for path in disk.paths().into_iter().filter(|path| path.to_str().unwrap().contains(name)) {
            let mut bytes = disk.read(&path).unwrap();
            // Headers are 64 bytes; behind the last edit and record there is reserved room.
            let end = match name {
                "CURRENT" => bytes.len(),
                "MANIFEST-" => log,
                _ => report.log_bytes as usize,
            };
            if bytes.len() >= end {
                bytes[end - 3] ^= 1;
                disk.overwrite(&path, &bytes);
            }
        }
        let report = db.verify().unwrap();
        assert!(matches!(report.faults[..], [Error::Corruption { .. }]), "{name}: {:?}", report.faults);
    }
}

/// F17: of a damaged table the other blocks are still served.
#[test]
fn f17_damage_in_one_block_leaves_the_others_readable() {
    let (disk, model) = built(true);
    let table = data_files(&disk).into_iter().find(|path| path.extension() == Some("sst".as_ref())).unwrap();
    let mut bytes = disk.read(&table).unwrap();
    bytes[100] ^= 1;
    let db = sim_db(&damaged(&disk, &table, &bytes), options()).unwrap();
    let (read, failed): (Vec<_>, Vec<_>) = model.keys().map(|key| db.get(key)).partition(Result::is_ok);
    assert!(!failed.is_empty() && read.len() > model.len() / 2, "{} of {} failed", failed.len(), model.len());
    let report = db.verify().unwrap();
    assert!(matches!(report.faults[..], [Error::Corruption { .. }]), "{:?}", report.faults);
}

/// G4: with paranoid options damage anywhere is found when the database is opened, not when somebody reads it.
#[test]
fn g4_paranoid_options_find_damage_at_open() {
    let (disk, model) = built(true);
    let open = |disk: &SimDisk| Db::open("/db", Options::paranoid().env(Env::sim(disk)));
    let table = data_files(&disk).into_iter().find(|path| path.extension() == Some("sst".as_ref())).unwrap();
    let mut bytes = disk.read(&table).unwrap();
    bytes[100] ^= 1;
    let hurt = damaged(&disk, &table, &bytes);
    assert!(sim_db(&hurt.crashed_copy(0, 100), options()).is_ok(), "others find it when they read it");
    assert!(matches!(open(&hurt), Err(Error::Corruption { path, .. }) if path == table));
    let db = open(&disk).unwrap();
    assert_eq!(crate::support::contents(&db), model);
    db.set(b"synced", b"1").unwrap();
    disk.crash(1, 0);
    drop(db);
    assert!(open(&disk).unwrap().get(b"synced").unwrap().is_some(), "every write is synced");
}

/// F13, F14: only the youngest log may be torn. If an older one is, and a younger one was ever synced, it is corruption;
/// if nothing was ever synced, the older one is where the prefix ends.
#[test]
fn f13_f14_an_older_log_that_is_torn_is_corruption_once_a_younger_one_was_synced() {
    for synced in [true, false] {
        let disk = SimDisk::new(7);
        let db = sim_db(&disk, options().memtable_bytes(4 << 10).max_immutable_memtables(4)).unwrap();
        for n in 0..60u32 {
            db.set(n.to_be_bytes(), [n as u8; 100]).unwrap();
        }
        if synced {
            db.sync().unwrap();
            db.set(b"promises", b"what was synced").unwrap();
        }
        disk.kill();
        let logs = data_files(&disk).into_iter().filter(|path| path.extension() == Some("log".as_ref()));
        let older = logs.min().unwrap();
        let whole = disk.read(&older).unwrap();
        for cut in [0, 64, used(&whole) / 2, used(&whole) - 1] {
            let mut torn = whole[..cut].to_vec();
            torn.resize(whole.len(), 0);
            match sim_db(&damaged(&disk, &older, &torn), options()) {
                Err(error) => assert!(is_typed(&error) && (synced || cut < 64), "cut at {cut}: {error:?}"),
                Ok(db) => {
                    assert!(!synced, "cut at {cut}: what was synced is gone, and nobody said so");
                    let left = crate::support::contents(&db);
                    let prefix = (0..left.len() as u32).map(|n| n.to_be_bytes().to_vec());
                    assert!(left.keys().cloned().eq(prefix), "cut at {cut}: no prefix");
                    assert!(db.recovery().dropped_logs > 0);
                }
            }
        }
    }
}

/// G5: after a kill, damage to what was synced is corruption; the process had promised it.
#[test]
fn g5_damage_to_synced_records_of_a_killed_process_is_corruption_not_a_shorter_prefix() {
    let (disk, model) = built(false);
    let log = data_files(&disk).into_iter().filter(|path| path.extension() == Some("log".as_ref()));
    let with_writes = log.filter(|path| used(&disk.read(path).unwrap()) > 200);
    let mut refused = 0;
    for path in with_writes {
        let bytes = disk.read(&path).unwrap();
        for bit in 64 * 8..used(&bytes) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match sim_db(&damaged(&disk, &path, &flipped), options()) {
                Err(error) => {
                    assert!(is_typed(&error), "{error:?}");
                    refused += 1;
                }
                // Only the last record is covered by no promise.
                Ok(db) => {
                    let mut left = crate::support::contents(&db);
                    let last = (b"key069".to_vec(), vec![69; 10]);
                    left.insert(last.0, last.1);
                    assert_eq!(left, model, "bit {bit} of {}", path.display());
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
