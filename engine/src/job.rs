//! What readers of the metrics are told of a flush or a compaction.

use bettong_metrics::{JobReport, JobResult, JobTable, JobTables};

use crate::error::{Error, Result};
use crate::levels::table_file::TableMeta;

/// How often a job says how far it is, in entries.
pub(crate) const ENTRIES_BETWEEN_REPORTS: u64 = 1024;

/// Tables of a level, as they are shown.
pub(crate) fn shown<'a>(level: usize, tables: impl IntoIterator<Item = &'a TableMeta>) -> JobTables {
    let tables = tables.into_iter().map(|meta| JobTable { number: meta.number.0, bytes: meta.bytes });
    JobTables::of(level as u32, tables)
}

/// How a job ended.
pub(crate) fn outcome(result: &Result<JobReport>) -> JobResult {
    match result {
        Ok(report) => JobResult::Ok(report.clone()),
        Err(Error::Closed) => JobResult::Cancelled,
        Err(error) => JobResult::failed(error.sentence()),
    }
}
