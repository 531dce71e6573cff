//! Repairs: whatever happens to a file, the database opens again; what is outside of the damage reads right, what is lost is
//! reported, and nothing is returned that was never written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bettong::env::Env;
use bettong::env::sim::{Fault, Rule, SimDisk};
use bettong::{Compression, Db, ErrorKind, Options, RepairOptions, RepairReport, repair};

use crate::support::{Model, contents, sim_db};

fn options() -> Options {
    let mut compression = [Compression::None; 7];
    compression[6] = Compression::Lz4;
    Options::default()
        .memtable_bytes(8 << 10)
        .block_bytes(256)
        .table_bytes(4 << 10)
        .separation_threshold(500)
        .compression(compression)
}

/// All values that each key ever had.
type History = BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>;

/// A database with tables on two levels, value files, and writes that are in the log alone; its process was killed.
fn built() -> (SimDisk, Model, History) {
    let disk = SimDisk::new(5);
    let db = sim_db(&disk, options()).unwrap();
    let (mut model, mut history) = (Model::new(), History::new());
    let mut put = |n: u32, value: Vec<u8>| {
        let key = format!("key{n:03}").into_bytes();
        db.set(&key, &value).unwrap();
        history.entry(key.clone()).or_default().insert(value.clone());
        model.insert(key, value);
    };
    (0..40).for_each(|n| put(n, vec![n as u8; 40]));
    (100..104).for_each(|n| put(n, vec![n as u8; 700]));
    db.compact(..).unwrap();
    (30..50).for_each(|n| put(n, vec![n as u8 + 100; 20]));
    put(104, vec![104; 900]);
    db.flush().unwrap();
    (60..70).for_each(|n| put(n, vec![n as u8; 10]));
    for n in [5, 35] {
        db.delete(format!("key{n:03}")).unwrap();
        model.remove(format!("key{n:03}").as_bytes());
    }
    db.sync().unwrap();
    db.set(b"promises", b"what was synced").unwrap();
    model.insert(b"promises".to_vec(), b"what was synced".to_vec());
    history.entry(b"promises".to_vec()).or_default().insert(b"what was synced".to_vec());
    disk.kill();
    drop(db);
    (disk, model, history)
}

fn mend(disk: &SimDisk, how: RepairOptions) -> bettong::Result<RepairReport> {
    repair("/db", options().env(Env::sim(disk)), how)
}

fn snapshot_of(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    disk.paths().into_iter().map(|path| (path.clone(), disk.read(&path).unwrap())).collect()
}

fn data_files(disk: &SimDisk) -> Vec<PathBuf> {
    let is_data = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.starts_with("OPTIONS") && name != "LOCK" && path.parent() == Some(Path::new("/db"))
    };
    disk.paths().into_iter().filter(is_data).collect()
}

fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// The ways in which each file is damaged.
fn damages(bytes: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let used = used(bytes);
    let flipped = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x10;
        Some(bytes)
    };
    let mut all = vec![
        ("deleted", None),
        ("emptied", Some(Vec::new())),
        ("cut in the middle", Some(bytes[..used / 2].to_vec())),
        ("cut at its end", Some(bytes[..used.saturating_sub(1)].to_vec())),
        ("zeros", Some(vec![0; bytes.len()])),
    ];
    all.extend((0..used).step_by(used / 40 + 1).map(|at| ("a flipped bit", flipped(at))));
    all
}

fn apply(disk: &SimDisk, path: &Path, damage: Option<&Vec<u8>>) -> SimDisk {
    let copy = disk.crashed_copy(0, 100);
    match damage {
        Some(bytes) => copy.overwrite(path, bytes),
        None => copy.delete(path),
    }
    copy
}

/// Opens a repaired database: it is sound, has nothing that was never written, and says so where something is missing.
fn examine(disk: &SimDisk, model: &Model, history: &History, report: &RepairReport, case: &str) {
    let db = sim_db(disk, options()).unwrap_or_else(|error| panic!("{case}: {error:?}"));
    let verified = db.verify().unwrap();
    assert!(verified.is_sound(), "{case}: {:?}", verified.faults);
    let left = contents(&db);
    for (key, value) in &left {
        assert!(history[key].contains(value), "{case}: a value that was never written");
    }
    if report.was_sound() {
        // What was cut off the end of the last log cannot be told from what was never written there.
        assert!(
            case.contains(".log") || left == *model,
            "{case}: something is different, and nobody noticed"
        );
        return;
    }
    for (key, value) in model {
        assert_eq!(db.get(key).unwrap().as_deref(), left.get(key).map(Vec::as_slice), "{case}");
        let inside = |loss: &bettong::Loss| match (&loss.first, &loss.last) {
            (Some(first), Some(last)) => first <= key && key <= last,
            _ => true,
        };
        if left.get(key) != Some(value) {
            assert!(
                report.losses.iter().any(inside),
                "{case}: {} is not among {report:?}",
                key.escape_ascii()
            );
        }
    }
    if report.losses.is_empty() && report.manifest_whole {
        assert_eq!(&left, model, "{case}: nothing was lost, and something is different");
    }
    db.close().unwrap();
}

/// F11, F17–F25, F31, F35, F43–F45, F48: each file damaged in every way; repaired, the rest is there.
#[test]
fn f17_to_f48_after_a_repair_everything_outside_of_the_damage_reads_right() {
    let (disk, model, history) = built();
    let mut kinds = BTreeSet::new();
    for path in data_files(&disk) {
        kinds.insert(path.extension().map_or("none".into(), ToOwned::to_owned));
        let bytes = disk.read(&path).unwrap();
        for (what, damage) in damages(&bytes) {
            let case = format!("{}: {what}", path.display());
            let copy = apply(&disk, &path, damage.as_ref());
            let before = snapshot_of(&copy);
            let dry =
                mend(&copy, RepairOptions::new().dry_run(true)).unwrap_or_else(|e| panic!("{case}: {e:?}"));
            assert_eq!(snapshot_of(&copy), before, "{case}: a dry run changes nothing");
            let report = mend(&copy, RepairOptions::new()).unwrap_or_else(|e| panic!("{case}: {e:?}"));
            assert_eq!(report.losses, dry.losses, "{case}: a dry run says what would be lost");
            for name in &report.quarantined {
                let original = before.iter().find(|(path, _)| path == &Path::new("/db").join(name)).unwrap();
                let kept = copy.read(&Path::new("/db/quarantine").join(name));
                assert_eq!(kept.as_ref(), Some(&original.1), "{case}: {name} is kept as it was");
            }
            let again = mend(&copy, RepairOptions::new()).unwrap();
            assert!(again.was_sound(), "{case}: a second repair finds {:?}", again.faults);
            examine(&copy, &model, &history, &report, &case);
        }
    }
    assert_eq!(kinds.len(), 4, "logs, tables, value files, and those without extension: {kinds:?}");
}

/// A sound database is left as it is, whether it was closed or killed.
#[test]
fn a_repair_of_a_sound_database_changes_nothing() {
    let (disk, model, _) = built();
    let before = snapshot_of(&disk);
    let report = mend(&disk, RepairOptions::new()).unwrap();
    assert!(report.was_sound() && report.losses.is_empty(), "{report:?}");
    assert_eq!(snapshot_of(&disk), before);
    let db = sim_db(&disk, options()).unwrap();
    assert_eq!(contents(&db), model);
    let locked = mend(&disk, RepairOptions::new()).unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::Locked);
    db.close().unwrap();
    let before = snapshot_of(&disk);
    assert!(mend(&disk, RepairOptions::new()).unwrap().was_sound());
    assert_eq!(snapshot_of(&disk), before);
}

/// F45: without `CURRENT`, the manifest says all the same what belongs to the database; deleted keys stay deleted.
#[test]
fn f45_without_current_nothing_is_lost() {
    let (disk, model, _) = built();
    disk.delete(Path::new("/db/CURRENT"));
    assert_eq!(sim_db(&disk, options()).unwrap_err().kind(), ErrorKind::Corruption);
    let report = mend(&disk, RepairOptions::new()).unwrap();
    assert!(report.manifest_whole && report.losses.is_empty(), "{report:?}");
    assert_eq!(contents(&sim_db(&disk, options()).unwrap()), model);
}

/// F45: without any manifest, tables and logs are merged by sequence number: the newest counts, deletes too.
#[test]
fn f45_without_any_manifest_the_newest_entry_of_a_key_counts() {
    let (disk, model, _) = built();
    for path in data_files(&disk) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "CURRENT" || name.starts_with("MANIFEST") {
            disk.delete(&path);
        }
    }
    let report = mend(&disk, RepairOptions::new()).unwrap();
    assert!(!report.manifest_whole && report.tables_written > 0, "{report:?}");
    let db = sim_db(&disk, options()).unwrap();
    assert_eq!(contents(&db), model);
    assert!(db.verify().unwrap().is_sound());
}

/// F79: a repair that is interrupted, at any change, by a power cut, is begun again and ends as if it had not been.
#[test]
fn f79_a_repair_can_be_interrupted_anywhere() {
    let (disk, model, history) = built();
    let hurt = |part: &str, whole: bool| {
        let path = data_files(&disk).into_iter().find(|path| path.to_string_lossy().contains(part)).unwrap();
        let mut bytes = disk.read(&path).unwrap();
        let at = if whole { 70 } else { used(&bytes) / 2 };
        bytes[at] ^= 0x10;
        apply(&disk, &path, Some(&bytes))
    };
    for damaged in [
        hurt(".sst", true),
        hurt(".log", false),
        hurt(".val", false),
        hurt("MANIFEST", false),
        hurt("CURRENT", false),
    ] {
        let mut interrupted = 0;
        for at in 0..200 {
            let copy = damaged.crashed_copy(0, 100);
            copy.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
            let done = mend(&copy, RepairOptions::new()).is_ok();
            copy.crash(at, 50);
            copy.heal();
            let report =
                mend(&copy, RepairOptions::new()).unwrap_or_else(|error| panic!("change {at}: {error:?}"));
            let losses = mend(&damaged.crashed_copy(0, 100), RepairOptions::new()).unwrap();
            let report = if report.was_sound() { losses } else { report };
            examine(&copy, &model, &history, &report, &format!("interrupted at change {at}"));
            if done {
                break;
            }
            interrupted += 1;
        }
        assert!((5..200).contains(&interrupted), "{interrupted} changes");
    }
}

fn files_with(disk: &SimDisk, part: &str) -> Vec<PathBuf> {
    data_files(disk).into_iter().filter(|path| path.to_string_lossy().contains(part)).collect()
}

/// F44: a damaged manifest is kept in quarantine whatever is wrong with it: one whose first edit did not read was not. And where damage of the last
/// edit makes it look as if that had never been in force, the files that it let go prove that it was: the table of the last flush was not
/// looked at, and the log it was written from was gone.
#[test]
fn f44_a_damaged_manifest_goes_to_quarantine_wherever_the_damage_is() {
    let (disk, model, _) = built();
    let path = files_with(&disk, "MANIFEST").pop().unwrap();
    let bytes = disk.read(&path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    for at in (0..used(&bytes)).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let copy = apply(&disk, &path, Some(&damaged));
        let report = mend(&copy, RepairOptions::new()).unwrap();
        assert_eq!(contents(&sim_db(&copy, options()).unwrap()), model, "byte {at}: {report:?}");
        assert!(report.manifest_whole || report.quarantined.contains(&name), "byte {at}: {report:?}");
        // Only the very last edit looks like one that was being written.
        assert!(!report.manifest_whole || report.was_sound(), "byte {at}: {report:?}");
    }
}

/// A repair refuses what a newer version wrote, and a place without a database.
#[test]
fn a_place_without_a_database_is_no_case_for_a_repair() {
    let disk = SimDisk::new(9);
    assert_eq!(mend(&disk, RepairOptions::new()).unwrap_err().kind(), ErrorKind::Io);
    assert!(disk.paths().is_empty());
    let _ = Db::open("/db", options().env(Env::sim(&disk))).unwrap();
}
