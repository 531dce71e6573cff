//! Values apart from their keys: where they lie, and how they are read and moved. See `docs/formats/values.md`.
//!
//! A large value is written once, into the log, and stays there: when the log's other writes are in tables, the segment becomes a
//! *value file* ([`mod@file`]). Memtables and tables hold pointers ([`mod@pointer`]) in its place ([`mod@stored`]). Values that outlive
//! most of their file are moved to a new one ([`mod@writer`]).

pub(crate) mod pointer;
pub(crate) mod stored;
pub(crate) mod usage;
pub(crate) mod file;
pub(crate) mod writer;
