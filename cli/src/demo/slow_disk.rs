//! A disk that is slow to write and to sync: the real one, with waits before it answers.
//!
//! A sync takes 4 ms longer, every 64th 150 ms; what is written goes at 24 MiB a second. Reads are as fast as they are.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bettong::env::file::{DirEntry, File, FileSystem, Lock, Mapping, Space};

const SYNC: Duration = Duration::from_millis(4);
const HICCUP: Duration = Duration::from_millis(150);
const SYNCS_PER_HICCUP: u64 = 64;
const NANOS_PER_BYTE: u64 = 1_000_000_000 / (24 << 20);

/// The file system.
#[derive(Debug)]
pub(super) struct SlowDisk {
    files: Arc<dyn FileSystem>,
    syncs: Arc<AtomicU64>,
}

#[derive(Debug)]
struct SlowFile {
    file: Arc<dyn File>,
    syncs: Arc<AtomicU64>,
}

impl SlowDisk {
    /// Makes a file system slow.
    pub(super) fn over(files: Arc<dyn FileSystem>) -> Arc<dyn FileSystem> {
        Arc::new(SlowDisk { files, syncs: Arc::default() })
    }

    fn slow(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        file.map(|file| -> Arc<dyn File> { Arc::new(SlowFile { file, syncs: Arc::clone(&self.syncs) }) })
    }
}

/// A count that publishes nothing else.
fn wait_for_sync(syncs: &AtomicU64) {
    let is_hiccup = syncs.fetch_add(1, Ordering::Relaxed) % SYNCS_PER_HICCUP == SYNCS_PER_HICCUP - 1;
    thread::sleep(if is_hiccup { HICCUP } else { SYNC });
}

impl FileSystem for SlowDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.files.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.files.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.slow(self.files.create(path))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        self.slow(self.files.open(path, write))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        wait_for_sync(&self.syncs);
        self.files.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.files.lock(path)
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.files.lock_shared(path)
    }

    fn lock_holder(&self, path: &Path) -> Option<u32> {
        self.files.lock_holder(path)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.files.len(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.files.space(path)
    }

    fn unique_id(&self) -> u64 {
        self.files.unique_id()
    }
}

impl File for SlowFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<usize> {
        let bytes = self.file.write_at(offset, buf)?;
        thread::sleep(Duration::from_nanos(bytes as u64 * NANOS_PER_BYTE));
        Ok(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        wait_for_sync(&self.syncs);
        self.file.sync()
    }

    fn start_write_back(&self, offset: u64, len: u64) {
        self.file.start_write_back(offset, len);
    }

    fn prepare_cache(&self, offset: u64, len: u64) {
        self.file.prepare_cache(offset, len);
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.file.preallocate(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.file.map(len)
    }
}
