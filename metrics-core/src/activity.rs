//! What goes on in a database, and what went on a moment ago: the part of a snapshot that is not numbers.

use crate::events::Event;
use crate::holders::Holders;
use crate::jobs::Jobs;
use crate::slow::SlowOperation;
use std::sync::Arc;

/// What goes on in a database. Each list is bounded, and read without a lock.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// Flushes and compactions that run, and the newest that ended.
    pub jobs: Jobs,
    /// Iterators and snapshots that are held.
    pub holders: Holders,
    /// The newest operations over the slow threshold, oldest first.
    pub slow_operations: Vec<Arc<SlowOperation>>,
    /// The newest events, oldest first. Snapshots between which there was none share the list.
    pub events: Arc<[Arc<Event>]>,
}
