//! The read path.

pub(crate) mod point;
pub(crate) mod get;
pub(crate) mod fetch;
pub(crate) mod item;
pub(crate) mod range;
pub(crate) mod resolver;
pub(crate) mod ahead;
pub(crate) mod scan;
