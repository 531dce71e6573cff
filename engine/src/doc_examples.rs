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
use crate::values::usage::UsageByFile;

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

#[test]
fn a_version_edit_is_as_documented() {
    let table = TableMeta {
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
    };
    let edit = VersionEdit {
        removed_logs: vec![FileNumber(8)],
        added_tables: vec![(6, table)],
        ..VersionEdit::default()
    };
    check("manifest.md", "edit", &edit.encode());
}

#[test]
fn a_data_block_is_as_documented() {
    let mut block = BlockBuilder::new(8);
    block.add(InternalKey::new(b"a", Trailer::new(SeqNo(2), Kind::Value)), b"1");
    block.add(InternalKey::new(b"ab", Trailer::new(SeqNo(3), Kind::Tombstone)), b"");
    check("table.md", "block", block.finish());
}
