//! What the machine itself does: how fast a plain file is written from its beginning to its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::fault::{Fault, Result};
use crate::payload;
use crate::signal;

/// Bytes of one write.
const CHUNK: usize = 1 << 20;
/// The longest file.
const MOST_BYTES: u64 = 1 << 30;

/// A file that goes away with this value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Where it cannot be removed it is in the user's way, but nothing is wrong.
        fs::remove_file(&self.0).ok();
    }
}

/// What was written, and how fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequentialWrite {
    pub(super) bytes: u64,
    /// Until the operating system had all of it.
    pub(super) bytes_per_second: f64,
    /// Until the disk had it, too.
    pub(super) synced_bytes_per_second: f64,
}

/// Writes a file of `bytes`, at most 1 GiB, into `dir`, syncs it, and removes it. The first speed is that of memory, as long
/// as there is some; what a fill can keep up lies between it and the second, the disk's.
pub(super) fn write_sequentially(dir: &Path, bytes: u64) -> Result<SequentialWrite> {
    let chunks = bytes.min(MOST_BYTES).div_ceil(CHUNK as u64).max(1);
    let mut chunk = Vec::new();
    payload::write(&mut chunk, 1, 1, 1, CHUNK);
    let scratch = Scratch(dir.join("sequential.tmp"));
    let failed = |error| Fault::io("write to", &scratch.0, error);
    let file = File::create_new(&scratch.0).map_err(failed)?;
    let began = Instant::now();
    for at in 0..chunks {
        signal::check()?;
        write_at(&file, &chunk, at * CHUNK as u64).map_err(failed)?;
    }
    let bytes = chunks * CHUNK as u64;
    let per_second = || bytes as f64 / began.elapsed().as_secs_f64().max(1e-9);
    let bytes_per_second = per_second();
    file.sync_data().map_err(failed)?;
    Ok(SequentialWrite { bytes, bytes_per_second, synced_bytes_per_second: per_second() })
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// The file grows in order, so where its end is needs no saying.
#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], _offset: u64) -> io::Result<()> {
    io::Write::write_all(&mut file, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_and_gone_again() {
        let dir = tempfile::tempdir().unwrap();
        let written = write_sequentially(dir.path(), 3 << 20).unwrap();
        assert_eq!(written.bytes, 3 << 20);
        assert!(written.bytes_per_second >= written.synced_bytes_per_second, "{written:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(write_sequentially(&dir.path().join("nowhere"), 1).is_err());
    }
}
