//! The one error type of the engine, and what a caller can do about each fault.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bettong_metrics::ErrorLabel;

/// What every fallible call of the engine returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. [`Error::kind`] sorts faults for programs, `Display` is a sentence for people.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file.
    Io {
        /// What was being done, as a verb: `"append to"`.
        action: &'static str,
        /// The file or directory it was done to.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The disk is full (or a quota is reached). Nothing acknowledged is lost; writes work again once there is room.
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// Bytes on disk are not what was written there.
    Corruption {
        /// The damaged file.
        path: PathBuf,
        /// Where in the file, in bytes from its start.
        offset: u64,
        /// What does not hold.
        what: &'static str,
        /// The key whose value cannot be read for it, if it is a value that is damaged.
        key: Option<Vec<u8>>,
    },
    /// The file was written by a newer version of the engine. Nothing was changed.
    UnsupportedVersion {
        /// The file with the newer format.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest format version this build reads.
        newest: u32,
    },
    /// The options contradict each other or leave their ranges: all faults at once.
    InvalidOptions(Vec<String>),
    /// Keys have 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes.
    EmptyKey,
    /// The key is longer than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
    KeyTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The value is longer than [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES).
    ValueTooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The batch is longer than [`MAX_BATCH_BYTES`](crate::MAX_BATCH_BYTES).
    BatchTooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// Another handle, in this or another process, holds the database.
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, where it could be told.
        holder: Option<u32>,
    },
    /// The engine stopped accepting writes for the reason inside; reads go on.
    ReadOnly(Arc<Error>),
    /// The database was opened with [`Db::open_read_only`](crate::Db::open_read_only).
    OpenedForReading,
    /// The database was closed.
    Closed,
}

/// The kinds of [`Error`], for `match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system failed an operation.
    Io,
    /// No room on the disk.
    NoSpace,
    /// Damaged bytes.
    Corruption,
    /// A newer format.
    Unsupported,
    /// The caller's arguments or options are out of range.
    Invalid,
    /// Another handle holds the database.
    Locked,
    /// Writes are refused after an earlier fault, or since the database was opened for reading.
    ReadOnly,
    /// The database was closed.
    Closed,
}

impl Error {
    /// The kind of fault.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { .. } => ErrorKind::Io,
            Error::NoSpace { .. } => ErrorKind::NoSpace,
            Error::Corruption { .. } => ErrorKind::Corruption,
            Error::UnsupportedVersion { .. } => ErrorKind::Unsupported,
            Error::InvalidOptions(_)
            | Error::EmptyKey
            | Error::KeyTooLong { .. }
            | Error::ValueTooLarge { .. }
            | Error::BatchTooLarge { .. } => ErrorKind::Invalid,
            Error::Locked { .. } => ErrorKind::Locked,
            Error::ReadOnly(_) | Error::OpenedForReading => ErrorKind::ReadOnly,
            Error::Closed => ErrorKind::Closed,
        }
    }

    /// Whether the same call can succeed later without anything being repaired: the disk may get room, the other
    /// holder may leave.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::NoSpace { .. } | Error::Locked { .. } => true,
            Error::ReadOnly(reason) => reason.is_retryable(),
            _ => false,
        }
    }

    /// The label under which the error is counted.
    pub(crate) fn label(&self) -> ErrorLabel {
        match self.kind() {
            ErrorKind::Io => ErrorLabel::Io,
            ErrorKind::NoSpace => ErrorLabel::NoSpace,
            ErrorKind::Corruption | ErrorKind::Unsupported => ErrorLabel::Corruption,
            ErrorKind::Invalid => ErrorLabel::Invalid,
            ErrorKind::Locked => ErrorLabel::Locked,
            ErrorKind::ReadOnly => ErrorLabel::ReadOnly,
            ErrorKind::Closed => ErrorLabel::Closed,
        }
    }

    /// Wraps an error of the operating system; a full disk becomes [`Error::NoSpace`] whatever its errno was.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Error {
        let full = [libc::ENOSPC, libc::EDQUOT, libc::EFBIG];
        if source.raw_os_error().is_some_and(|code| full.contains(&code)) {
            return Error::NoSpace { path: path.to_path_buf() };
        }
        Error::Io { action, path: path.to_path_buf(), source }
    }

    /// A panic that was caught.
    pub(crate) fn panicked(action: &'static str, path: &Path) -> Error {
        Error::io(action, path, io::Error::other("it panicked: please report it with its message"))
    }

    pub(crate) fn corruption(path: &Path, offset: u64, what: &'static str) -> Error {
        Error::Corruption { path: path.to_path_buf(), offset, what, key: None }
    }

    /// The same error, with the key it concerns.
    pub(crate) fn of_key(self, user: &[u8]) -> Error {
        match self {
            Error::Corruption { path, offset, what, .. } => {
                Error::Corruption { path, offset, what, key: Some(user.to_vec()) }
            }
            other => other,
        }
    }

    /// The sentence for those who look at metrics: without the key, which is none of their business.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Error::Corruption { path, offset, what, .. } => {
                Error::corruption(path, *offset, what).to_string()
            }
            Error::ReadOnly(reason) => format!("the database is read-only: {}", reason.sentence()),
            other => other.to_string(),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Io { action, path, source } => write!(f, "cannot {action} {}: {source}", path.display()),
            Error::NoSpace { path } => {
                write!(f, "no space left for {}: free some and writes resume by themselves", path.display())
            }
            Error::Corruption { path, offset, what, key } => {
                write!(f, "{} is damaged at byte {offset}: {what}", path.display())?;
                match key {
                    Some(key) => write!(f, " (key {})", key.escape_ascii()),
                    None => Ok(()),
                }
            }
            Error::UnsupportedVersion { path, found, newest } => write!(
                f,
                "{} has format {found}, this build reads up to {newest}: open it with a newer version",
                path.display()
            ),
            Error::InvalidOptions(faults) => write!(f, "invalid options: {}", faults.join("; ")),
            Error::EmptyKey => f.write_str("the key is empty: keys have at least one byte"),
            Error::KeyTooLong { len } => {
                write!(f, "the key has {len} bytes, at most {} are allowed", crate::limits::MAX_KEY_BYTES)
            }
            Error::ValueTooLarge { len } => {
                write!(f, "the value has {len} bytes, at most {} are allowed", crate::limits::MAX_VALUE_BYTES)
            }
            Error::BatchTooLarge { len } => {
                write!(f, "the batch has {len} bytes, at most {} are allowed", crate::limits::MAX_BATCH_BYTES)
            }
            Error::Locked { path, holder: Some(pid) } => {
                write!(
                    f,
                    "{} is held by process {pid}: one process opens a database at a time",
                    path.display()
                )
            }
            Error::Locked { path, holder: None } => {
                write!(f, "{} is held by another handle: one opens a database at a time", path.display())
            }
            Error::ReadOnly(reason) => write!(f, "the database is read-only: {reason}"),
            Error::OpenedForReading => f.write_str("the database was opened for reading only"),
            Error::Closed => f.write_str("the database is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::ReadOnly(reason) => Some(reason.as_ref()),
            _ => None,
        }
    }
}
