//! The state that a read sees.

use crate::engine::Engine;
use crate::key::SeqNo;
use crate::values::stored::Stored;

/// Everything up to a sequence number, and what has not expired by a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadPoint {
    pub(crate) seq: SeqNo,
    /// `None` for the time at which somebody looks.
    pub(crate) time: Option<u64>,
}

impl ReadPoint {
    /// Whether an entry has expired.
    pub(crate) fn is_past(self, stored: &Stored<'_>, engine: &Engine) -> bool {
        stored.expires_at != u64::MAX && stored.is_past(self.time.unwrap_or_else(|| engine.set.expiry.now()))
    }
}
