//! What `publish` needs of the engine's keys.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeqNo(pub(crate) u64);
