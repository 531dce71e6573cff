//! Reads from a disk that may have bad sectors, and that may not have got all that was written.
//!
//! Always with `pread`: in a mapping, a sector that cannot be read ends the process with `SIGBUS`. `EIO`, again and again, means that
//! these bytes are lost. Any other error says nothing about them: it ends the repair.

use std::ops::Range;

use crate::env::DataFile;
use crate::error::{Error, Result};

/// What a bad sector takes with it: the page cache reads no less.
const SECTOR_BYTES: usize = 4 << 10;
/// What is read at once of a whole file. A multiple of the above.
const PIECE_BYTES: u64 = 256 << 10;
/// How often a sector is tried: a disk takes its time for each.
const ATTEMPTS: usize = 2;

/// Whether the disk says that it cannot read these bytes.
pub(super) fn is_bad_sector(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.raw_os_error() == Some(libc::EIO))
}

/// The fault, if it is one of the bytes; another error ends the repair.
pub(super) fn damage<T>(result: Result<T>) -> Result<std::result::Result<T, Error>> {
    match result {
        Err(error) if !matches!(error, Error::Corruption { .. }) && !is_bad_sector(&error) => Err(error),
        done => Ok(done),
    }
}

/// So many bytes from `offset` on; `None` if the file ends before, or the disk cannot read them.
pub(super) fn read(file: &DataFile, offset: u64, len: u64) -> Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; len as usize];
    let read = damage(read_at(file, offset, &mut bytes))?;
    Ok(read.is_ok().then_some(bytes))
}

/// Hands the first `len` bytes to `each`, with their offset, piece by piece. Returns the parts that the disk cannot read: they are zeros.
pub(super) fn pieces(
    file: &DataFile,
    len: u64,
    mut each: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<Vec<Range<u64>>> {
    let mut bad = Vec::new();
    let mut at = 0;
    while at < len {
        let mut bytes = vec![0; PIECE_BYTES.min(len - at) as usize];
        match read_at(file, at, &mut bytes) {
            Err(error) if is_bad_sector(&error) => bad.extend(read_sectors(file, at, &mut bytes)?),
            done => done?,
        }
        each(at, &bytes)?;
        at += bytes.len() as u64;
    }
    Ok(bad)
}

/// The first `len` bytes, as [`pieces`] reads them.
pub(super) fn contents(file: &DataFile, len: u64) -> Result<(Vec<u8>, Vec<Range<u64>>)> {
    let mut all = Vec::new();
    let bad = pieces(file, len, |_, bytes| {
        all.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok((all, bad))
}

/// Makes the first `len` bytes of a file durable that no manifest has named: the process that wrote them may have been killed before its sync.
/// They are written once more, for if that sync failed the system may take them for clean, and do nothing when it is asked again.
pub(super) fn write_again(file: &DataFile, len: u64) -> Result<()> {
    for at in (0..len).step_by(PIECE_BYTES as usize) {
        // Where a sector is bad there is nothing to write.
        if let Some(bytes) = read(file, at, PIECE_BYTES.min(len - at))? {
            file.write_at(at, &bytes)?;
        }
    }
    file.sync()
}

fn read_sectors(file: &DataFile, from: u64, bytes: &mut [u8]) -> Result<Vec<Range<u64>>> {
    let mut bad = Vec::new();
    for (sector, at) in bytes.chunks_mut(SECTOR_BYTES).zip((from..).step_by(SECTOR_BYTES)) {
        match read_at(file, at, sector) {
            Err(error) if is_bad_sector(&error) => {
                sector.fill(0);
                bad.push(at..at + sector.len() as u64);
            }
            done => done?,
        }
    }
    Ok(bad)
}

fn read_at(file: &DataFile, offset: u64, bytes: &mut [u8]) -> Result<()> {
    let mut read = file.read_at(offset, bytes);
    for _ in 1..ATTEMPTS {
        if !read.as_ref().is_err_and(is_bad_sector) {
            break;
        }
        read = file.read_at(offset, bytes);
    }
    read
}
