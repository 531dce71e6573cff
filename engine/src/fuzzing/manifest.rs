//! Manifests: what decodes encodes to the same, and a state that loads is one that was written, or damage is named.

use super::mend::mend;
use super::rig::{self, ID, NUMBER};
use super::script::Script;
use crate::checksum;
use crate::db::Db;
use crate::env::Env;
use crate::env::names::{FileName, FileNumber};
use crate::env::sim::SimDisk;
use crate::error::Error;
use crate::expiry::Expiring;
use crate::header::{Birth, FileKind};
use crate::key::{Kind, SeqNo};
use crate::levels::edit::{CleanClose, VersionEdit};
use crate::levels::manifest::{self, FoundManifest, ManifestState, ManifestWriter};
use crate::levels::table_file::TableMeta;
use crate::options::Options;
use crate::record::format::GroupType;
use crate::record::writer::{GroupWriter, NewEntry};
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// Edits that the input names, in a file with damage, or edits of any bytes; checksums mended or not.
pub fn manifest(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    let (any, mended) = (choice & 1 == 1, choice & 2 == 2);
    let mut bytes = rig::header(FileKind::Manifest);
    let mut states = vec![ManifestState::default()];
    if any {
        check_edit(&input[1.min(input.len())..]);
        while !script.is_done() {
            let len = usize::from(script.byte());
            let edit = script.bytes(len);
            check_edit(edit);
            append(&mut bytes, edit);
        }
    } else {
        for _ in 0..script.byte() % 12 {
            let edit = edit(&mut script, states.last().expect("the first is there"));
            check_edit(&edit.encode());
            let mut state = states.last().expect("the first is there").clone();
            state.apply(&edit).expect("it was made for this state");
            states.push(state);
            append(&mut bytes, &edit.encode());
        }
        while !script.is_done() {
            script.damage(&mut bytes);
        }
    }
    if mended {
        mend(FileName::Manifest(NUMBER), &mut bytes);
    }
    let loaded = load(&bytes);
    match &loaded {
        Ok(found) if !any && !mended => {
            let same = |state: &ManifestState| state.as_edit() == found.state.as_edit();
            assert!(states.iter().any(same), "a state was loaded that nobody wrote");
        }
        Ok(_) => {}
        Err(error) => rig::assert_typed(error),
    }
    if let Ok(found) = loaded {
        check_rewrite(&found.state);
        if choice & 4 == 4 {
            check_open(&bytes);
        }
    }
}

/// A database whose manifest says anything opens and takes writes, or names the damage.
fn check_open(bytes: &[u8]) {
    let disk = disk(bytes);
    let options = || Options::default().memtable_bytes(4 << 10).cache_bytes(0).env(Env::sim(&disk));
    match Db::open(rig::dir(), options()) {
        Ok(db) => {
            db.set(b"key", b"value").expect("a sound disk");
            db.close().expect("a sound disk");
            let db = Db::open(rig::dir(), options()).expect("what was opened once opens again");
            assert_eq!(db.get(b"key").expect("a sound disk").as_deref(), Some(b"value".as_slice()));
        }
        Err(error) => rig::assert_typed(&error),
    }
}

fn append(bytes: &mut Vec<u8>, edit: &[u8]) {
    let offset = bytes.len() as u64;
    let mut group = GroupWriter::new(bytes, ID, offset);
    let (kind, seq) = (Kind::Value, SeqNo(0));
    group.entry(NewEntry { kind, keyspace: 0, seq, key: b"", head: b"", value: edit });
    group.finish(GroupType::Edit, offset);
}

/// What decodes is what it encodes to.
fn check_edit(bytes: &[u8]) {
    if let Some(edit) = VersionEdit::decode(bytes) {
        assert_eq!(VersionEdit::decode(&edit.encode()).as_ref(), Some(&edit), "an edit does not read back");
    }
}

/// Some edit that fits `state`.
fn edit(script: &mut Script<'_>, state: &ManifestState) -> VersionEdit {
    let (what, number) = (script.byte(), FileNumber(u64::from(script.byte())));
    let mut edit = VersionEdit {
        next_file: (what & 1 == 1).then_some(FileNumber(number.0 << 1)),
        last_seq: (what & 2 == 2).then_some(SeqNo(number.0 << 3)),
        time: (what & 4 == 4).then_some(number.0 << 50),
        clean_close: (what & 8 == 8).then_some(CleanClose { log: number, length: number.0 }),
        ..VersionEdit::default()
    };
    let born = Usage { entries: 1, bytes: number.0 };
    let known = state.values.contains_key(&number);
    match what >> 4 {
        0..4 => edit.added_logs.push((number, number.0 << 56)),
        4 => edit.removed_logs.extend(state.logs.keys().next()),
        5..10 if !state.tables.iter().any(|tables| tables.contains_key(&number)) => {
            let mut meta = table(script, number);
            state.values.keys().take(2).for_each(|file| meta.usage.add(*file, born));
            edit.added_tables.push((usize::from(what & 3), meta));
        }
        10 | 11 => {
            let first =
                |tables: &std::collections::BTreeMap<FileNumber, TableMeta>| tables.keys().next().copied();
            let removed = state.tables.iter().enumerate();
            edit.removed_tables.extend(removed.filter_map(|(level, tables)| Some((level, first(tables)?))));
        }
        12 | 13 if !known => {
            edit.added_values.push(ValueFileMeta { number, id: !number.0, bytes: number.0, born });
        }
        _ => edit.removed_values.extend(state.unused_values()),
    }
    edit
}

fn table(script: &mut Script<'_>, number: FileNumber) -> TableMeta {
    let smallest = script.bytes(2).to_vec();
    let largest = [smallest.as_slice(), script.bytes(2)].concat();
    let (id, entries) = (script.wide(), u64::from(script.byte()));
    let expiring =
        Expiring { entries: entries / 2, earliest: id.min(9), latest: if entries > 1 { 9 } else { 0 } };
    let expiring = if expiring.entries == 0 { Expiring::default() } else { expiring };
    TableMeta {
        number,
        id,
        keyspace: 0,
        bytes: id >> 16,
        entries,
        tombstones: entries / 3,
        payload_bytes: id >> 20,
        smallest,
        largest,
        oldest_seq: SeqNo(entries),
        newest_seq: SeqNo(entries << 1),
        usage: UsageByFile::default(),
        expiring,
    }
}

/// A directory with this manifest.
fn disk(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    let name = FileName::Manifest(NUMBER).to_string();
    let current = format!("{name} {:08x}\n", checksum::salted(name.as_bytes(), 0, 0));
    disk.overwrite(&rig::path_of(FileName::Manifest(NUMBER)), bytes);
    disk.overwrite(&rig::path_of(FileName::Current), current.as_bytes());
    disk
}

/// Loads a manifest as an open would.
fn load(bytes: &[u8]) -> Result<FoundManifest, Error> {
    let dir = rig::context(&disk(bytes), false).dir;
    manifest::load(&dir, &dir.list()?).map(|found| found.expect("CURRENT is there"))
}

/// A state that was read is read from the manifest that is written of it.
fn check_rewrite(state: &ManifestState) {
    state.tables.iter().flat_map(|tables| tables.values()).for_each(|table| _ = table.usage.bytes());
    let disk = SimDisk::new(2);
    let dir = rig::context(&disk, false).dir;
    dir.create_all().expect("a sound disk");
    ManifestWriter::create(&dir, NUMBER, state, Birth::default()).expect("a sound disk");
    ManifestWriter::enforce(&dir).expect("a sound disk");
    let loaded = dir.list().and_then(|files| manifest::load(&dir, &files));
    match loaded {
        Ok(found) => {
            let found = found.map(|found| found.state.as_edit());
            assert_eq!(found, Some(state.as_edit()), "a manifest loses something when it is rewritten");
        }
        Err(error) => panic!("a manifest that was just written does not load: {error}"),
    }
}
