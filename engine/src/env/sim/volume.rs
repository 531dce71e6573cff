//! The simulated file system: inodes, directories, and what each would be after a crash.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::crash::{Crash, Dice};
use super::faults::{Fault, Faults, IoOp};
use super::inode::Inode;
use crate::env::file::DirEntry;

/// A change to a directory that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Add { name: PathBuf, inode: u64 },
    Remove { name: PathBuf },
    Rename { from: PathBuf, to: PathBuf, inode: u64 },
}

/// One directory level is all the engine uses: names are whole paths.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    inodes: HashMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    changes: Vec<Change>,
    dirs: BTreeSet<PathBuf>,
    /// How many share each lock that is held; 0 for one that somebody has alone.
    locks: BTreeMap<PathBuf, u32>,
    ids: Dice,
    next_inode: u64,
    /// How many handles each file has: it lives for as long as one of them, as on a real disk.
    handles: HashMap<u64, u64>,
    /// Grows with each crash; handles of an earlier life are dead.
    pub(super) life: u64,
    pub(super) faults: Faults,
    pub(super) capacity: u64,
    pub(super) nanos: u64,
    pub(super) unix_nanos: u64,
}

impl Volume {
    pub(super) fn new(seed: u64) -> Volume {
        Volume {
            inodes: HashMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            dirs: BTreeSet::new(),
            locks: BTreeMap::new(),
            ids: Dice::new(seed),
            next_inode: 1,
            handles: HashMap::new(),
            life: 0,
            faults: Faults::default(),
            capacity: u64::MAX,
            nanos: 0,
            unix_nanos: 1_700_000_000_000_000_000,
        }
    }

    pub(super) fn check(&mut self, op: IoOp, path: &Path) -> io::Result<Option<Fault>> {
        let fault = self.faults.check(op, path)?;
        if let Some(Fault::Delay(nanos)) = fault {
            self.nanos += nanos;
            self.unix_nanos = self.unix_nanos.saturating_add(nanos);
        }
        Ok(fault)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids.next()
    }

    pub(super) fn create_dir(&mut self, dir: &Path) {
        self.dirs.extend(dir.ancestors().map(Path::to_path_buf));
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        if !self.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = self.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|(path, inode)| {
                let name = path.file_name()?.to_str()?.to_owned();
                Some(DirEntry { name, len: self.inodes.get(inode)?.len() })
            })
            .collect())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<u64> {
        if let Some(inode) = self.find(path) {
            self.inode(inode)?.truncate();
            return Ok(inode);
        }
        if !path.parent().is_some_and(|dir| self.dirs.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        self.names.insert(path.to_path_buf(), inode);
        self.changes.push(Change::Add { name: path.to_path_buf(), inode });
        Ok(inode)
    }

    pub(super) fn opened(&mut self, inode: u64) {
        *self.handles.entry(inode).or_default() += 1;
    }

    pub(super) fn closed(&mut self, inode: u64) {
        if let Some(handles) = self.handles.get_mut(&inode) {
            *handles -= 1;
            if *handles == 0 {
                self.handles.remove(&inode);
            }
        }
    }

    pub(super) fn find(&self, path: &Path) -> Option<u64> {
        self.names.get(path).copied()
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.names.insert(to.to_path_buf(), inode);
        self.changes.push(Change::Rename { from: from.to_path_buf(), to: to.to_path_buf(), inode });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        self.changes.push(Change::Remove { name: path.to_path_buf() });
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if !self.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.durable_names.clone_from(&self.names);
        self.changes.clear();
        self.forget_unreachable();
        Ok(())
    }

    pub(super) fn inode(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn write(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_room(inode, offset + bytes.len() as u64)?;
        self.inode(inode)?.write_at(offset as usize, bytes);
        Ok(())
    }

    pub(super) fn grow(&mut self, inode: u64, len: u64) -> io::Result<()> {
        self.check_room(inode, len)?;
        self.inode(inode)?.grow(len as usize);
        Ok(())
    }

    fn check_room(&mut self, inode: u64, end: u64) -> io::Result<()> {
        let more = end.saturating_sub(self.inode(inode)?.len());
        if self.capacity != u64::MAX && self.used_bytes() + more > self.capacity {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        Ok(())
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.names.values().filter_map(|inode| self.inodes.get(inode)).map(Inode::len).sum()
    }

    pub(super) fn take_lock(&mut self, path: &Path) -> io::Result<()> {
        if self.find(path).is_none() {
            self.create(path)?;
        }
        match self.locks.entry(path.to_path_buf()) {
            Entry::Occupied(_) => Err(io::ErrorKind::WouldBlock.into()),
            Entry::Vacant(free) => {
                free.insert(0);
                Ok(())
            }
        }
    }

    pub(super) fn share_lock(&mut self, path: &Path) -> io::Result<()> {
        self.find(path).ok_or(io::ErrorKind::NotFound)?;
        match self.locks.entry(path.to_path_buf()) {
            Entry::Occupied(held) if *held.get() == 0 => Err(io::ErrorKind::WouldBlock.into()),
            held => {
                *held.or_default() += 1;
                Ok(())
            }
        }
    }

    pub(super) fn release_lock(&mut self, path: &Path) {
        if let Some(sharing) = self.locks.get_mut(path).filter(|sharing| **sharing > 1) {
            *sharing -= 1;
        } else {
            self.locks.remove(path);
        }
    }

    pub(super) fn kill(&mut self) {
        self.life += 1;
        self.locks.clear();
        self.handles.clear();
        self.faults.clear();
    }

    pub(super) fn crash(&mut self, crash: Crash) {
        let mut dice = Dice::new(crash.seed);
        self.kill();
        let mut names = std::mem::take(&mut self.durable_names);
        for change in std::mem::take(&mut self.changes) {
            if !dice.percent(crash.keep_percent) {
                continue;
            }
            match change {
                Change::Add { name, inode } => drop(names.insert(name, inode)),
                Change::Remove { name } => drop(names.remove(&name)),
                Change::Rename { from, to, inode } => {
                    names.remove(&from);
                    names.insert(to, inode);
                }
            }
        }
        self.names.clone_from(&names);
        self.durable_names = names;
        let mut inodes: Vec<_> = self.inodes.iter_mut().collect();
        inodes.sort_by_key(|(number, _)| **number);
        for (_, inode) in inodes {
            inode.crash(&mut dice, crash);
        }
        self.forget_unreachable();
    }

    pub(super) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        Some(self.inodes.get(&self.find(path)?)?.bytes().to_vec())
    }

    pub(super) fn overwrite(&mut self, path: &Path, bytes: &[u8]) {
        if let Some(dir) = path.parent() {
            self.create_dir(dir);
        }
        // A new inode, so that mappings and handles of the old one keep what they saw.
        self.names.remove(path);
        if let Ok(inode) = self.create(path)
            && let Ok(inode) = self.inode(inode)
        {
            inode.write_at(0, bytes);
            inode.sync();
        }
        self.durable_names.clone_from(&self.names);
        self.changes.clear();
    }

    pub(super) fn delete(&mut self, path: &Path) {
        self.names.remove(path);
        self.durable_names.clone_from(&self.names);
        self.changes.clear();
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names.keys().cloned().collect()
    }

    /// Drops inodes that no name, present or durable, leads to, and that nobody has open.
    fn forget_unreachable(&mut self) {
        let reachable: BTreeSet<u64> =
            self.names.values().chain(self.durable_names.values()).copied().collect();
        let pending: BTreeSet<u64> = self
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Add { inode, .. } | Change::Rename { inode, .. } => Some(*inode),
                Change::Remove { .. } => None,
            })
            .collect();
        let open = &self.handles;
        self.inodes.retain(|inode, _| {
            reachable.contains(inode) || pending.contains(inode) || open.contains_key(inode)
        });
    }
}
