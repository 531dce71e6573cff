//! Tables (SSTables): immutable sorted files. See `docs/formats/table.md`.
//!
//! ```text
//! header 64 | data block … data block | filter | point index | index | properties | footer 96
//! ```

pub(crate) mod format;
pub(crate) mod properties;
pub(crate) mod hashes;
pub(crate) mod filter;
pub(crate) mod point_index;
pub(crate) mod block;
pub(crate) mod block_builder;
pub(crate) mod index;
pub(crate) mod fences;
mod thrift;
pub(crate) mod builder;
pub(crate) mod reader;
mod ahead;
pub(crate) mod cursor;
