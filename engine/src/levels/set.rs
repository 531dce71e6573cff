//! The version in force, and the only way to the next one: through the manifest.

use std::sync::{Arc, Weak};

use bettong_metrics::{Counter, Gauge, TreeChange};

use super::edit::VersionEdit;
use super::manifest::{self, ManifestState, ManifestWriter};
use super::table_file::TableFile;
use super::version::Version;
use crate::context::FileContext;
use crate::env::Env;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::expiry::ExpiryClock;
use crate::header::Birth;
use crate::metric::{LockLabel, WriteOrigin};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::timed_mutex::TimedMutex;
use crate::values::file::ValueFile;

/// All durable facts about the database.
#[derive(Debug)]
pub(crate) struct VersionSet {
    env: Env,
    files: FileContext,
    next_file: AtomicU64,
    /// The time for expiring values, which every edit that concerns them takes on.
    pub(crate) expiry: ExpiryClock,
    inner: TimedMutex<Inner>,
    /// What others ask for, so that nobody waits for an edit being synced.
    facts: Mutex<Facts>,
}

/// What is so at the moment, by what is durable.
#[derive(Debug)]
struct Facts {
    /// The manifest in force and its length, for the headers of new files.
    manifest: (FileNumber, u64),
    /// The log segments that may hold writes.
    logs: Vec<FileNumber>,
    /// Versions that somebody may still hold, the one in force included.
    versions: Vec<Weak<Version>>,
}

#[derive(Debug)]
struct Inner {
    manifest: ManifestWriter,
    state: ManifestState,
    version: Arc<Version>,
    /// Set once a sync of the manifest failed: what it holds is unknown from then on.
    failed: Option<Arc<Error>>,
}

impl VersionSet {
    /// Takes over a manifest that is in force and holds `state`.
    pub(crate) fn new(
        env: &Env,
        files: FileContext,
        manifest: ManifestWriter,
        state: ManifestState,
    ) -> VersionSet {
        let version = Arc::new(Self::version_of(&state, &files));
        files.recorder.set(Gauge::ManifestBytes, manifest.bytes() as f64);
        VersionSet {
            env: env.clone(),
            next_file: AtomicU64::new(state.next_file.0),
            expiry: ExpiryClock::new(&env.clock, state.time),
            facts: Mutex::new(Facts {
                manifest: (manifest.number(), manifest.bytes()),
                logs: state.logs.keys().copied().collect(),
                versions: vec![Arc::downgrade(&version)],
            }),
            inner: TimedMutex::new(
                Inner { manifest, state, version, failed: None },
                LockLabel::VersionSet,
                &files.recorder,
            ),
            files,
        }
    }

    /// The version that a manifest describes.
    pub(crate) fn version_of(state: &ManifestState, files: &FileContext) -> Version {
        let everything = VersionEdit { added_tables: state.as_edit().added_tables, ..VersionEdit::default() };
        let open = |meta: &_| TableFile::new(Clone::clone(meta), files);
        let version = Version::default().after(&everything, open).0;
        version.with_values(state, |meta| Arc::new(ValueFile::of_manifest(meta, files))).0
    }

    /// A number that no file of this database ever had.
    pub(crate) fn new_file_number(&self) -> FileNumber {
        FileNumber(self.next_file.fetch_add(1, Ordering::Relaxed))
    }

    /// What the header of a file that is made now says.
    pub(crate) fn birth(&self) -> Birth {
        let (manifest, manifest_len) = self.facts.lock().manifest;
        // Where values expire, the time by which they do: a recovery goes on from there.
        let at_nanos = if self.expiry.is_used() { self.expiry.now() } else { self.env.clock.unix_nanos() };
        Birth { at_nanos, manifest, manifest_len }
    }

    pub(crate) fn version(&self) -> Arc<Version> {
        self.inner.lock().version.clone()
    }

    /// The log segments that may hold writes.
    pub(crate) fn logs(&self) -> Vec<FileNumber> {
        self.facts.lock().logs.clone()
    }

    /// Reads `CURRENT` and the manifest. No edit is written meanwhile: while one manifest follows another, `CURRENT` names the new one
    /// before anybody else knows of it.
    ///
    /// # Errors
    /// [`Error::Corruption`] if they are not as they were written.
    pub(crate) fn check_manifest(&self) -> Result<()> {
        let inner = self.inner.lock();
        manifest::check(&self.files.dir, inner.manifest.number(), inner.manifest.bytes())
    }

    /// The changes of the tree that the manifest in force records.
    ///
    /// # Errors
    /// [`Error::Corruption`] if it is not as it was written.
    pub(crate) fn changes(&self) -> Result<Vec<TreeChange>> {
        let inner = self.inner.lock();
        manifest::changes(&self.files.dir, inner.manifest.number(), inner.manifest.bytes())
    }

    pub(crate) fn manifest_number(&self) -> FileNumber {
        self.facts.lock().manifest.0
    }

    pub(crate) fn manifest_bytes(&self) -> u64 {
        self.facts.lock().manifest.1
    }

    /// Versions that are in force or held by a reader.
    pub(crate) fn live_versions(&self) -> usize {
        let mut facts = self.facts.lock();
        facts.versions.retain(|version| version.strong_count() > 0);
        facts.versions.len()
    }

    /// Makes an edit durable, then calls `install` with the version it leads to, before any other edit is applied.
    ///
    /// # Errors
    /// Of a write, such as a full disk: nothing changed, the edit can be applied again. [`Error::ReadOnly`] after a failed
    /// sync: whether the edit is durable is unknown, so nothing that either outcome needs may be removed.
    pub(crate) fn apply(&self, edit: VersionEdit, install: impl FnOnce(&Arc<Version>)) -> Result<()> {
        self.apply_with(edit, &[], install)
    }

    /// As [`VersionSet::apply`], with the logs that the edit makes value files: they stay open as they are.
    ///
    /// # Errors
    /// As [`VersionSet::apply`].
    pub(crate) fn apply_with(
        &self,
        mut edit: VersionEdit,
        adopted: &[Arc<ValueFile>],
        install: impl FnOnce(&Arc<Version>),
    ) -> Result<()> {
        let mut inner = self.inner.lock();
        if let Some(failed) = &inner.failed {
            return Err(Error::ReadOnly(failed.clone()));
        }
        edit.next_file = Some(FileNumber(self.next_file.load(Ordering::Relaxed)));
        edit.time = self.expiry.is_used().then(|| self.expiry.now());
        let mut state = inner.state.clone();
        let applied = state.apply(&edit).map(|()| {
            // What the edit leaves without a user goes with it.
            edit.removed_values = state.unused_values();
            state.values.retain(|_, (_, used)| used.entries > 0);
        });
        if let Err(what) = applied {
            let path = self.files.dir.path_of(FileName::Manifest(inner.manifest.number()));
            return Err(Error::corruption(&path, inner.manifest.bytes(), what));
        }
        self.write(&mut inner, &edit, &state)?;
        inner.state = state;
        let open = |meta: &_| TableFile::new(Clone::clone(meta), &self.files);
        let (version, gone) = inner.version.after(&edit, open);
        let (version, gone_values) = version.with_values(&inner.state, |meta| {
            let adopted = adopted.iter().find(|file| file.number == meta.number);
            adopted.cloned().unwrap_or_else(|| Arc::new(ValueFile::of_manifest(meta, &self.files)))
        });
        debug_assert!(version.overlap().is_none(), "tables overlap: {:?}", version.overlap());
        inner.version = Arc::new(version);
        {
            let mut facts = self.facts.lock();
            facts.logs = inner.state.logs.keys().copied().collect();
            facts.versions.retain(|version| version.strong_count() > 0);
            facts.versions.push(Arc::downgrade(&inner.version));
        }
        install(&inner.version);
        gone.iter().for_each(|table| table.set_obsolete());
        gone_values.iter().for_each(|file| file.set_obsolete());
        Ok(())
    }

    fn write(&self, inner: &mut Inner, edit: &VersionEdit, state: &ManifestState) -> Result<()> {
        let recorder = &self.files.recorder;
        let written = match self.shortened(inner, edit, state) {
            Ok(None) => inner.manifest.append(edit),
            Ok(Some(bytes)) => Ok(bytes),
            Err(error) => Err(error),
        };
        match written {
            Ok(bytes) => {
                self.facts.lock().manifest = (inner.manifest.number(), inner.manifest.bytes());
                recorder.add(Counter::ManifestEdits, 1);
                recorder.add(Counter::StorageWrittenBytes.at(WriteOrigin::Manifest as usize), bytes);
                recorder.set(Gauge::ManifestBytes, inner.manifest.bytes() as f64);
                Ok(())
            }
            // A write that found no room changed nothing that counts; any other failure leaves the manifest in doubt.
            Err(error @ Error::NoSpace { .. }) => Err(error),
            Err(error) => {
                let failed = Arc::new(error);
                inner.failed = Some(failed.clone());
                Err(Error::ReadOnly(failed))
            }
        }
    }

    /// Writes `state` into a new manifest if the present one is mostly history, and returns its length.
    fn shortened(&self, inner: &mut Inner, edit: &VersionEdit, state: &ManifestState) -> Result<Option<u64>> {
        if !inner.manifest.is_long() || edit.clean_close.is_some() {
            return Ok(None);
        }
        let number = self.new_file_number();
        let mut state = state.clone();
        state.next_file.0 = state.next_file.0.max(number.0 + 1);
        let dir = &self.files.dir;
        let manifest = match ManifestWriter::create(dir, number, &state, self.birth()) {
            Ok(manifest) => manifest,
            Err(error @ Error::ReadOnly(_)) => return Err(error),
            Err(_) => {
                // No harm done: the long one is in force and takes the edit.
                self.files.graveyard.bury(FileName::Manifest(number));
                return Ok(None);
            }
        };
        // From here on `CURRENT` may name the new one, so a failure must stop everything: never NoSpace, which is retried.
        ManifestWriter::enforce(dir).map_err(|error| Error::ReadOnly(Arc::new(error)))?;
        self.files.graveyard.bury(FileName::Manifest(inner.manifest.number()));
        inner.manifest = manifest;
        Ok(Some(inner.manifest.bytes()))
    }
}
