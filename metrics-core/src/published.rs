//! The state of the tree, as the engine last announced it: levels and their tables, options in force, and what the
//! last recovery found.
//!
//! The engine builds a new value when its state changes and swaps it in; a reader keeps the value it found for as long
//! as it likes. Nothing here is computed when read, and no reader can make the engine wait.

/// One announcement. The engine replaces it as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedState {
    /// The levels, level 0 first. Empty until the engine has opened.
    pub levels: Vec<LevelState>,
    /// The files that hold separated values, oldest first.
    pub value_files: Vec<ValueFileState>,
    /// The options in force, in the order the engine lists them.
    pub options: Vec<OptionState>,
    /// What the last recovery found, as name and printed value.
    pub recovery: Vec<(String, String)>,
}

/// One option of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionState {
    /// Its name, that of its setter.
    pub name: String,
    /// The value in force, printed.
    pub value: String,
    /// The value that it has if nobody sets it, on this machine, printed likewise.
    pub default: String,
}

impl OptionState {
    /// Where the value comes from: `set` if it is another one than the default, else `default`. Who sets an option to its default is not told
    /// from who leaves it alone.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::OptionState;
    /// let option = |value: &str| OptionState { name: "cache_bytes".into(), value: value.into(), default: "64".into() };
    /// assert_eq!((option("64").source(), option("0").source()), ("default", "set"));
    /// ```
    pub fn source(&self) -> &'static str {
        if self.value == self.default { "default" } else { "set" }
    }
}

/// One level of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelState {
    /// The level's number, 0 for the one flushes write to.
    pub level: u32,
    /// Its tables: newest first in level 0, by key elsewhere.
    pub tables: Vec<TableState>,
}

/// One change of the tree: tables that came and tables that went, at once. A table that moves does both, on two levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeChange {
    /// Its place in the order of changes, counted from 1.
    pub number: u64,
    /// Tables that came, each with its level.
    pub added: Vec<(u32, TableState)>,
    /// Tables that went, each with its level.
    pub removed: Vec<(u32, TableState)>,
}

/// One file that holds separated values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueFileState {
    /// The file number.
    pub number: u64,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Bytes that tables point to.
    pub live_bytes: u64,
    /// Values that tables point to.
    pub live_entries: u64,
    /// What is to become of it.
    pub standing: ValueFileStanding,
}

/// Whether a value file will be collected, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueFileStanding {
    /// What lives on of it is being moved, or is to be moved next.
    Candidate,
    /// It has garbage, but there is room below the ceiling, or others have more.
    Waiting,
    /// It has too little garbage to be worth moving.
    Full,
    /// A value of it could not be read: it is left as it is.
    Damaged,
    /// Nothing needs it but readers of older states: it goes with the last of them.
    Pinned,
}

impl ValueFileStanding {
    /// The name: `candidate`, `waiting`, `full`, `damaged` or `pinned`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Waiting => "waiting",
            Self::Full => "full",
            Self::Damaged => "damaged",
            Self::Pinned => "pinned",
        }
    }
}

/// One table of a level.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableState {
    /// The file number.
    pub number: u64,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Entries in the table, tombstones included.
    pub entries: u64,
    /// Delete entries in the table.
    pub tombstones: u64,
    /// The first bytes of the smallest user key, at most [`TableState::KEY_PREFIX_BYTES`].
    pub smallest_key_prefix: Vec<u8>,
    /// The first bytes of the largest user key, at most [`TableState::KEY_PREFIX_BYTES`].
    pub largest_key_prefix: Vec<u8>,
}

impl TableState {
    /// How much of a key may be published: enough to draw key ranges, too little to leak most values of interest.
    pub const KEY_PREFIX_BYTES: usize = 16;

    /// The part of `key` that may be published.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::TableState;
    /// assert_eq!(TableState::key_prefix(b"short"), b"short");
    /// assert_eq!(TableState::key_prefix(&[7; 40]).len(), 16);
    /// ```
    pub fn key_prefix(key: &[u8]) -> Vec<u8> {
        key.iter().take(Self::KEY_PREFIX_BYTES).copied().collect()
    }
}
