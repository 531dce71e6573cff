//! Pointers that lead elsewhere than to the value of their key.

use std::path::Path;

use bettong_metrics::Registry;

use super::*;
use crate::env::sim::SimDisk;
use crate::env::{Dir, Env};
use crate::header::Birth;
use crate::key::SeqNo;
use crate::metric::WriteOrigin;
use crate::options::Options;
use crate::record::writer::NewEntry;
use crate::values::writer::ValueWriter;

fn context(disk: &SimDisk, mapped: bool) -> FileContext {
    let recorder = Registry::new("test").recorder();
    let dir = Dir::new(Env::sim(disk).files, Path::new("/db"), &recorder);
    dir.create_all().unwrap();
    FileContext::new(&dir, &Options::default().mapped_reads(mapped), &recorder)
}

/// A value file with a value for each of the keys `a`, `b`, `c`, and where they lie.
fn written(context: &FileContext) -> (ValueFileMeta, Vec<ValuePointer>) {
    let (number, birth) = (FileNumber(7), Birth::default());
    let mut writer = ValueWriter::create(&context.dir, number, birth, WriteOrigin::Flush).unwrap();
    let mut add = |key: &[u8]| {
        let value = [key[0]; 700];
        let (kind, seq) = (Kind::Value, SeqNo(1));
        writer.add(NewEntry { kind, keyspace: 0, seq, key, head: &[], value: &value }).unwrap()
    };
    let pointers = vec![add(b"a"), add(b"b"), add(b"c")];
    (writer.finish().unwrap(), pointers)
}

/// F32, F33, F34: a pointer beyond the end, into the middle of a record, to a part of one, to more than one, or to the value of
/// another key gives an error that says so, never bytes.
#[test]
fn f32_f33_f34_a_pointer_that_leads_elsewhere_is_corruption() {
    let disk = SimDisk::new(1);
    for mapped in [true, false] {
        let context = context(&disk, mapped);
        let (meta, pointers) = written(&context);
        let file = ValueFile::of_manifest(&meta, &context);
        let read = |pointer, key: &[u8]| {
            let value = file.read(pointer, key, ValuePurpose::Get, &context.recorder);
            value.map(|value| value.to_vec())
        };
        let good = pointers[1];
        assert_eq!(read(good, b"b").unwrap(), [b'b'; 700]);
        let elsewhere = |pointer: ValuePointer, key: &[u8]| match read(pointer, key) {
            Err(Error::Corruption { key: Some(named), .. }) => assert_eq!(named, key),
            other => panic!("{pointer:?} as {}: {other:?}", key.escape_ascii()),
        };
        for key in [b"a", b"c"] {
            elsewhere(good, key);
        }
        for shift in 1..u64::from(good.len) {
            elsewhere(ValuePointer { offset: good.offset + shift, ..good }, b"b");
            elsewhere(ValuePointer { offset: good.offset - shift, ..good }, b"b");
            elsewhere(ValuePointer { len: good.len - shift as u32, ..good }, b"b");
            elsewhere(ValuePointer { len: good.len + shift as u32, ..good }, b"b");
        }
        for offset in [meta.bytes, meta.bytes - 1, u64::MAX - 10] {
            elsewhere(ValuePointer { offset, ..good }, b"b");
        }
        elsewhere(ValuePointer { len: u32::MAX, ..good }, b"b");
    }
}
