//! Files that the tool writes: beside their place, and moved there when they are complete. A fault leaves what was there before.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// Whether a file's name stands for standard input or output.
pub(crate) fn is_standard(file: &Path) -> bool {
    file == Path::new("-")
}

/// A file that is being written.
pub(crate) enum Target {
    /// Beside its place.
    Beside(BufWriter<NamedTempFile>),
    /// In its place, because that is no ordinary file: a pipe, a device.
    There(BufWriter<File>),
}

impl Target {
    /// Begins a file, which takes the place of one that is there once it is complete.
    pub(crate) fn open(file: &Path) -> io::Result<Target> {
        if file.exists() && !file.is_file() {
            return Ok(Target::There(BufWriter::new(File::options().write(true).open(file)?)));
        }
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".bettong-").permissions(Permissions::from_mode(0o666));
        Ok(Target::Beside(BufWriter::new(builder.tempfile_in(dir)?)))
    }

    /// Says that it is complete.
    pub(crate) fn keep(self, file: &Path) -> io::Result<()> {
        match self {
            Target::There(mut writer) => writer.flush(),
            Target::Beside(writer) => {
                let written = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
                written.as_file().sync_all()?;
                written.persist(file).map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Beside(writer) => writer.write(bytes),
            Target::There(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Beside(writer) => writer.flush(),
            Target::There(writer) => writer.flush(),
        }
    }
}
