//! The state that a read sees.

use crate::engine::Engine;
use crate::key::SeqNo;

/// Everything up to a sequence number, and what has not expired by a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadPoint {
    pub(crate) seq: SeqNo,
    /// `None` for the time at which somebody looks.
    pub(crate) time: Option<u64>,
}

impl ReadPoint {
    /// Whether what expires then is gone.
    pub(crate) fn is_past(self, expires_at: u64, engine: &Engine) -> bool {
        expires_at != u64::MAX && expires_at <= self.time.unwrap_or_else(|| engine.set.expiry.now())
    }
}
