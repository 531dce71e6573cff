//! What a database is opened with, and what a single write may ask for.

use std::fmt;
use std::time::Duration;

use bettong_metrics::{Instrumentation, OptionState};

use crate::env::Env;
use crate::error::{Error, Result};

/// Levels of the tree, L0 … L6.
pub const LEVELS: usize = 7;

/// When a write is safe from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// `Ok` means safe from a power cut: the commit log was synced (one sync serves all writers that wait for it).
    Sync,
    /// `Ok` means safe from a crash of the process: the bytes are with the operating system. A power cut may take the last
    /// writes, but leaves a prefix of them without holes.
    #[default]
    Os,
    /// `Ok` means that the write is visible. A crash of the process may take what is still buffered in it; later writes
    /// with a stronger durability, [`Db::sync`](crate::Db::sync) and closing carry it to safety.
    None,
}

/// How the blocks of a level are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Stored as they are: reads borrow from the mapped file.
    None,
    /// LZ4 blocks, kept uncompressed in the block cache once read. A block that does not shrink by an eighth is stored as it is.
    Lz4,
}

/// Options of a database. [`Options::default`] opens a good one; every setter is named after its field.
///
/// ```
/// use bettong::{Durability, Options};
/// let options = Options::default().memtable_bytes(16 << 20).durability(Durability::Sync);
/// options.validate()?;
/// # Ok::<(), bettong::Error>(())
/// ```
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Options {
    pub(crate) env: Env,
    pub(crate) name: String,
    pub(crate) instrumentation: Instrumentation,
    pub(crate) slow_threshold: Duration,
    pub(crate) create_if_missing: bool,
    pub(crate) durability: Durability,
    pub(crate) separation_threshold: usize,
    pub(crate) max_space_amplification: f64,
    pub(crate) ttl: Option<Duration>,
    pub(crate) memtable_bytes: usize,
    pub(crate) max_immutable_memtables: usize,
    pub(crate) cache_bytes: usize,
    pub(crate) mapped_reads: bool,
    pub(crate) mapped_log: bool,
    pub(crate) verify_always: bool,
    pub(crate) verify_at_open: bool,
    pub(crate) table_bytes: u64,
    pub(crate) block_bytes: usize,
    pub(crate) restart_interval: usize,
    pub(crate) filter_bits_per_key: usize,
    pub(crate) point_index: bool,
    pub(crate) compression: [Compression; LEVELS],
    pub(crate) level_base_bytes: u64,
    pub(crate) level_fanout: u64,
    pub(crate) l0_compaction_tables: usize,
    pub(crate) l0_slowdown_tables: usize,
    pub(crate) l0_stop_tables: usize,
    pub(crate) compaction_debt_slowdown_bytes: u64,
    pub(crate) compaction_debt_stop_bytes: u64,
    pub(crate) compaction_threads: usize,
    pub(crate) subcompactions: usize,
    pub(crate) slowdown_bytes_per_second: u64,
    pub(crate) merge_for_scans: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            env: Env::disk(),
            name: String::new(),
            instrumentation: Instrumentation::default(),
            slow_threshold: Duration::from_millis(10),
            create_if_missing: true,
            durability: Durability::Os,
            separation_threshold: 4 << 10,
            max_space_amplification: 1.5,
            ttl: None,
            memtable_bytes: 64 << 20,
            max_immutable_memtables: 2,
            cache_bytes: 64 << 20,
            mapped_reads: true,
            mapped_log: true,
            verify_always: false,
            verify_at_open: false,
            table_bytes: 64 << 20,
            block_bytes: 4 << 10,
            restart_interval: 8,
            filter_bits_per_key: 10,
            point_index: true,
            compression: compression_below(2),
            level_base_bytes: 256 << 20,
            level_fanout: 10,
            l0_compaction_tables: 4,
            l0_slowdown_tables: 12,
            l0_stop_tables: 20,
            compaction_debt_slowdown_bytes: 64 << 30,
            compaction_debt_stop_bytes: 256 << 30,
            compaction_threads: default_compaction_threads(),
            subcompactions: 2,
            slowdown_bytes_per_second: 32 << 20,
            merge_for_scans: true,
        }
    }
}

fn compression_below(first: usize) -> [Compression; LEVELS] {
    std::array::from_fn(|level| if level < first { Compression::None } else { Compression::Lz4 })
}

fn default_compaction_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    cores.saturating_sub(1).clamp(1, 4)
}

macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty;)*) => {
        impl Options {
            $($(#[$doc])*
            #[must_use]
            pub fn $field(mut self, $field: $type) -> Options {
                self.$field = $field;
                self
            })*
        }
    };
}

// Behaviour.
setters! {
    /// The machine to run on: [`Env::disk`] (default), or a simulated one in tests.
    env: Env;
    /// Whether opening a directory without a database makes one. Default: true. With false a mistyped path is an error.
    create_if_missing: bool;
    /// The durability of writes that ask for none. Default: [`Durability::Os`].
    durability: Durability;
    /// How long values live that are written without a `ttl` of their own. Default: `None`, for ever. See [`WriteOptions::ttl`].
    ttl: Option<Duration>;
    /// How much is counted and timed: see [`Instrumentation`]. Default: `Sampled`; `docs/benchmarks.md` says what each costs.
    /// More shows more of fast operations, less costs less. Can be changed while the database is open, through
    /// [`Registry::set_level`](bettong_metrics::Registry::set_level) of [`Db::metrics`](crate::Db::metrics).
    instrumentation: Instrumentation;
    /// From how long on an operation is counted as slow and kept, with its stages, among the newest 128. Default: 10 ms.
    slow_threshold: Duration;
    /// Whether table files are read through memory mappings (default) or with `pread` into the block cache. Mappings make
    /// reads shorter by a copy and a system call; without them a disk that fails under a mapped page gives a typed error
    /// instead of SIGBUS.
    mapped_reads: bool;
    /// Whether the log is written through a memory mapping, which saves a system call for each write that is not synced, where the file system keeps
    /// the room that is reserved for a file: ext4 and tmpfs. Elsewhere, and with false, each write is a call. Default: true. What is written is as
    /// safe either way. On a failing disk a mapped log can end the process with SIGBUS, where a call would return an error.
    mapped_log: bool;
    /// Whether a mapped block's checksum is verified at every read instead of at its first. Default: false. Costs about
    /// 0.3 µs per block of 4 KiB.
    verify_always: bool;
    /// Whether opening reads all tables and separated values, as [`Db::verify`](crate::Db::verify) does, and fails with the first fault.
    /// Default: false, what is damaged is found when it is read. Takes as long as reading the whole database.
    verify_at_open: bool;
}

// Performance.
setters! {
    /// Values of this many bytes and more are written once, into the log, and stay there: memtables and tables hold pointers.
    /// Default 4 KiB; 0 separates every value, `usize::MAX` none. Can be changed from one open to the next: values that are
    /// there stay where they are. Smaller: less is rewritten by compaction; larger: fewer reads per value, and values
    /// compress with their blocks.
    separation_threshold: usize;
    /// The most disk that may be used for each byte that is live, where separated values are what takes it. Default 1.5,
    /// from 1.1 to 100. Garbage in value files is collected in time to stay below (from 0.65 of the way on), and writes slow down
    /// (0.8) and wait (0.9) where collection cannot keep up. Where it is the removal of files that cannot, writes only slow down; files
    /// that a reader holds do not count, nor those that cannot be removed. A database of less than four log segments may take up to two
    /// segments more, and garbage of less than a segment is left alone.
    /// Smaller: less disk; larger: fewer values are moved.
    max_space_amplification: f64;
    /// Bytes of one memtable, beside which its hash index takes a twelfth more; it is also the size of a commit log segment. Default 64 MiB,
    /// from 4 KiB to 4 GiB. Larger: fewer, larger flushes and less compaction; more memory and a longer replay after a crash. From 16 MiB on
    /// memory is taken in huge pages where the system gives them, and up to 16 MiB ahead of what is written, once many entries come.
    memtable_bytes: usize;
    /// Full memtables that may wait for their flush before writes stop. Default 2, from 1 to 16. Larger: longer bursts at
    /// full speed, more memory (`memtable_bytes` each).
    max_immutable_memtables: usize;
    /// Bytes of the block cache, which holds decompressed blocks (and, without mapped reads, all blocks). Default 64 MiB, 0 switches it off.
    cache_bytes: usize;
    /// The size at which compaction begins a new table. Default 64 MiB, from 4 KiB to 4 GiB. Smaller: finer compactions, more files.
    table_bytes: u64;
    /// Bytes of a table's data block before compression. Default 4 KiB, from 128 B to 1 MiB. Larger: a smaller index and better
    /// compression; more to search and to read for one key.
    block_bytes: usize;
    /// Entries between two whole keys in a block, at most: keys are whole wherever leaving out what they share would save less than an eighth of
    /// the entry. Default 8, from 1 to 128. Smaller: faster look-ups; larger: smaller blocks where keys share prefixes.
    restart_interval: usize;
    /// Filter bits a key. Default 10 (about 1 % false positives), from 0 (no filter) to 32. Where a table has a point index that is mapped, gets ask
    /// that instead.
    filter_bits_per_key: usize;
    /// Whether tables have a point index, which leads from the hash of a key to its entry. Default: true. It takes about 8 bytes a key in the
    /// file, and a get finds its entry with one look at it; without, filter and index take less, and a get searches. Used with mapped reads. Switch it
    /// off where even the indexes of all data are larger than memory. A table of more than 256 MiB, uncompressed, has none.
    point_index: bool;
    /// Compression by level. Default: none on L0 and L1, where data stays briefly, LZ4 below.
    compression: [Compression; LEVELS];
    /// Bytes of the first level below L0 that holds data. Default 256 MiB, at least 4 KiB. The levels below it are each
    /// `level_fanout` times larger; their sizes follow the size of the last one, so that at most about a ninth of the tree
    /// is above it.
    level_base_bytes: u64;
    /// How many times larger each level is than the one above. Default 10, from 2 to 100. Larger: fewer levels to read, more bytes rewritten.
    level_fanout: u64;
    /// Tables in L0 that start a compaction. Default 4, from 1.
    l0_compaction_tables: usize;
    /// Tables in L0 from which on writes are slowed down. Default 12, at least `l0_compaction_tables`.
    l0_slowdown_tables: usize;
    /// Tables in L0 at which writes stop until there are fewer. Default 20, more than `l0_slowdown_tables`.
    l0_stop_tables: usize;
    /// Bytes waiting for compaction from which on writes are slowed down. Default 64 GiB.
    compaction_debt_slowdown_bytes: u64;
    /// Bytes waiting for compaction at which writes stop. Default 256 GiB, more than the slowdown.
    compaction_debt_stop_bytes: u64;
    /// Threads for compaction, apart from the one for flushes. Default: cores − 1, at most 4 and at least 1.
    compaction_threads: usize;
    /// Parts that a large compaction is split into, each but the first on a further thread while it lasts. Default 2, from 1 to 16. Larger: the merges
    /// that writers wait for end sooner, where there are cores for them.
    subcompactions: usize;
    /// The rate at which writes are let through when a slowdown begins; it falls towards a tenth as the stop comes nearer. Default 32 MiB/s.
    slowdown_bytes_per_second: u64;
    /// Whether tables are merged for scans, too. Default `true`: when scans have lost as much time to meeting several sorted runs as it takes to make
    /// fewer of them, they are merged. A database that is not scanned is not written more for it.
    merge_for_scans: bool;
}

impl Options {
    /// The database's name in metrics (label `db`). Default: the last part of its path.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Options {
        self.name = name.into();
        self
    }

    /// Default options with every write synced.
    pub fn durable() -> Options {
        Options::default().durability(Durability::Sync)
    }

    /// Default options for those who trust neither disk nor memory: every write is synced, everything is checked when the database
    /// is opened, and checksums are verified whenever something is read. Files are read and written with system calls, so that a disk that fails under
    /// a page is a typed error and not SIGBUS, and no block is cached, so that no bit can flip in one. (That compaction checks the order
    /// of what it merges, and every read of a value its key, is so with any options.) Reads cost several times as much.
    pub fn paranoid() -> Options {
        Options::durable()
            .mapped_reads(false)
            .mapped_log(false)
            .cache_bytes(0)
            .verify_always(true)
            .verify_at_open(true)
    }

    /// Default options within about 32 MiB of memory, of which 2 MiB are for each table that is being written.
    pub fn low_memory() -> Options {
        Options::default()
            .memtable_bytes(4 << 20)
            .cache_bytes(8 << 20)
            .table_bytes(16 << 20)
            .level_base_bytes(64 << 20)
    }

    /// Options for loading much data at once: large memtables, unsynced writes, late compaction.
    pub fn bulk_load() -> Options {
        Options::default()
            .durability(Durability::None)
            .memtable_bytes(256 << 20)
            .l0_compaction_tables(8)
            .l0_slowdown_tables(32)
            .l0_stop_tables(48)
    }

    /// The size that a log segment is given, and that it is closed at: the log of a full memtable is about as long as the memtable,
    /// unless values stay in the log.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.memtable_bytes as u64 + (self.memtable_bytes as u64 / 8).clamp(4 << 10, 1 << 20)
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`Error::InvalidOptions`] with all faults at once.
    pub fn validate(&self) -> Result<()> {
        let mut faults = Vec::new();
        let mut range = |name: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                faults.push(format!("{name} is {value}, must be from {low} to {high}"));
            }
        };
        range("memtable_bytes", self.memtable_bytes as u64, 4 << 10, 4 << 30);
        range("max_immutable_memtables", self.max_immutable_memtables as u64, 1, 16);
        range("cache_bytes", self.cache_bytes as u64, 0, 1 << 44);
        range("table_bytes", self.table_bytes, 4 << 10, 4 << 30);
        range("block_bytes", self.block_bytes as u64, 128, 1 << 20);
        range("restart_interval", self.restart_interval as u64, 1, 128);
        range("filter_bits_per_key", self.filter_bits_per_key as u64, 0, 32);
        range("level_base_bytes", self.level_base_bytes, 4 << 10, 1 << 44);
        range("level_fanout", self.level_fanout, 2, 100);
        range("compaction_threads", self.compaction_threads as u64, 1, 64);
        range("subcompactions", self.subcompactions as u64, 1, 16);
        range("slowdown_bytes_per_second", self.slowdown_bytes_per_second, 1 << 10, 1 << 40);
        range("l0_compaction_tables", self.l0_compaction_tables as u64, 1, 1000);
        let amplification = self.max_space_amplification;
        let (least, most) = (self.l0_compaction_tables as u64, 10_000);
        range("l0_slowdown_tables", self.l0_slowdown_tables as u64, least, most);
        range("l0_stop_tables", self.l0_stop_tables as u64, self.l0_slowdown_tables as u64 + 1, most + 1);
        let debt = self.compaction_debt_slowdown_bytes;
        range(
            "compaction_debt_stop_bytes",
            self.compaction_debt_stop_bytes,
            debt.saturating_add(1),
            u64::MAX,
        );
        if !(1.1..=100.0).contains(&amplification) {
            faults.push(format!("max_space_amplification is {amplification}, must be from 1.1 to 100"));
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::InvalidOptions(faults)) }
    }

    /// The options for whoever looks at the metrics.
    pub(crate) fn states(&self) -> Vec<OptionState> {
        let pairs = self.describe().into_iter().zip(Options::default().describe());
        pairs.map(|((name, value), (_, default))| OptionState { name, value, default }).collect()
    }

    /// The options as names and values, for whoever looks at them: no file of the directory records them.
    pub(crate) fn describe(&self) -> Vec<(String, String)> {
        let pairs: [(&str, &dyn fmt::Debug); 32] = [
            ("name", &self.name),
            ("instrumentation", &self.instrumentation),
            ("slow_threshold", &self.slow_threshold),
            ("create_if_missing", &self.create_if_missing),
            ("durability", &self.durability),
            ("separation_threshold", &self.separation_threshold),
            ("max_space_amplification", &self.max_space_amplification),
            ("ttl", &self.ttl),
            ("memtable_bytes", &self.memtable_bytes),
            ("max_immutable_memtables", &self.max_immutable_memtables),
            ("cache_bytes", &self.cache_bytes),
            ("mapped_reads", &self.mapped_reads),
            ("mapped_log", &self.mapped_log),
            ("verify_always", &self.verify_always),
            ("verify_at_open", &self.verify_at_open),
            ("table_bytes", &self.table_bytes),
            ("block_bytes", &self.block_bytes),
            ("restart_interval", &self.restart_interval),
            ("filter_bits_per_key", &self.filter_bits_per_key),
            ("point_index", &self.point_index),
            ("compression", &self.compression),
            ("level_base_bytes", &self.level_base_bytes),
            ("level_fanout", &self.level_fanout),
            ("l0_compaction_tables", &self.l0_compaction_tables),
            ("l0_slowdown_tables", &self.l0_slowdown_tables),
            ("l0_stop_tables", &self.l0_stop_tables),
            ("compaction_debt_slowdown_bytes", &self.compaction_debt_slowdown_bytes),
            ("compaction_debt_stop_bytes", &self.compaction_debt_stop_bytes),
            ("compaction_threads", &self.compaction_threads),
            ("subcompactions", &self.subcompactions),
            ("slowdown_bytes_per_second", &self.slowdown_bytes_per_second),
            ("merge_for_scans", &self.merge_for_scans),
        ];
        pairs.iter().map(|(name, value)| ((*name).to_owned(), format!("{value:?}"))).collect()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.describe()).finish()
    }
}

/// What a single write asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    pub(crate) durability: Option<Durability>,
    pub(crate) ttl: Option<Duration>,
}

impl WriteOptions {
    /// Nothing but the defaults of the database.
    pub fn new() -> WriteOptions {
        WriteOptions::default()
    }

    /// The durability of this write.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> WriteOptions {
        self.durability = Some(durability);
        self
    }

    /// How long the values of this write live: from then on they are as if deleted. Their space comes back with compaction.
    ///
    /// The time counts from the write, by a clock that never goes back: where the system's is set back, it goes on from
    /// where it was. A time that does not fit (beyond the year 2554) is for ever. Snapshots and scans see values that were there when
    /// they were taken.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> WriteOptions {
        self.ttl = Some(ttl);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_valid() {
        for options in [Options::default(), Options::durable(), Options::low_memory(), Options::bulk_load()] {
            options.validate().unwrap();
        }
    }

    #[test]
    fn what_is_set_to_another_value_is_told_from_defaults() {
        let set = |options: Options| {
            let states = options.states();
            let set = states.into_iter().filter(|state| state.source() == "set");
            set.map(|OptionState { name, value, default }| format!("{name} {value} {default}"))
                .collect::<Vec<_>>()
        };
        assert!(set(Options::default().cache_bytes(64 << 20)).is_empty());
        assert_eq!(
            set(Options::default()
                .cache_bytes(0)
                .durability(Durability::Sync)
                .ttl(Some(Duration::from_secs(60)))),
            ["durability Sync Os", "ttl Some(60s) None", "cache_bytes 0 67108864"]
        );
        assert_eq!(Options::default().states().len(), Options::default().describe().len());
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let options = Options::default().memtable_bytes(1).block_bytes(1).level_fanout(1).l0_stop_tables(3);
        let Err(Error::InvalidOptions(faults)) = options.validate() else {
            panic!("the options are invalid")
        };
        for name in ["memtable_bytes", "block_bytes", "level_fanout", "l0_stop_tables"] {
            assert!(faults.iter().any(|fault| fault.starts_with(name)), "{name}: {faults:?}");
        }
        assert_eq!(faults.len(), 4);
    }
}
