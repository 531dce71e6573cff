//! Log segments: what is read was written, from the front and without a hole, or damage is named.

use std::path::Path;
use std::sync::Arc;

use super::mend::mend;
use super::rig::{self, ID, NUMBER};
use super::script::Script;
use crate::env::names::FileName;
use crate::env::sim::SimDisk;
use crate::error::{Error, ErrorKind};
use crate::header::{FileKind, HEADER_BYTES};
use crate::iter::InternalIterator;
use crate::key::{Kind, SeqNo};
use crate::log::replay::LogFile;
use crate::metric::ValuePurpose;
use crate::options::Options;
use crate::record::format::GroupType;
use crate::record::reader::{End, Entry, Group, GroupReader};
use crate::record::writer::{GroupWriter, NewEntry};
use crate::replaying::Replaying;
use crate::values::stored::{EXPIRY_BYTES, Place, Stored};

/// A group as it was written: where it ends, and what it says.
type Written = (u64, GroupType, Vec<(Kind, Vec<u8>, Vec<u8>)>);

/// Values of this many bytes and more are read from the log, not from the memtable.
const THRESHOLD: usize = 40;

/// A segment of commits that the input names, with damage, or one of any bytes; checksums mended or not.
pub fn log(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    let mut bytes = rig::header(FileKind::Log);
    let mut written = Vec::new();
    if choice & 1 == 0 {
        written = write(&mut script, &mut bytes);
    }
    let sound = bytes.clone();
    if choice & 1 == 0 {
        while !script.is_done() {
            script.damage(&mut bytes);
        }
    } else {
        bytes.extend_from_slice(script.rest());
    }
    if choice & 2 == 2 {
        mend(FileName::Log(NUMBER), &mut bytes);
    } else if choice & 1 == 0 {
        check_prefix(&bytes, &sound, &written);
    }
    check_encoding(&bytes);
    check_replay(&bytes, choice & 4 == 4);
}

/// Appends groups as a database would: each promises what was synced before it.
fn write(script: &mut Script<'_>, bytes: &mut Vec<u8>) -> Vec<Written> {
    let mut written = Vec::new();
    let (mut seq, mut promise) = (1, 0);
    for _ in 0..script.byte() % 12 {
        let shape = script.byte();
        if shape & 1 == 1 {
            promise = bytes.len() as u64;
        }
        let kind = if shape >= 0xf8 { GroupType::Seal } else { GroupType::Commit };
        let count = if kind == GroupType::Seal { 0 } else { shape >> 1 & 3 };
        let mut entries = Vec::new();
        let offset = bytes.len() as u64;
        let mut group = GroupWriter::new(bytes, ID, offset);
        for _ in 0..count {
            let (key, len) = (vec![script.byte() % 8; 2], script.byte());
            let kind = [Kind::Value, Kind::Tombstone, Kind::ExpiringValue, Kind::Value][usize::from(len & 3)];
            let head: &[u8] = if kind == Kind::ExpiringValue { &[0xff; 8] } else { &[] };
            let value = vec![len; if kind == Kind::Tombstone { 0 } else { usize::from(len) / 2 }];
            group.entry(NewEntry { kind, keyspace: 0, seq: SeqNo(seq), key: &key, head, value: &value });
            entries.push((kind, key, [head, &value].concat()));
            seq += 1;
        }
        group.finish(kind, promise);
        written.push((bytes.len() as u64, kind, entries));
        if kind == GroupType::Seal {
            break;
        }
    }
    written
}

/// The groups of a file, and how they end.
fn read(bytes: &[u8]) -> (Vec<Group<'_>>, Result<(End, u64), Error>) {
    let mut reader = GroupReader::new(bytes, Path::new("a log"), ID, 0);
    let mut groups = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(group)) => groups.push(group),
            Ok(None) => return (groups, Ok((reader.end().expect("it has ended"), reader.position()))),
            Err(error) => return (groups, Err(error)),
        }
    }
}

/// G4, G5: with damage that no checksum covers up, what is read is a beginning of what was written; it ends before what was promised
/// only with an error.
fn check_prefix(bytes: &[u8], sound: &[u8], written: &[Written]) {
    let (groups, end) = read(bytes);
    assert!(groups.len() <= written.len(), "a group was read that nobody wrote");
    for (group, (_, kind, entries)) in groups.iter().zip(written) {
        let found = group.entries.iter().map(|entry| (entry.kind, entry.key.to_vec(), entry.value.to_vec()));
        assert_eq!((group.kind, &found.collect::<Vec<_>>()), (*kind, entries), "a group was read as another");
    }
    let whole =
        written.iter().take_while(|(end, ..)| bytes.get(..*end as usize) == sound.get(..*end as usize));
    assert!(groups.len() >= whole.count() || end.is_err(), "a sound group was passed over");
    match end {
        Ok((End::Sealed, _)) => assert_eq!(groups.len(), written.len(), "a sealed log has a hole"),
        Ok((End::Open { .. }, position)) => {
            // Promises of groups that are as they were, wherever they lie.
            let mut start = HEADER_BYTES;
            for (group_end, ..) in written {
                let header = start as usize..start as usize + 24;
                if bytes.get(header.clone()) == sound.get(header.clone()) {
                    let promise =
                        sound[header.start + 16..].first_chunk::<8>().map_or(0, |p| u64::from_le_bytes(*p));
                    assert!(promise <= position, "what was promised is missing, and nothing is said");
                }
                start = *group_end;
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corruption),
    }
}

/// What reads, written again, is the same bytes.
fn check_encoding(bytes: &[u8]) {
    let (groups, _) = read(bytes);
    let mut again = bytes[..bytes.len().min(HEADER_BYTES as usize)].to_vec();
    for group in groups {
        let offset = again.len() as u64;
        let mut writer = GroupWriter::new(&mut again, ID, offset);
        for Entry { kind, keyspace, seq, key, value, .. } in group.entries {
            writer.entry(NewEntry { kind, keyspace, seq, key, head: &[], value });
        }
        writer.finish(group.kind, group.promise);
        assert!(bytes.starts_with(&again), "a group has two encodings");
    }
}

/// Everything that was replayed into memtables reads back from them, and through their pointers.
fn check_replay(bytes: &[u8], mapped: bool) {
    let disk = SimDisk::new(1);
    disk.overwrite(&rig::path_of(FileName::Log(NUMBER)), bytes);
    let context = rig::context(&disk, mapped);
    let log = match LogFile::open(&context.dir, NUMBER, ID, mapped) {
        Ok(log) => log,
        Err(error) => return rig::assert_typed(&error),
    };
    log.promises();
    let values = log.values(NUMBER, &context);
    let options = Options::default().memtable_bytes(4 << 10).separation_threshold(THRESHOLD);
    let mut replaying = Replaying::new(&values, &options);
    let (mut expected, mut written) = (SeqNo(1), Vec::new());
    let replayed = log.replay(None, |group, offset| {
        replaying.apply(group, offset, &mut expected, log.path())?;
        written.extend(group.entries.iter().map(|entry| {
            let value = match entry.kind {
                Kind::Tombstone => &[],
                kind => &entry.value[if kind.expires() { EXPIRY_BYTES } else { 0 }..],
            };
            (entry.key.to_vec(), entry.seq, value.to_vec())
        }));
        Ok(())
    });
    match &replayed {
        Ok(replayed) => values.set_sealed(replayed.length),
        Err(error) => return rig::assert_typed(error),
    }
    let mut found = Vec::new();
    for memtable in &replaying.memtables {
        let mut entries = Arc::clone(memtable).iter();
        entries.seek_to_first().expect("memory does not fail");
        while let Some((key, stored)) = entries.current() {
            let stored =
                Stored::parse(key.trailer.kind().expect("a kind"), stored).expect("an entry of its kind");
            let value = match stored.place {
                Place::Nowhere => Vec::new(),
                Place::Here(value) => value.to_vec(),
                Place::Apart(pointer) => {
                    let value = values.read(pointer, key.user, ValuePurpose::Get, &context.recorder);
                    value.expect("a value that was replayed").to_vec()
                }
            };
            found.push((key.user.to_vec(), key.trailer.seq(), value));
            entries.next().expect("memory does not fail");
        }
    }
    found.sort_by_key(|(_, seq, _)| *seq);
    assert_eq!(found, written, "memtables do not hold what the log does");
}
