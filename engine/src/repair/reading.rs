//! Reads from a disk that may have bad sectors.

use crate::error::Error;

/// Whether the disk says that it cannot read these bytes.
pub(super) fn is_bad_sector(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.raw_os_error() == Some(libc::EIO))
}
