//! A database directory and its files: errors say what failed on which file, and every call is counted and timed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use bettong_metrics::{Counter, Histogram, IoFile, IoOperation, IoTimer, Recorder, planted};

use super::file::{self, File, FileSystem, Lock, Mapping, Space, WriteMapping, uninterrupted};
use super::names::FileName;
use crate::error::{Error, Result};
use crate::report::Report;

/// The directory of one database.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    files: Arc<dyn FileSystem>,
    path: Arc<Path>,
    recorder: Recorder,
    /// Set once a sync of the directory failed. The next one may well succeed without having made anything durable.
    failed: Arc<OnceLock<Arc<Error>>>,
}

impl Dir {
    pub(crate) fn new(files: Arc<dyn FileSystem>, path: &Path, recorder: &Recorder) -> Dir {
        Dir { files, path: path.into(), recorder: recorder.clone(), failed: Arc::default() }
    }

    pub(crate) fn path_of(&self, name: FileName) -> PathBuf {
        self.path.join(name.to_string())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn create_all(&self) -> Result<()> {
        uninterrupted(|| self.files.create_dir_all(&self.path))
            .map_err(|e| Error::io("create", &self.path, e))
    }

    /// Our files in the directory with their lengths; foreign files are passed over.
    pub(crate) fn list(&self) -> Result<Vec<(FileName, u64)>> {
        let entries =
            uninterrupted(|| self.files.list(&self.path)).map_err(|e| Error::io("list", &self.path, e))?;
        Ok(entries.iter().filter_map(|e| Some((FileName::parse(&e.name)?, e.len))).collect())
    }

    /// A directory in this one.
    pub(crate) fn below(&self, name: &str) -> Dir {
        Dir::new(self.files.clone(), &self.path.join(name), &self.recorder)
    }

    pub(crate) fn create(&self, name: FileName) -> Result<DataFile> {
        let path = self.path_of(name);
        match self.timed(IoOperation::Open, name).run(|| self.files.create(&path)) {
            Ok(file) => Ok(self.data_file(name, file, path)),
            Err(error) => Err(Error::io("create", &path, error)),
        }
    }

    /// Opens a file that must be there: a missing one is `Corruption`, for somebody relied on it.
    pub(crate) fn open(&self, name: FileName, write: bool) -> Result<DataFile> {
        let path = self.path_of(name);
        match self.timed(IoOperation::Open, name).run(|| self.files.open(&path, write)) {
            Ok(file) => Ok(self.data_file(name, file, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::corruption(&path, 0, "the file is missing"))
            }
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }

    fn data_file(&self, name: FileName, file: Arc<dyn File>, path: PathBuf) -> DataFile {
        DataFile {
            file,
            path: path.into(),
            recorder: self.recorder.clone(),
            kind: kind_of(name),
            untimed: Arc::default(),
        }
    }

    pub(crate) fn rename(&self, from: FileName, to: FileName) -> Result<()> {
        let (path, target) = (self.path_of(from), self.path_of(to));
        self.timed(IoOperation::Rename, from)
            .run(|| self.files.rename(&path, &target))
            .map_err(|e| Error::io("rename", &path, e))
    }

    pub(crate) fn remove(&self, name: FileName) -> Result<()> {
        let path = self.path_of(name);
        self.timed(IoOperation::Unlink, name)
            .run(|| self.files.remove(&path))
            .map_err(|e| Error::io("remove", &path, e))
    }

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], now and for ever, once it failed; [`Error::Io`] if there is no file descriptor to do it with.
    pub(crate) fn sync(&self) -> Result<()> {
        if planted("no_directory_sync") {
            return Ok(());
        }
        if let Some(failed) = self.failed.get() {
            return Err(Error::ReadOnly(failed.clone()));
        }
        sync(&self.recorder, IoFile::Directory, || self.files.sync_dir(&self.path)).map_err(|error| {
            let never_tried = lacks_descriptor(&error);
            let error = Error::io("sync directory", &self.path, error);
            if never_tried {
                return error;
            }
            Error::ReadOnly(self.failed.get_or_init(|| Arc::new(error)).clone())
        })
    }

    /// Makes the directory's own name durable, and the names above it, which may be just as new.
    pub(crate) fn sync_ancestors(&self) -> Result<()> {
        for dir in self.path.ancestors().skip(1) {
            match sync(&self.recorder, IoFile::Directory, || self.files.sync_dir(dir)) {
                // What we may not open, we have not made.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                done => done.map_err(|error| Error::io("sync directory", dir, error))?,
            }
        }
        Ok(())
    }

    pub(crate) fn lock(&self) -> Result<Box<dyn Lock>> {
        let path = self.path_of(FileName::Lock);
        match uninterrupted(|| self.files.lock(&path)) {
            Ok(lock) => Ok(lock),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let holder = self.files.lock_holder(&path);
                Err(Error::Locked { path, holder })
            }
            Err(error) => Err(Error::io("lock", &path, error)),
        }
    }

    pub(crate) fn unique_id(&self) -> u64 {
        self.files.unique_id()
    }

    /// The length of a file, 0 if it cannot be told: for figures, not for decisions.
    pub(crate) fn length_of(&self, name: FileName) -> u64 {
        self.files.len(&self.path_of(name)).unwrap_or(0)
    }

    /// The room on the file system, where it can be told.
    pub(crate) fn space(&self) -> Option<Space> {
        self.files.space(&self.path).ok()
    }

    fn timed(&self, operation: IoOperation, name: FileName) -> Call<'_> {
        Call(self.recorder.io(operation, kind_of(name)))
    }
}

/// Whether a file or directory could not even be opened for want of a descriptor: nothing was tried then, and nothing is in doubt.
fn lacks_descriptor(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [libc::EMFILE, libc::ENFILE].contains(&code))
}

/// Label `file` of the I/O families.
fn kind_of(name: FileName) -> IoFile {
    match name {
        FileName::Log(_) => IoFile::Wal,
        FileName::Table(_) => IoFile::Table,
        FileName::Value(_) => IoFile::Vlog,
        FileName::Manifest(_) | FileName::Current | FileName::CurrentTemp => IoFile::Manifest,
        FileName::Lock | FileName::Options(_) => IoFile::Other,
    }
}

/// A call of the file system, timed.
struct Call<'a>(IoTimer<'a>);

impl Call<'_> {
    /// Makes the call, again for as long as a signal interrupts it.
    fn run<T>(mut self, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let result = uninterrupted(call);
        if result.is_err() {
            self.0.fail();
        }
        result
    }
}

/// A sync has a histogram of its own besides.
fn sync(recorder: &Recorder, kind: IoFile, call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut timer = recorder.io(IoOperation::Sync, kind);
    let result = uninterrupted(call);
    if result.is_err() {
        timer.fail();
    }
    recorder.record(Histogram::FsyncDuration.at(kind.index()), timer.finish());
    result
}

/// Writes to the log from this length on are all timed.
const SMALL_WRITE_BYTES: usize = 16 << 10;

/// An open file of the database.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    file: Arc<dyn File>,
    path: Arc<Path>,
    recorder: Recorder,
    kind: IoFile,
    /// Small writes that go by before one is timed.
    untimed: Arc<AtomicU64>,
}

impl DataFile {
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    fn timed(&self, operation: IoOperation) -> Call<'_> {
        Call(self.recorder.io(operation, self.kind))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> Result<u64> {
        uninterrupted(|| self.file.len()).map_err(|e| self.fault("measure", e))
    }

    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.timed(IoOperation::Write)
            .run(|| file::write_all_at(&*self.file, offset, bytes))
            .map_err(|e| self.fault("write to", e))
    }

    /// Writes to the log. Short writes are counted by `report`, and one in 64 is timed.
    pub(crate) fn append_at(
        &self,
        offset: u64,
        bytes: &[u8],
        mapping: Option<&mut WriteMapping>,
        report: impl Report,
    ) -> Result<()> {
        let mut mapping = mapping;
        let mut write = || {
            let stored = mapping.as_deref_mut().is_some_and(|mapping| mapping.store(offset, bytes));
            if stored { Ok(()) } else { file::write_all_at(&*self.file, offset, bytes) }
        };
        let timer = if bytes.len() < SMALL_WRITE_BYTES {
            self.recorder.io_sampled(IoOperation::Write, IoFile::Wal, &self.untimed)
        } else {
            Some(self.recorder.io(IoOperation::Write, IoFile::Wal))
        };
        let result = if let Some(timer) = timer {
            Call(timer.also(Histogram::WalAppendDuration)).run(write)
        } else {
            let result = uninterrupted(&mut write);
            report.add(Counter::IoOperations.at2(IoOperation::Write.index(), IoFile::Wal.index()), 1);
            if result.is_err() {
                report.add(Counter::IoErrors.at2(IoOperation::Write.index(), IoFile::Wal.index()), 1);
            }
            result
        };
        result.map_err(|e| self.fault("write to", e))
    }

    /// Reads exactly `buf.len()` bytes. An early end is `Corruption`: lengths are checked before anything is read.
    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match self.timed(IoOperation::Read).run(|| file::read_exact_at(&*self.file, offset, buf)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Error::corruption(&self.path, offset, "the file ends too early"))
            }
            Err(error) => Err(self.fault("read", error)),
        }
    }

    pub(crate) fn sync(&self) -> Result<()> {
        if planted("sync_error_ignored") {
            self.file.sync().ok();
            return Ok(());
        }
        sync(&self.recorder, self.kind, || self.file.sync()).map_err(|e| self.fault("sync", e))
    }

    pub(crate) fn start_write_back(&self, offset: u64, len: u64) {
        self.file.start_write_back(offset, len);
    }

    pub(crate) fn prepare_cache(&self, offset: u64, len: u64) {
        self.file.prepare_cache(offset, len);
    }

    pub(crate) fn preallocate(&self, len: u64) -> Result<()> {
        self.timed(IoOperation::Write)
            .run(|| self.file.preallocate(len))
            .map_err(|e| self.fault("reserve room for", e))
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<()> {
        uninterrupted(|| self.file.truncate(len)).map_err(|e| self.fault("shorten", e))
    }

    /// The file for writing as memory, where that is safe. Whoever gets none writes.
    pub(crate) fn map_for_writing(&self, len: u64) -> Option<WriteMapping> {
        self.file.map_for_writing(len).ok().flatten()
    }

    pub(crate) fn map(&self, len: u64) -> Result<Mapping> {
        self.timed(IoOperation::Open).run(|| self.file.map(len)).map_err(|e| self.fault("map", e))
    }

    /// The first `len` bytes: mapped, or read into memory.
    pub(crate) fn contents(&self, len: u64, mapped: bool) -> Result<Mapping> {
        if mapped {
            return self.map(len);
        }
        let mut bytes = vec![0; len as usize];
        self.read_at(0, &mut bytes)?;
        Ok(Mapping::owned(bytes))
    }

    fn fault(&self, action: &'static str, error: io::Error) -> Error {
        Error::io(action, &self.path, error)
    }
}
