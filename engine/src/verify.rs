//! Reads everything and says what is damaged.

use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::levels::table_file::TableFile;
use crate::log::replay::LogFile;
use crate::metric::ValuePurpose;
use crate::values::pointer::ValuePointer;
use crate::values::stored::Stored;
use crate::values::usage::UsageByFile;
use crate::view::View;

/// What [`Db::verify`](crate::Db::verify) found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Tables read.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entries in them, old versions and tombstones included.
    pub entries: u64,
    /// Separated values read.
    pub values: u64,
    /// Their bytes.
    pub value_bytes: u64,
    /// Log segments read: those that hold what is in memory alone.
    pub logs: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Every fault, with file and offset.
    pub faults: Vec<Error>,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Reads a table and every value that it points to, and checks that the manifest knows what it holds and what it uses of the value files.
fn verify_table(
    engine: &Engine,
    view: &View,
    level: usize,
    table: &TableFile,
    report: &mut VerifyReport,
) -> Result<()> {
    let reader = table.reader()?;
    let mut used = UsageByFile::default();
    let entries = reader.verify(level, |(key, stored)| {
        if let Some(pointer) = Stored::pointer(key.trailer.kind(), stored) {
            used.count(pointer);
            verify_value(engine, view, (key.user, pointer), report);
        }
    })?;
    let fault =
        |what| Err(Error::corruption(&engine.dir.path_of(FileName::Table(table.meta.number)), 0, what));
    if entries != table.meta.entries || reader.properties().smallest != table.meta.smallest {
        return fault("the table does not hold what the manifest says");
    }
    report.entries += entries;
    if used != table.meta.usage {
        return fault("the table does not use of the value files what the manifest says");
    }
    Ok(())
}

/// Reads the value that a key's pointer leads to.
fn verify_value(
    engine: &Engine,
    view: &View,
    (user, pointer): (&[u8], ValuePointer),
    report: &mut VerifyReport,
) {
    let file = view.value_file(pointer, &engine.files).map_err(|error| error.of_key(user));
    match file.and_then(|file| file.read(pointer, user, ValuePurpose::Collection, &engine.recorder)) {
        Ok(value) => {
            report.values += 1;
            report.value_bytes += value.len() as u64;
        }
        Err(fault) => report.faults.push(fault),
    }
}

/// Checks the logs of what is in memory, up to where the operating system has them. One that a flush makes superfluous
/// meanwhile is left out.
fn verify_logs(engine: &Engine, report: &mut VerifyReport) {
    let (view, active, written) = {
        let commit = engine.commit.lock();
        let segment = commit.writer.segment();
        (engine.view.keep(), segment.number, segment.written())
    };
    for log in view.memtables().map(|memtable| memtable.values()) {
        let length = if log.number == active { written } else { log.sealed_bytes() };
        let file = LogFile::open(&engine.dir, log.number, log.id, engine.options.mapped_reads);
        match file.and_then(|file| file.check(length)) {
            Ok(()) => {
                report.logs += 1;
                report.log_bytes += length;
            }
            Err(fault) if engine.set.logs().contains(&log.number) => report.faults.push(fault),
            Err(_) => {}
        }
    }
}

/// Checks the manifest, the logs, and every table of the present version with the values that it points to.
pub(crate) fn verify(engine: &Engine) -> VerifyReport {
    let mut report = VerifyReport::default();
    report.faults.extend(engine.set.check_manifest().err());
    verify_logs(engine, &mut report);
    let view = engine.view.keep();
    for (level, table) in view.version.tables() {
        report.tables += 1;
        report.bytes += table.meta.bytes;
        let verified = verify_table(engine, &view, level, table, &mut report);
        report.faults.extend(verified.err());
    }
    if let Some((_, a, b)) = view.version.overlap() {
        let path = engine.dir.path_of(FileName::Table(a.number.max(b.number)));
        report.faults.push(Error::corruption(&path, 0, "two tables of one level overlap"));
    }
    report
}
