//! What a collection of garbage came to.

/// What [`Db::collect_garbage`](crate::Db::collect_garbage) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GarbageReport {
    /// Value files before, and their bytes.
    pub files_before: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Value files after, those that were written meanwhile included.
    pub files_after: u64,
    /// Their bytes.
    pub bytes_after: u64,
    /// Values that were moved because they live on.
    pub moved_entries: u64,
    /// Their bytes, keys and framing included.
    pub moved_bytes: u64,
    /// Files that nothing needs and a snapshot's or scan's state still holds: they go when it is dropped.
    pub pinned_files: u64,
    /// Their bytes.
    pub pinned_bytes: u64,
}

impl GarbageReport {
    /// Bytes given back to the file system, or to be given back when the last reader is gone.
    pub fn freed_bytes(&self) -> u64 {
        self.bytes_before.saturating_sub(self.bytes_after)
    }
}
