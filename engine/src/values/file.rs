//! A file that holds values: a value file, or a log segment that values are read from.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bettong_metrics::{Counter, Event, EventKind, Histogram};

use super::pointer::ValuePointer;
use super::usage::ValueFileMeta;
use crate::context::FileContext;
use crate::env::file::Mapping;
use crate::env::names::{FileName, FileNumber};
use crate::env::{DataFile, SharedMapping};
use crate::error::{Error, Result};
use crate::header::{FileHeader, HEADER_BYTES};
use crate::key::Kind;
use crate::metric::{FileLabel, ReadOrigin, ValuePurpose, WriteOrigin};
use crate::record::reader::{Entry, decode_entry, split_entry};
use crate::report::Report;
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::value::Value;
use crate::values::stored::EXPIRY_BYTES;

/// One bit of [`ValueFile::verified`] covers so many bytes: at most one entry of this length or more begins in them.
const VERIFIED_BYTES: u64 = 512;

const BEYOND_THE_END: &str = "a pointer leads beyond the end of the file";

/// A file that values are read from. It lives as long as any version or memtable, and so any reader, holds this.
#[derive(Debug)]
pub(crate) struct ValueFile {
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    context: FileContext,
    /// That of the log for as long as it is one, else opened at first use.
    file: OnceLock<DataFile>,
    /// The length, once nobody writes to the file any more; 0 before.
    sealed_bytes: AtomicU64,
    /// What recovery knows to have been synced of it.
    synced_bytes: AtomicU64,
    mapping: OnceLock<SharedMapping>,
    /// For windows of the mapping: whether the checksum of the long entry that begins there was good when it was first read.
    verified: OnceLock<Box<[AtomicU64]>>,
    /// A value of it could not be read: collection leaves the file alone, so that what is left of it stays as it is.
    damaged: AtomicBool,
    /// Whether its name is still that of a log.
    is_log: AtomicBool,
    /// The name under which the file waits for its last reader.
    obsolete: OnceLock<FileName>,
}

impl ValueFile {
    /// The values in a log segment that is being written.
    pub(crate) fn of_log(number: FileNumber, id: u64, file: &DataFile, context: &FileContext) -> ValueFile {
        let of_log = ValueFile::unopened(number, id, 0, context);
        of_log.file.set(file.clone()).ok();
        of_log.is_log.store(true, Ordering::Relaxed);
        of_log
    }

    /// A value file that the manifest names, opened when a value of it is wanted.
    pub(crate) fn of_manifest(meta: &ValueFileMeta, context: &FileContext) -> ValueFile {
        ValueFile::unopened(meta.number, meta.id, meta.bytes, context)
    }

    fn unopened(number: FileNumber, id: u64, sealed_bytes: u64, context: &FileContext) -> ValueFile {
        ValueFile {
            number,
            id,
            context: context.clone(),
            file: OnceLock::new(),
            sealed_bytes: AtomicU64::new(sealed_bytes),
            synced_bytes: AtomicU64::new(0),
            mapping: OnceLock::new(),
            verified: OnceLock::new(),
            damaged: AtomicBool::new(false),
            is_log: AtomicBool::new(false),
            obsolete: OnceLock::new(),
        }
    }

    /// Nobody writes to the log any more: it ends at `bytes`, and may be mapped.
    pub(crate) fn set_sealed(&self, bytes: u64) {
        // Release: whoever sees the length sees a file that has it.
        self.sealed_bytes.store(bytes, Ordering::Release);
    }

    /// The log has become a value file, by name as well.
    pub(crate) fn set_renamed(&self) {
        self.is_log.store(false, Ordering::Relaxed);
    }

    fn name(&self) -> FileName {
        if self.is_log.load(Ordering::Relaxed) {
            FileName::Log(self.number)
        } else {
            FileName::Value(self.number)
        }
    }

    /// Up to here the log of a process that ended is known to have been synced.
    pub(crate) fn set_synced(&self, bytes: u64) {
        self.synced_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Makes durable what was found in the log of a process that ended, up to where it is sealed.
    ///
    /// What is not known to have been synced is written once more. If the sync of that process failed, the system may hold bytes that
    /// the disk never got and that it takes for clean: a sync alone would say that all is well (Rebello et al., "Can Applications
    /// Recover from fsync Failures?", ATC 2020).
    ///
    /// # Errors
    /// Of the reading, the writing or the sync.
    pub(crate) fn write_again(&self) -> Result<()> {
        let from = self.synced_bytes.load(Ordering::Relaxed).max(HEADER_BYTES);
        let mut bytes = vec![0; self.sealed_bytes().saturating_sub(from) as usize];
        self.file()?.read_at(from, &mut bytes)?;
        let file = self.context.dir.open(self.name(), true)?;
        file.write_at(from, &bytes)?;
        let recorder = &self.context.recorder;
        recorder.add(Counter::StorageWrittenBytes.at(WriteOrigin::ValueLog as usize), bytes.len() as u64);
        file.sync()
    }

    /// Gives back the room behind the end. It does no harm if that fails.
    pub(crate) fn truncate(&self) {
        if let Some(file) = self.file.get() {
            file.truncate(self.sealed_bytes()).ok();
        }
    }

    /// The length of a file that is not written any more.
    pub(crate) fn sealed_bytes(&self) -> u64 {
        self.sealed_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Nobody needs the file any more but those who read it: it goes when the last version that holds it does.
    pub(crate) fn set_obsolete(&self) {
        let name = self.name();
        if self.obsolete.set(name).is_ok() {
            self.context.graveyard.hold(name, self.sealed_bytes());
        }
    }

    /// The value that `pointer` leads to, which must be that of `user`.
    ///
    /// # Errors
    /// [`Error::Corruption`] with file, offset and key if the value is not there, or is another one's; [`Error::Io`].
    pub(crate) fn read<R: Report>(
        &self,
        pointer: ValuePointer,
        user: &[u8],
        purpose: ValuePurpose,
        report: R,
    ) -> std::result::Result<Value, R::Stop> {
        let recorder = &self.context.recorder;
        let weight = report.traced_weight();
        let began = (weight > 0).then(|| recorder.now());
        let value = if let Some(mapping) = self.mapping().map_err(|error| self.note(error, user))? {
            self.read_mapped(mapping, pointer, user, purpose, report)?
        } else {
            report.leave_fast_path()?;
            self.read_file(pointer, user, purpose).map_err(|error| self.note(error, user))?
        };
        if let Some(began) = began {
            recorder.record_n(Histogram::VlogReadLatency, recorder.nanos_since(began), weight);
        }
        report.add(Counter::VlogReads.at(purpose as usize), 1);
        report.add(Counter::VlogReadBytes.at(purpose as usize), u64::from(pointer.len));
        Ok(value)
    }

    #[inline]
    fn read_mapped<R: Report>(
        &self,
        mapping: &SharedMapping,
        pointer: ValuePointer,
        user: &[u8],
        purpose: ValuePurpose,
        report: R,
    ) -> std::result::Result<Value, R::Stop> {
        let fault = |what| self.fault(pointer, user, what);
        let bytes = pointer.range().and_then(|range| mapping.get(range));
        let bytes = bytes.ok_or_else(|| fault(BEYOND_THE_END))?;
        let entry = if self.was_verified(pointer) {
            split_entry(bytes, pointer.offset).map(|(_, entry)| entry)
        } else {
            // The first touch of mapped bytes is what reads them from the disk, if the page cache does not have them.
            report.leave_fast_path()?;
            self.count_read(purpose, pointer.len);
            decode_entry(bytes, self.id, pointer.offset)
        };
        let range = value_range(entry, pointer, user).map_err(fault)?;
        self.set_verified(pointer);
        let value = bytes.get(range).unwrap_or_default();
        // SAFETY: the bytes lie in the mapping of a sealed file, which nobody changes and which the handle keeps.
        Ok(unsafe { Value::lent(value, || mapping.owner()) })
    }

    fn read_file(&self, pointer: ValuePointer, user: &[u8], purpose: ValuePurpose) -> Result<Value> {
        let fault = |what| Error::corruption(&self.path(), pointer.offset, what);
        let file = self.file()?;
        // A pointer into a log that is still written comes from our own memory; any other is checked before it sizes anything.
        let sealed = self.sealed_bytes();
        if sealed > 0 && !pointer.fits(sealed) {
            return Err(fault(BEYOND_THE_END));
        }
        let mut bytes = vec![0; pointer.len as usize];
        file.read_at(pointer.offset, &mut bytes)?;
        self.count_read(purpose, pointer.len);
        let entry = decode_entry(&bytes, self.id, pointer.offset);
        let range = value_range(entry, pointer, user).map_err(fault)?;
        let owner = Arc::new(Mapping::owned(bytes));
        let value = owner.get(range).unwrap_or_default();
        // SAFETY: the bytes are the owner's, which nobody changes and which the handle keeps.
        Ok(unsafe { Value::lent(value, || owner.clone()) })
    }

    #[cold]
    fn fault(&self, pointer: ValuePointer, user: &[u8], what: &'static str) -> Error {
        self.note(Error::corruption(&self.path(), pointer.offset, what), user)
    }

    /// Asks for the bytes of values that will be read soon. Only a hint.
    pub(crate) fn will_need(&self, range: Range<u64>) {
        if let Ok(Some(mapping)) = self.mapping() {
            mapping.will_need(range.start as usize..range.end as usize);
        }
    }

    fn count_read(&self, purpose: ValuePurpose, bytes: u32) {
        let recorder = &self.context.recorder;
        recorder.add(Counter::StorageReadBytes.at(purpose.origin() as usize), u64::from(bytes));
        recorder.add(Counter::ChecksumVerifiedBytes.at(purpose.origin().verify_label()), u64::from(bytes));
    }

    fn path(&self) -> PathBuf {
        self.context.dir.path_of(self.name())
    }

    /// Names the key in an error, and counts damage.
    #[cold]
    fn note(&self, error: Error, user: &[u8]) -> Error {
        let error = error.of_key(user);
        self.damaged.store(true, Ordering::Relaxed);
        if matches!(error, Error::Corruption { .. }) {
            let recorder = &self.context.recorder;
            recorder.add(Counter::ChecksumFailures.at(FileLabel::Vlog as usize), 1);
            recorder.emit(Event::new(EventKind::Corruption).file(self.number.0).message(error.sentence()));
        }
        error
    }

    /// The mapping of a file that nobody writes to; `None` if files are not mapped, or this one still grows.
    fn mapping(&self) -> Result<Option<&SharedMapping>> {
        if let Some(mapping) = self.mapping.get() {
            return Ok(Some(mapping));
        }
        let bytes = self.sealed_bytes();
        if !self.context.mapped || bytes == 0 {
            return Ok(None);
        }
        let mapping = SharedMapping::new(self.file()?.map(bytes)?);
        let windows = bytes.div_ceil(VERIFIED_BYTES * 64) as usize;
        self.verified.get_or_init(|| (0..windows).map(|_| AtomicU64::new(0)).collect());
        Ok(Some(self.mapping.get_or_init(|| mapping)))
    }

    /// The file, opened and checked at first use.
    fn file(&self) -> Result<&DataFile> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = self.context.dir.open(FileName::Value(self.number), false)?;
        let len = file.len()?;
        if len < self.sealed_bytes() {
            return Err(Error::corruption(
                file.path(),
                len,
                "the value file is shorter than the manifest recorded",
            ));
        }
        let header = file.contents(HEADER_BYTES, false)?;
        if FileHeader::decode_of_values(&header, self.number, file.path())?.id != self.id {
            let what = "another value file under this name: the manifest knows a different id";
            return Err(Error::corruption(file.path(), 24, what));
        }
        Ok(self.file.get_or_init(|| file))
    }

    /// Whether the value was read before, and so is likely to be in memory.
    pub(crate) fn is_known(&self, pointer: ValuePointer) -> bool {
        self.verified_bit(pointer).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn was_verified(&self, pointer: ValuePointer) -> bool {
        let Some((word, bit)) = self.verified_bit(pointer) else { return false };
        // Relaxed: the bit says only that the bytes, which never change, were once good.
        !self.context.verify_always && word.load(Ordering::Relaxed) & bit != 0
    }

    fn set_verified(&self, pointer: ValuePointer) {
        if let Some((word, bit)) = self.verified_bit(pointer)
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The place of an entry's bit; short entries have none.
    fn verified_bit(&self, pointer: ValuePointer) -> Option<(&AtomicU64, u64)> {
        let window = pointer.offset / VERIFIED_BYTES;
        let word = self.verified.get()?.get((window / 64) as usize)?;
        (u64::from(pointer.len) >= VERIFIED_BYTES).then_some((word, 1 << (window % 64)))
    }
}

impl Drop for ValueFile {
    fn drop(&mut self) {
        if let Some(held) = self.obsolete.get() {
            // It may have been renamed since.
            self.context.graveyard.let_go(*held, self.name());
        }
    }
}

/// Where in the entry the value of `user` lies, if it is one.
fn value_range(
    entry: Option<Entry<'_>>,
    pointer: ValuePointer,
    user: &[u8],
) -> std::result::Result<Range<usize>, &'static str> {
    let entry = entry.ok_or("a value does not read")?;
    if entry.key != user {
        return Err("a pointer leads to the value of another key");
    }
    let head = match entry.kind {
        Kind::Value => 0,
        Kind::ExpiringValue => EXPIRY_BYTES,
        _ => return Err("a pointer leads to an entry without a value"),
    };
    if entry.len != pointer.len || entry.value.len() < head {
        return Err("a pointer leads to an entry of another length");
    }
    let end = entry.len as usize;
    Ok(end - entry.value.len() + head..end)
}

impl ValuePurpose {
    /// Label `origin` of what is read.
    fn origin(self) -> ReadOrigin {
        match self {
            ValuePurpose::Get => ReadOrigin::Get,
            ValuePurpose::Scan => ReadOrigin::Scan,
            ValuePurpose::Collection => ReadOrigin::ValueCollection,
        }
    }
}

#[cfg(test)]
mod tests;
