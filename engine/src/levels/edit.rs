//! A step from one version to the next, as the manifest records it.

use super::table_file::TableMeta;
use crate::coding::{Decoder, put_slice, put_varint};
use crate::env::names::FileNumber;
use crate::expiry::Expiring;
use crate::key::SeqNo;
use crate::options::LEVELS;
use crate::values::usage::{Usage, UsageByFile, ValueFileMeta};

/// What changed. Numbers left `None` are as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionEdit {
    /// The next file number to give out.
    pub(crate) next_file: Option<FileNumber>,
    /// A sequence number that is not below any in tables or removed logs.
    pub(crate) last_seq: Option<SeqNo>,
    /// Log segments, with their ids, that may hold writes from now on.
    pub(crate) added_logs: Vec<(FileNumber, u64)>,
    /// Log segments whose writes are all in tables.
    pub(crate) removed_logs: Vec<FileNumber>,
    pub(crate) added_tables: Vec<(usize, TableMeta)>,
    pub(crate) removed_tables: Vec<(usize, FileNumber)>,
    /// Files that hold values from now on: logs whose other writes are in tables, and files that were written as such.
    pub(crate) added_values: Vec<ValueFileMeta>,
    /// Value files that no table uses any more.
    pub(crate) removed_values: Vec<FileNumber>,
    /// How far the time for expiring values was.
    pub(crate) time: Option<u64>,
    /// The database was closed, and its log ends exactly here. Holds only while no edit follows.
    pub(crate) clean_close: Option<CleanClose>,
}

/// Where a clean close left the log. Number 0: there is none, everything is in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CleanClose {
    pub(crate) log: FileNumber,
    pub(crate) length: u64,
}

const NEXT_FILE: u64 = 1;
const LAST_SEQ: u64 = 2;
const ADD_LOG: u64 = 3;
const REMOVE_LOG: u64 = 4;
const ADD_TABLE: u64 = 5;
const REMOVE_TABLE: u64 = 6;
const CLEAN_CLOSE: u64 = 7;
// From format 2 on.
const ADD_VALUES: u64 = 8;
const REMOVE_VALUES: u64 = 9;
/// Belongs to the table added just before: what it uses of the value files.
const TABLE_USAGE: u64 = 10;
/// Belongs to the table added just before: its entries that expire.
const TABLE_EXPIRING: u64 = 11;
const TIME: u64 = 12;

/// More bytes than any file system puts in a file, and more entries: what claims more is damaged, and sums of what does not
/// cannot overflow.
const COUNT_MAX: u64 = 1 << 48;

impl VersionEdit {
    /// A list of fields: number, length, content.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut field = |number: u64, numbers: &[u64], keys: &[&[u8]]| {
            let mut body = Vec::new();
            numbers.iter().for_each(|number| put_varint(&mut body, *number));
            keys.iter().for_each(|key| put_slice(&mut body, key));
            put_varint(&mut out, number);
            put_slice(&mut out, &body);
        };
        if let Some(next) = self.next_file {
            field(NEXT_FILE, &[next.0], &[]);
        }
        if let Some(seq) = self.last_seq {
            field(LAST_SEQ, &[seq.0], &[]);
        }
        self.added_logs.iter().for_each(|(number, id)| field(ADD_LOG, &[number.0, *id], &[]));
        self.removed_logs.iter().for_each(|number| field(REMOVE_LOG, &[number.0], &[]));
        for (level, number) in &self.removed_tables {
            field(REMOVE_TABLE, &[*level as u64, number.0], &[]);
        }
        for (level, t) in &self.added_tables {
            let numbers = [
                u64::from(t.keyspace),
                *level as u64,
                t.number.0,
                t.id,
                t.bytes,
                t.entries,
                t.tombstones,
                t.payload_bytes,
                t.oldest_seq.0,
                t.newest_seq.0,
            ];
            field(ADD_TABLE, &numbers, &[&t.smallest, &t.largest]);
            if !t.usage.is_empty() {
                let of_file = |(file, usage): (FileNumber, Usage)| [file.0, usage.entries, usage.bytes];
                let numbers: Vec<u64> = t.usage.iter().flat_map(of_file).collect();
                field(TABLE_USAGE, &numbers, &[]);
            }
            if t.expiring.entries > 0 {
                let Expiring { entries, earliest, latest } = t.expiring;
                field(TABLE_EXPIRING, &[entries, earliest, latest], &[]);
            }
        }
        for v in &self.added_values {
            field(ADD_VALUES, &[v.number.0, v.id, v.bytes, v.born.entries, v.born.bytes], &[]);
        }
        self.removed_values.iter().for_each(|number| field(REMOVE_VALUES, &[number.0], &[]));
        if let Some(time) = self.time {
            field(TIME, &[time], &[]);
        }
        if let Some(close) = self.clean_close {
            field(CLEAN_CLOSE, &[close.log.0, close.length], &[]);
        }
        out
    }

    /// `None` for damage, and for fields that no format up to this one has.
    pub(crate) fn decode(bytes: &[u8]) -> Option<VersionEdit> {
        let mut edit = VersionEdit::default();
        let mut rest = Decoder::new(bytes);
        while !rest.is_empty() {
            let number = rest.varint()?;
            let mut body = Decoder::new(rest.slice()?);
            match number {
                NEXT_FILE => edit.next_file = Some(file(&mut body)?),
                LAST_SEQ => edit.last_seq = Some(seq(&mut body)?),
                ADD_LOG => edit.added_logs.push((file(&mut body)?, body.varint()?)),
                REMOVE_LOG => edit.removed_logs.push(file(&mut body)?),
                ADD_TABLE => edit.added_tables.push(decode_table(&mut body)?),
                REMOVE_TABLE => edit.removed_tables.push((level(&mut body)?, file(&mut body)?)),
                CLEAN_CLOSE => {
                    edit.clean_close = Some(CleanClose { log: file(&mut body)?, length: body.varint()? });
                }
                ADD_VALUES => edit.added_values.push(decode_values(&mut body)?),
                REMOVE_VALUES => edit.removed_values.push(file(&mut body)?),
                TABLE_USAGE => {
                    let (_, table) = edit.added_tables.last_mut()?;
                    while !body.is_empty() {
                        let (file, usage) = (file(&mut body)?, decode_usage(&mut body)?);
                        if table.usage.of(file) != Usage::default() {
                            return None;
                        }
                        table.usage.add(file, usage);
                    }
                }
                TABLE_EXPIRING => {
                    let (_, table) = edit.added_tables.last_mut()?;
                    let (entries, earliest, latest) = (count(&mut body)?, body.varint()?, body.varint()?);
                    // One that has none says nothing of them: every edit has one encoding.
                    if entries == 0 {
                        return None;
                    }
                    table.expiring = Expiring { entries, earliest, latest };
                }
                TIME => edit.time = Some(body.varint()?),
                _ => return None,
            }
            if !body.is_empty() {
                return None;
            }
        }
        Some(edit)
    }
}

fn file(body: &mut Decoder<'_>) -> Option<FileNumber> {
    body.varint().map(FileNumber).filter(|number| *number <= FileNumber::MAX)
}

/// A sequence number that leaves room for more than a database will ever write.
fn seq(body: &mut Decoder<'_>) -> Option<SeqNo> {
    body.varint().map(SeqNo).filter(|seq| seq.0 <= SeqNo::MAX.0 / 2)
}

fn count(body: &mut Decoder<'_>) -> Option<u64> {
    body.varint().filter(|count| *count <= COUNT_MAX)
}

fn level(body: &mut Decoder<'_>) -> Option<usize> {
    usize::try_from(body.varint()?).ok().filter(|level| *level < LEVELS)
}

fn decode_usage(body: &mut Decoder<'_>) -> Option<Usage> {
    Some(Usage { entries: count(body)?, bytes: count(body)? })
}

fn decode_values(body: &mut Decoder<'_>) -> Option<ValueFileMeta> {
    Some(ValueFileMeta {
        number: file(body)?,
        id: body.varint()?,
        bytes: count(body)?,
        born: decode_usage(body)?,
    })
}

fn decode_table(body: &mut Decoder<'_>) -> Option<(usize, TableMeta)> {
    let keyspace = u32::try_from(body.varint()?).ok()?;
    let level = level(body)?;
    let meta = TableMeta {
        keyspace,
        number: file(body)?,
        id: body.varint()?,
        bytes: count(body)?,
        entries: count(body)?,
        tombstones: count(body)?,
        payload_bytes: count(body)?,
        oldest_seq: SeqNo(body.varint()?),
        newest_seq: seq(body)?,
        smallest: body.slice()?.to_vec(),
        largest: body.slice()?.to_vec(),
        usage: UsageByFile::default(),
        expiring: Expiring::default(),
    };
    (meta.smallest <= meta.largest).then_some((level, meta))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit() -> VersionEdit {
        let mut table = TableMeta {
            number: FileNumber(9),
            id: u64::MAX,
            keyspace: 0,
            bytes: 12_345,
            entries: 10,
            tombstones: 1,
            payload_bytes: 1000,
            smallest: b"a".to_vec(),
            largest: b"zz".to_vec(),
            oldest_seq: SeqNo(4),
            newest_seq: SeqNo(40),
            usage: UsageByFile::default(),
            expiring: Expiring { entries: 3, earliest: 1, latest: 2 },
        };
        table.usage.add(FileNumber(2), Usage { entries: 1, bytes: 1 << 40 });
        table.usage.add(FileNumber(6), Usage { entries: 2, bytes: 200 });
        let born = Usage { entries: 2, bytes: 200 };
        VersionEdit {
            next_file: Some(FileNumber(10)),
            last_seq: Some(SeqNo(40)),
            added_logs: vec![(FileNumber(8), 77)],
            removed_logs: vec![FileNumber(3), FileNumber(4)],
            added_tables: vec![(6, table)],
            removed_tables: vec![(5, FileNumber(7))],
            added_values: vec![ValueFileMeta { number: FileNumber(6), id: 5, bytes: 300, born }],
            removed_values: vec![FileNumber(1)],
            time: Some(1 << 60),
            clean_close: Some(CleanClose { log: FileNumber(8), length: 64 }),
        }
    }

    #[test]
    fn an_edit_reads_back() {
        assert_eq!(VersionEdit::decode(&edit().encode()), Some(edit()));
        assert_eq!(VersionEdit::decode(&[]), Some(VersionEdit::default()));
    }

    /// A manifest whose checksums are good said that the last sequence number, or the next file number, was the largest there is.
    /// The open believed it, and counted on: past the end of the numbers.
    #[test]
    fn numbers_that_no_database_reaches_are_damage() {
        let sound = edit();
        let huge = |change: fn(&mut VersionEdit)| {
            let mut edit = sound.clone();
            change(&mut edit);
            VersionEdit::decode(&edit.encode())
        };
        assert_eq!(huge(|edit| edit.last_seq = Some(SeqNo::MAX)), None);
        assert_eq!(huge(|edit| edit.next_file = Some(FileNumber(u64::MAX))), None);
        assert_eq!(huge(|edit| edit.added_logs = vec![(FileNumber(u64::MAX), 1)]), None);
        assert_eq!(huge(|edit| edit.added_tables[0].1.newest_seq = SeqNo(u64::MAX)), None);
        assert_eq!(huge(|edit| edit.added_tables[0].1.payload_bytes = u64::MAX), None);
        assert_eq!(huge(|edit| edit.added_values[0].born.bytes = u64::MAX), None);
        assert_eq!(huge(|_| {}), Some(sound.clone()));
    }

    /// An edit that could be written in two ways was not the one that its own encoding says.
    #[test]
    fn an_edit_has_one_encoding() {
        let mut bytes = edit().encode();
        put_varint(&mut bytes, TABLE_EXPIRING);
        put_slice(&mut bytes, &[0, 1, 2]);
        assert_eq!(VersionEdit::decode(&bytes), None, "no entries that expire, and yet their times");
        let mut bytes = edit().encode();
        put_varint(&mut bytes, TABLE_USAGE);
        put_slice(&mut bytes, &[6, 1, 1]);
        assert_eq!(VersionEdit::decode(&bytes), None, "the use of a file that was said before");
    }

    #[test]
    fn damaged_edits_and_unknown_fields_are_refused_without_a_panic() {
        let bytes = edit().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            VersionEdit::decode(&damaged);
        }
        let mut unknown = Vec::new();
        put_varint(&mut unknown, 99);
        put_slice(&mut unknown, b"");
        assert_eq!(VersionEdit::decode(&unknown), None);
        let mut deep = Vec::new();
        put_varint(&mut deep, REMOVE_TABLE);
        put_slice(&mut deep, &[LEVELS as u8, 1]);
        assert_eq!(VersionEdit::decode(&deep), None, "a level that does not exist");
    }
}
