//! A file system that is left as it is: what is written over it is in memory, and gone with it.
//!
//! An opening replays logs, writes tables and a manifest, renames and removes. Over this one it does the same, and nothing of it
//! reaches the disk: so a database is opened for reading by the code that opens every database. What it takes is memory for the
//! tables of replayed logs, and as much again where they are mapped.
//!
//! | call | below | in memory |
//! | --- | --- | --- |
//! | reading, mapping, listing | what was there before | what was written since |
//! | creating, writing, renaming, removing, syncing | nothing | everything |
//! | locking | the lock that readers share | |
//!
//! Source of the idea: union mounts ("Union Mounts in 4.4BSD-Lite", Pendry and others, 1995).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{DirEntry, File, FileSystem, Lock, Mapping, Space};
use crate::sync::Mutex;

#[derive(Debug)]
pub(super) struct Overlay {
    below: Arc<dyn FileSystem>,
    /// The paths that are not what they are below: another file, or none.
    changed: Mutex<BTreeMap<PathBuf, Option<Arc<Layered>>>>,
}

impl Overlay {
    pub(super) fn over(below: Arc<dyn FileSystem>) -> Overlay {
        Overlay { below, changed: Mutex::default() }
    }

    /// A file for whoever may write to it; it is taken note of.
    fn layered(&self, path: &Path) -> io::Result<Arc<Layered>> {
        let mut changed = self.changed.lock();
        match changed.get(path) {
            Some(Some(file)) => Ok(file.clone()),
            Some(None) => Err(io::ErrorKind::NotFound.into()),
            None => {
                let below = self.below.open(path, false)?;
                let layers = Layers { kept: below.len()?, below: Some(below), tail: Vec::new() };
                let file = Arc::new(Layered(Mutex::new(layers)));
                changed.insert(path.to_path_buf(), Some(file.clone()));
                Ok(file)
            }
        }
    }
}

impl FileSystem for Overlay {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.below.list(dir).map(|_| ())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = self.below.list(dir)?;
        let changed = self.changed.lock();
        entries.retain(|entry| !changed.contains_key(&dir.join(&entry.name)));
        for (path, file) in changed.iter().filter(|(path, _)| path.parent() == Some(dir)) {
            if let (Some(name), Some(file)) = (path.file_name().and_then(|name| name.to_str()), file) {
                entries.push(DirEntry { name: name.to_owned(), len: file.len()? });
            }
        }
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = Arc::new(Layered::default());
        self.changed.lock().insert(path.to_path_buf(), Some(file.clone()));
        Ok(file)
    }

    /// A handle for reading, taken before the first write to a file, goes on to read what was there before.
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        if write || self.changed.lock().contains_key(path) {
            return Ok(self.layered(path)?);
        }
        self.below.open(path, false)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.layered(from)?;
        let mut changed = self.changed.lock();
        changed.insert(from.to_path_buf(), None);
        changed.insert(to.to_path_buf(), Some(file));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.len(path)?;
        self.changed.lock().insert(path.to_path_buf(), None);
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.lock_shared(path)
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        match self.below.lock_shared(path) {
            // Nobody has opened the database where it is now: it is a copy. Who writes to it makes the file, and is not kept out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Box::new(NoLock)),
            taken => taken,
        }
    }

    fn lock_holder(&self, path: &Path) -> Option<u32> {
        self.below.lock_holder(path)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        match self.changed.lock().get(path) {
            Some(Some(file)) => file.len(),
            Some(None) => Err(io::ErrorKind::NotFound.into()),
            None => self.below.len(path),
        }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.below.space(path)
    }

    fn unique_id(&self) -> u64 {
        self.below.unique_id()
    }
}

/// There is no file to lock.
#[derive(Debug)]
struct NoLock;
impl Lock for NoLock {}

/// A file of which the front is that of a file below, and the rest in memory.
#[derive(Debug, Default)]
struct Layered(Mutex<Layers>);

#[derive(Debug, Default)]
struct Layers {
    below: Option<Arc<dyn File>>,
    /// Bytes from the front that are as they are below.
    kept: u64,
    /// What follows them.
    tail: Vec<u8>,
}

impl Layers {
    fn len(&self) -> u64 {
        self.kept + self.tail.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if let (Some(below), true) = (&self.below, offset < self.kept) {
            let len = buf.len().min((self.kept - offset) as usize);
            return below.read_at(offset, buf.get_mut(..len).unwrap_or_default());
        }
        let from = usize::try_from(offset - self.kept).ok().and_then(|from| self.tail.get(from..));
        let from = from.unwrap_or_default();
        let len = buf.len().min(from.len());
        buf.iter_mut().zip(from).for_each(|(to, byte)| *to = *byte);
        Ok(len)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset < self.kept {
            // A log that was replayed is written again as it is, to be sure of it: that changes nothing.
            if offset + bytes.len() as u64 <= self.kept && self.read_all(offset, bytes.len())? == bytes {
                return Ok(());
            }
            self.tail = self.read_all(0, self.len() as usize)?;
            self.kept = 0;
        }
        let from = (offset - self.kept) as usize;
        let end = from + bytes.len();
        if self.tail.len() < end {
            self.tail.resize(end, 0);
        }
        self.tail.get_mut(from..end).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(bytes);
        Ok(())
    }

    fn read_all(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.read_at(offset + done as u64, rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    fn truncate(&mut self, len: u64) {
        self.tail.truncate(len.saturating_sub(self.kept) as usize);
        self.kept = self.kept.min(len);
    }
}

impl File for Layered {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.lock().read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().write_at(offset, buf).map(|()| buf.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len())
    }

    fn preallocate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.lock().truncate(len);
        Ok(())
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        let layers = self.0.lock();
        match &layers.below {
            Some(below) if len <= layers.kept => below.map(len),
            _ if len > layers.len() => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(Mapping::owned(layers.read_all(0, len as usize)?)),
        }
    }
}
