//! How much disk the values take for what is live of them, and which files are worth collecting.
//!
//! What is garbage in a value file is known exactly as soon as compaction has dropped the pointer. Until then it hides behind newer
//! entries of the same keys in upper levels. So two things bring the ceiling nearer: known garbage, which collecting the files
//! that have most of it removes, and what may be hidden, which merging the upper levels brings to light.

use std::collections::BTreeSet;
use std::sync::Arc;

use bettong_metrics::ValueFileStanding;

use super::version::{ValuesInUse, Version};
use crate::env::names::FileNumber;
use crate::options::Options;

/// Files with less garbage than this are left alone: moving nearly all of a file frees nearly nothing.
const GARBAGE_RATIO_LEAST: f64 = 1.0 / 16.0;
/// Shares of the way from 1 to the ceiling: where collection begins, where writes are slowed down, and where they stop. What is being
/// moved lies twice until it is done, and the next segment is made ahead: the last tenth is for them.
const COLLECT_AT: f64 = 0.65;
const SLOWDOWN_AT: f64 = 0.8;
const STOP_AT: f64 = 0.9;
/// A database with no live data may take so many segments beyond its ceiling, one with this many squared none.
const SLACK_SEGMENTS: u64 = 2;
/// One round moves at most this share of all values, since they lie twice until it is done.
const ROUND_SHARE: u64 = 16;

/// What decides with the tree which compaction comes next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Circumstances {
    /// What has expired by then has expired for everybody.
    pub(crate) time: u64,
    /// Bytes of logs on the disk.
    pub(crate) log_bytes: u64,
    /// What scans have lost to runs that they need not have met.
    pub(crate) scan_loss_nanos: u64,
}

/// The disk that a version takes, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Space {
    /// Tables, value files and logs.
    pub(crate) total: u64,
    /// An estimate of what would be left if all of it were compacted and collected: no less is live than the last level uses, but
    /// for what was deleted.
    pub(crate) live: u64,
    /// What upper levels may hide: what they use of the value files, for each newer value may hide an older one, and for each
    /// tombstone a value of the last level.
    pub(crate) hidden: u64,
    /// What nothing uses, in files worth collecting.
    pub(crate) garbage: u64,
    /// Value files that nothing needs any more and that have not been removed yet: most have gone at once, and on some disks they queue.
    leaving: u64,
    /// What does not count: a few segments of a small database, which has them on the disk whatever is done.
    slack: u64,
    /// Less than this is not worth any work.
    least: u64,
}

impl Space {
    pub(crate) fn of(version: &Version, log_bytes: u64, options: &Options) -> Space {
        let tables = version.bytes();
        let used: u64 = version.levels.iter().map(|level| level.value_bytes).sum();
        let last = last_level_bytes(version);
        let files: u64 = version.values.values().map(|values| values.meta.bytes).sum();
        let garbage = worth_collecting(version).map(ValuesInUse::garbage_bytes).sum();
        let deleted = hidden_by_tombstones(version).min(last);
        let (live, least) = (tables + last - deleted, options.segment_bytes());
        Space {
            total: tables + files + log_bytes,
            live,
            hidden: used - last + deleted,
            garbage,
            leaving: 0,
            slack: (SLACK_SEGMENTS * least).saturating_sub(live / SLACK_SEGMENTS),
            least,
        }
    }

    /// With the value files that wait to be removed.
    pub(crate) fn with_leaving(self, leaving: u64) -> Space {
        Space { leaving, ..self }
    }

    fn amplification(&self, leaving: u64) -> f64 {
        (self.total + leaving).saturating_sub(self.slack) as f64 / self.live.max(1) as f64
    }

    /// Whether something should be done. What leaves does so by itself.
    pub(crate) fn is_due(&self, options: &Options) -> bool {
        self.garbage + self.hidden >= self.least
            && self.amplification(0) >= at_share(options.max_space_amplification, COLLECT_AT)
    }

    /// How near the ceiling is: the amplification, where writes slow down, and where they stop.
    pub(crate) fn pressure(&self, options: &Options) -> (f64, f64, f64) {
        let most = options.max_space_amplification;
        let value = |leaving| {
            let relevant = leaving + self.garbage + self.hidden >= self.least;
            if relevant { self.amplification(leaving) } else { 0.0 }
        };
        // Some wait at any time.
        let with_leaving = value(self.leaving.saturating_sub(self.least));
        let (slowdown, stop) = (at_share(most, SLOWDOWN_AT), at_share(most, STOP_AT));
        // What leaves takes disk, but less and less of it: nobody is stopped for its sake, as when a scan of hours lets go of all it held.
        (value(0).max(with_leaving.min(stop.next_down())), slowdown, stop)
    }
}

fn at_share(most: f64, share: f64) -> f64 {
    1.0 + (most - 1.0) * share
}

/// What the lowest sorted run uses: it holds each key once.
fn last_level_bytes(version: &Version) -> u64 {
    match version.last_level() {
        Some(0) => version
            .levels
            .first()
            .map_or(0, |level| level.tables.iter().map(|table| table.meta.usage.bytes()).max().unwrap_or(0)),
        Some(last) => version.levels.get(last).map_or(0, |level| level.value_bytes),
        None => 0,
    }
}

/// The mean value of the last level for each tombstone above it.
fn hidden_by_tombstones(version: &Version) -> u64 {
    let Some((level, last)) = version.last_level().and_then(|at| Some((at, version.levels.get(at)?))) else {
        return 0;
    };
    let above: u64 = version.levels.iter().take(level).map(|level| level.tombstones).sum();
    above.saturating_mul(last.value_bytes) / last.entries.max(1)
}

fn worth_collecting(version: &Version) -> impl Iterator<Item = &ValuesInUse> {
    let worth_it =
        |values: &&ValuesInUse| !values.file.is_damaged() && values.garbage_ratio() >= GARBAGE_RATIO_LEAST;
    version.values.values().filter(worth_it)
}

/// What is to become of each value file of a version, with the candidates for collection.
pub(crate) fn standings<'a>(
    version: &'a Version,
    candidates: &'a BTreeSet<FileNumber>,
) -> impl Iterator<Item = (&'a ValuesInUse, ValueFileStanding)> {
    version.values.values().map(move |values| {
        let standing = if values.file.is_damaged() {
            ValueFileStanding::Damaged
        } else if candidates.contains(&values.file.number) {
            ValueFileStanding::Candidate
        } else if values.garbage_ratio() < GARBAGE_RATIO_LEAST {
            ValueFileStanding::Full
        } else {
            ValueFileStanding::Waiting
        };
        (values, standing)
    })
}

/// The files to collect in the next round: those with the largest share of garbage, and all of those if `thoroughly`.
pub(crate) fn candidates(
    version: &Version,
    options: &Options,
    thoroughly: bool,
) -> Arc<BTreeSet<FileNumber>> {
    let mut files: Vec<&ValuesInUse> = worth_collecting(version).collect();
    files.sort_by(|a, b| b.garbage_ratio().total_cmp(&a.garbage_ratio()));
    let all: u64 = version.values.values().map(|values| values.meta.bytes).sum();
    let round = if thoroughly { u64::MAX } else { options.segment_bytes().max(all / ROUND_SHARE) };
    let mut moved = 0;
    let chosen = files.into_iter().take_while(|values| {
        let first = moved == 0;
        moved += values.used.bytes;
        first || moved <= round
    });
    Arc::new(chosen.map(|values| values.file.number).collect())
}
