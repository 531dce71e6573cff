//! A file's format.

use std::path::Path;

use clap::ValueEnum;

/// How records are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FileFormat {
    /// Newline-delimited JSON: one object a line
    Ndjson,
    /// Comma-separated values with a header (RFC 4180)
    Csv,
}

impl FileFormat {
    /// CSV if the file is named so, else NDJSON.
    pub(super) fn of(file: &Path) -> FileFormat {
        let named_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if named_csv { FileFormat::Csv } else { FileFormat::Ndjson }
    }
}
