//! The read path.

pub(crate) mod point;
pub(crate) mod get;
pub(crate) mod fetch;
pub(crate) mod scan;
