//! Tables: what is read was written, or damage is named; a table that verifies reads the same from every side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::mend::mend;
use super::rig::{self, NUMBER};
use super::script::{Dice, Script};
use crate::env::names::{FileName, FileNumber};
use crate::env::sim::SimDisk;
use crate::error::{Error, Result};
use crate::header::{Birth, FileHeader, FileKind};
use crate::iter::InternalIterator;
use crate::key::{self, InternalKey, Kind, SeqNo, Trailer};
use crate::metric::ReadOrigin;
use crate::options::Compression;
use crate::table::builder::{TableBuilder, TableShape};
use crate::table::cursor::TableCursor;
use crate::table::properties::Properties;
use crate::table::reader::{ReadContext, TableIdentity, TableReader};
use crate::values::pointer::ValuePointer;
use crate::values::stored::with_pointer;

/// An entry: user key, trailer, stored bytes.
type Entry = (Vec<u8>, Trailer, Vec<u8>);

/// A table as it was built.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) bytes: Vec<u8>,
    id: u64,
    entries: Vec<Entry>,
}

const CONTEXT: ReadContext = ReadContext { level: 0, origin: ReadOrigin::Get };

/// One of some tables with damage, checksums mended or not; or a file of any bytes between header and footer.
pub fn table(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    let built = built(script.byte() & 0x1f);
    let mut bytes = built.bytes.clone();
    if choice & 1 == 0 {
        while !script.is_done() {
            script.damage(&mut bytes);
        }
    } else {
        Properties::decode(script.rest()).map(|properties| Properties::decode(&properties.encode()));
        bytes.truncate(64);
        bytes.extend_from_slice(&input[input.len().min(2)..]);
    }
    let mended = choice & 2 == 2;
    // A file of any bytes may be another table: all have the same id here, and so checksums with the same salt.
    let may_be_any = mended || choice & 1 == 1;
    if mended {
        mend(FileName::Table(NUMBER), &mut bytes);
    }
    let disk = SimDisk::new(1);
    disk.overwrite(&rig::path_of(FileName::Table(NUMBER)), &bytes);
    let context = rig::context(&disk, choice & 4 == 4);
    let identity = TableIdentity { number: NUMBER, id: built.id, bytes: bytes.len() as u64 };
    let reader = match TableReader::open(&context, identity) {
        Ok(reader) => Arc::new(reader),
        Err(error) => return rig::assert_typed(&error),
    };
    if may_be_any {
        check_any(&reader);
    } else {
        check_written(&reader, &built.entries);
    }
}

/// Table number `choice`: built once, read from then on.
pub(super) fn built(choice: u8) -> Arc<Built> {
    static TABLES: Mutex<BTreeMap<u8, Arc<Built>>> = Mutex::new(BTreeMap::new());
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    tables.entry(choice).or_insert_with(|| Arc::new(build(choice))).clone()
}

fn build(choice: u8) -> Built {
    let mut dice = Dice::new(choice);
    let shape = TableShape {
        block_bytes: if choice & 1 == 0 { 128 } else { 400 },
        restart_interval: 1 + usize::from(choice >> 1 & 3),
        filter_bits_per_key: if choice & 8 == 0 { 10 } else { 0 },
        point_index: choice & 9 != 1,
        compression: if choice & 16 == 0 { Compression::None } else { Compression::Lz4 },
        keyspace: 0,
        piece_bytes: 512,
    };
    let disk = SimDisk::new(1);
    let dir = rig::context(&disk, false).dir;
    dir.create_all().expect("a sound disk");
    let mut builder = TableBuilder::create(&dir, NUMBER, shape, Birth::default()).expect("a sound disk");
    let (mut entries, mut number): (Vec<Entry>, u64) = (Vec::new(), 0);
    for _ in 0..=dice.below(40) {
        let seq = if dice.below(4) == 0 { 90 - entries.len() as u64 } else { 99 };
        number += u64::from(seq == 99 || entries.is_empty()) * (1 + dice.below(3));
        let kind = Kind::from_u8(dice.below(5) as u8).unwrap_or(Kind::Value);
        let user = format!("key{number:03}").into_bytes();
        let (trailer, stored) = (Trailer::new(SeqNo(seq), kind), stored(kind, &mut dice));
        builder.add(InternalKey::new(&user, trailer), &stored).expect("keys ascend");
        entries.push((user, trailer, stored));
    }
    builder.finish().expect("a sound disk");
    let bytes = disk.read(&rig::path_of(FileName::Table(NUMBER))).expect("it was written");
    let header = FileHeader::decode(&bytes, FileKind::Table, NUMBER, rig::dir()).expect("it was written");
    Built { bytes, id: header.id, entries }
}

/// The bytes that stand beside a key for an entry of `kind`.
fn stored(kind: Kind, dice: &mut Dice) -> Vec<u8> {
    let head = if kind.expires() { 8 } else { 0 };
    match kind {
        Kind::Tombstone => Vec::new(),
        Kind::Value | Kind::ExpiringValue => vec![dice.below(256) as u8; head + dice.below(60) as usize],
        Kind::Pointer | Kind::ExpiringPointer => {
            let pointer = ValuePointer { file: FileNumber(3), offset: dice.below(9999), len: 20 };
            with_pointer(kind, &[7; 8], pointer)
        }
    }
}

/// G4: with damage that no checksum covers up, what is read is what was written.
fn check_written(reader: &Arc<TableReader>, written: &[Entry]) {
    let (forward, end) = walk(reader, TableCursor::seek_to_first, step_on);
    assert!(written.starts_with(&forward), "entries were read that nobody wrote, or with a hole");
    assert!(end.is_err() || forward.len() == written.len(), "entries are missing, and nothing is said");
    let (mut backward, end) = walk(reader, TableCursor::seek_to_last, step_back);
    backward.reverse();
    assert!(written.ends_with(&backward), "backwards, entries were read that nobody wrote, or with a hole");
    assert!(
        end.is_err() || backward.len() == written.len(),
        "backwards, entries are missing, and nothing is said"
    );
    for (user, trailer, stored) in written {
        assert!(!reader.candidates(key::hash(user)).is_empty(), "the filter denies a key that is there");
        match get(reader, InternalKey::new(user, *trailer)) {
            Ok(found) => assert_eq!(found.as_ref(), Some(&(*trailer, stored.clone())), "a wrong value"),
            Err(error) => rig::assert_typed(&error),
        }
    }
    if let Ok(entries) = reader.verify(0, |_| {}) {
        assert_eq!(entries, written.len() as u64);
    }
}

/// A table whose checksums are all good may hold anything, but if it verifies it is in order.
fn check_any(reader: &Arc<TableReader>) {
    let (forward, end) = walk(reader, TableCursor::seek_to_first, step_on);
    let (mut backward, _) = walk(reader, TableCursor::seek_to_last, step_back);
    for (user, trailer, _) in forward.iter().take(50) {
        let key = InternalKey::new(user, *trailer);
        walk(reader, |cursor| cursor.seek_before(key), step_back).1.ok();
        get(reader, key).ok();
    }
    if let Err(error) = reader.verify(0, |_| {}) {
        return rig::assert_typed(&error);
    }
    assert!(end.is_ok(), "a table that verifies does not read: {end:?}");
    backward.reverse();
    assert_eq!(forward, backward, "a table that verifies reads otherwise backwards");
    for (at, (user, trailer, stored)) in forward.iter().enumerate() {
        let key = InternalKey::new(user, *trailer);
        let found = get(reader, key).expect("it verifies");
        assert_eq!(found, Some((*trailer, stored.clone())), "a table that verifies denies a key");
        let mut cursor = TableCursor::new(reader.clone(), CONTEXT);
        cursor.seek_before(key).expect("it verifies");
        assert_eq!(here(&cursor).as_ref(), at.checked_sub(1).and_then(|at| forward.get(at)), "before a key");
    }
}

fn get(reader: &TableReader, key: InternalKey<'_>) -> Result<Option<(Trailer, Vec<u8>)>> {
    let hash = key::hash(key.user);
    let candidates = reader.candidates(hash);
    if candidates.is_empty() {
        return Ok(None);
    }
    let found = reader.get(key, (hash, candidates), CONTEXT, reader.recorder())?;
    Ok(found.map(|(trailer, stored)| (trailer, stored.to_vec())))
}

/// Everything that a cursor meets on its way, and the damage that ended it.
fn walk(
    reader: &Arc<TableReader>,
    start: impl FnOnce(&mut TableCursor) -> Result<()>,
    mut step: impl FnMut(&mut TableCursor) -> Result<()>,
) -> (Vec<Entry>, std::result::Result<(), Error>) {
    let mut cursor = TableCursor::new(reader.clone(), CONTEXT);
    let mut found = Vec::new();
    let mut went = start(&mut cursor);
    while went.is_ok() {
        let Some(entry) = here(&cursor) else { return (found, Ok(())) };
        found.push(entry);
        assert!(found.len() < 1 << 20, "a cursor walks for ever");
        went = step(&mut cursor);
    }
    went.as_ref().inspect_err(|error| rig::assert_typed(error)).ok();
    (found, went)
}

fn step_on(cursor: &mut TableCursor) -> Result<()> {
    cursor.next().map(|_| ())
}

fn step_back(cursor: &mut TableCursor) -> Result<()> {
    cursor.prev().map(|_| ())
}

fn here(cursor: &TableCursor) -> Option<Entry> {
    let (key, stored) = cursor.current()?;
    Some((key.user.to_vec(), key.trailer, stored.to_vec()))
}
