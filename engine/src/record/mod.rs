//! The record format shared by logs, manifests and value files: see `docs/formats/record.md`.

pub(crate) mod format;
pub(crate) mod writer;
pub(crate) mod reader;
