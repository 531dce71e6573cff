//! Logs, read record by record: what cannot be read is passed over, and what follows counts all the same.

use std::ops::Range;
use std::sync::Arc;

use super::reading;
use super::report::Loss;
use crate::context::FileContext;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::HEADER_BYTES;
use crate::key::SeqNo;
use crate::log::replay::LogFile;
use crate::memtable::Memtable;
use crate::options::Options;
use crate::record::reader::Group;
use crate::replaying::Replaying;

/// What the logs have.
#[derive(Debug, Default)]
pub(super) struct LogRemains {
    /// In the order of the logs.
    pub(super) memtables: Vec<Arc<Memtable>>,
    pub(super) last_seq: SeqNo,
    pub(super) losses: Vec<Loss>,
    pub(super) faults: Vec<Error>,
    /// The time of the youngest log with entries that expire.
    pub(super) time: u64,
}

/// What of the logs is in tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flushed {
    /// An edit says that all entries up to here are: they are passed over.
    pub(super) known: SeqNo,
    /// Entries up to here seem to be, for a whole table has the last one of them: that they are in no log is no loss. It may be wrong, for a
    /// power cut can leave a table and not the one before it, so nothing that is in a log is passed over for it.
    pub(super) likely: SeqNo,
}

/// Reads logs, oldest first.
///
/// # Errors
/// Whatever is not damage: a log that could not be opened is not one that has nothing.
pub(super) fn salvage(
    context: &FileContext,
    logs: &[(FileNumber, Option<u64>)],
    flushed: Flushed,
    options: &Options,
) -> Result<LogRemains> {
    let mut remains = LogRemains { last_seq: flushed.known, ..LogRemains::default() };
    // Values go where the keys go, so that nothing depends on these logs any more.
    let options = options.clone().separation_threshold(usize::MAX);
    for (number, id) in logs {
        match open(context, *number, *id) {
            Ok((log, bad)) => {
                let mut one = OneLog::new(context, *number, &log, flushed, &mut remains);
                one.read(&options)?;
                one.check_end(&bad);
            }
            Err(error @ Error::Corruption { .. }) => {
                let (file, what) = (FileName::Log(*number).to_string(), "nothing of the log reads".into());
                let bytes = context.dir.length_of(FileName::Log(*number));
                remains.losses.push(Loss { file, what, bytes, ..Loss::default() });
                remains.faults.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(remains)
}

/// The log, and what of it the disk cannot read.
fn open(context: &FileContext, number: FileNumber, id: Option<u64>) -> Result<(LogFile, Vec<Range<u64>>)> {
    let file = context.dir.open(FileName::Log(number), false)?;
    let (bytes, bad) = reading::contents(&file, file.len()?)?;
    Ok((LogFile::of_damaged(file, bytes, number, id)?, bad))
}

/// A log that is read, and how far.
struct OneLog<'a> {
    context: &'a FileContext,
    number: FileNumber,
    log: &'a LogFile,
    flushed: Flushed,
    remains: &'a mut LogRemains,
    /// Behind the last record that counts.
    end: u64,
}

impl<'a> OneLog<'a> {
    fn new(
        context: &'a FileContext,
        number: FileNumber,
        log: &'a LogFile,
        flushed: Flushed,
        remains: &'a mut LogRemains,
    ) -> OneLog<'a> {
        OneLog { context, number, log, flushed, remains, end: HEADER_BYTES }
    }

    fn read(&mut self, options: &Options) -> Result<()> {
        let log = self.log;
        let mut replaying = Replaying::new(&log.values(self.number, self.context), options);
        log.salvage(|group, offset, len| {
            match self.take(&mut replaying, group, offset) {
                Ok(()) => self.end = offset + len,
                // Whole, and none that a log has: as good as one that does not read.
                Err(fault @ Error::Corruption { .. }) => self.remains.faults.push(fault),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        if replaying.expiring {
            self.remains.time = self.remains.time.max(log.born_at);
        }
        self.remains.memtables.append(&mut replaying.memtables);
        Ok(())
    }

    fn take(&mut self, replaying: &mut Replaying, group: &Group<'_>, offset: u64) -> Result<()> {
        let Some(first) = group.entries.first().filter(|first| first.seq > self.flushed.known) else {
            return Ok(());
        };
        let mut expected = first.seq;
        replaying.apply(group, offset, &mut expected, self.log.path())?;
        self.note_gap(first.seq, offset);
        self.remains.last_seq = self.remains.last_seq.max(SeqNo(expected.0 - 1));
        Ok(())
    }

    /// Every write has the number behind that of the one before, whichever log it is in.
    fn note_gap(&mut self, first: SeqNo, offset: u64) {
        let (from, bytes) = (self.end, offset - self.end);
        let before = self.remains.last_seq;
        let missing = first.0.saturating_sub(before.max(self.flushed.likely).0 + 1);
        let somewhere = format!("records between byte {from} and {offset}");
        if missing > 0 {
            self.lose(
                format!("{somewhere}, or at the end of the log before, do not read"),
                bytes,
                Some(missing),
            );
        } else if bytes > 0 && first.0 > before.0 + 1 {
            self.lose(format!("{somewhere} do not read; they seem to be in tables"), bytes, None);
        }
    }

    fn lose(&mut self, what: String, bytes: u64, entries: Option<u64>) {
        let file = FileName::Log(self.number).to_string();
        self.remains.losses.push(Loss { file, what, entries, bytes, ..Loss::default() });
    }

    /// Says what may be missing behind the last record.
    fn check_end(&mut self, bad: &[Range<u64>]) {
        let (log, end) = (self.log, self.end);
        let what = "the disk cannot read this sector";
        let faults = bad.iter().map(|sector| Error::corruption(log.path(), sector.start, what));
        self.remains.faults.extend(faults);
        let unread: u64 = bad.iter().filter(|s| s.end > end).map(|s| s.end - s.start.max(end)).sum();
        if log.used_bytes() > end {
            let what = format!(
                "nothing behind byte {end} reads: records that were synced, or a torn end that nobody was promised"
            );
            self.lose(what, log.used_bytes() - end, None);
        } else if unread > 0 {
            self.lose(
                format!("sectors behind byte {end} cannot be read: records may have been in them"),
                unread,
                None,
            );
        } else if !log.is_whole_before_end() {
            self.lose("the log was cut or overwritten: records at its end may be lost".into(), 0, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bettong_metrics::Registry;

    use super::*;
    use crate::env::sim::{Fault, IoOp, Rule, SimDisk};
    use crate::env::{Dir, Env};
    use crate::header::{Birth, FileHeader, FileKind};
    use crate::iter::InternalIterator;
    use crate::key::Kind;
    use crate::record::format::GroupType;
    use crate::record::writer::{GroupWriter, NewEntry};

    const NUMBER: FileNumber = FileNumber(3);

    fn context(disk: &SimDisk) -> FileContext {
        let recorder = Registry::new("test").recorder();
        let dir = Dir::new(Env::sim(disk).files, Path::new("/db"), &recorder);
        dir.create_all().unwrap();
        FileContext::new(&dir, &Options::default().mapped_reads(false), &recorder)
    }

    /// A log with a record of each of these kinds, the keys of which are their sequence numbers.
    fn written(kinds: &[Kind]) -> (SimDisk, FileContext) {
        let disk = SimDisk::new(1);
        let id = 77;
        let header =
            FileHeader { kind: FileKind::Log, number: NUMBER, id, recycled: false, birth: Birth::default() };
        let mut bytes = header.encode().to_vec();
        for (seq, kind) in (1..).zip(kinds) {
            let offset = bytes.len() as u64;
            let mut group = GroupWriter::new(&mut bytes, id, offset);
            let (key, value) = ([seq as u8], [1, 2, 3]);
            let entry =
                NewEntry { kind: *kind, keyspace: 0, seq: SeqNo(seq), key: &key, head: b"", value: &value };
            group.entry(entry);
            group.finish(GroupType::Commit, 0);
        }
        bytes.resize(bytes.len() + 100, 0);
        disk.overwrite(Path::new("/db/000003.log"), &bytes);
        let context = context(&disk);
        (disk, context)
    }

    fn read(context: &FileContext) -> Result<LogRemains> {
        let flushed = Flushed { known: SeqNo(0), likely: SeqNo(0) };
        salvage(context, &[(NUMBER, None)], flushed, &Options::default())
    }

    fn keys(remains: &LogRemains) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for memtable in &remains.memtables {
            let mut iter = memtable.iter();
            iter.seek_to_first().unwrap();
            while let Some((key, _)) = iter.current() {
                keys.push(key.user.to_vec());
                iter.next().unwrap();
            }
        }
        keys
    }

    /// A record that is whole, and none that a log can have, ended the reading of its log; what had been read of it was dropped, too,
    /// while its sequence numbers counted as read.
    #[test]
    fn a_record_that_no_log_has_costs_itself() {
        let (_, context) = written(&[Kind::Value, Kind::Pointer, Kind::Value]);
        let remains = read(&context).unwrap();
        assert_eq!(keys(&remains), [[1], [3]]);
        assert_eq!((remains.faults.len(), remains.last_seq), (1, SeqNo(3)));
        let lost: Vec<_> = remains.losses.iter().map(|loss| loss.entries).collect();
        assert_eq!(lost, [Some(1)], "{:?}", remains.losses);
    }

    /// A log that could not be opened because there were no descriptors was taken for one of which nothing reads.
    #[test]
    fn a_log_that_cannot_be_opened_now_is_not_lost() {
        let (disk, context) = written(&[Kind::Value]);
        disk.inject(Rule::new(Fault::Errno(libc::EMFILE)).on(IoOp::Open));
        assert!(matches!(read(&context), Err(Error::Io { .. })));
        assert_eq!(keys(&read(&context).unwrap()), [[1]]);
    }
}
