//! A database directory and its files, with errors that say what failed on which file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::file::{self, File, FileSystem, Lock, Mapping, uninterrupted};
use super::names::FileName;
use crate::error::{Error, Result};

/// The directory of one database.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    files: Arc<dyn FileSystem>,
    path: Arc<Path>,
    /// Set once a sync of the directory failed. The next one may well succeed without having made anything durable.
    failed: Arc<OnceLock<Arc<Error>>>,
}

impl Dir {
    pub(crate) fn new(files: Arc<dyn FileSystem>, path: &Path) -> Dir {
        Dir { files, path: path.into(), failed: Arc::default() }
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

    pub(crate) fn create(&self, name: FileName) -> Result<DataFile> {
        let path = self.path_of(name);
        match uninterrupted(|| self.files.create(&path)) {
            Ok(file) => Ok(DataFile { file, path: path.into() }),
            Err(error) => Err(Error::io("create", &path, error)),
        }
    }

    /// Opens a file that must be there: a missing one is `Corruption`, for somebody relied on it.
    pub(crate) fn open(&self, name: FileName, write: bool) -> Result<DataFile> {
        let path = self.path_of(name);
        match uninterrupted(|| self.files.open(&path, write)) {
            Ok(file) => Ok(DataFile { file, path: path.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::corruption(&path, 0, "the file is missing"))
            }
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }

    pub(crate) fn rename(&self, from: FileName, to: FileName) -> Result<()> {
        let path = self.path_of(from);
        let to = self.path_of(to);
        uninterrupted(|| self.files.rename(&path, &to)).map_err(|e| Error::io("rename", &path, e))
    }

    pub(crate) fn remove(&self, name: FileName) -> Result<()> {
        let path = self.path_of(name);
        uninterrupted(|| self.files.remove(&path)).map_err(|e| Error::io("remove", &path, e))
    }

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], now and for ever, once it failed.
    pub(crate) fn sync(&self) -> Result<()> {
        if let Some(failed) = self.failed.get() {
            return Err(Error::ReadOnly(failed.clone()));
        }
        uninterrupted(|| self.files.sync_dir(&self.path)).map_err(|error| {
            let error = Arc::new(Error::io("sync directory", &self.path, error));
            Error::ReadOnly(self.failed.get_or_init(|| error).clone())
        })
    }

    /// Makes the directory's own name durable, and the names above it, which may be just as new.
    pub(crate) fn sync_ancestors(&self) -> Result<()> {
        for dir in self.path.ancestors().skip(1) {
            match uninterrupted(|| self.files.sync_dir(dir)) {
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
}

/// An open file of the database.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    file: Arc<dyn File>,
    path: Arc<Path>,
}

impl DataFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> Result<u64> {
        uninterrupted(|| self.file.len()).map_err(|e| self.fault("measure", e))
    }

    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        file::write_all_at(&*self.file, offset, bytes).map_err(|e| self.fault("write to", e))
    }

    /// Reads exactly `buf.len()` bytes. An early end is `Corruption`: lengths are checked before anything is read.
    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match file::read_exact_at(&*self.file, offset, buf) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Error::corruption(&self.path, offset, "the file ends too early"))
            }
            Err(error) => Err(self.fault("read", error)),
        }
    }

    pub(crate) fn sync(&self) -> Result<()> {
        uninterrupted(|| self.file.sync()).map_err(|e| self.fault("sync", e))
    }

    pub(crate) fn preallocate(&self, len: u64) -> Result<()> {
        uninterrupted(|| self.file.preallocate(len)).map_err(|e| self.fault("reserve room for", e))
    }

    pub(crate) fn map(&self, len: u64) -> Result<Mapping> {
        uninterrupted(|| self.file.map(len)).map_err(|e| self.fault("map", e))
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
