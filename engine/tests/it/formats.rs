//! Golden files: databases of every format open for ever, and this version still writes the same bytes.
//!
//! The fixtures are what a fixed history leaves on the simulated disk, whose ids and times follow from its seed. After a
//! deliberate change of a format, `BETTONG_WRITE_GOLDEN=1 cargo test -p bettong formats` writes the new version's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bettong::env::sim::SimDisk;
use bettong::{Compression, Db, Durability, Options, WriteBatch, WriteOptions};

use crate::support::{Model, contents, sim_db};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn options() -> Options {
    let mut compression = [Compression::None; 7];
    compression[6] = Compression::Lz4;
    Options::default()
        .memtable_bytes(8 << 10)
        .block_bytes(512)
        .compression(compression)
        .separation_threshold(1 << 10)
        // What is collected when is no matter of formats.
        .max_space_amplification(100.0)
        .durability(Durability::Sync)
}

/// A history with tables on two levels, tombstones, old versions, a batch, and writes that are only in the log.
fn history(db: &Db) -> Model {
    let mut model = Model::new();
    let mut set = |key: String, value: Vec<u8>| {
        db.set(&key, &value).unwrap();
        model.insert(key.into_bytes(), value);
    };
    (0..60u8).for_each(|n| set(format!("user/{n:03}"), vec![n; 50]));
    db.compact(..).unwrap();
    (0..20u8).for_each(|n| set(format!("user/{n:03}"), format!("version 2 of {n}").into_bytes()));
    db.flush().unwrap();
    let mut batch = WriteBatch::new();
    batch.set(b"batched", b"yes");
    batch.delete(b"user/059");
    db.write(batch).unwrap();
    model.insert(b"batched".to_vec(), b"yes".to_vec());
    model.remove(b"user/059".as_slice());
    model
}

/// What format 2 adds: values that stay in the log, or were moved, or expire.
fn history_of_2(db: &Db) -> Model {
    let mut model = history(db);
    let forever = WriteOptions::new().ttl(Duration::MAX);
    for n in 0..12u8 {
        let (key, value) = (format!("large/{n:03}"), vec![n; 1500]);
        if n % 3 == 0 {
            db.set_with(&key, &value, forever).unwrap();
        } else {
            db.set(&key, &value).unwrap();
        }
        model.insert(key.into_bytes(), value);
        db.set_with(format!("gone/{n:03}"), vec![n; 1500], WriteOptions::new().ttl(Duration::ZERO)).unwrap();
    }
    db.compact(..).unwrap();
    db.set(b"large/001", vec![100; 1500]).unwrap();
    model.insert(b"large/001".to_vec(), vec![100; 1500]);
    db.set_with(b"small", b"expires", forever).unwrap();
    model.insert(b"small".to_vec(), b"expires".to_vec());
    model
}

/// What the history leaves: after a clean close, or after the process was killed.
fn written(clean: bool) -> (SimDisk, Model) {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, options()).unwrap();
    let model = history_of_2(&db);
    if clean {
        db.close().unwrap();
    } else {
        disk.kill();
    }
    (disk, model)
}

fn files(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = disk.paths().into_iter().map(|path| (name(&path), disk.read(&path).unwrap()));
    files.filter(|(name, _)| name != "LOCK" && !name.starts_with("OPTIONS")).collect()
}

#[test]
fn f52_databases_of_every_format_open_and_hold_what_they_held() {
    let model_of = |history: fn(&Db) -> Model| history(&sim_db(&SimDisk::new(1), options()).unwrap());
    let (first, second) = (model_of(history), model_of(history_of_2));
    // Tables have had point indexes since 2.1. Readers that know none pass them over, so the number of the format is still 2.
    for (version, model) in [("v1", first), ("v2", second.clone()), ("v2.1", second)] {
        for state in ["clean", "killed"] {
            let dir = tempfile::tempdir().unwrap();
            for file in std::fs::read_dir(fixtures().join(version).join(state)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
            }
            for mapped in [true, false] {
                let db = Db::open(dir.path(), options().mapped_reads(mapped)).unwrap();
                assert_eq!(db.recovery().clean, state == "clean" || !mapped);
                assert_eq!(contents(&db), model, "{version}");
                assert!(db.verify().unwrap().is_sound());
            }
        }
    }
}

#[test]
fn this_version_writes_format_2_byte_by_byte() {
    for (state, clean) in [("clean", true), ("killed", false)] {
        let dir = fixtures().join("v2.1").join(state);
        let (disk, _) = written(clean);
        if std::env::var_os("BETTONG_WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            for (name, bytes) in files(&disk) {
                std::fs::write(dir.join(name), bytes).unwrap();
            }
        }
        for (name, bytes) in files(&disk) {
            let golden =
                std::fs::read(dir.join(&name)).unwrap_or_else(|_| panic!("no golden file {state}/{name}"));
            assert!(
                golden == bytes,
                "{state}/{name} is written differently: a change of format needs a new version"
            );
        }
    }
}
