//! Walking sorted entries.

pub(crate) mod internal;
pub(crate) mod merge;
