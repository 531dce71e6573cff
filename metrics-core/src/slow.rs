//! Operations that took longer than the slow threshold, one by one.

use crate::catalog::{GetSource, Operation, Stage};
use crate::trace::Traced;
use std::time::{SystemTime, UNIX_EPOCH};

/// One operation over the slow threshold. It names no key: what callers store is theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowOperation {
    /// What it was.
    pub operation: Operation,
    /// When it ended, in seconds since the Unix epoch.
    pub ended: f64,
    /// How long it took; since it left the fast path, if it did.
    pub nanos: u64,
    /// Where the time went, as far as it was traced: stages that took any, in their order.
    pub stages: Vec<(Stage, u64)>,
    /// Where a get ended.
    pub source: Option<&'static str>,
    /// Tables that a get looked into.
    pub tables_checked: u64,
    /// Blocks that a get read from files.
    pub blocks_read: u64,
}

impl SlowOperation {
    pub(crate) fn new(operation: Operation, nanos: u64, traced: Option<&Traced>) -> Self {
        let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let traced = traced.copied().unwrap_or_default();
        Self {
            operation,
            ended,
            nanos,
            stages: traced.stages().collect(),
            source: traced.source.and_then(GetSource::name_at),
            tables_checked: traced.tables,
            blocks_read: traced.blocks,
        }
    }
}
