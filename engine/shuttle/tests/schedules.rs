//! The engine with its own threads, on a simulated disk, with Shuttle choosing at every lock and every atomic who goes on
//! (<https://github.com/awslabs/shuttle>; the second scheduler is that of Burckhardt et al., "A Randomized Scheduler with
//! Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
//!
//! Seen to be noticed: writes published out of order, what came during a sync taken for synced, a get that reads the sequence number
//! before the view.
//!
//! `BETTONG_SCHEDULES` says how many schedules each model gets. One that fails is printed, and `shuttle::replay` runs it again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bettong::env::sim::{Fault, IoOp, Rule, SimDisk};
use bettong::env::{Env, Threads};
use bettong::{Db, Durability, Error, Options, Severity, WriteBatch, WriteOptions};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread;

/// Half of the schedules are random at each step, half change their mind a few times only.
fn explore(model: fn()) {
    let schedules = std::env::var("BETTONG_SCHEDULES").map_or(200, |text| text.parse().expect("a number"));
    run(RandomScheduler::new_from_seed(schedules as u64, schedules / 2), model);
    run(PctScheduler::new_from_seed(schedules as u64, 5, schedules / 2), model);
}

fn run(scheduler: impl Scheduler + 'static, model: fn()) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.max_steps = shuttle::MaxSteps::FailAfter(4_000_000);
    shuttle::Runner::new(scheduler, config).run(model);
}

/// So small that a handful of commits rotates, flushes, merges and collects.
fn options(disk: &SimDisk, threads: Threads) -> Options {
    Options::default()
        .env(Env::sim(disk).with_threads(threads))
        .memtable_bytes(4 << 10)
        .table_bytes(4 << 10)
        .block_bytes(256)
        .level_base_bytes(4 << 10)
        .l0_compaction_tables(2)
        .cache_bytes(16 << 10)
        .separation_threshold(600)
        .compaction_threads(1)
}

/// A database whose clock goes on while the model runs.
struct Rig {
    disk: SimDisk,
    db: Db,
    over: Arc<AtomicBool>,
    clock: thread::JoinHandle<()>,
}

impl Rig {
    fn new() -> Rig {
        let disk = SimDisk::new(thread_rng().r#gen());
        let db = Db::open("/db", options(&disk, Threads::Background)).expect("a sound disk");
        let over = Arc::new(AtomicBool::new(false));
        let (moved, ends) = (disk.clone(), over.clone());
        let clock = thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                moved.advance(5_000_000);
                thread::yield_now();
            }
        });
        Rig { disk, db, over, clock }
    }

    /// Closes the database, whatever that says, and stops the clock.
    fn end(self) -> SimDisk {
        self.db.close().ok();
        self.over.store(true, Ordering::SeqCst);
        self.clock.join().expect("the clock");
        self.disk
    }
}

const WRITERS: usize = 3;

/// How far each writer has come.
#[derive(Default)]
struct Progress {
    begun: [AtomicU64; WRITERS],
    acknowledged: [AtomicU64; WRITERS],
    synced: [AtomicU64; WRITERS],
}

fn load(counts: &[AtomicU64; WRITERS]) -> [u64; WRITERS] {
    [0, 1, 2].map(|at: usize| counts[at].load(Ordering::SeqCst))
}

/// What a commit writes: its number, what its writer had seen of the others, and so many bytes that some stay in the log.
fn value(number: u64, seen: [u64; WRITERS]) -> Vec<u8> {
    let words = std::iter::once(number).chain(seen).flat_map(u64::to_le_bytes);
    let filling = if number % 3 == 0 { 900 } else { 200 };
    words.chain(std::iter::repeat_n(7, filling)).collect()
}

/// What each writer wrote last, in one snapshot.
fn look(db: &Db) -> Result<[(u64, [u64; WRITERS]); WRITERS], Error> {
    let mut found = BTreeMap::new();
    for item in db.snapshot().scan(..) {
        let item = item?;
        found.insert(item.key().to_vec(), item.value()?.to_vec());
    }
    Ok([0, 1, 2].map(|writer| read(|key| found.get(key).cloned(), writer)))
}

/// The number and what was seen, of the two keys that every commit of a writer sets together.
fn read(get: impl Fn(&[u8]) -> Option<Vec<u8>>, writer: usize) -> (u64, [u64; WRITERS]) {
    let [a, b] = [b'a', b'b'].map(|half| get(&[half, writer as u8]));
    assert_eq!(a, b, "half a batch");
    a.map_or((0, [0; WRITERS]), |bytes| (word(&bytes, 0), [1, 2, 3].map(|at| word(&bytes, at))))
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at * 8..at * 8 + 8].try_into().expect("8 bytes"))
}

fn get(db: &Db, key: &[u8]) -> Option<Vec<u8>> {
    db.get(key).expect("reads go on").map(|value| value.to_vec())
}

/// Writes until an error, or `commits` times. Every second commit is synced.
fn write(db: &Db, writer: usize, commits: u64, progress: &Progress) -> Option<Error> {
    for number in progress.acknowledged[writer].load(Ordering::SeqCst) + 1..=commits {
        let seen = match look(db) {
            Ok(seen) => seen.map(|(number, _)| number),
            Err(error) => return Some(error),
        };
        assert_eq!(seen[writer], number - 1, "a writer sees its own");
        let mut batch = WriteBatch::new();
        batch.set([b'a', writer as u8], value(number, seen));
        batch.set([b'b', writer as u8], value(number, seen));
        let sync = number % 2 == 0;
        let durability = if sync { Durability::Sync } else { Durability::Os };
        progress.begun[writer].store(number, Ordering::SeqCst);
        if let Err(error) = db.write_with(batch, WriteOptions::new().durability(durability)) {
            return Some(error);
        }
        progress.acknowledged[writer].store(number, Ordering::SeqCst);
        if sync {
            progress.synced[writer].store(number, Ordering::SeqCst);
        }
    }
    None
}

fn writers(rig: &Rig, commits: u64, progress: &Arc<Progress>) -> Vec<thread::JoinHandle<Option<Error>>> {
    let spawn = |writer| {
        let (db, progress) = (rig.db.clone(), progress.clone());
        thread::spawn(move || write(&db, writer, commits, &progress))
    };
    (0..WRITERS).map(spawn).collect()
}

/// A disk as the power left it, and what has to be on it.
struct Cut {
    disk: SimDisk,
    least: [u64; WRITERS],
    most: [u64; WRITERS],
}

impl Cut {
    fn check(&self) {
        let db = Db::open("/db", options(&self.disk, Threads::Inline)).expect("a power cut is no corruption");
        let states = [0, 1, 2].map(|writer| read(|key| get(&db, key), writer));
        for (writer, (number, seen)) in states.iter().enumerate() {
            let known = self.least[writer]..=self.most[writer];
            assert!(known.contains(number), "writer {writer} is at {number}, {known:?} was possible");
            for (other, seen) in seen.iter().enumerate() {
                assert!(
                    states[other].0 >= *seen,
                    "a hole: {writer} had seen {seen} of {other}, which is at {}",
                    states[other].0
                );
            }
        }
        assert!(db.verify().expect("it is open").is_sound());
        db.close().expect("a sound disk");
    }
}

/// Cuts the power at some moments, on copies of the disk.
fn cut(disk: &SimDisk, progress: &Progress, cuts: &mut Vec<Cut>) {
    for _ in 0..3 {
        for _ in 0..thread_rng().gen_range(0..200) {
            thread::yield_now();
        }
        let least = load(&progress.synced);
        let copy = disk.crashed_copy(
            thread_rng().r#gen(),
            *[0, 50, 100].get(thread_rng().gen_range(0..3)).expect("three"),
        );
        cuts.push(Cut { disk: copy, least, most: load(&progress.begun) });
    }
}

/// Group commit against rotation, flush and merge: what a sync has acknowledged survives a power cut at any moment, what survives is a
/// prefix, and no batch is halved.
#[test]
fn g1_g3_what_was_synced_survives_a_power_cut_in_any_schedule() {
    explore(|| {
        let rig = Rig::new();
        let progress = Arc::new(Progress::default());
        let writers = writers(&rig, 8, &progress);
        let mut cuts = Vec::new();
        cut(&rig.disk, &progress, &mut cuts);
        for writer in writers {
            let end = writer.join().expect("a writer");
            assert!(end.is_none(), "the disk is sound: {end:?}");
        }
        rig.end();
        cuts.iter().for_each(Cut::check);
    });
}

/// A sync of the log fails under writers that wait for it together: none of them is told that its write is durable, nor is any
/// later one, and what had been synced before is there.
#[test]
fn g6_a_failed_sync_acknowledges_nobody_in_any_schedule() {
    explore(|| {
        let rig = Rig::new();
        let nth = thread_rng().gen_range(0..12);
        rig.disk.inject(Rule::new(Fault::Errno(5)).on(IoOp::Sync).path(".log").nth(nth));
        let progress = Arc::new(Progress::default());
        let failures = writers(&rig, 6, &progress).into_iter().map(|writer| writer.join().expect("a writer"));
        let failures: Vec<_> = failures.collect();
        let least = load(&progress.synced);
        let copy = rig.disk.crashed_copy(1, 0);
        copy.heal();
        // The sync of a log that nobody writes to yet may fail without consequences: another one is made.
        if rig.db.background_error().is_some_and(|fault| fault.severity == Severity::Fatal) {
            let last = rig.db.set_with(b"z", b"z", WriteOptions::new().durability(Durability::Sync));
            assert!(last.is_err(), "a sync after the one that failed: {failures:?}");
        }
        let most = load(&progress.begun);
        rig.end();
        Cut { disk: copy, least, most }.check();
    });
}

/// Flushes, compactions, or the making of logs fail for a while, under writers that try again: none of them waits for ever, and
/// nothing refused is there.
#[test]
fn g7_g8_after_faults_that_pass_everybody_goes_on_in_any_schedule() {
    explore(|| {
        let rig = Rig::new();
        let progress = Arc::new(Progress::default());
        let (part, op) =
            [(".sst", IoOp::Create), (".sst", IoOp::Write), (".log", IoOp::Create), (".val", IoOp::Create)]
                [thread_rng().gen_range(0..4)];
        let errno = [5, 28, 24][thread_rng().gen_range(0..3)];
        rig.disk.inject(
            Rule::new(Fault::Errno(errno)).on(op).path(part).nth(thread_rng().gen_range(0..4)).forever(),
        );
        let spawn = |writer| {
            let (db, progress) = (rig.db.clone(), progress.clone());
            thread::spawn(move || {
                while write(&db, writer, 8, &progress).is_some() {
                    thread::yield_now();
                }
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(spawn).collect();
        let collector = rig.db.clone();
        let collector = thread::spawn(move || drop(collector.collect_garbage()));
        for _ in 0..thread_rng().gen_range(0..400) {
            thread::yield_now();
        }
        rig.disk.heal();
        for writer in writers {
            writer.join().expect("a writer");
        }
        collector.join().expect("the collector");
        rig.db.flush().expect("the disk is sound again");
        assert!(rig.db.background_error().is_none_or(|fault| fault.resumes_by_itself()));
        let (least, most) = (load(&progress.acknowledged), load(&progress.begun));
        assert_eq!(least, [8; WRITERS]);
        let disk = rig.end();
        Cut { disk: disk.crashed_copy(1, 0), least, most }.check();
    });
}

/// Readers beside rotation, flush, merge and the removal of files: a read finds what was acknowledged before it began, whole batches,
/// one state in a snapshot however long it is held, and never goes back.
#[test]
fn g11_readers_see_one_state_that_only_grows_in_any_schedule() {
    explore(|| {
        let rig = Rig::new();
        let progress = Arc::new(Progress::default());
        let writers = writers(&rig, 8, &progress);
        let getter = thread::spawn({
            let (db, progress) = (rig.db.clone(), progress.clone());
            move || (0..12).for_each(|at| get_what_was_acknowledged(&db, at % WRITERS, &progress))
        });
        let mut before = [0; WRITERS];
        for _ in 0..4 {
            let least = load(&progress.acknowledged);
            let snapshot = rig.db.snapshot();
            let look = |key: &[u8]| snapshot.get(key).expect("reads go on").map(|value| value.to_vec());
            let states = [0, 1, 2].map(|writer| read(look, writer));
            let most = load(&progress.begun);
            for (writer, (number, seen)) in states.iter().enumerate() {
                assert!(
                    (least[writer].max(before[writer])..=most[writer]).contains(number),
                    "a read went back"
                );
                assert!((0..WRITERS).all(|other| states[other].0 >= seen[other]), "a hole");
            }
            before = states.map(|(number, _)| number);
            let scanned = snapshot.scan(..).map(|item| {
                let item = item.expect("reads go on");
                (item.key().to_vec(), item.value().expect("a value").to_vec())
            });
            let scanned: Vec<_> = scanned.collect();
            let found = |key: &[u8]| scanned.iter().find(|(at, _)| at == key).map(|(_, value)| value.clone());
            assert_eq!([0, 1, 2].map(|writer| read(found, writer)), states, "the snapshot moved");
        }
        getter.join().expect("the getter");
        for writer in writers {
            let end = writer.join().expect("a writer");
            assert!(end.is_none(), "the disk is sound: {end:?}");
        }
        rig.end();
    });
}

/// A get without a snapshot, of a key that is overwritten, flushed and merged meanwhile.
fn get_what_was_acknowledged(db: &Db, writer: usize, progress: &Progress) {
    let least = progress.acknowledged[writer].load(Ordering::SeqCst);
    let number = get(db, &[b'a', writer as u8]).map_or(0, |value| word(&value, 0));
    let most = progress.begun[writer].load(Ordering::SeqCst);
    assert!((least..=most).contains(&number), "a get found {number}, {least} was acknowledged");
}

/// Collection of garbage beside sets, deletes and snapshots: what was deleted stays so, the newest value counts, and a snapshot keeps
/// what it saw.
#[test]
fn f37_f38_f39_collection_brings_nothing_back_in_any_schedule() {
    explore(|| {
        let rig = Rig::new();
        let collector = rig.db.clone();
        let collector = thread::spawn(move || {
            for _ in 0..2 {
                collector.collect_garbage().expect("a sound disk");
            }
        });
        let holder = rig.db.clone();
        let holder = thread::spawn(move || {
            for _ in 0..2 {
                let snapshot = holder.snapshot();
                let all = || {
                    snapshot
                        .scan(..)
                        .map(|item| item.expect("a sound disk").value().expect("a value").to_vec())
                };
                let first: Vec<_> = all().collect();
                assert_eq!(all().collect::<Vec<_>>(), first, "the snapshot moved");
            }
        });
        let mut model = [None; 4];
        for number in 0..16u8 {
            let at = thread_rng().gen_range(0..model.len());
            let key = [b'k', at as u8];
            model[at] = (thread_rng().gen_range(0..3) > 0).then_some(number);
            match model[at] {
                Some(number) => rig.db.set(key, vec![number; 700]).expect("a sound disk"),
                None => rig.db.delete(key).expect("a sound disk"),
            }
            for (at, number) in model.iter().enumerate() {
                let found = get(&rig.db, &[b'k', at as u8]).map(|value| value[0]);
                assert_eq!(found, *number, "key {at}");
            }
        }
        collector.join().expect("the collector");
        holder.join().expect("the holder");
        assert!(rig.db.verify().expect("it is open").is_sound());
        rig.end();
    });
}

/// Closing under writers: each of them is told, none waits for ever, and what was acknowledged is there afterwards.
#[test]
fn f93_closing_under_writers_loses_nothing_in_any_schedule() {
    explore(|| {
        let rig = Rig::new();
        let progress = Arc::new(Progress::default());
        let writers = writers(&rig, 8, &progress);
        for _ in 0..thread_rng().gen_range(0..300) {
            thread::yield_now();
        }
        rig.db.clone().close().expect("a sound disk");
        for writer in writers {
            let end = writer.join().expect("a writer");
            assert!(matches!(end, None | Some(Error::Closed)), "{end:?}");
        }
        let (least, most) = (load(&progress.acknowledged), load(&progress.begun));
        let disk = rig.end();
        Cut { disk: disk.crashed_copy(1, 0), least, most }.check();
    });
}
