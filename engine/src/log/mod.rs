//! The commit log: every write goes here first. See `docs/formats/log.md`.
//!
//! A log is a chain of *segments*, one for each memtable. A segment is made ready before it is used (room reserved, header and
//! name durable, known to the manifest), so that moving on to it costs a write nothing. [`writer::LogWriter`] appends
//! groups, [`sync::SyncQueue`] makes one sync serve all writers that wait for one, [`replay`] reads a segment back.

pub(crate) mod segment;
pub(crate) mod writer;
pub(crate) mod sync;
pub(crate) mod replay;
