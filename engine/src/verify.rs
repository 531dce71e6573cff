//! Reads everything and says what is damaged.

use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::Error;

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
    /// Every fault, with file and offset.
    pub faults: Vec<Error>,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Checks every table of the present version. The log was checked when it was replayed, and is checked again then.
pub(crate) fn verify(engine: &Engine) -> VerifyReport {
    let view = engine.view.keep();
    let mut report = VerifyReport::default();
    for (level, table) in view.version.tables() {
        report.tables += 1;
        report.bytes += table.meta.bytes;
        match table.reader().and_then(|reader| {
            let entries = reader.verify(level)?;
            let same = entries == table.meta.entries && reader.properties().smallest == table.meta.smallest;
            let path = engine.dir.path_of(FileName::Table(table.meta.number));
            let what = "the table does not hold what the manifest says";
            if same { Ok(entries) } else { Err(Error::corruption(&path, 0, what)) }
        }) {
            Ok(entries) => report.entries += entries,
            Err(fault) => report.faults.push(fault),
        }
    }
    if let Some((_, a, b)) = view.version.overlap() {
        let path = engine.dir.path_of(FileName::Table(a.number.max(b.number)));
        report.faults.push(Error::corruption(&path, 0, "two tables of one level overlap"));
    }
    report
}
