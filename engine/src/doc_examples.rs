//! The example bytes of `docs/formats` are what the code writes.

#![expect(clippy::disallowed_methods, reason = "the documents are not part of the engine")]

use std::path::Path;

use crate::env::names::FileNumber;
use crate::expiry::Expiring;
use crate::header::{Birth, FileHeader, FileKind, HEADER_BYTES};
use crate::key::{InternalKey, Kind, SeqNo, Trailer};
use crate::levels::edit::VersionEdit;
use crate::levels::table_file::TableMeta;
use crate::record::format::GroupType;
use crate::record::writer::{GroupWriter, NewEntry};
use crate::table::block_builder::BlockBuilder;
use crate::values::pointer::ValuePointer;
use crate::values::stored::with_pointer;
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// The bytes of the example `name`, as the document shows them.
fn documented(document: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let start = text.split(&format!("```hex {name}\n")).nth(1).expect("the document has the example");
    let digits = start.split("```").next().unwrap().split_whitespace();
    digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn check(document: &str, name: &str, written: &[u8]) {
    let lines: Vec<String> = written
        .chunks(16)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(documented(document, name) == written, "{document} should show:\n{}", lines.join("\n"));
}

#[test]
fn the_header_is_as_documented() {
    let birth = Birth { at_nanos: 5, manifest: FileNumber(6), manifest_len: 7 };
    let id = 0x0123_4567_89ab_cdef;
    let header = FileHeader { kind: FileKind::Log, number: FileNumber(12), id, recycled: false, birth };
    check("header.md", "header", &header.encode());
}

#[test]
fn a_group_is_as_documented() {
    let mut bytes = Vec::new();
    let mut group = GroupWriter::new(&mut bytes, 0x1122_3344, HEADER_BYTES);
    group.entry(NewEntry {
        kind: Kind::Value,
        keyspace: 0,
        seq: SeqNo(7),
        key: b"key",
        head: b"",
        value: b"value",
    });
    group.finish(GroupType::Commit, 0);
    check("record.md", "group", &bytes);
}

fn table() -> TableMeta {
    TableMeta {
        number: FileNumber(9),
        id: 10,
        keyspace: 0,
        bytes: 1000,
        entries: 3,
        tombstones: 1,
        payload_bytes: 50,
        smallest: b"a".to_vec(),
        largest: b"m".to_vec(),
        oldest_seq: SeqNo(4),
        newest_seq: SeqNo(6),
        usage: UsageByFile::default(),
        expiring: Expiring::default(),
    }
}

#[test]
fn a_version_edit_is_as_documented() {
    let edit = VersionEdit {
        removed_logs: vec![FileNumber(8)],
        added_tables: vec![(6, table())],
        ..VersionEdit::default()
    };
    check("manifest.md", "edit", &edit.encode());
}

#[test]
fn an_edit_with_value_files_is_as_documented() {
    let second = 1_000_000_000;
    let born = Usage { entries: 2, bytes: 3000 };
    let mut table = TableMeta { tombstones: 0, ..table() };
    table.usage.add(FileNumber(3), Usage { entries: 1, bytes: 1100 });
    table.usage.add(FileNumber(8), born);
    table.expiring.count(second);
    let edit = VersionEdit {
        removed_logs: vec![FileNumber(8)],
        added_tables: vec![(6, table)],
        added_values: vec![ValueFileMeta { number: FileNumber(8), id: 7, bytes: 4096, born }],
        removed_values: vec![FileNumber(2)],
        time: Some(second),
        ..VersionEdit::default()
    };
    check("manifest.md", "values", &edit.encode());
    assert_eq!(VersionEdit::decode(&edit.encode()), Some(edit));
}

#[test]
fn an_expiring_pointer_is_as_documented() {
    let pointer = ValuePointer { file: FileNumber(12), offset: 88, len: 1053 };
    let time = 1_000_000_000_u64.to_le_bytes();
    check("values.md", "pointer", &with_pointer(Kind::ExpiringPointer, &time, pointer));
}

#[test]
fn a_data_block_is_as_documented() {
    let mut block = BlockBuilder::new(8);
    block.add(b"", InternalKey::new(b"a", Trailer::new(SeqNo(2), Kind::Value)), b"1");
    block.add(b"a", InternalKey::new(b"ab", Trailer::new(SeqNo(3), Kind::Tombstone)), b"");
    check("table.md", "block", block.finish());
}
