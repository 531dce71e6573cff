//! What can happen: the closed set of events.

use super::labels::EVENT;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The database at work.
    Info,
    /// Something that will need attention if it lasts, or comes again.
    Warning,
    /// Something that needs attention now.
    Error,
}

impl Severity {
    /// The name: `info`, `warning` or `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What happened: the label `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum EventKind {
    /// The database was opened.
    Open,
    /// The database was closed.
    Close,
    /// What the open found after a crash: logs were replayed, perhaps a torn tail was cut.
    Recovery,
    /// A flush began.
    FlushBegin,
    /// A flush ended, whatever its result.
    FlushEnd,
    /// A compaction began.
    CompactionBegin,
    /// A compaction ended, whatever its result.
    CompactionEnd,
    /// Writes are slowed down or stopped from now on.
    StallBegin,
    /// A stall is over.
    StallEnd,
    /// A memtable was closed, and another one took its place.
    MemtableRotated,
    /// A table was written.
    TableCreated,
    /// A table was removed from the disk.
    TableDeleted,
    /// A log segment was made, or taken over from an older one.
    WalCreated,
    /// A log segment was removed from the disk.
    WalDeleted,
    /// The database refuses writes until it is opened again.
    ReadOnly,
    /// A job in the background failed.
    BackgroundError,
    /// Bytes on the disk are not what was written there.
    Corruption,
    /// A call of the file system took longer than any should.
    DiskSlow,
    /// The time-stamp counter ran unevenly and was given up.
    ClockDistrusted,
    /// The level of instrumentation was changed.
    LevelChanged,
}

impl EventKind {
    /// Every kind, in index order.
    pub const ALL: [Self; 20] = [
        Self::Open,
        Self::Close,
        Self::Recovery,
        Self::FlushBegin,
        Self::FlushEnd,
        Self::CompactionBegin,
        Self::CompactionEnd,
        Self::StallBegin,
        Self::StallEnd,
        Self::MemtableRotated,
        Self::TableCreated,
        Self::TableDeleted,
        Self::WalCreated,
        Self::WalDeleted,
        Self::ReadOnly,
        Self::BackgroundError,
        Self::Corruption,
        Self::DiskSlow,
        Self::ClockDistrusted,
        Self::LevelChanged,
    ];

    /// Position in [`EventKind::ALL`], and in the label set `event`.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The label value.
    pub fn as_str(self) -> &'static str {
        EVENT.get(self.index()).copied().unwrap_or_default()
    }

    /// How much an event of this kind matters, unless it says otherwise.
    pub const fn severity(self) -> Severity {
        match self {
            Self::StallBegin | Self::DiskSlow | Self::ClockDistrusted => Severity::Warning,
            Self::ReadOnly | Self::BackgroundError | Self::Corruption => Severity::Error,
            _ => Severity::Info,
        }
    }

    /// Whether a lasting fault can bring about as many of these as there are operations.
    pub(crate) const fn may_flood(self) -> bool {
        matches!(self, Self::BackgroundError | Self::Corruption | Self::DiskSlow)
    }
}
