//! Logs, read record by record: what cannot be read is passed over, and what follows counts all the same.

use std::sync::Arc;

use super::report::Loss;
use crate::context::FileContext;
use crate::env::names::{FileName, FileNumber};
use crate::error::Error;
use crate::key::SeqNo;
use crate::log::replay::LogFile;
use crate::memtable::Memtable;
use crate::options::Options;
use crate::replaying::Replaying;

/// What the logs have.
#[derive(Debug, Default)]
pub(super) struct LogRemains {
    pub(super) memtables: Vec<Arc<Memtable>>,
    pub(super) last_seq: SeqNo,
    pub(super) entries: u64,
    pub(super) losses: Vec<Loss>,
    pub(super) faults: Vec<Error>,
    /// The time of the youngest log with entries that expire.
    pub(super) time: u64,
}

/// Reads logs, oldest first; what tables have already, up to `flushed`, is passed over.
pub(super) fn salvage(
    context: &FileContext,
    logs: &[(FileNumber, Option<u64>)],
    flushed: SeqNo,
    options: &Options,
) -> LogRemains {
    let mut remains = LogRemains { last_seq: flushed, ..LogRemains::default() };
    // Values go where the keys go, so that nothing depends on these logs any more.
    let options = options.clone().separation_threshold(usize::MAX);
    for (number, id) in logs {
        if let Err(error) = salvage_one(context, *number, *id, &options, &mut remains) {
            let (file, what) = (FileName::Log(*number).to_string(), "nothing of the log reads".into());
            let bytes = context.dir.length_of(FileName::Log(*number));
            remains.losses.push(Loss { file, what, bytes, ..Loss::default() });
            remains.faults.push(error);
        }
    }
    remains
}

fn salvage_one(
    context: &FileContext,
    number: FileNumber,
    id: Option<u64>,
    options: &Options,
    remains: &mut LogRemains,
) -> crate::error::Result<()> {
    let log = LogFile::open_damaged(&context.dir, number, id)?;
    let mut replaying = Replaying::new(&log.values(number, context), options);
    let mut end = crate::header::HEADER_BYTES;
    let name = FileName::Log(number).to_string();
    let lose =
        |what: String, bytes, entries| Loss { file: name.clone(), what, bytes, entries, ..Loss::default() };
    log.salvage(|group, offset, len| {
        let (from, bytes) = (end, offset - end);
        end = offset + len;
        let Some(first) = group.entries.first().filter(|first| first.seq > remains.last_seq) else {
            return Ok(());
        };
        // Every write has the number behind that of the one before, whichever log it is in.
        let missing = first.seq.0 - remains.last_seq.0 - 1;
        if missing > 0 {
            let what = format!(
                "records between byte {from} and {offset}, or at the end of the log before, do not read"
            );
            remains.losses.push(lose(what, bytes, Some(missing)));
        }
        let mut expected = first.seq;
        replaying.apply(group, offset, &mut expected, log.path())?;
        remains.entries += group.entries.len() as u64;
        remains.last_seq = SeqNo(expected.0 - 1);
        Ok(())
    })?;
    if log.used_bytes() > end {
        let what = format!(
            "nothing behind byte {end} reads: records that were synced, or a torn end that nobody was promised"
        );
        remains.losses.push(lose(what, log.used_bytes() - end, None));
    } else if !log.is_whole_before_end() {
        remains.losses.push(lose(
            "the log was cut or overwritten: records at its end may be lost".into(),
            0,
            None,
        ));
    }
    if replaying.expiring {
        remains.time = remains.time.max(log.born_at);
    }
    remains.memtables.extend(replaying.memtables);
    Ok(())
}
