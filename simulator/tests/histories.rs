//! Histories: those that are kept, those of the first seeds, and some that must fail.

use std::path::Path;

use bettong_simulator::{
    Campaign, Cut, Dice, FaultRule, History, On, Op, Profile, Reopen, Safety, Swarm, Terms, Ttl, What,
    generate, run, shrink,
};

/// Cycles of crash, reopening and verification in each profile; `cargo run -p bettong-simulator` does as many as it is asked for.
const CYCLES: u64 = 2_000;

/// Histories that once failed, cut down to what it took.
#[test]
fn every_stored_history_passes() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let history = History::load(&path).unwrap();
        run(&history).unwrap_or_else(|failure| panic!("{}: {failure}", path.display()));
    }
}

fn campaign(profile: Profile) {
    let campaign = Campaign::new(profile, 1, CYCLES);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| campaign.work());
        }
    });
    if let Some(found) = campaign.failures().first() {
        panic!("{profile:?}, seed {}: {}\n{:#?}", found.history.seed, found.failure, found.history.options);
    }
    assert!(campaign.progress().cycles >= CYCLES);
}

/// G1 to G8, G11, F36 to F38, F46, F53 to F66, F74 to F80, F85: whatever happens when.
#[test]
fn g1_g3_g5_after_thousands_of_crashes_every_state_is_a_prefix_that_keeps_what_was_synced() {
    campaign(Profile::Mixed);
}

#[test]
fn f36_f79_crashes_in_the_middle_of_garbage_collection_lose_no_value_and_bring_none_back() {
    campaign(Profile::Churn);
}

#[test]
fn a_history_runs_the_same_way_every_time() {
    for profile in [Profile::Mixed, Profile::Churn] {
        for seed in 1..6 {
            let history = generate(seed, profile);
            assert_eq!(run(&history).unwrap(), run(&history).unwrap());
        }
    }
}

#[test]
fn a_history_that_is_kept_comes_back_as_it_was() {
    let path = std::env::temp_dir().join(format!("bettong-history-{}.json", std::process::id()));
    for profile in [Profile::Mixed, Profile::Churn] {
        let history = generate(3, profile);
        history.save(&path).unwrap();
        assert_eq!(History::load(&path).unwrap(), history);
    }
    std::fs::remove_file(path).unwrap();
}

/// A history in which a disk lies about a sync (F81): no engine can keep what such a disk loses, so the simulator must say that it is lost.
fn with_a_lie(seed: u64) -> History {
    let mut history = generate(seed, Profile::Mixed);
    let rule =
        |on, path: &str| FaultRule { what: What::Lie, on, path: path.to_owned(), nth: 0, forever: true };
    let synced = Terms { safety: Safety::Sync, ttl: Ttl::Max };
    let middle = history.ops.len() / 2;
    let crash = Reopen {
        close: false,
        cut: Some(Cut::Power { seed: 1, keep: 0, garbage: 0 }),
        recoveries: Vec::new(),
        options: None,
    };
    let planted = [
        Op::Fault(rule(On::Sync, ".log")),
        Op::Set { key: 1, len: 40, terms: synced },
        Op::Get(1),
        Op::Reopen(crash.clone()),
    ];
    // The process before it ends in good order, so that the disk has power and no other rules.
    let calm = Reopen { cut: None, ..crash };
    history.ops.splice(middle..middle, std::iter::once(Op::Reopen(calm)).chain(planted));
    history
}

#[test]
fn f81_a_commit_that_the_disk_loses_is_missed_and_the_history_cut_down_to_what_loses_it() {
    for seed in 1..4 {
        let history = with_a_lie(seed);
        let failure = run(&history).unwrap_err();
        assert!(failure.what.contains("no prefix"), "{failure}");
        let short = shrink(&history, 5_000, |history| {
            run(history).is_err_and(|failure| failure.what.contains("no prefix"))
        });
        let is_planted = |op: &&Op| !matches!(op, Op::Fault(_) | Op::Set { .. } | Op::Reopen(_));
        assert_eq!(
            (short.ops.len(), short.ops.iter().filter(is_planted).count()),
            (3, 0),
            "{:#?}",
            short.ops
        );
    }
}

/// Whatever fails, nothing but the operations that matter is left.
#[test]
fn the_shrinker_leaves_the_two_operations_that_matter_in_their_simplest_form() {
    let mut dice = Dice::new(1);
    for seed in 0..20 {
        let mut history = generate(seed, Profile::Mixed);
        let len = history.ops.len() as u64;
        let terms = Terms { safety: Safety::Os, ttl: Ttl::Seconds(3) };
        let first = dice.below(len) as usize;
        history.ops.insert(first, Op::Set { key: 7, len: 50_000, terms });
        let second = first + 1 + dice.below(len - first as u64) as usize;
        history.ops.insert(second, Op::Compact(Some((60_000, 60_001))));
        let fails = |history: &History| {
            let set = history.ops.iter().position(|op| matches!(op, Op::Set { len: 100.., .. }));
            let compact = history.ops.iter().rposition(|op| matches!(op, Op::Compact(_)));
            set.zip(compact).is_some_and(|(set, compact)| set < compact)
        };
        assert!(fails(&history));
        let short = shrink(&history, usize::MAX, fails);
        let [Op::Set { len: 100..200, terms: Terms { ttl: Ttl::Default, .. }, .. }, Op::Compact(None)] =
            short.ops.as_slice()
        else {
            panic!("{:#?}", short.ops)
        };
    }
}

#[test]
fn any_list_of_operations_is_a_history() {
    let mut dice = Dice::new(9);
    for seed in 0..10 {
        let mut history = generate(seed, Profile::Churn);
        history.options = Swarm::draw(&mut dice);
        for _ in 0..history.ops.len() / 2 {
            let at = dice.below(history.ops.len() as u64) as usize;
            history.ops.swap_remove(at);
        }
        run(&history).unwrap();
    }
}
