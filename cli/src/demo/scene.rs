//! What the load is like: scenes that make different parts of the engine work, or wait.
//!
//! Each brings about what it is named for by what it does, with options that let it show within seconds; nothing is feigned.

use bettong::env::Env;
use bettong::{Durability, Options};
use clap::ValueEnum;
use std::time::Duration;

use super::slow_disk::SlowDisk;

/// What happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Scene {
    /// Sets, gets, deletes, scans and batches, with values from tens of bytes to 16 KiB
    #[default]
    Steady,
    /// Three seconds at full speed, six at little
    Burst,
    /// More writes than one compaction can keep up with: level 0 fills, and writes wait
    Stall,
    /// Large values written over and over: the value log fills with garbage and is collected
    Churn,
    /// Nearly all operations on few keys
    Skew,
    /// Scans, from a cache that is too small, while a snapshot is held
    ScanStorm,
    /// A disk that is slow to write and to sync, under writes that wait for it
    SlowDisk,
}

/// Of a hundred operations: gets, gets of keys that are not there, sets, deletes, scans, scans backwards, batches.
pub(super) type Shares = [u64; 7];

/// A part of a hundred values, and from how many bytes to how many.
pub(super) type Sizes = &'static [(u64, u64, u64)];

/// Keys that nearly everything is about in the scene of that name.
pub(super) const HOT_KEYS: u64 = 64;

/// The phases of a burst.
const LOUD: Duration = Duration::from_secs(3);
const QUIET: Duration = Duration::from_secs(6);
/// Operations a second between bursts.
const QUIET_RATE: u64 = 2_000;

impl Scene {
    /// The options of the database. Memtables and tables are small, so that something is to be seen within seconds.
    pub(super) fn options(self) -> Options {
        let options = Options::default()
            .name("demo")
            .memtable_bytes(16 << 20)
            .table_bytes(8 << 20)
            .level_base_bytes(64 << 20);
        match self {
            Self::Steady | Self::Burst | Self::Skew => options,
            Self::Stall => options
                .memtable_bytes(4 << 20)
                .table_bytes(4 << 20)
                .level_base_bytes(16 << 20)
                .compaction_threads(1)
                .subcompactions(1)
                .l0_slowdown_tables(6)
                .l0_stop_tables(8)
                .slowdown_bytes_per_second(8 << 20),
            Self::Churn => options.separation_threshold(1 << 10).max_space_amplification(1.3),
            Self::ScanStorm => options.mapped_reads(false).cache_bytes(8 << 20),
            Self::SlowDisk => options
                .env(Env::disk().with_files(SlowDisk::over))
                .durability(Durability::Sync)
                .memtable_bytes(1 << 20)
                .table_bytes(1 << 20)
                .level_base_bytes(8 << 20)
                .mapped_log(false),
        }
    }

    pub(super) fn shares(self) -> Shares {
        match self {
            Self::Steady | Self::Burst => [36, 9, 32, 7, 6, 2, 8],
            Self::Stall => [4, 1, 70, 5, 0, 0, 20],
            Self::Churn => [20, 2, 60, 10, 2, 0, 6],
            Self::Skew => [70, 2, 22, 2, 2, 0, 2],
            Self::ScanStorm => [10, 5, 18, 2, 45, 15, 5],
            Self::SlowDisk => [30, 5, 45, 5, 5, 0, 10],
        }
    }

    /// How large values are; the parts come to a hundred.
    pub(super) fn sizes(self) -> Sizes {
        match self {
            Self::Stall => &[(100, 512, 2 << 10)],
            Self::Churn => &[(20, 64, 512), (80, 2 << 10, 12 << 10)],
            Self::ScanStorm => &[(100, 128, 1 << 10)],
            _ => &[(60, 24, 128), (28, 128, 1 << 10), (10, 1 << 10, 4 << 10), (2, 4 << 10, 16 << 10)],
        }
    }

    /// Of a hundred operations those that are about a hot key.
    pub(super) fn hot_share(self) -> u64 {
        if self == Self::Skew { 95 } else { 0 }
    }

    /// How long a snapshot is held before another takes its place, if one is.
    pub(super) fn holds(self) -> Option<Duration> {
        (self == Self::ScanStorm).then_some(Duration::from_secs(20))
    }

    /// Threads unless it is said how many, on a machine with so many processors.
    pub(super) fn threads(self, cores: u64) -> u64 {
        // Those that wait for the disk need no processor.
        if self == Self::SlowDisk { 8 } else { cores.clamp(2, 4) }
    }

    /// Operations a second at this time, `None` for as many as possible.
    pub(super) fn rate(self, asked: Option<u64>, elapsed: Duration) -> Option<u64> {
        let is_quiet = elapsed.as_millis() % (LOUD + QUIET).as_millis() >= LOUD.as_millis();
        if self == Self::Burst && is_quiet {
            return Some(asked.map_or(QUIET_RATE, |rate| rate.min(QUIET_RATE)));
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_sizes_come_to_a_hundred_and_options_are_valid() {
        for scene in Scene::value_variants() {
            assert_eq!(scene.shares().iter().sum::<u64>(), 100, "{scene:?}");
            assert_eq!(scene.sizes().iter().map(|(share, ..)| share).sum::<u64>(), 100, "{scene:?}");
            assert!(scene.sizes().iter().all(|(_, least, most)| least < most), "{scene:?}");
            scene.options().validate().unwrap();
        }
    }

    #[test]
    fn a_burst_is_loud_and_then_quiet() {
        let at = |seconds| Scene::Burst.rate(None, Duration::from_secs(seconds));
        assert_eq!([at(0), at(2), at(3), at(8), at(9)], [None, None, Some(2_000), Some(2_000), None]);
        assert_eq!(Scene::Steady.rate(Some(7), Duration::from_secs(4)), Some(7));
    }
}
