//! The real machine: files, clocks, threads.
#![expect(
    clippy::disallowed_methods,
    reason = "this file is the wall's gate: the machine is reached here and nowhere else"
)]

use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bettong_metrics::planted;

use super::Clock;
use super::file::{DirEntry, File, FileSystem, Lock, Mapping, Space, WriteMapping};
use crate::sync::{Builder, JoinHandle};

#[derive(Debug)]
pub(super) struct RealDisk;

impl FileSystem for RealDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                entries.push(DirEntry { name, len: meta.len() });
            }
        }
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Arc::new(RealFile::new(options.open(path)?)))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(write);
        Ok(Arc::new(RealFile::new(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        RealLock::take(options.open(path)?, libc::LOCK_EX)
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        // A file system that is mounted for reading has no writers that a lock would keep out.
        RealLock::take(fs::File::open(path)?, libc::LOCK_SH)
    }

    fn lock_holder(&self, path: &Path) -> Option<u32> {
        let inode = fs::metadata(path).ok()?.ino().to_string();
        let locks = fs::read_to_string("/proc/locks").ok()?;
        locks.lines().find_map(|line| {
            // "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"
            let fields: Vec<&str> = line.split_whitespace().collect();
            let holds = fields.get(1) == Some(&"FLOCK") && fields.get(5)?.rsplit(':').next() == Some(&inode);
            if holds { fields.get(4)?.parse().ok() } else { None }
        })
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: all-zero bytes are a valid statvfs, a struct of integers.
        let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: `path` ends in NUL and `stat` is a statvfs to write to.
        if unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Space { free: stat.f_bavail * stat.f_frsize, capacity: stat.f_blocks * stat.f_frsize })
    }

    fn unique_id(&self) -> u64 {
        // The standard library seeds each of these from the operating system's randomness.
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_u64(RealClock::new().unix_nanos());
        hasher.write_u32(std::process::id());
        hasher.finish()
    }
}

/// Holds the descriptor whose lock it is.
#[derive(Debug)]
struct RealLock(#[expect(dead_code, reason = "held for its lock")] fs::File);
impl Lock for RealLock {}

impl RealLock {
    fn take(file: fs::File, how: libc::c_int) -> io::Result<Box<dyn Lock>> {
        // flock, not fcntl: it belongs to the open file, so a second open in the same process is refused as well.
        // SAFETY: the descriptor is open for as long as `file` lives.
        let taken = unsafe { libc::flock(file.as_raw_fd(), how | libc::LOCK_NB) };
        if taken != 0 && !planted("lock_not_taken") {
            return Err(io::Error::last_os_error());
        }
        Ok(Box::new(RealLock(file)))
    }
}

#[derive(Debug)]
struct RealFile {
    file: fs::File,
    /// Bytes from the front that the file system has reserved.
    reserved: AtomicU64,
}

impl RealFile {
    fn new(file: fs::File) -> RealFile {
        RealFile { file, reserved: AtomicU64::new(0) }
    }

    /// Whether the file system keeps reserved room for what is written there first, and for what overwrites it: those that write every
    /// block to a new place, those that only look whether there is room, and those whose files can share blocks (XFS: whoever copies
    /// the directory with `cp` makes the next store want a block that may not be there) do not.
    fn keeps_reserved_room(&self) -> bool {
        const EXT: libc::c_long = 0xef53;
        const TMPFS: libc::c_long = 0x0102_1994;
        // SAFETY: all-zero bytes are a valid statfs, a struct of integers.
        let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open for as long as `self` lives, and `stat` is a statfs to write to.
        let told = unsafe { libc::fstatfs(self.file.as_raw_fd(), &raw mut stat) };
        told == 0 && [EXT, TMPFS].contains(&libc::c_long::from(stat.f_type))
    }
}

impl File for RealFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(&self.file, buf, offset)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<usize> {
        FileExt::write_at(&self.file, buf, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync writes the length too whenever it is needed to read the bytes back.
        self.file.sync_data()
    }

    fn start_write_back(&self, offset: u64, len: u64) {
        let (Ok(offset), Ok(len)) = (i64::try_from(offset), i64::try_from(len)) else { return };
        // An error is none of a hint's business: what cannot be written will be told to whoever syncs.
        // SAFETY: the descriptor is open for as long as `self` lives.
        _ = unsafe { libc::sync_file_range(self.file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
    }

    fn prepare_cache(&self, offset: u64, len: u64) {
        // By touching it, not by `posix_fadvise`, which fills the cache page by page: a store into a page of a large folio maps all of
        // it, and there is one fault for five pages or more.
        let map = memmap2::MmapOptions::new().offset(offset).len(len as usize).map_raw_read_only(&self.file);
        _ = map.and_then(|map| map.advise(memmap2::Advice::PopulateRead));
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn preallocate(&self, bytes: u64) -> io::Result<()> {
        let len = i64::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
        // SAFETY: the descriptor is open for as long as `self` lives.
        if unsafe { libc::fallocate(self.file.as_raw_fd(), 0, 0, len) } == 0 {
            self.reserved.store(bytes, Ordering::Relaxed);
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::ENOSYS) => Ok(()),
            _ => Err(error),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        if len == 0 {
            return Ok(Mapping::owned(Vec::new()));
        }
        // SAFETY: only sealed files are mapped, and the directory lock keeps other engines from changing them. A foreign
        // process that truncates one can still raise SIGBUS: `Options::mapped_reads(false)` is for who fears that.
        let map = unsafe { memmap2::MmapOptions::new().len(len as usize).map(&self.file) }?;
        // Only a hint, and only for files that do not fit memory: a failure changes nothing.
        map.advise(memmap2::Advice::Random).ok();
        Ok(Mapping::mapped(map))
    }

    fn map_for_writing(&self, len: u64) -> io::Result<Option<WriteMapping>> {
        if len > self.reserved.load(Ordering::Relaxed) || !self.keeps_reserved_room() {
            return Ok(None);
        }
        let map = memmap2::MmapOptions::new().len(len as usize).map_raw(&self.file)?;
        // Without it a store into a page that the cache does not have makes Linux read all around it: as much as the disk's
        // read-ahead says, 8 MiB on some, while the writer waits. `prepare_cache` has it done elsewhere.
        map.advise(memmap2::Advice::Random).ok();
        Ok(Some(WriteMapping::new(map)))
    }
}

/// The system's clocks.
#[derive(Debug)]
pub(super) struct RealClock(Instant);

impl RealClock {
    pub(super) fn new() -> RealClock {
        RealClock(Instant::now())
    }
}

impl Clock for RealClock {
    fn monotonic_nanos(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    fn unix_nanos(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }

    fn thread_cpu_nanos(&self) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a timespec to write to.
        let told = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        if told == 0 { time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64 } else { 0 }
    }
}

/// Starts a named thread.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(body)
}

/// Does jobs `0..count` at the same time on threads of their own and the calling one, and returns what they came to. A job is told
/// whether it is done by the caller. Where no thread can be started the caller does more of them; the panic of a job is the caller's.
pub(super) fn side_by_side<T: Send>(
    name: &str,
    count: usize,
    job: impl Fn(usize, bool) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = |here: bool| {
        let jobs = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        jobs.take_while(|at| *at < count).map(|at| (at, job(at, here))).collect::<Vec<_>>()
    };
    let mut done = std::thread::scope(|scope| {
        let start = |_| std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || work(false));
        let helpers: Vec<_> = (1..count).map_while(|at| start(at).ok()).collect();
        let mut done = work(true);
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done).collect()
}
