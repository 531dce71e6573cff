//! Several threads at once, with flushes and compactions beside them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bettong::{Db, Durability, Options, WriteBatch, WriteOptions};

use crate::support::{Dice, small_options};

fn open(options: Options) -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options).unwrap();
    (dir, db)
}

/// The bank: transfers between accounts in batches; every snapshot and every scan must see the same sum.
#[test]
fn a_snapshot_never_sees_half_a_batch() {
    const ACCOUNTS: u64 = 100;
    let (_dir, db) = open(small_options().memtable_bytes(64 << 10));
    for account in 0..ACCOUNTS {
        db.set(account.to_be_bytes(), 1000i64.to_le_bytes()).unwrap();
    }
    let stop = AtomicBool::new(false);
    let lock = std::sync::Mutex::new(());
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3u64)
            .map(|seed| {
                let (db, lock) = (&db, &lock);
                scope.spawn(move || {
                    let mut dice = Dice::new(seed);
                    for _ in 0..3000 {
                        let (from, to) = (dice.below(ACCOUNTS), dice.below(ACCOUNTS));
                        if from == to {
                            continue;
                        }
                        let _transfer = lock.lock().unwrap();
                        let balance = |account: u64| {
                            let value = db.get(account.to_be_bytes()).unwrap().unwrap();
                            i64::from_le_bytes(value[..8].try_into().unwrap())
                        };
                        let mut batch = WriteBatch::new();
                        let amount = dice.below(50).cast_signed();
                        // The filler makes memtables fill up and tables flow down.
                        batch.set(
                            from.to_be_bytes(),
                            [&(balance(from) - amount).to_le_bytes()[..], &[0; 60]].concat(),
                        );
                        batch.set(
                            to.to_be_bytes(),
                            [&(balance(to) + amount).to_le_bytes()[..], &[0; 60]].concat(),
                        );
                        db.write(batch).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let sum = |scan: bettong::Scan| -> i64 {
                        scan.map(|item| {
                            i64::from_le_bytes(item.unwrap().value().unwrap()[..8].try_into().unwrap())
                        })
                        .sum()
                    };
                    let snapshot = db.snapshot();
                    assert_eq!(sum(snapshot.scan(..)), 1000 * ACCOUNTS.cast_signed());
                    assert_eq!(sum(db.scan(..)), 1000 * ACCOUNTS.cast_signed());
                }
            });
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
}

/// Each thread owns keys and counts up their values: nobody ever reads a value older than one it knows was written.
#[test]
fn what_was_written_is_seen_by_everyone_and_never_goes_back() {
    const KEYS: u64 = 64;
    let (_dir, db) = open(small_options().memtable_bytes(32 << 10));
    let written: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4u64)
            .map(|thread| {
                let (db, written) = (&db, &written);
                scope.spawn(move || {
                    let mut dice = Dice::new(thread);
                    for round in 1..=4000u64 {
                        let key = thread + 4 * dice.below(KEYS / 4);
                        db.set(key.to_be_bytes(), [round.to_le_bytes(); 8].concat()).unwrap();
                        written[key as usize].store(round, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for seed in 0..2 {
            let (db, written, stop) = (&db, &written, &stop);
            scope.spawn(move || {
                let mut dice = Dice::new(100 + seed);
                while !stop.load(Ordering::Relaxed) {
                    let key = dice.below(KEYS);
                    let known = written[key as usize].load(Ordering::SeqCst);
                    let value = db.get(key.to_be_bytes()).unwrap();
                    let read = value.map_or(0, |value| u64::from_le_bytes(value[..8].try_into().unwrap()));
                    assert!(read >= known, "key {key}: read {read}, though {known} was acknowledged");
                }
            });
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
}

/// Group commit: with many writers there are fewer syncs than synced writes.
#[test]
fn one_sync_serves_several_writers() {
    let (_dir, db) = open(Options::default());
    std::thread::scope(|scope| {
        for thread in 0..8u32 {
            let db = &db;
            scope.spawn(move || {
                let options = WriteOptions::new().durability(Durability::Sync);
                for n in 0..30u32 {
                    db.set_with((thread * 1000 + n).to_be_bytes(), b"v", options).unwrap();
                }
            });
        }
    });
    let snapshot = db.metrics().snapshot();
    let syncs = snapshot.counter_total(bettong_metrics::Counter::WalSyncs);
    assert!(syncs < 200, "{syncs} syncs for 240 synced writes by 8 threads");
    assert_eq!(db.scan(..).count(), 240);
}

/// F92, F93: a database dropped in the middle of its work stops in order, and iterators keep what they need.
#[test]
fn f92_f93_dropping_a_busy_database_stops_its_workers() {
    let (dir, db) = open(small_options());
    for n in 0..20_000u32 {
        db.set(n.wrapping_mul(2_654_435_761).to_be_bytes(), [7; 64]).unwrap();
    }
    let scan = db.scan(..);
    drop(db);
    assert_eq!(scan.map(|item| item.unwrap().value().unwrap().len()).sum::<usize>(), 20_000 * 64);
    let db = Db::open(dir.path(), small_options()).unwrap();
    assert!(db.recovery().clean);
    assert_eq!(db.scan(..).count(), 20_000);
}

/// Two reviewers found it: a flush waited for the inserts of the newest memtable only. When that one was empty, because a
/// batch too large for it had pushed it on at once, an older memtable was written to its table without an insert that was
/// still under way, and its log was removed. And: two threads could make log segments at once and use them out of order.
#[test]
fn flushes_and_large_batches_beside_writers_lose_nothing() {
    let disk = bettong::env::sim::SimDisk::new(9);
    let options = || {
        let env = bettong::env::Env::sim(&disk).with_threads(bettong::env::Threads::Background);
        small_options().memtable_bytes(8 << 10).env(env)
    };
    for round in 0..20u64 {
        let db = Db::open("/db", options()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3u64 {
                let db = &db;
                scope.spawn(move || {
                    for n in 0..150u64 {
                        db.set([round, thread, n].map(u64::to_be_bytes).concat(), [1; 90]).unwrap();
                    }
                });
            }
            scope.spawn(|| {
                for n in 0..6u64 {
                    db.flush().unwrap();
                    let mut batch = WriteBatch::new();
                    batch.set([round, 9, n].map(u64::to_be_bytes).concat(), vec![2; 20 << 10]);
                    db.write(batch).unwrap();
                }
            });
        });
        if round % 2 == 0 {
            // The process dies: everything acknowledged was handed over.
            disk.kill();
            drop(db);
        } else {
            db.close().unwrap();
        }
        let db = Db::open("/db", options()).unwrap();
        assert_eq!(db.scan(..).count() as u64, (round + 1) * (3 * 150 + 6), "round {round}");
    }
}

/// What is merged in parts is what is merged in one piece: newest versions, what snapshots see, and nothing that was deleted.
#[test]
fn a_compaction_in_parts_comes_to_the_same() {
    let fill = |parts: usize| {
        let (dir, db) = open(small_options().subcompactions(parts).l0_compaction_tables(2));
        let mut snapshot = None;
        for round in 0..6_u8 {
            for n in (0..3_000_u32).filter(|n| n % 7 != u32::from(round)) {
                match n % 11 {
                    0 if round > 2 => db.delete(n.to_be_bytes()).unwrap(),
                    _ => db.set(n.to_be_bytes(), [round; 40]).unwrap(),
                }
            }
            if round == 2 {
                snapshot = Some(db.snapshot());
            }
        }
        db.compact(..).unwrap();
        let report = db.verify().unwrap();
        assert!(report.is_sound(), "{parts} parts: {:?}", report.faults);
        let items = snapshot.unwrap();
        let items = items.scan(..).map(|item| {
            let item = item.unwrap();
            (item.key().to_vec(), item.value().unwrap().to_vec())
        });
        let items = items.collect::<Vec<_>>();
        let found = (crate::support::contents(&db), items);
        db.close().unwrap();
        drop(dir);
        found
    };
    let whole = fill(1);
    assert!(whole.0.len() > 2_000 && whole.1.len() > whole.0.len());
    for parts in [2, 5, 16] {
        assert!(fill(parts) == whole, "{parts} parts");
    }
}

/// Files of merged tables were removed by the flusher while writers waited for it. Now there is somebody for that.
#[test]
fn files_that_nobody_needs_are_removed_though_nobody_writes() {
    let (dir, db) = open(small_options().l0_compaction_tables(2));
    for n in 0..5_000_u32 {
        db.set((n % 1_000).to_be_bytes(), [7; 64]).unwrap();
    }
    db.flush().unwrap();
    let tables = || db.stats().levels.iter().map(|level| level.tables).sum::<u64>();
    let files = || {
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".sst")).count() as u64
    };
    let began = std::time::Instant::now();
    while files() != tables() {
        assert!(began.elapsed().as_secs() < 60, "{} files for {} tables", files(), tables());
        std::thread::yield_now();
    }
}

/// F41: collections at the same time, by callers and by the engine, neither do anything twice nor wait for each other for ever.
#[test]
fn f41_collections_at_the_same_time_do_no_harm() {
    let (_dir, db) = open(small_options().separation_threshold(100).max_space_amplification(1.2));
    let mut model = std::collections::BTreeMap::new();
    for round in 0..20u8 {
        for n in 0..60u32 {
            db.set(n.to_be_bytes(), [round; 300]).unwrap();
            model.insert(n.to_be_bytes().to_vec(), vec![round; 300]);
        }
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| db.collect_garbage().unwrap());
            }
        });
        assert_eq!(crate::support::contents(&db), model);
    }
    assert!(db.verify().unwrap().is_sound());
}
