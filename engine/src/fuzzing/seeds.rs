//! Inputs to start from: every way in which a target can be asked, and the bytes of real files where a target takes such.
//!
//! They are committed in `fuzz/corpus/*/seed-*`. When a format has changed they are written anew by
//! `BETTONG_WRITE_SEEDS=1 cargo test -p bettong --lib fuzzing`.

use super::rig::{self, ID};
use super::script::Dice;
use super::table;
use crate::env::names::FileNumber;
use crate::header::FileKind;
use crate::key::{Kind, SeqNo};
use crate::levels::edit::VersionEdit;
use crate::record::format::GroupType;
use crate::record::writer::{GroupWriter, NewEntry};
use crate::values::pointer::ValuePointer;
use crate::values::stored::with_pointer;

/// The target and the input.
pub(super) type Seed = (&'static str, Vec<u8>);

/// All seeds.
pub(super) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    // Bits of the first byte choose what a target does with the rest.
    for choice in 0..8 {
        for (target, len) in [("log", 60), ("manifest", 90), ("value", 40), ("header", 9)] {
            let more: &[u8] = if target == "value" { &[3] } else { &[11] };
            seeds.push(seed(target, choice, &[more, &noise(choice, len)].concat()));
        }
        seeds.push(seed("table", choice & 6, &[&[choice * 5], noise(choice, 8).as_slice()].concat()));
        seeds.push(seed("open", choice, &[&[choice << 1 | 8], noise(choice, 20).as_slice()].concat()));
        seeds.push(seed("open", choice | 8, &[choice << 3]));
        seeds.push(seed("history", choice & 3, &noise(choice, 300)));
        seeds.push(seed("batch", choice, &noise(choice, 120)));
        seeds.push(seed("block", choice << 1, &[&[20], noise(choice, 120).as_slice()].concat()));
        seeds.push(seed("filter", choice * 4, &[&[40, choice], noise(choice, 200).as_slice()].concat()));
    }
    seeds.extend(real());
    seeds
}

/// Parts of files, for what takes them as they are.
fn real() -> Vec<Seed> {
    let (log, manifest) = (groups(GroupType::Commit), groups(GroupType::Edit));
    let body = |file: &[u8]| file.iter().skip(64).copied().collect::<Vec<u8>>();
    let mut seeds = vec![
        seed("header", 1, &rig::header(FileKind::Log)),
        seed("header", 5 | 8, &rig::header(FileKind::Table)),
        seed("log", 1, &body(&log)),
        seed("log", 3, &body(&log)),
        seed("manifest", 1, &edit()),
        seed("manifest", 3, &[&[edit().len() as u8], edit().as_slice()].concat()),
        seed("manifest", 3 | 8, &body(&manifest)),
    ];
    for choice in [0, 5, 16] {
        let built = table::built(choice);
        seeds.push(seed("table", 3 | choice << 3, &[&[choice], body(&built.bytes).as_slice()].concat()));
    }
    let pointer = ValuePointer { file: FileNumber(300), offset: 1 << 40, len: 1 << 20 };
    for kind in [Kind::Pointer, Kind::ExpiringPointer] {
        seeds.push(("value", with_pointer(kind, &[9; 8], pointer)));
    }
    let block = [0, 3, 1, 9, b'a', b'b', b'c', b'x', 2, 1, 0, 8, b'd', 0, 0, 0, 0, 1, 0, 0, 0];
    seeds.push(seed("block", 1, &block));
    seeds
}

fn seed(target: &'static str, choice: u8, rest: &[u8]) -> Seed {
    (target, [&[choice], rest].concat())
}

/// A file of some groups.
fn groups(kind: GroupType) -> Vec<u8> {
    let file = if kind == GroupType::Edit { FileKind::Manifest } else { FileKind::Log };
    let mut bytes = rig::header(file);
    for n in 0..4 {
        let offset = bytes.len() as u64;
        let edit = edit();
        let value = if kind == GroupType::Edit { edit.as_slice() } else { &[b'v'; 45] };
        let mut group = GroupWriter::new(&mut bytes, ID, offset);
        group.entry(NewEntry {
            kind: Kind::Value,
            keyspace: 0,
            seq: SeqNo(n + 1),
            key: b"key",
            head: b"",
            value,
        });
        group.finish(kind, offset);
    }
    bytes
}

fn edit() -> Vec<u8> {
    let numbers = vec![FileNumber(3), FileNumber(4)];
    VersionEdit { last_seq: Some(SeqNo(9)), removed_logs: numbers, time: Some(5), ..VersionEdit::default() }
        .encode()
}

/// Bytes that look random.
pub(super) fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..len).map(|_| dice.below(256) as u8).collect()
}
