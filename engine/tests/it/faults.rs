//! Operations that fail: full disks, I/O errors, interrupted and short calls. What was acknowledged stays, errors have types,
//! and what can pass by itself does.

use std::sync::atomic::{AtomicBool, Ordering};

use bettong::env::Env;
use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::{Compression, Db, Durability, Error, ErrorKind, LEVELS, Options, WriteOptions};

use crate::support::{contents, sim_db, small_options};

/// G8, F54: on a full disk writes fail with a typed error, reads go on, and writes resume when there is room.
#[test]
fn g8_f54_a_full_disk_is_an_error_that_passes_by_itself() {
    let disk = SimDisk::new(1);
    let db = sim_db(&disk, small_options()).unwrap();
    disk.set_capacity(disk.used_bytes() + (300 << 10));
    let mut written = 0u32;
    let error = loop {
        match db.set(written.to_be_bytes(), [7; 200]) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100_000, "the disk fills up");
    };
    let full = match &error {
        Error::ReadOnly(reason) => reason.kind() == ErrorKind::NoSpace,
        other => other.kind() == ErrorKind::NoSpace,
    };
    assert!(full && error.is_retryable(), "{error:?}");
    assert_eq!(contents(&db).len() as u32, written);
    disk.set_capacity(u64::MAX);
    for n in written..written + 1000 {
        db.set(n.to_be_bytes(), [7; 200]).unwrap();
    }
    db.flush().unwrap();
    assert_eq!(contents(&db).len() as u32, written + 1000);
    assert!(db.verify().unwrap().is_sound());
    db.close().unwrap();
    assert_eq!(contents(&sim_db(&disk, small_options()).unwrap()).len() as u32, written + 1000);
}

/// F54 with threads: stalled writers wake with the error instead of waiting for ever.
///
/// The simulated clock moves when it is looked at, and nobody looks who waits for a retry, or whose write is slowed down: here
/// a thread of its own lets time go by. (Without it the test hung once in twenty runs.)
#[test]
fn f54_writers_that_wait_for_a_flush_on_a_full_disk_get_an_error() {
    let disk = SimDisk::new(2);
    let env = Env::sim(&disk).with_threads(bettong::env::Threads::Background);
    let db = Db::open("/db", small_options().env(env)).unwrap();
    disk.set_capacity(disk.used_bytes() + (200 << 10));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disk.advance(1_000_000);
                std::thread::yield_now();
            }
        });
        let error =
            (0..100_000u32).find_map(|n| db.set(n.to_be_bytes(), [7; 200]).err()).expect("the disk fills up");
        assert!(error.is_retryable(), "{error:?}");
        disk.set_capacity(u64::MAX);
        // The retry comes by itself; until then writes say why they fail.
        while let Err(error) = db.set(b"again", b"v") {
            assert!(error.is_retryable(), "{error:?}");
            std::thread::yield_now();
        }
        db.flush().unwrap();
        done.store(true, Ordering::Relaxed);
    });
}

/// G6, F57: after a failed sync of the log nothing is acknowledged any more; what was before is there after a reopening.
#[test]
fn g6_f57_a_failed_log_sync_stops_all_writes() {
    let disk = SimDisk::new(3);
    let db = sim_db(&disk, Options::default().durability(Durability::Sync)).unwrap();
    db.set(b"before", b"1").unwrap();
    disk.inject(Rule::new(Fault::Errno(libc_eio())).on(IoOp::Sync).path(".log"));
    let error = db.set(b"failed", b"2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    assert!(error.to_string().contains("sync"), "{error}");
    for durability in [Durability::Sync, Durability::Os, Durability::None] {
        let options = bettong::WriteOptions::new().durability(durability);
        assert_eq!(db.set_with(b"later", b"3", options).unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    assert_eq!(db.sync().unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(db.get(b"before").unwrap().unwrap(), b"1", "reads go on");
    assert_eq!(db.close().unwrap_err().kind(), ErrorKind::ReadOnly);
    disk.crash(1, 0);
    let db = sim_db(&disk, Options::default()).unwrap();
    assert_eq!(db.get(b"before").unwrap().unwrap(), b"1");
    assert!(db.get(b"later").unwrap().is_none());
}

/// F58, F71: a failed sync of the directory is final, but one for which there was no file descriptor was never tried.
///
/// Both were taken for the same, and a process that ran out of descriptors for a moment, while a log segment or a table was
/// made, had a database that refused writes until it was opened again.
#[test]
fn f58_f71_a_directory_that_cannot_be_opened_for_its_sync_passes() {
    for (errno, passes) in [(24 /* EMFILE */, true), (23 /* ENFILE */, true), (libc_eio(), false)] {
        let disk = SimDisk::new(6);
        let db = sim_db(&disk, small_options()).unwrap();
        disk.inject(Rule::new(Fault::Errno(errno)).on(IoOp::SyncDir).nth(1));
        let mut written = 0u32;
        let mut write = |times: u32| {
            (0..times).try_for_each(|_| {
                db.set(written.to_be_bytes(), [7; 200])?;
                written += 1;
                Ok::<(), Error>(())
            })
        };
        let error = write(10_000).or_else(|_| write(10_000)).and_then(|()| db.flush());
        assert_eq!(error.is_ok(), passes, "errno {errno}: {error:?}");
        assert_eq!(contents(&db).len() as u32, written, "errno {errno}");
        let reopened = || sim_db(&disk, small_options()).unwrap();
        assert_eq!(db.close().is_ok(), passes);
        assert_eq!(contents(&reopened()).len() as u32, written, "errno {errno}");
    }
}

/// G6, F57, found by the simulator: the sync of a log failed, the process was killed, and the next one read from the page cache a value
/// that the disk never got. It kept the log as a value file, and synced it again, which said that all was well; then the power
/// failed, and a table pointed to a value that was not there: the database could not be read any more at a key of a write that
/// had not even been acknowledged.
#[test]
fn g6_f57_what_a_failed_sync_left_in_memory_is_written_again_before_a_table_points_to_it() {
    for mapped in [false, true] {
        let options = || small_options().separation_threshold(100).mapped_reads(mapped);
        let disk = SimDisk::new(9);
        let db = sim_db(&disk, options().durability(Durability::Sync)).unwrap();
        db.set(b"synced", [1; 500]).unwrap();
        disk.inject(Rule::new(Fault::Errno(libc_eio())).on(IoOp::Sync).path(".log"));
        assert_eq!(db.set(b"failed", [2; 500]).unwrap_err().kind(), ErrorKind::ReadOnly);
        disk.kill();
        drop(db);
        let db = sim_db(&disk, options()).unwrap();
        let found = contents(&db);
        disk.crash(1, 0);
        drop(db);
        let db = sim_db(&disk, options()).unwrap();
        assert_eq!(contents(&db), found, "what was shown after a recovery is durable");
        assert_eq!(db.get(b"synced").unwrap().unwrap(), [1; 500]);
        assert!(db.verify().unwrap().is_sound());
    }
}

/// F59: an error while reading is an error, never "not found".
#[test]
fn f59_a_read_error_is_not_an_absent_key() {
    let disk = SimDisk::new(4);
    let db = sim_db(&disk, small_options().mapped_reads(false).cache_bytes(0)).unwrap();
    db.set(b"k", b"v").unwrap();
    db.flush().unwrap();
    assert!(db.get(b"k").unwrap().is_some());
    disk.inject(Rule::new(Fault::Errno(libc_eio())).on(IoOp::Read));
    assert_eq!(db.get(b"k").unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"v");
    disk.inject(Rule::new(Fault::Flip).on(IoOp::Read));
    assert_eq!(db.get(b"k").unwrap_err().kind(), ErrorKind::Corruption, "a bit flipped on the way");
    assert_eq!(db.get(b"k").unwrap().unwrap(), b"v");
}

/// F60, F61, F62: every call short, or interrupted once: nobody notices.
#[test]
fn f60_f61_f62_short_and_interrupted_calls_are_completed() {
    for fault in [Fault::Short, Fault::Errno(libc_eintr())] {
        let disk = SimDisk::new(5);
        for skip in 0..400 {
            disk.inject(Rule::new(fault).nth(skip * 3));
        }
        let db = sim_db(&disk, small_options().mapped_reads(false).durability(Durability::Sync)).unwrap();
        for n in 0..300u32 {
            db.set(n.to_be_bytes(), [n as u8; 150]).unwrap();
        }
        db.compact(..).unwrap();
        assert_eq!(contents(&db).len(), 300);
        assert!(db.verify().unwrap().is_sound());
        db.close().unwrap();
        disk.heal();
        assert_eq!(contents(&sim_db(&disk, small_options()).unwrap()).len(), 300);
    }
}

/// F58, G6: after a failed sync of the directory no file that was made is relied on: the sync is not tried again, for it might
/// succeed without having made anything durable.
#[test]
fn g6_f58_a_failed_directory_sync_is_final() {
    let disk = SimDisk::new(9);
    let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
    db.set(b"before", b"1").unwrap();
    disk.inject(Rule::new(Fault::Errno(libc_eio())).on(IoOp::SyncDir));
    assert!(db.flush().is_err());
    for _ in 0..3 {
        assert_eq!(db.flush().unwrap_err().kind(), ErrorKind::ReadOnly, "not tried again");
    }
    assert_eq!(db.get(b"before").unwrap().unwrap(), b"1", "reads go on");
    disk.crash(1, 0);
    assert_eq!(sim_db(&disk, small_options()).unwrap().get(b"before").unwrap().unwrap(), b"1");
}

/// F55: a quota that is reached and a file that may not grow are a full disk by other names.
#[test]
fn f55_quotas_and_limits_are_a_full_disk() {
    for errno in [28 /* ENOSPC */, 122 /* EDQUOT */, 27 /* EFBIG */] {
        let disk = SimDisk::new(10);
        let db = sim_db(&disk, small_options()).unwrap();
        disk.inject(Rule::new(Fault::Errno(errno)).on(IoOp::Write).path(".log"));
        let error = db.set(b"k", b"v").unwrap_err();
        assert!(error.kind() == ErrorKind::NoSpace && error.is_retryable(), "{errno}: {error:?}");
        assert!(db.get(b"k").unwrap().is_none(), "a write that failed is not there");
        db.set(b"k", b"w").unwrap();
        assert_eq!(db.get(b"k").unwrap().unwrap(), b"w");
    }
}

/// F55: the limit on the sizes of files ends in the middle of an edit of the manifest. What was written of it is no edit, so nothing is in
/// doubt: the work is tried again, and a power cut meanwhile leaves what was there.
///
/// Before, the database was read-only until it was opened again, though the disk had only been full.
#[test]
fn f55_an_edit_that_finds_no_room_is_written_later() {
    for (errno, short) in [(27, false), (27, true), (28, true)] {
        let disk = SimDisk::new(12);
        let db = sim_db(&disk, small_options()).unwrap();
        let synced = WriteOptions::new().durability(Durability::Sync);
        let fill = |range: std::ops::Range<u32>| {
            range.into_iter().try_for_each(|n| db.set_with(n.to_be_bytes(), [7; 100], synced))
        };
        fill(0..30).unwrap();
        let rule = |fault| Rule::new(fault).on(IoOp::Write).path("MANIFEST");
        if short {
            disk.inject(rule(Fault::Short));
        }
        disk.inject(rule(Fault::Errno(errno)).nth(u64::from(short)).forever());
        let error = db.flush().unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        fill(30..40).unwrap();
        for keep in [0, 50, 100] {
            let cut = disk.crashed_copy(keep.into(), keep);
            assert_eq!(contents(&sim_db(&cut, small_options()).unwrap()).len(), 40);
        }
        disk.heal();
        db.flush().unwrap();
        assert_eq!(db.background_error().map(|error| error.severity), None);
        let cut = disk.crashed_copy(1, 0);
        assert_eq!(contents(&sim_db(&cut, small_options()).unwrap()).len(), 40);
        db.close().unwrap();
        assert!(sim_db(&disk, small_options()).unwrap().verify().unwrap().is_sound());
    }
}

/// F54: whichever piece of a table finds no room, the flush fails, is made again when there is room, and the table is whole: with values
/// longer than a piece, with pieces that are written by halves, and compressed.
#[test]
fn f54_a_table_is_whole_whichever_of_its_pieces_found_no_room() {
    for compression in [Compression::None, Compression::Lz4] {
        let disk = SimDisk::new(13);
        // Pieces of 16 KiB.
        let options = Options::default().memtable_bytes(4 << 20).table_bytes(64 << 10);
        let options = options.separation_threshold(usize::MAX).compression([compression; LEVELS]);
        let db = sim_db(&disk, options.clone()).unwrap();
        let value = |n: u32| -> Vec<u8> {
            let len = if n == 100 { 100_000 } else { n * 37 % 5_000 };
            (0..len).map(|at| ((at * n) >> 5) as u8).collect()
        };
        (0..200u32).for_each(|n| db.set(n.to_be_bytes(), value(n)).unwrap());
        let to_tables = |fault| Rule::new(fault).on(IoOp::Write).path(".sst");
        let fails = |piece: &u64| {
            disk.inject(to_tables(Fault::Short).nth(1));
            disk.inject(to_tables(Fault::Errno(28)).nth(*piece));
            let flushed = db.flush();
            disk.heal();
            flushed.is_err_and(|error| error.is_retryable())
        };
        let failed = (0..100).take_while(fails).count();
        assert!((4..100).contains(&failed), "{failed} pieces");
        db.compact(..).unwrap();
        assert!(db.verify().unwrap().is_sound());
        db.close().unwrap();
        let db = sim_db(&disk, options).unwrap();
        assert!((0..200u32).all(|n| db.get(n.to_be_bytes()).unwrap().unwrap() == value(n)));
    }
}

/// F66: a file that cannot be removed is room lost for a while, no fault: it goes with the next job.
#[test]
fn f66_a_file_that_cannot_be_removed_goes_later() {
    let disk = SimDisk::new(11);
    let db = sim_db(&disk, small_options()).unwrap();
    let fill = |round: u8| {
        (0..100u32).for_each(|n| db.set(n.to_be_bytes(), [round; 200]).unwrap());
        db.compact(..).unwrap();
    };
    fill(1);
    let tables = |disk: &SimDisk| -> Vec<_> {
        disk.paths().into_iter().filter(|path| path.extension() == Some("sst".as_ref())).collect()
    };
    let old = tables(&disk);
    disk.inject(Rule::new(Fault::Errno(libc_eio())).on(IoOp::Remove).forever());
    fill(2);
    assert!(old.iter().all(|path| tables(&disk).contains(path)), "nothing could be removed");
    disk.heal();
    fill(3);
    assert!(old.iter().all(|path| !tables(&disk).contains(path)), "{old:?}");
    assert!(db.verify().unwrap().is_sound());
}

/// F73: a disk that takes three seconds for a sync makes writes wait that long, and nothing worse.
#[test]
fn f73_a_very_slow_disk_is_waited_for() {
    let disk = SimDisk::new(12);
    let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
    disk.inject(Rule::new(Fault::Delay(3_000_000_000)).on(IoOp::Sync).forever());
    let began = disk.unix_nanos();
    for n in 0..200u32 {
        db.set(n.to_be_bytes(), [1; 200]).unwrap();
    }
    assert!(disk.unix_nanos() - began >= 200 * 3_000_000_000);
    assert_eq!(contents(&db).len(), 200);
    db.close().unwrap();
}

/// F67, F78: a recovery that fails leaves everything for the next one.
#[test]
fn f67_f78_a_recovery_that_fails_changes_nothing_that_counts() {
    let disk = SimDisk::new(7);
    let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
    for n in 0..200u32 {
        db.set(n.to_be_bytes(), [1; 100]).unwrap();
    }
    disk.kill();
    drop(db);
    for at in 0..60 {
        disk.inject(Rule::new(Fault::Errno(libc_eio())).on_changes().nth(at));
        let opened = sim_db(&disk, small_options());
        disk.kill();
        drop(opened);
        let used = disk.used_bytes();
        assert!(used < 3 << 20, "failed recoveries do not pile up files: {used} bytes");
    }
    assert_eq!(contents(&sim_db(&disk, small_options()).unwrap()).len(), 200);
}

/// F81: a disk that lied about a sync lost data; that is found out, not served as an older state.
#[test]
fn f81_a_lying_disk_is_found_out_or_leaves_a_prefix() {
    for at in 0..40 {
        let disk = SimDisk::new(8);
        disk.inject(Rule::new(Fault::Lie).on(IoOp::Sync).nth(at));
        let db = sim_db(&disk, small_options().durability(Durability::Sync)).unwrap();
        for n in 0..100u32 {
            db.set(n.to_be_bytes(), [n as u8; 300]).unwrap();
        }
        disk.crash(at, 0);
        drop(db);
        match sim_db(&disk, small_options()) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corruption, "{error:?}"),
            Ok(db) => {
                let report = db.verify().unwrap();
                for n in 0..100u32 {
                    if let Ok(Some(value)) = db.get(n.to_be_bytes()) {
                        assert_eq!(value, [n as u8; 300], "wrong data");
                    }
                }
                assert!(report.faults.iter().all(|fault| fault.kind() == ErrorKind::Corruption));
            }
        }
    }
}

fn libc_eio() -> i32 {
    5
}

fn libc_eintr() -> i32 {
    4
}
