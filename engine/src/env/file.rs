//! What the engine asks of a file system, and the loops that make short and interrupted calls whole.

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::value::Owner;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The file's name; names that are not UTF-8 are left out of listings, they are never ours.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// The room on a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What an unprivileged process may still use.
    pub free: u64,
    /// The size of the file system.
    pub capacity: u64,
}

/// Files by path. Durability is POSIX's: a file's bytes are safe after [`File::sync`], its name after
/// [`FileSystem::sync_dir`].
pub trait FileSystem: Send + Sync + std::fmt::Debug {
    /// Makes a directory and its parents; one that exists is fine.
    ///
    /// # Errors
    /// As the operating system says; so for every method below.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// The regular files in a directory.
    ///
    /// # Errors
    /// See above.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Opens a file for reading and writing, made empty.
    ///
    /// # Errors
    /// See above.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens a file that exists, for writing too when asked.
    ///
    /// # Errors
    /// See above.
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>>;
    /// Renames within a directory, replacing the target atomically.
    ///
    /// # Errors
    /// See above.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// See above.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    ///
    /// # Errors
    /// See above.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on a file, making the file if need be, without changing its bytes.
    ///
    /// # Errors
    /// See above; `WouldBlock` when somebody holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
    /// Takes the lock on a file in the way that others may take it, too, but nobody as [`FileSystem::lock`] does.
    ///
    /// # Errors
    /// See above; `WouldBlock` when somebody holds it for himself.
    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
    /// A process that holds the lock on `path`, where the platform tells.
    fn lock_holder(&self, path: &Path) -> Option<u32>;
    /// The length of a file that may not be open.
    ///
    /// # Errors
    /// See above.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// The room on the file system of `path`; an error where it has no limit.
    ///
    /// # Errors
    /// See above.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// A number that no other call ever returns (with the odds of 64 random bits).
    fn unique_id(&self) -> u64;
}

/// A lock; released when dropped, or when the process dies.
pub trait Lock: Send + Sync + std::fmt::Debug {}

/// An open file. Reads and writes name their offset, so threads share a handle freely.
#[expect(clippy::len_without_is_empty, reason = "nobody asks a file whether it is empty")]
pub trait File: Send + Sync + std::fmt::Debug {
    /// Reads up to `buf.len()` bytes; 0 is the end of the file.
    ///
    /// # Errors
    /// As the operating system says; so for every method below.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes up to `buf.len()` bytes, growing the file where needed.
    ///
    /// # Errors
    /// See above.
    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<usize>;
    /// Makes all bytes (and the length) durable.
    ///
    /// # Errors
    /// See above. After a failure the bytes may be lost for good even if a later call succeeds: never try again.
    fn sync(&self) -> io::Result<()>;
    /// Begins to bring the bytes of a range to the device, so that a later [`File::sync`] finds little left to do. A hint: it makes
    /// nothing durable and may do nothing.
    fn start_write_back(&self, _offset: u64, _len: u64) {}
    /// Has the system make room in its cache for a range that is about to be written, so that whoever writes it has not to. A hint.
    fn prepare_cache(&self, _offset: u64, _len: u64) {}
    /// The length in bytes.
    ///
    /// # Errors
    /// See above.
    fn len(&self) -> io::Result<u64>;
    /// Reserves room so that the file has at least `len` bytes, zeros where nothing was written. A file system that
    /// cannot reserve does nothing.
    ///
    /// # Errors
    /// See above.
    fn preallocate(&self, len: u64) -> io::Result<()>;
    /// Gives back what lies behind the first `len` bytes.
    ///
    /// # Errors
    /// See above.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Maps the first `len` bytes for reading. The file must be sealed: nobody writes or truncates it while mapped.
    ///
    /// # Errors
    /// See above.
    fn map(&self, len: u64) -> io::Result<Mapping>;
    /// Maps the first `len` bytes for writing; `None` where stores could then end in SIGBUS, since the file system does not promise the
    /// room that was reserved, and where files are not mapped for writing at all.
    ///
    /// # Errors
    /// See above.
    fn map_for_writing(&self, _len: u64) -> io::Result<Option<WriteMapping>> {
        Ok(None)
    }
}

/// The reserved room of a file, as memory: what is stored is with the operating system, as if it had been written, without a system call.
#[derive(Debug)]
pub struct WriteMapping(memmap2::MmapRaw);

impl WriteMapping {
    pub(crate) fn new(map: memmap2::MmapRaw) -> WriteMapping {
        WriteMapping(map)
    }

    /// Stores bytes; `false` if they do not lie within what is mapped.
    #[inline]
    pub(crate) fn store(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let end = offset.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.0.len() as u64) {
            return false;
        }
        // SAFETY: the range lies in the mapping.
        let place = unsafe { self.0.as_mut_ptr().add(offset as usize) };
        // SAFETY: nobody has a reference into the mapping: others read the file through the system.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        true
    }
}

/// The bytes of a sealed file, mapped (or, in simulation, copied).
pub struct Mapping(MappingRepr);

enum MappingRepr {
    Mapped(memmap2::Mmap),
    Owned(Box<[u8]>),
}

impl Mapping {
    pub(crate) fn mapped(map: memmap2::Mmap) -> Mapping {
        Mapping(MappingRepr::Mapped(map))
    }

    pub(crate) fn owned(bytes: Vec<u8>) -> Mapping {
        Mapping(MappingRepr::Owned(bytes.into_boxed_slice()))
    }
}

impl Mapping {
    /// Asks the system to read a part ahead. A hint: nothing depends on it.
    pub(crate) fn will_need(&self, range: std::ops::Range<usize>) {
        /// Linux reads no more than one request of the disk for each call: often 128 KiB, or some more.
        const AT_ONCE: usize = 128 << 10;
        if let MappingRepr::Mapped(map) = &self.0 {
            for from in range.clone().step_by(AT_ONCE) {
                let len = AT_ONCE.min(range.end - from);
                map.advise_range(memmap2::Advice::WillNeed, from, len).ok();
            }
        }
    }
}

impl Owner for Mapping {}

impl Deref for Mapping {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            MappingRepr::Mapped(map) => map,
            MappingRepr::Owned(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mapping({} bytes)", self.len())
    }
}

/// Fills `buf` from `offset` on; an early end is `UnexpectedEof`. After an interruption it can be called again.
pub(crate) fn read_exact_at(file: &dyn File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        let n = file.read_at(offset, buf)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset += n as u64;
        buf = buf.get_mut(n..).ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(())
}

/// Writes all of `buf` at `offset`. After an interruption it can be called again.
pub(crate) fn write_all_at(file: &dyn File, mut offset: u64, mut buf: &[u8]) -> io::Result<()> {
    while !buf.is_empty() {
        let n = file.write_at(offset, buf)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        offset += n as u64;
        buf = buf.get(n..).ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(())
}

/// Interruptions in a row after which a call is given up: no signals come that fast, something else is wrong.
const INTERRUPTIONS_MAX: u32 = 1_000;

/// Repeats a call that a signal interrupts.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..INTERRUPTIONS_MAX {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
    call()
}
