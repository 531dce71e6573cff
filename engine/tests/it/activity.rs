//! What readers of the metrics are told of jobs, holders and events, by the work that they tell of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::{Compression, Db, Durability, Options, WriteOptions};
use bettong_metrics::{
    Counter, Event, EventKind, Gauge, HolderKind, Job, JobKind, JobResult, Registry, Severity,
};

use crate::support::{Dice, contents, sim_db, small_options};

fn kinds(registry: &Registry) -> Vec<EventKind> {
    registry.events().iter().map(|event| event.kind).collect()
}

fn find(registry: &Registry, kind: EventKind) -> Event {
    let events = registry.events();
    (**events.iter().find(|event| event.kind == kind).unwrap_or_else(|| panic!("{kind:?}"))).clone()
}

/// The numbers of the tables of a level, as published.
fn tables_of(registry: &Registry, level: usize) -> Vec<u64> {
    let published = registry.published();
    published.levels[level].tables.iter().map(|table| table.number).collect()
}

fn numbers(tables: &bettong_metrics::JobTables) -> Vec<u64> {
    tables.tables.iter().map(|table| table.number).collect()
}

#[test]
fn a_flush_tells_of_its_begin_its_table_and_its_end() {
    let db = sim_db(&SimDisk::new(1), small_options()).unwrap();
    let registry = db.metrics();
    let before = registry.events_since(0).next;
    for n in 0..20_u32 {
        db.set((n % 10).to_be_bytes(), [1; 50]).unwrap();
    }
    db.flush().unwrap();
    let events = registry.events_since(before).events;
    let of_flush: Vec<_> =
        events.iter().map(|event| event.kind).filter(|kind| *kind != EventKind::WalCreated).collect();
    assert_eq!(
        of_flush,
        [EventKind::MemtableRotated, EventKind::FlushBegin, EventKind::TableCreated, EventKind::FlushEnd]
    );
    assert_eq!(find(&registry, EventKind::MemtableRotated).cause, Some("manual"));
    let job = registry.jobs().recent.pop().unwrap();
    assert_eq!((job.kind(), job.plan().memtables), (JobKind::Flush, 1));
    let report = job.report().unwrap();
    assert_eq!((report.entries_read, report.entries_kept, report.dropped_shadowed), (20, 10, 10));
    assert_eq!((job.bytes_done(), report.bytes_read), (20 * 54, 20 * 54));
    assert_eq!(numbers(&report.outputs), tables_of(&registry, 0));
    let end = find(&registry, EventKind::FlushEnd);
    assert_eq!((end.job, end.result, end.bytes), (Some(job.id()), Some("ok"), Some(report.bytes_written)));
    assert_eq!(registry.snapshot().counter(Counter::Events.at(EventKind::FlushEnd.index())), 1);
}

/// A database with several runs, walked over so many times; why its compactions were made, and how many runs it then has.
fn after_scans(options: Options, walks: usize) -> (Vec<&'static str>, usize) {
    let db = sim_db(&SimDisk::new(7), options).unwrap();
    let registry = db.metrics();
    for round in 0..3_u8 {
        for n in 0..100_u32 {
            db.set(n.to_be_bytes(), [round; 40]).unwrap();
        }
        db.flush().unwrap();
        while db.step().unwrap() {}
    }
    for _ in 0..walks {
        assert_eq!(db.scan(..).count(), 100);
        while db.step().unwrap() {}
    }
    let reasons = registry.jobs().recent.into_iter().filter(|job| job.kind() == JobKind::Compaction);
    let runs =
        tables_of(&registry, 0).len() + (1..7).filter(|at| !tables_of(&registry, *at).is_empty()).count();
    (reasons.map(|job| job.reason()).collect(), runs)
}

#[test]
fn scans_that_meet_several_runs_have_them_merged_in_the_end() {
    let options = || small_options().l0_compaction_tables(4);
    assert_eq!(after_scans(options(), 0), (vec![], 3));
    assert_eq!(after_scans(options(), 1), (vec![], 3), "one walk does not pay for a merge");
    // 15 kB to be merged at 2 ns each, and a walk of 100 steps among three runs loses 4 µs.
    assert_eq!(after_scans(options(), 60), (vec!["scans"], 1));
    assert_eq!(after_scans(options().merge_for_scans(false), 60), (vec![], 3));
}

#[test]
fn a_compaction_tells_why_of_what_and_into_what() {
    let db = sim_db(&SimDisk::new(2), small_options().l0_compaction_tables(3)).unwrap();
    let registry = db.metrics();
    for round in 0..3_u8 {
        for n in 0..100_u32 {
            db.set(n.to_be_bytes(), [round; 40]).unwrap();
        }
        db.flush().unwrap();
    }
    let inputs = tables_of(&registry, 0);
    assert_eq!(inputs.len(), 3);
    while db.step().unwrap() {}
    let job = registry.jobs().recent.into_iter().find(|job| job.kind() == JobKind::Compaction).unwrap();
    assert_eq!(job.reason(), "l0_files");
    assert_eq!(job.plan().inputs[0].level, 0);
    assert_eq!(numbers(&job.plan().inputs[0]), inputs);
    let report = job.report().unwrap();
    assert_eq!((report.entries_read, report.entries_kept, report.dropped_shadowed), (300, 100, 200));
    assert_eq!((job.bytes_done(), job.plan().bytes_total), (300 * 44, 300 * 44));
    let level = job.plan().output_level as usize;
    assert_eq!(numbers(&report.outputs), tables_of(&registry, level));
    assert!(registry.jobs().running.is_empty());
    db.close().unwrap();
    let deleted: Vec<_> =
        registry.events().into_iter().filter(|event| event.kind == EventKind::TableDeleted).collect();
    assert!(inputs.iter().all(|number| deleted.iter().any(|event| event.file == Some(*number))));
}

/// Two full memtables went into one table once, and writers that waited for room waited for both.
#[test]
fn full_memtables_are_flushed_one_by_one_and_small_ones_together() {
    let options = small_options().max_immutable_memtables(4);
    let db = sim_db(&SimDisk::new(6), options).unwrap();
    let registry = db.metrics();
    let waiting = || registry.snapshot().gauge(Gauge::ImmutableMemtables.at(0)) as u64;
    let mut n = 0_u32;
    while waiting() < 2 {
        db.set(n.to_be_bytes(), [1; 100]).unwrap();
        n += 1;
    }
    assert!(db.step().unwrap() && waiting() == 1);
    assert!(db.step().unwrap() && waiting() == 0);
    let flushes = || registry.jobs().recent.into_iter().filter(|job| job.kind() == JobKind::Flush);
    assert!(flushes().all(|job| job.plan().memtables == 1));
    assert_eq!(contents(&db).len(), n as usize);
}

/// The second part of a merge counted what lies below the first one's keys as met by its first table, which ended after one key.
#[test]
fn a_part_of_a_merge_does_not_begin_with_a_table_of_one_key() {
    let options = small_options().compression([Compression::None; 7]).level_base_bytes(256 << 10);
    let db = sim_db(&SimDisk::new(7), options).unwrap();
    let mut dice = Dice::new(7);
    let (mut merges, mut tiny, mut seen) = (0, 0, 0);
    for _ in 0..60_000 {
        db.set(dice.below(u64::MAX).to_be_bytes(), [7; 100]).unwrap();
        db.step().unwrap();
        for job in db.metrics().jobs().recent {
            let outputs = job.report().map(|report| &report.outputs);
            let Some(outputs) = outputs.filter(|outputs| job.id() > seen && outputs.count > 8) else {
                continue;
            };
            seen = job.id();
            merges += 1;
            // The last of a part holds what was left: seldom so little.
            tiny += outputs.tables.iter().filter(|table| table.bytes < 750).count();
        }
    }
    assert!(merges > 50 && tiny * 3 < merges, "{tiny} tables of one or two keys from {merges} merges");
}

#[test]
fn a_table_that_only_moves_is_a_job_of_its_own_kind() {
    let db = sim_db(&SimDisk::new(3), small_options().l0_compaction_tables(1)).unwrap();
    for n in 0..2_000_u32 {
        db.set(n.to_be_bytes(), [4; 64]).unwrap();
        db.step().unwrap();
    }
    let moves: Vec<_> =
        db.metrics().jobs().recent.into_iter().filter(|job| job.kind() == JobKind::Move).collect();
    assert!(!moves.is_empty());
    for job in moves {
        let report = job.report().unwrap();
        assert_eq!(numbers(&report.outputs), numbers(&job.plan().inputs[0]));
        assert_eq!((report.bytes_read, report.bytes_written, report.outputs.count), (0, 0, 1));
    }
}

#[test]
fn a_compaction_is_seen_while_it_runs() {
    let db = sim_db(&SimDisk::new(4), small_options()).unwrap();
    for n in 0..20_000_u32 {
        db.set(n.to_be_bytes(), [5; 100]).unwrap();
    }
    let registry = db.metrics();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                db.compact(..).unwrap();
            }
        });
        let under_way = |job: &Job| job.reason() == "manual" && job.bytes_done() > 0;
        let began = Instant::now();
        let seen = loop {
            let found = registry.jobs().running.into_iter().find(|job| under_way(job));
            if found.is_some() || began.elapsed() > Duration::from_secs(60) {
                break found;
            }
        };
        done.store(true, Ordering::Relaxed);
        seen
    });
    let job = seen.expect("no compaction was ever seen running");
    assert!(job.bytes_done() <= job.plan().bytes_total);
    assert!(
        registry.jobs().recent.iter().any(|ended| ended.id() == job.id())
            || registry.jobs().recent.len() == 64
    );
    assert!(registry.jobs().running.is_empty());
}

#[test]
fn a_job_that_fails_says_so_and_so_does_the_database_when_it_turns_read_only() {
    let disk = SimDisk::new(5);
    let db = sim_db(&disk, small_options()).unwrap();
    let registry = db.metrics();
    db.set(b"k", b"v").unwrap();
    disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Create).path(".sst"));
    assert!(db.flush().is_err());
    let job = registry.jobs().recent.pop().unwrap();
    let Some(JobResult::Failed(sentence)) = job.result() else { panic!("{job:?}") };
    assert!(sentence.contains(".sst"), "{sentence}");
    assert_eq!(find(&registry, EventKind::FlushEnd).severity, Severity::Error);
    let error = find(&registry, EventKind::BackgroundError);
    assert_eq!((error.cause, error.message.as_ref()), (Some("flush"), Some(sentence)));
    disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Sync).forever());
    let synced = WriteOptions::new().durability(Durability::Sync);
    assert!(db.set_with(b"k", b"v", synced).is_err());
    assert!(db.set_with(b"k", b"v", synced).is_err());
    assert!(find(&registry, EventKind::ReadOnly).message.unwrap().contains("sync"));
    assert_eq!(kinds(&registry).iter().filter(|kind| **kind == EventKind::ReadOnly).count(), 1);
    assert!(db.close().is_err());
    let last = registry.events().pop().unwrap();
    assert_eq!((last.kind, last.result), (EventKind::Close, Some("failed")));
}

#[test]
fn held_snapshots_and_scans_are_seen_with_a_growing_age_until_they_are_dropped() {
    let db = sim_db(&SimDisk::new(6), small_options()).unwrap();
    let registry = db.metrics();
    db.set(b"k", b"v").unwrap();
    let snapshot = db.snapshot();
    db.set(b"k", b"w").unwrap();
    let (scan, copy) = (db.scan(..), snapshot.clone());
    let holders = registry.holders();
    assert_eq!((holders.count(HolderKind::Iterator), holders.count(HolderKind::Snapshot)), (1, 2));
    let oldest = holders.known[0];
    assert_eq!((oldest.kind, oldest.sequence), (HolderKind::Snapshot, 1));
    assert!(holders.known.iter().any(|holder| holder.kind == HolderKind::Iterator && holder.sequence == 2));
    std::thread::sleep(Duration::from_millis(3));
    let metrics = registry.snapshot();
    assert!(metrics.gauge(Gauge::SnapshotOldestAge) >= oldest.age_nanos as f64 / 1e9 + 0.003);
    assert!(metrics.gauge(Gauge::IteratorOldestAge) >= 0.003);
    assert_eq!(metrics.gauge(Gauge::SnapshotsOpen).to_bits(), 2.0_f64.to_bits());
    drop((snapshot, copy, scan));
    assert_eq!(registry.holders().known, []);
}

#[test]
fn a_stall_tells_of_its_begin_its_cause_and_its_end() {
    let options = small_options().max_immutable_memtables(1).l0_compaction_tables(2);
    let db = sim_db(&SimDisk::new(7), options.l0_slowdown_tables(3).l0_stop_tables(6)).unwrap();
    let registry = db.metrics();
    for n in 0..10_000_u32 {
        db.set(n.wrapping_mul(0x9e37_79b9).to_be_bytes(), [9; 40]).unwrap();
    }
    while db.step().unwrap() {}
    let (mut open, mut causes) = (Vec::new(), Vec::new());
    for event in registry.events() {
        let what = (event.cause.unwrap_or_default(), event.result.unwrap_or_default());
        match event.kind {
            EventKind::StallBegin => {
                assert!(!open.contains(&what), "{what:?} begins twice");
                open.push(what);
                causes.push(what.0);
            }
            EventKind::StallEnd => {
                assert!(event.nanos.is_some());
                open.retain(|begun| *begun != what);
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(causes.contains(&"memtables") && causes.contains(&"l0_files"), "{causes:?}");
}

#[test]
fn damage_and_recovery_are_told() {
    let disk = SimDisk::new(8);
    let options = || small_options().verify_always(true);
    let db = sim_db(&disk, options()).unwrap();
    assert_eq!(find(&db.metrics(), EventKind::Open).result, Some("created"));
    for n in 0..100_u32 {
        db.set(n.to_be_bytes(), [1; 40]).unwrap();
    }
    disk.kill();
    drop(db);
    let db = sim_db(&disk, options()).unwrap();
    let registry = db.metrics();
    let recovery = find(&registry, EventKind::Recovery);
    assert!(recovery.message.unwrap().starts_with("100 records of 1 logs"));
    assert_eq!(registry.jobs().recent[0].reason(), "recovery");
    let path = disk.paths().into_iter().find(|path| path.extension() == Some("sst".as_ref())).unwrap();
    let mut bytes = disk.read(&path).unwrap();
    bytes[100] ^= 1;
    disk.overwrite(&path, &bytes);
    assert!(db.get(0_u32.to_be_bytes()).is_err());
    let damage = find(&registry, EventKind::Corruption);
    assert_eq!(damage.severity, Severity::Error);
    assert_eq!(damage.file, Some(tables_of(&registry, 0)[0]));
    for _ in 0..1_000 {
        assert!(db.get(0_u32.to_be_bytes()).is_err());
    }
    assert!(kinds(&registry).contains(&EventKind::Open), "repeated damage pushed out what was before");
    db.close().unwrap();
    assert_eq!(registry.events().pop().unwrap().result, Some("ok"));
}

#[test]
fn readers_under_load_see_every_event_in_order_and_bounded_lists() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options::default().memtable_bytes(64 << 10).table_bytes(32 << 10).level_base_bytes(64 << 10);
    let db = Db::open(dir.path(), options).unwrap();
    let registry = db.metrics();
    let done = AtomicBool::new(false);
    let read = || {
        let (mut next, mut counted) = (0, 0);
        loop {
            let last = done.load(Ordering::Acquire);
            let since = registry.events_since(next);
            let numbers: Vec<u64> = since.events.iter().map(|event| event.number).collect();
            assert!(
                numbers.is_sorted_by(|a, b| a < b) && numbers.iter().all(|n| (next..since.next).contains(n))
            );
            assert_eq!(since.lost + numbers.len() as u64, since.next - next);
            counted += since.lost + since.events.len() as u64;
            next = since.next;
            let snapshot = registry.snapshot();
            let activity = snapshot.activity();
            assert!(activity.events.len() <= 1_088 && activity.jobs.recent.len() <= 64);
            assert!(activity.holders.known.len() <= 256);
            if last {
                return counted;
            }
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(read)).collect();
        for n in 0..20_000_u32 {
            db.set(n.wrapping_mul(0x9e37_79b9).to_be_bytes(), [3; 100]).unwrap();
            if n % 100 == 0 {
                assert!(db.scan(..).take(3).count() > 0);
            }
        }
        db.clone().close().unwrap();
        done.store(true, Ordering::Release);
        let counted: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        assert_eq!(counted, [registry.events_since(0).next; 2]);
    });
    assert_eq!(registry.snapshot().counter_total(Counter::Events), registry.events_since(0).next);
    assert!(registry.holders().known.is_empty());
}
