//! A directory on a simulated disk for decoders that read files.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bettong_metrics::{Recorder, Registry};

use crate::context::FileContext;
use crate::env::names::{FileName, FileNumber};
use crate::env::sim::SimDisk;
use crate::env::{Dir, Env};
use crate::error::{Error, ErrorKind};
use crate::header::{Birth, FileHeader, FileKind};
use crate::options::Options;

/// The number of the file that a target is about.
pub(super) const NUMBER: FileNumber = FileNumber(7);
/// Its id, where the target chooses it.
pub(super) const ID: u64 = 0x0123_4567_89ab_cdef;

/// The directory.
pub(super) fn dir() -> &'static Path {
    Path::new("/db")
}

/// The path of a file in it.
pub(super) fn path_of(name: FileName) -> PathBuf {
    dir().join(name.to_string())
}

/// What readers of files need; reads are mapped or not.
pub(super) fn context(disk: &SimDisk, mapped: bool) -> FileContext {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    let recorder = RECORDER.get_or_init(|| Registry::new("fuzz").recorder());
    let options = Options::default().mapped_reads(mapped).cache_bytes(1 << 16).verify_always(false);
    let dir = Dir::new(Env::sim(disk).files, dir(), recorder);
    FileContext::new(&dir, &options, recorder)
}

/// The header of file [`NUMBER`] with id [`ID`].
pub(super) fn header(kind: FileKind) -> Vec<u8> {
    let header = FileHeader { kind, number: NUMBER, id: ID, recycled: false, birth: Birth::default() };
    header.encode().to_vec()
}

/// What may be said of damage.
pub(super) fn assert_typed(error: &Error) {
    let typed = matches!(error.kind(), ErrorKind::Corruption | ErrorKind::Unsupported);
    assert!(typed, "damage is reported as what it is, not as {error:?}");
}
