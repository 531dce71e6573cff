//! Compaction: what to merge, and the merging.

pub(crate) mod plan;
pub(crate) mod pick;
pub(crate) mod retain;
pub(crate) mod output;
mod part;
mod split;
pub(crate) mod run;
