//! One database, one opener.

use std::process::Command;

use bettong::env::Env;
use bettong::env::sim::SimDisk;
use bettong::{Db, Error, Options};

/// G9, F82: the second opener is told at once, and who it is; the files are as they were.
#[test]
fn g9_f82_a_second_opener_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let list = || {
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| {
                entry.map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap())).unwrap()
            })
            .collect();
        names.sort();
        names
    };
    let before = list();
    match Db::open(dir.path(), Options::default()) {
        Err(error @ Error::Locked { holder, .. }) => {
            assert_eq!(holder, Some(std::process::id()));
            assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
            assert!(error.is_retryable());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(list(), before);
    db.set(b"k", b"v").unwrap();
    db.close().unwrap();
    Db::open(dir.path(), Options::default()).unwrap();
}

/// F82 across processes: `flock(1)` holds the lock file.
#[test]
fn f82_another_process_that_holds_the_lock_is_named() {
    let dir = tempfile::tempdir().unwrap();
    Db::open(dir.path(), Options::default()).unwrap().close().unwrap();
    let script = format!("exec 9>>'{}'; flock 9; echo held; read line", dir.path().join("LOCK").display());
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert!(matches!(Db::open(dir.path(), Options::default()), Err(Error::Locked { holder: Some(_), .. })));
    // F50: the lock dies with its holder.
    child.kill().unwrap();
    child.wait().unwrap();
    Db::open(dir.path(), Options::default()).unwrap();
}

/// F50: a lock file left by a killed process is no lock.
#[test]
fn f50_a_stale_lock_file_does_not_lock() {
    let disk = SimDisk::new(1);
    let options = || Options::default().env(Env::sim(&disk));
    let db = Db::open("/db", options()).unwrap();
    assert!(matches!(Db::open("/db", options()), Err(Error::Locked { .. })));
    disk.kill();
    Db::open("/db", options()).unwrap();
    drop(db);
}
