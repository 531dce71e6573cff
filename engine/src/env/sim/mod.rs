//! A machine in memory: files that lose what was not synced, and operations that fail on demand.
//!
//! What survives [`SimDisk::crash`] is what POSIX promises and no more. Of each file, the 512-byte sectors written since its
//! last sync are kept or dropped one by one, in any of the versions they went through, or with garbage in what was written of them; of each directory, creations, renames
//! and removals since its last sync are kept or dropped one by one (a rename is atomic). The seed decides, so a failure
//! can be replayed. The idea is ALICE's (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014) and of the
//! simulators of `FoundationDB` and `TigerBeetle`.
//!
//! ```
//! use bettong::env::{Env, sim::SimDisk};
//! use bettong::{Db, Durability, Options, WriteOptions};
//!
//! let disk = SimDisk::new(7);
//! let db = Db::open("/db", Options::default().env(Env::sim(&disk)))?;
//! db.set_with(b"kept", b"1", WriteOptions::new().durability(Durability::Sync))?;
//! db.set(b"perhaps lost", b"2")?;
//! disk.crash(1, 0); // the power fails, and nothing that was not synced survives
//! drop(db);
//! let db = Db::open("/db", Options::default().env(Env::sim(&disk)))?;
//! assert!(db.get(b"kept")?.is_some());
//! # Ok::<(), bettong::Error>(())
//! ```

mod faults;
mod crash;
mod inode;
mod volume;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

pub use crash::Crash;
pub use faults::{Fault, IoOp, Rule};
use volume::Volume;

use super::Clock;
use super::file::{DirEntry, File, FileSystem, Lock, Mapping, Space};

/// A simulated disk and clock. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Volume>>);

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimDisk({} bytes)", self.used_bytes())
    }
}

/// The disk as one process sees it: after a crash or a kill that process is dead, and nothing it still tries happens.
#[derive(Clone, Debug)]
pub(super) struct Mounted {
    disk: SimDisk,
    life: u64,
}

impl SimDisk {
    /// An empty disk; `seed` decides the ids it hands out.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Volume::new(seed))))
    }

    /// The disk for a process that starts now.
    pub(super) fn mount(&self) -> Mounted {
        Mounted { life: self.0.lock().life, disk: self.clone() }
    }

    /// The power fails. Of what was written since the last syncs about `keep_percent` per cent survive, chosen by `seed`;
    /// what survives may include sectors as they were halfway. Files and locks held across it are dead: every
    /// operation on them fails.
    pub fn crash(&self, seed: u64, keep_percent: u32) {
        self.crash_with(Crash::new(seed).keep_percent(keep_percent));
    }

    /// The power fails, as `crash` says.
    pub fn crash_with(&self, crash: Crash) {
        self.0.lock().crash(crash);
    }

    /// The disk as [`SimDisk::crash`] would leave it, while this one goes on: many crashes of one run.
    #[must_use]
    pub fn crashed_copy(&self, seed: u64, keep_percent: u32) -> SimDisk {
        let mut copy = self.0.lock().clone();
        copy.crash(Crash::new(seed).keep_percent(keep_percent));
        SimDisk(Arc::new(Mutex::new(copy)))
    }

    /// The process dies, the machine goes on: nothing written is lost, locks are released, open files are dead.
    pub fn kill(&self) {
        self.0.lock().kill();
    }

    /// Adds a rule that makes operations fail.
    pub fn inject(&self, rule: Rule) {
        self.0.lock().faults.add(rule);
    }

    /// Makes a part of a file, by the name it has now, unreadable: every read that touches it fails with `EIO`, until
    /// [`SimDisk::heal`].
    pub fn spoil(&self, path: &Path, bytes: Range<u64>) {
        self.0.lock().faults.spoil(path, bytes);
    }

    /// Removes all rules and bad sectors, and restores power that a rule cut.
    pub fn heal(&self) {
        self.0.lock().faults.clear();
    }

    /// Whether no rule has cut the power since it was last restored.
    pub fn has_power(&self) -> bool {
        self.0.lock().faults.has_power()
    }

    /// Operations done so far: the clock by which [`Rule::nth`] counts when a rule matches everything.
    pub fn operations(&self) -> u64 {
        self.0.lock().faults.operations()
    }

    /// Limits the bytes of all files together; writes beyond it fail with `ENOSPC`.
    pub fn set_capacity(&self, bytes: u64) {
        self.0.lock().capacity = bytes;
    }

    /// The bytes of all files together.
    pub fn used_bytes(&self) -> u64 {
        self.0.lock().used_bytes()
    }

    /// Moves the clock on.
    pub fn advance(&self, nanos: u64) {
        let mut volume = self.0.lock();
        volume.nanos += nanos;
        volume.unix_nanos = volume.unix_nanos.saturating_add(nanos);
    }

    /// Sets the clock of the wall, which may go back; the monotonic one goes on as before.
    pub fn set_unix_nanos(&self, nanos: u64) {
        self.0.lock().unix_nanos = nanos;
    }

    /// What the clock of the wall shows.
    pub fn unix_nanos(&self) -> u64 {
        self.0.lock().unix_nanos
    }

    /// A file's present bytes, synced or not.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.lock().contents(path)
    }

    /// Replaces a file's bytes, durably: damage for tests. Creates the file if need be.
    pub fn overwrite(&self, path: &Path, bytes: &[u8]) {
        self.0.lock().overwrite(path, bytes);
    }

    /// Removes a file, durably.
    pub fn delete(&self, path: &Path) {
        self.0.lock().delete(path);
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().paths()
    }
}

impl Clock for Mounted {
    fn monotonic_nanos(&self) -> u64 {
        let mut volume = self.disk.0.lock();
        // Time moves a little at each look, so that nothing takes zero time.
        volume.nanos += 100;
        volume.nanos
    }

    fn unix_nanos(&self) -> u64 {
        // Looks do not move this one: files name times, and are the same however often somebody measures.
        self.disk.0.lock().unix_nanos
    }
}

impl FileSystem for Mounted {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.check(IoOp::CreateDir, dir)?.create_dir(dir);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let volume = self.check(IoOp::List, dir)?;
        volume.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut volume = self.check(IoOp::Create, path)?;
        let inode = volume.create(path)?;
        Ok(self.handle(&mut volume, inode, path))
    }

    fn open(&self, path: &Path, _write: bool) -> io::Result<Arc<dyn File>> {
        let mut volume = self.check(IoOp::Open, path)?;
        let inode = volume.find(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(&mut volume, inode, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut volume = self.check(IoOp::Rename, from)?;
        volume.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut volume = self.check(IoOp::Remove, path)?;
        volume.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut volume = self.check(IoOp::SyncDir, dir)?;
        volume.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut volume = self.check(IoOp::Lock, path)?;
        volume.take_lock(path)?;
        Ok(self.held(&volume, path))
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut volume = self.check(IoOp::Lock, path)?;
        volume.share_lock(path)?;
        Ok(self.held(&volume, path))
    }

    fn lock_holder(&self, _path: &Path) -> Option<u32> {
        Some(1)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        // For figures alone: no operation that a test could make fail.
        let mut volume = self.disk.0.lock();
        let inode = volume.find(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(volume.inode(inode)?.len())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let limited = self.disk.0.lock().capacity != u64::MAX;
        if !limited {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let volume = self.check(IoOp::Space, path)?;
        let free = volume.capacity.saturating_sub(volume.used_bytes());
        Ok(Space { free, capacity: volume.capacity })
    }

    fn unique_id(&self) -> u64 {
        self.disk.0.lock().next_id()
    }
}

impl Mounted {
    /// The volume, if the operation is let through.
    fn check(&self, op: IoOp, path: &Path) -> io::Result<MutexGuard<'_, Volume>> {
        let mut volume = self.disk.0.lock();
        if volume.life != self.life {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        volume.check(op, path)?;
        Ok(volume)
    }

    fn held(&self, volume: &Volume, path: &Path) -> Box<dyn Lock> {
        Box::new(SimLock { disk: self.disk.clone(), path: path.to_path_buf(), life: volume.life })
    }

    fn handle(&self, volume: &mut Volume, inode: u64, path: &Path) -> Arc<dyn File> {
        volume.opened(inode);
        Arc::new(SimFile { disk: self.disk.clone(), inode, path: path.to_path_buf(), life: volume.life })
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut volume = self.disk.0.lock();
        if volume.life == self.life {
            volume.release_lock(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    path: PathBuf,
    life: u64,
}

impl SimFile {
    /// Runs `body` on the inode if the operation is let through; a handle from before a crash is dead.
    fn with<T>(
        &self,
        op: IoOp,
        body: impl FnOnce(&mut Volume, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut volume = self.disk.0.lock();
        if volume.life != self.life {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let fault = volume.check(op, &self.path)?;
        body(&mut volume, fault)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut volume = self.disk.0.lock();
        if volume.life == self.life {
            volume.closed(self.inode);
        }
    }
}

impl File for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(IoOp::Read, |volume, fault| {
            volume.faults.check_sectors(&self.path, &(offset..offset + buf.len() as u64))?;
            let n = volume.inode(self.inode)?.read_at(offset, buf);
            match fault {
                Some(Fault::Short) if n > 1 => Ok(n / 2),
                Some(Fault::Flip) if n > 0 => {
                    if let Some(byte) = buf.get_mut(n / 2) {
                        *byte ^= 1 << (offset % 8);
                    }
                    Ok(n)
                }
                _ => Ok(n),
            }
        })
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<usize> {
        self.with(IoOp::Write, |volume, fault| {
            let buf = match fault {
                Some(Fault::Short) => buf.get(..buf.len().div_ceil(2)).unwrap_or(buf),
                _ => buf,
            };
            volume.write(self.inode, offset, buf)?;
            Ok(buf.len())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.with(IoOp::Sync, |volume, fault| {
            if fault != Some(Fault::Lie) {
                volume.inode(self.inode)?.sync();
            }
            Ok(())
        });
        // Neither a call that was interrupted nor a machine without power has dropped anything.
        if synced.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            let mut volume = self.disk.0.lock();
            if volume.life == self.life && volume.faults.has_power() {
                volume.inode(self.inode)?.fail_sync();
            }
        }
        synced
    }

    fn len(&self) -> io::Result<u64> {
        self.with(IoOp::Len, |volume, _| Ok(volume.inode(self.inode)?.len()))
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.with(IoOp::Preallocate, |volume, _| volume.grow(self.inode, len))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.with(IoOp::Truncate, |volume, _| {
            volume.inode(self.inode)?.cut(len as usize);
            Ok(())
        })
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.with(IoOp::Map, |volume, fault| {
            // The machine would end the process with a signal, at the first touch.
            volume.faults.check_sectors(&self.path, &(0..len))?;
            let bytes = volume.inode(self.inode)?.bytes().get(..len as usize);
            let mut bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec();
            if let (Some(Fault::Flip), Some(byte)) = (fault, bytes.get_mut(len as usize / 2)) {
                *byte ^= 1;
            }
            Ok(Mapping::owned(bytes))
        })
    }
}
