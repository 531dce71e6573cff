//! Crashes at every point of a short history: nothing that was acknowledged is lost. Random histories are the simulator's.

use bettong::Durability;
use bettong::env::sim::{Fault, Rule, SimDisk};

use crate::support::{contents, sim_db};

/// F46, F75, F79, F80: every operation of a short history is a crash point, and nothing that was not synced survives; then everything does.
#[test]
fn f46_f75_f79_f80_a_crash_at_every_change_of_a_short_history_leaves_a_prefix() {
    for keep in [0, 100] {
        let mut at = 0;
        loop {
            let disk = SimDisk::new(1);
            disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
            let mut acknowledged = 0;
            let finished = short_history(&disk, &mut acknowledged).is_ok();
            disk.crash(at, keep);
            let db = sim_db(&disk, crate::support::small_options()).unwrap();
            let found = contents(&db).len() as u64;
            assert!(
                found == acknowledged || found == acknowledged + 1,
                "crash at change {at}: {found} keys of {acknowledged} acknowledged"
            );
            if finished {
                break;
            }
            at += 1;
        }
        assert!(at > 100, "the history has many changes, not {at}");
    }
}

/// F78, found by review: edits that a killed process had written and not synced were read by the next one, remembered in new
/// files, and then lost with the power: the database refused to open, missing edits that never counted.
#[test]
fn f78_a_kill_and_then_a_power_cut_during_recovery_is_no_corruption() {
    // The last changes are those of closing: the mark that all is well is written, and not synced.
    let changes = changes_of_short_history();
    let firsts = (0..changes).step_by(7).chain(changes - 6..changes);
    for (first, second) in firsts.flat_map(|first| (0..24).map(move |second| (first, second))) {
        let disk = SimDisk::new(2);
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(first));
        let mut acknowledged = 0;
        short_history(&disk, &mut acknowledged).ok();
        disk.kill();
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(second));
        drop(sim_db(&disk, crate::support::small_options()));
        disk.crash(second, if first % 2 == 0 { 0 } else { 50 });
        let db = sim_db(&disk, crate::support::small_options())
            .unwrap_or_else(|error| panic!("killed at change {first}, power cut at {second}: {error}"));
        assert!(
            contents(&db).len() as u64 >= acknowledged,
            "killed at change {first}, power cut at {second}"
        );
    }
}

fn changes_of_short_history() -> u64 {
    let finishes_with_cut_at = |at| {
        let disk = SimDisk::new(2);
        disk.inject(Rule::new(Fault::PowerCut).on_changes().nth(at));
        short_history(&disk, &mut 0).is_ok()
    };
    (0..10_000).find(|at| finishes_with_cut_at(*at)).expect("the history ends")
}

/// Sets one synced key after the other, with flushes and compactions.
fn short_history(disk: &SimDisk, acknowledged: &mut u64) -> bettong::Result<()> {
    let db = sim_db(disk, crate::support::small_options().durability(Durability::Sync))?;
    for n in 0..60u64 {
        db.set(n.to_be_bytes(), [n as u8; 300])?;
        *acknowledged += 1;
        if n % 20 == 19 {
            db.flush()?;
            while db.step()? {}
        }
    }
    db.compact(..)?;
    db.close()
}
