use std::path::Path;

use bettong_metrics::Registry;

use super::*;
use crate::compaction::plan::grandparent_bytes_max;
use crate::context::FileContext;
use crate::env::sim::SimDisk;
use crate::env::{Dir, Env};
use crate::expiry::Expiring;
use crate::key::SeqNo;
use crate::levels::edit::VersionEdit;
use crate::levels::table_file::TableMeta;
use crate::values::usage::UsageByFile;

/// A table on a level: number, first and last key, MiB, share of tombstones in per cent.
type Spec = (usize, u64, &'static str, &'static str, u64, u64);

fn version(tables: &[Spec]) -> Version {
    let env = Env::sim(&SimDisk::new(1));
    let recorder = Registry::new("test").recorder();
    let dir = Dir::new(env.files, Path::new("/db"), &recorder);
    let context = FileContext::new(&dir, &Options::default(), &recorder);
    let meta = |(level, number, smallest, largest, mib, tombstones): &Spec| {
        let meta = TableMeta {
            number: FileNumber(*number),
            id: *number,
            keyspace: 0,
            bytes: mib << 20,
            entries: 100,
            tombstones: *tombstones,
            payload_bytes: mib << 20,
            smallest: smallest.as_bytes().to_vec(),
            largest: largest.as_bytes().to_vec(),
            oldest_seq: SeqNo(*number),
            newest_seq: SeqNo(*number),
            usage: UsageByFile::default(),
            expiring: Expiring::default(),
        };
        (*level, meta)
    };
    let edit = VersionEdit { added_tables: tables.iter().map(meta).collect(), ..VersionEdit::default() };
    Version::default().after(&edit, |meta| TableFile::new(meta.clone(), &context)).0
}

/// The reason for a plan, its tables by level, and the level they go to.
type Picked = (Reason, Vec<(usize, Vec<u64>)>, usize);

fn picked(tables: &[Spec], busy: &[u64]) -> Option<Picked> {
    picked_when(Circumstances::default(), tables, busy)
}

fn picked_when(circumstances: Circumstances, tables: &[Spec], busy: &[u64]) -> Option<Picked> {
    let busy = busy.iter().copied().map(FileNumber).collect();
    let plan = pick(&version(tables), &Options::default(), &busy, circumstances)?;
    let numbers = |tables: &Vec<Arc<TableFile>>| tables.iter().map(|table| table.meta.number.0).collect();
    Some((
        plan.reason,
        plan.inputs.iter().map(|(at, tables)| (*at, numbers(tables))).collect(),
        plan.output_level,
    ))
}

#[test]
fn nothing_is_due_in_a_tree_in_shape() {
    assert_eq!(picked(&[], &[]), None);
    assert_eq!(
        picked(&[(0, 1, "a", "z", 64, 0), (0, 2, "a", "z", 64, 0), (6, 3, "a", "z", 64, 0)], &[]),
        None
    );
}

#[test]
fn four_tables_in_l0_go_to_the_base_with_what_they_overlap() {
    let l0: Vec<Spec> = (1..=4).map(|n| (0, n, "c", "f", 64, 0)).collect();
    let below = [(6, 10, "a", "b", 64, 0), (6, 11, "d", "e", 64, 0), (6, 12, "f", "h", 64, 0)];
    let expected = (Reason::L0Tables, vec![(0, vec![4, 3, 2, 1]), (6, vec![11, 12])], 6);
    assert_eq!(picked(&[&l0[..], &below].concat(), &[]), Some(expected));
}

#[test]
fn what_is_busy_is_left_alone() {
    let l0: Vec<Spec> = (1..=4).map(|n| (0, n, "c", "f", 64, 0)).collect();
    assert_eq!(picked(&l0, &[2]), None);
    assert_eq!(picked(&[&l0[..], &[(6, 11, "d", "e", 64, 0)]].concat(), &[11]), None);
}

#[test]
fn a_level_that_is_too_large_gives_the_table_that_costs_least() {
    let tables = [
        (5, 1, "a", "b", 200, 0),
        (5, 2, "c", "d", 200, 0),
        (5, 3, "e", "f", 200, 0),
        (6, 4, "a", "b", 900, 0),
        (6, 5, "c", "d", 100, 0),
        (6, 6, "e", "f", 900, 0),
    ];
    assert_eq!(picked(&tables, &[]), Some((Reason::LevelSize, vec![(5, vec![2]), (6, vec![5])], 6)));
    assert_eq!(picked(&tables, &[2]).map(|plan| plan.1[0].1.clone()), Some(vec![1]));
}

#[test]
fn a_table_of_tombstones_goes_down_though_no_level_is_too_large() {
    let tables = [(5, 1, "a", "b", 10, 60), (5, 2, "c", "d", 10, 10), (6, 3, "a", "d", 900, 0)];
    assert_eq!(picked(&tables, &[]), Some((Reason::Tombstones, vec![(5, vec![1]), (6, vec![3])], 6)));
}

#[test]
fn scans_have_runs_merged_from_the_top_when_they_have_lost_what_it_costs() {
    let mut tables = vec![
        (0, 1, "a", "d", 64, 0),
        (5, 2, "a", "b", 100, 0),
        (5, 3, "c", "d", 100, 0),
        (6, 4, "a", "b", 300, 0),
        (6, 5, "c", "d", 200, 0),
    ];
    let after = |lost: u64, tables: &[Spec], busy: &[u64]| {
        picked_when(Circumstances { scan_loss_nanos: lost, ..Circumstances::default() }, tables, busy)
    };
    let price = price_of((64 + 100 + 100) << 20);
    assert_eq!(after(price - 1, &tables, &[]), None);
    let l0 = Some((Reason::Scans, vec![(0, vec![1]), (5, vec![2, 3])], 5));
    assert_eq!(after(price, &tables, &[]), l0);
    assert_eq!(after(price, &tables, &[3]), None);
    // Then the table of the highest level that has least to be merged with.
    tables.remove(0);
    let level5 = Some((Reason::Scans, vec![(5, vec![3]), (6, vec![5])], 6));
    assert_eq!(after(price_of(300 << 20), &tables, &[]), level5);
    // One run is none too many.
    tables.retain(|table| table.0 == 6);
    assert_eq!(after(u64::MAX, &tables, &[]), None);
    // What has to be done anyhow goes before.
    let four: Vec<Spec> = (1..=4).map(|n| (0, n, "c", "f", 64, 0)).collect();
    assert_eq!(after(u64::MAX, &four, &[]).unwrap().0, Reason::L0Tables);
}

/// A table that nothing was in the way of was thought to move for nothing, though it met so much further down that it was written anew.
#[test]
fn scans_pay_for_a_table_that_nothing_is_in_the_way_of_if_it_is_written_anew() {
    let after = |lost: u64, tables: &[Spec]| {
        let met = Circumstances { scan_loss_nanos: lost, ..Circumstances::default() };
        picked_when(met, tables, &[]).map(|plan| plan.0)
    };
    let meets = |mib: u64| [(4, 1, "a", "d", 64, 0), (6, 2, "b", "c", mib, 0)];
    let most = grandparent_bytes_max(&Options::default()) >> 20;
    assert_eq!(after(1, &meets(most)), Some(Reason::Scans), "it moves");
    assert_eq!(after(price_of(64 << 20) - 1, &meets(most + 1)), None);
    assert_eq!(after(price_of(64 << 20), &meets(most + 1)), Some(Reason::Scans));
}

#[test]
fn a_manual_compaction_takes_along_whatever_its_tables_overlap() {
    let tables = [
        (0, 1, "a", "m", 1, 0),
        (0, 2, "k", "p", 1, 0),
        (5, 3, "o", "r", 1, 0),
        (6, 4, "a", "b", 1, 0),
        (6, 5, "q", "s", 1, 0),
        (6, 6, "t", "z", 1, 0),
    ];
    let plan = pick_all(&version(&tables), &Options::default(), Some(b"b"), Some(b"c")).unwrap();
    let mut numbers: Vec<_> = plan.tables().map(|(_, table)| table.meta.number.0).collect();
    numbers.sort_unstable();
    assert_eq!((numbers, plan.output_level), (vec![1, 2, 3, 4, 5], 6));
    assert!(pick_all(&version(&tables), &Options::default(), Some(b"zz"), None).is_none());
}
