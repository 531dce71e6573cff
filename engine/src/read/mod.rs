//! The read path.

pub(crate) mod get;
pub(crate) mod scan;
