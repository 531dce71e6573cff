//! Values apart from their keys: a pointer leads to the value of its key, or damage is named.

use super::mend::mend;
use super::rig::{self, NUMBER};
use super::script::Script;
use crate::env::names::{FileName, FileNumber};
use crate::env::sim::SimDisk;
use crate::header::Birth;
use crate::key::{Kind, SeqNo};
use crate::metric::{ValuePurpose, WriteOrigin};
use crate::record::writer::NewEntry;
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;
use crate::values::stored::{Place, Stored, with_pointer};
use crate::values::usage::ValueFileMeta;
use crate::values::writer::ValueWriter;

/// A value: its pointer, its key, its bytes.
type Written = (ValuePointer, Vec<u8>, Vec<u8>);

/// A value file that the input names, with damage, checksums mended or not, and pointers into it, with damage or of any bytes.
pub fn value(input: &[u8]) {
    check_stored(input);
    let mut script = Script::new(input);
    let choice = script.byte();
    let disk = SimDisk::new(1);
    let context = rig::context(&disk, choice & 1 == 1);
    let (meta, written) = write(&mut script, &context.dir);
    let path = rig::path_of(FileName::Value(NUMBER));
    let mut bytes = disk.read(&path).expect("it was written");
    let strays: Vec<&[u8]> = (0..script.byte() % 4).map(|_| script.bytes(6)).collect();
    while !script.is_done() {
        script.damage(&mut bytes);
    }
    let mended = choice & 2 == 2;
    if mended {
        mend(FileName::Value(NUMBER), &mut bytes);
    }
    disk.overwrite(&path, &bytes);
    let file = ValueFile::of_manifest(&meta, &context);
    let read = |pointer, user: &[u8]| file.read(pointer, user, ValuePurpose::Get, &context.recorder);
    for (pointer, user, value) in written.iter().chain(&written) {
        match read(*pointer, user) {
            Ok(found) => assert!(mended || found == *value, "a wrong value"),
            Err(error) => rig::assert_typed(&error),
        }
    }
    for pointer in strays.iter().map(|bytes| stray(bytes)) {
        for (_, user, _) in &written {
            match read(pointer, user) {
                Ok(found) => {
                    let known = |(at, key, value): &Written| *at == pointer && key == user && found == *value;
                    assert!(mended || written.iter().any(known), "a pointer to nothing leads to a value");
                }
                Err(error) => rig::assert_typed(&error),
            }
        }
    }
    file.will_need(0..meta.bytes);
}

/// Writes a value file as a collection would.
fn write(script: &mut Script<'_>, dir: &crate::env::Dir) -> (ValueFileMeta, Vec<Written>) {
    dir.create_all().expect("a sound disk");
    let origin = WriteOrigin::ValueCollection;
    let mut writer = ValueWriter::create(dir, NUMBER, Birth::default(), origin).expect("a sound disk");
    let mut written = Vec::new();
    for n in 0..u64::from(script.byte() % 8) {
        let (user, len) = (vec![script.byte() % 4 + b'a'; 3], script.byte());
        let value = vec![n as u8; usize::from(len) * 4];
        let head: &[u8] = if len & 1 == 1 { &[0xee; 8] } else { &[] };
        let kind = if len & 1 == 1 { Kind::ExpiringValue } else { Kind::Value };
        let entry = NewEntry { kind, keyspace: 0, seq: SeqNo(n + 1), key: &user, head, value: &value };
        written.push((writer.add(entry).expect("a sound disk"), user, value));
    }
    (writer.finish().expect("a sound disk"), written)
}

/// A pointer of six bytes: offset, length, and a part of each that makes them huge.
fn stray(bytes: &[u8]) -> ValuePointer {
    let mut script = Script::new(bytes);
    let (offset, len, high) = (script.number() as u64, script.number() as u32, script.byte());
    let (high, higher) = (u64::from(high & 1), u32::from(high >> 1 & 1));
    ValuePointer { file: NUMBER, offset: offset | high.wrapping_neg() << 20, len: len | higher << 31 }
}

/// Entries of every kind: what decodes encodes to the same bytes.
fn check_stored(bytes: &[u8]) {
    if let Some(pointer) = ValuePointer::decode(bytes) {
        let mut again = Vec::new();
        pointer.encode(&mut again);
        assert_eq!(again, bytes, "a pointer has two encodings");
        assert!(again.len() <= ValuePointer::BYTES_MAX);
        pointer.range();
        pointer.fits(u64::MAX);
    }
    for kind in (0..5).filter_map(Kind::from_u8) {
        let Some(stored) = Stored::parse(kind, bytes) else { continue };
        stored.is_past(u64::MAX);
        match stored.place {
            Place::Apart(pointer) => {
                assert!(kind.is_pointer());
                assert_eq!(with_pointer(kind, bytes, pointer), bytes, "an entry has two encodings");
                let other = ValuePointer { file: FileNumber(u64::MAX), ..pointer };
                let moved = with_pointer(kind, bytes, other);
                let expected = Stored { expires_at: stored.expires_at, place: Place::Apart(other) };
                assert_eq!(Stored::parse(kind, &moved), Some(expected), "a moved value is another");
            }
            Place::Here(value) => assert!(bytes.ends_with(value) && !kind.is_pointer()),
            Place::Nowhere => assert_eq!(kind, Kind::Tombstone),
        }
    }
}
