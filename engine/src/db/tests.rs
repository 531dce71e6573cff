use crate::compaction::pick::pick;
use crate::metric::StallCause;
use crate::pressure::Pressure;
use crate::{Db, Options};

/// Where files were removed slower than they became garbage, they queued, and disk grew beyond the ceiling by as much: what no
/// version names was not counted, and nothing held writers back.
#[test]
fn writers_wait_where_dead_value_files_wait_to_be_removed() {
    const KEYS: u32 = 500;
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().memtable_bytes(256 << 10).separation_threshold(100);
    let db = Db::open(dir.path(), options).unwrap();
    let round = |round: u8| (0..KEYS).try_for_each(|n| db.set(n.to_be_bytes(), [round; 4000]));
    round(0).unwrap();
    db.compact(..).unwrap();
    let engine = &db.inner.engine;
    // Writers are stopped, and no work is left that would let them go on.
    let only_removal_helps = || {
        engine.announce();
        let state = engine.work.lock();
        let view = engine.view.load();
        let is_idle = state.compacting == 0
            && view.immutables.is_empty()
            && pick(&view.version, &engine.options, &state.busy, engine.circumstances(&view)).is_none();
        is_idle && matches!(engine.pressure.get(), Pressure::Stop { cause: StallCause::ValueGarbage })
    };
    std::thread::scope(|scope| {
        // Nobody removes anything meanwhile.
        let removing = engine.files.graveyard.turn();
        let writer = scope.spawn(|| (1..5).try_for_each(round));
        while !only_removal_helps() {
            assert!(!writer.is_finished(), "{} bytes wait", engine.files.graveyard.value_bytes());
            std::thread::yield_now();
        }
        drop(removing);
        writer.join().unwrap().unwrap();
    });
    assert!((0..KEYS).all(|n| db.get(n.to_be_bytes()).unwrap().unwrap() == [4; 4000]));
}
