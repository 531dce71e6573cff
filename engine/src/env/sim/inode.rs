//! The bytes of one simulated file: what is there now, and what a crash would leave.

use std::collections::BTreeMap;

use super::crash::{Crash, Dice};

/// The unit a disk writes whole.
pub(super) const SECTOR_BYTES: usize = 512;
/// Versions of an unsynced sector that are remembered; a log appends to its last sector many times.
const MAX_VERSIONS: usize = 4;

type Sector = [u8; SECTOR_BYTES];

/// A file. Sectors absent from `dirty` are durable as they stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    now: Vec<u8>,
    durable_len: usize,
    /// For each sector written since the last sync: what is durable, and the versions written since, oldest first.
    dirty: BTreeMap<usize, Dirty>,
    /// For each sector whose sync failed: what is durable. Later syncs pass it over.
    dropped: BTreeMap<usize, Sector>,
}

#[derive(Clone, Debug)]
struct Dirty {
    durable: Sector,
    versions: Vec<Sector>,
}

impl Dirty {
    /// One of the versions, most likely the last.
    fn version(&self, dice: &mut Dice) -> Sector {
        let recent = dice.percent(70);
        let pick = if recent { self.versions.len() - 1 } else { dice.below(self.versions.len()) };
        self.versions.get(pick).copied().unwrap_or(self.durable)
    }

    /// Garbage wherever any version is not what is durable.
    fn garbage(&self, dice: &mut Dice) -> Sector {
        let mut sector = self.durable;
        for (at, byte) in sector.iter_mut().enumerate() {
            let durable = Some(&*byte);
            if self.versions.iter().any(|version| version.get(at) != durable) {
                *byte = dice.next() as u8;
            }
        }
        sector
    }
}

impl Inode {
    pub(super) fn len(&self) -> u64 {
        self.now.len() as u64
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.now
    }

    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> usize {
        let rest = self.now.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        n
    }

    pub(super) fn grow(&mut self, len: usize) {
        if len > self.now.len() {
            self.now.resize(len, 0);
        }
    }

    pub(super) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        self.grow(end);
        let touched = offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES);
        for at in touched.clone() {
            let durable = self.dropped.remove(&at).unwrap_or_else(|| self.sector(at));
            self.dirty.entry(at).or_insert_with(|| Dirty { durable, versions: Vec::new() });
        }
        if let Some(target) = self.now.get_mut(offset..end) {
            target.copy_from_slice(bytes);
        }
        for at in touched {
            let version = self.sector(at);
            if let Some(dirty) = self.dirty.get_mut(&at) {
                if dirty.versions.len() == MAX_VERSIONS {
                    dirty.versions.remove(MAX_VERSIONS / 2);
                }
                dirty.versions.push(version);
            }
        }
    }

    pub(super) fn truncate(&mut self) {
        self.now.clear();
        self.durable_len = 0;
        self.dirty.clear();
        self.dropped.clear();
    }

    /// Cuts the file at `len`, for good: nothing that was behind it comes back.
    pub(super) fn cut(&mut self, len: usize) {
        if len < self.now.len() {
            self.now.truncate(len);
            self.durable_len = self.durable_len.min(len);
            self.dirty.retain(|at, _| at * SECTOR_BYTES < len);
            self.dropped.retain(|at, _| at * SECTOR_BYTES < len);
        }
    }

    pub(super) fn sync(&mut self) {
        self.dirty.clear();
        self.durable_len = self.now.len();
    }

    /// A sync failed. The system shows what was written for as long as it runs and takes it for clean: no later sync writes it
    /// (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    pub(super) fn fail_sync(&mut self) {
        for (at, dirty) in std::mem::take(&mut self.dirty) {
            self.dropped.entry(at).or_insert(dirty.durable);
        }
    }

    /// Leaves what a power cut might leave: every dirty sector in one of the versions it had, or with garbage in what was written of it.
    pub(super) fn crash(&mut self, dice: &mut Dice, crash: Crash) {
        for (at, durable) in std::mem::take(&mut self.dropped) {
            let versions = vec![self.sector(at)];
            self.dirty.entry(at).or_insert(Dirty { durable, versions });
        }
        let mut kept_end = self.durable_len;
        for (at, dirty) in std::mem::take(&mut self.dirty) {
            let start = at * SECTOR_BYTES;
            let end = self.now.len().min(start + SECTOR_BYTES);
            let survives = dice.percent(crash.keep_percent);
            let is_garbage = crash.garbage_percent > 0 && dice.percent(crash.garbage_percent);
            if survives || is_garbage {
                kept_end = kept_end.max(end);
            }
            let survivor = match (is_garbage, survives) {
                (true, _) => dirty.garbage(dice),
                (false, true) => dirty.version(dice),
                (false, false) => dirty.durable,
            };
            if let (Some(target), Some(from)) = (self.now.get_mut(start..end), survivor.get(..end - start)) {
                target.copy_from_slice(from);
            }
        }
        // The length is metadata and may survive or not, but not below a sector that did.
        let len = if dice.percent(crash.keep_percent) { self.now.len() } else { kept_end };
        self.now.truncate(len);
        self.durable_len = self.now.len();
    }

    fn sector(&self, at: usize) -> Sector {
        let mut sector = [0; SECTOR_BYTES];
        let start = at * SECTOR_BYTES;
        let end = self.now.len().min(start + SECTOR_BYTES);
        if let (Some(from), Some(to)) =
            (self.now.get(start..end), sector.get_mut(..end.saturating_sub(start)))
        {
            to.copy_from_slice(from);
        }
        sector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_crash(inode: &Inode, crash: Crash) -> Vec<u8> {
        let mut left = inode.clone();
        left.crash(&mut Dice::new(1), crash);
        left.bytes().to_vec()
    }

    /// F57: the second sync of a file whose first one failed says that all is well.
    #[test]
    fn f57_what_a_failed_sync_dropped_no_later_sync_saves_until_it_is_written_again() {
        let mut inode = Inode::default();
        inode.write_at(0, &[1; 600]);
        inode.sync();
        inode.write_at(0, &[2; 100]);
        inode.fail_sync();
        inode.write_at(550, &[3; 10]);
        inode.sync();
        assert_eq!(inode.bytes().first(), Some(&2), "the system still shows it");
        let left = after_crash(&inode, Crash::new(1));
        assert_eq!((left.first(), left.get(550)), (Some(&1), Some(&3)));
        inode.write_at(0, &[4; 100]);
        inode.sync();
        assert_eq!(after_crash(&inode, Crash::new(1)).first(), Some(&4));
    }

    /// F3, F76: a sector that was being written may hold anything, but only where it was written.
    #[test]
    fn f76_garbage_takes_what_was_written_and_nothing_beside_it() {
        let mut inode = Inode::default();
        inode.write_at(0, &[1; 512]);
        inode.sync();
        inode.write_at(100, &[2; 50]);
        let left = after_crash(&inode, Crash::new(1).garbage_percent(100));
        let torn = left.get(100..150).unwrap_or_default();
        assert!(torn.iter().any(|byte| *byte > 2), "{torn:?}");
        assert!(left.iter().enumerate().all(|(at, byte)| (100..150).contains(&at) || *byte == 1));
    }
}
