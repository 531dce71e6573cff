//! The chapters of the catalogue: what the families of one part of the engine are listed under.

/// A chapter of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// What callers ask for, and how long it takes.
    Operations,
    /// Commits, the write-ahead log, and writers held back.
    Writes,
    /// Memtables, flushes and memory.
    Memory,
    /// The levels of the tree.
    Levels,
    /// Compactions and amplification.
    Compaction,
    /// Tables, iterators, snapshots and obsolete files.
    Tables,
    /// The block cache and the bloom filters.
    Cache,
    /// The value log and the space given back.
    ValueLog,
    /// Disk, I/O and integrity.
    Disk,
    /// Life cycle, background work, locks and processors.
    Engine,
    /// Events.
    Health,
    /// What measuring costs.
    Instrumentation,
}

impl Group {
    /// Every chapter, in the order of the catalogue.
    pub const ALL: [Self; 12] = [
        Self::Operations,
        Self::Writes,
        Self::Memory,
        Self::Levels,
        Self::Compaction,
        Self::Tables,
        Self::Cache,
        Self::ValueLog,
        Self::Disk,
        Self::Engine,
        Self::Health,
        Self::Instrumentation,
    ];

    /// The chapter's heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Operations => "A. Operations",
            Self::Writes => "B. Write path, log, group commit, stalls",
            Self::Memory => "C. Memtables, flushes, memory",
            Self::Levels => "D. Levels",
            Self::Compaction => "E. Compaction and amplification",
            Self::Tables => "F. Tables, iterators, snapshots, obsolete files",
            Self::Cache => "G. Block cache and filters",
            Self::ValueLog => "H. Value log and space given back",
            Self::Disk => "I. Disk, I/O, integrity",
            Self::Engine => "J. Life cycle, background work, errors",
            Self::Health => "K. Health, alerts, SLO, events",
            Self::Instrumentation => "L. Instrumentation",
        }
    }
}
