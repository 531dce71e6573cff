//! The tree: which tables are on which level, and how that is made durable. See `docs/formats/manifest.md`.

pub(crate) mod table_file;
pub(crate) mod tables;
pub(crate) mod level_cursor;
pub(crate) mod edit;
pub(crate) mod manifest;
pub(crate) mod version;
pub(crate) mod set;
pub(crate) mod shape;
pub(crate) mod space;
