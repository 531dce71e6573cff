use crate::compaction::pick::pick;
use crate::metric::StallCause;
use crate::pressure::Pressure;
use crate::{Db, Options};

/// Where files were removed slower than they became garbage, they queued, and disk grew beyond the ceiling by as much: what no
/// version names was not counted, and nothing held writers back.
#[test]
fn dead_value_files_that_wait_to_be_removed_slow_writers_down() {
    const KEYS: u32 = 500;
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().memtable_bytes(256 << 10).separation_threshold(100);
    let db = Db::open(dir.path(), options).unwrap();
    let engine = &db.inner.engine;
    let now = || engine.env.clock.monotonic_nanos();
    let latest = now() + 60_000_000_000;
    let in_time = || assert!(now() < latest, "{:?}", engine.pressure.get());
    let is_idle = || {
        let state = engine.work.lock();
        let view = engine.view.load();
        state.compacting == 0
            && view.immutables.is_empty()
            && pick(&view.version, &engine.options, &state.busy, engine.circumstances(&view)).is_none()
    };
    // Nobody removes anything meanwhile. (Once 64 files wait, merges wait for that, too.)
    let removing = engine.files.graveyard.turn();
    for round in 0..3 {
        (0..KEYS).try_for_each(|n| db.set(n.to_be_bytes(), [round; 4000])).unwrap();
        db.flush().unwrap();
    }
    while !is_idle() {
        in_time();
        std::thread::yield_now();
    }
    engine.announce();
    let pressure = engine.pressure.get();
    let waiting = engine.files.graveyard.value_bytes();
    assert!(
        matches!(pressure, Pressure::Slowdown { cause: StallCause::ValueGarbage, .. }),
        "{pressure:?} with {waiting} bytes waiting"
    );
    drop(removing);
    engine.files.graveyard.ring();
    while engine.pressure.get() != Pressure::None {
        in_time();
        std::thread::yield_now();
    }
    assert!((0..KEYS).all(|n| db.get(n.to_be_bytes()).unwrap().unwrap() == [2; 4000]));
}
