//! The 64 bytes every file begins with: what it is, which format, and who it is. See `docs/formats/header.md`.
//!
//! ```text
//! 0   magic            8   "BETTONG" and one letter: L log, M manifest, S table, V value file
//! 8   format version   4
//! 12  flags            4   1: a recycled file, with remains of an earlier life behind its end
//! 16  file number      8
//! 24  file id          8   random; salts every checksum of the file
//! 32  written at       8   nanoseconds since 1970
//! 40  manifest number  8   the manifest in force when the file was made, and how
//! 48  manifest length  8   long it was: 0 for the first manifest of all
//! 56  reserved         4   zero
//! 60  checksum         4   of bytes 0..60, salted with id and offset 0
//! ```
//!
//! A file is made after all edits that it knows of were durable. So a manifest that is shorter than any file of the directory
//! remembers has lost edits, and is not the torn tail of an interrupted write that it looks like.

use std::path::Path;

use crate::checksum;
use crate::coding::Decoder;
use crate::env::names::FileNumber;
use crate::error::{Error, Result};

/// The length of a [`FileHeader`].
pub(crate) const HEADER_BYTES: u64 = 64;
/// The format that this build writes, and the newest it reads.
pub(crate) const FORMAT_VERSION: u32 = 2;

const CHECKSUM_OFFSET: usize = 60;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Log,
    Manifest,
    Table,
    Value,
}

impl FileKind {
    fn magic(self) -> [u8; 8] {
        match self {
            FileKind::Log => *b"BETTONGL",
            FileKind::Manifest => *b"BETTONGM",
            FileKind::Table => *b"BETTONGS",
            FileKind::Value => *b"BETTONGV",
        }
    }
}

/// The identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) kind: FileKind,
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    pub(crate) recycled: bool,
    pub(crate) birth: Birth,
}

/// When a file was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Birth {
    /// Nanoseconds since 1970.
    pub(crate) at_nanos: u64,
    /// The manifest in force, and its durable length in bytes.
    pub(crate) manifest: FileNumber,
    pub(crate) manifest_len: u64,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
        bytes.extend_from_slice(&self.kind.magic());
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&u32::from(self.recycled).to_le_bytes());
        bytes.extend_from_slice(&self.number.0.to_le_bytes());
        bytes.extend_from_slice(&self.id.to_le_bytes());
        bytes.extend_from_slice(&self.birth.at_nanos.to_le_bytes());
        bytes.extend_from_slice(&self.birth.manifest.0.to_le_bytes());
        bytes.extend_from_slice(&self.birth.manifest_len.to_le_bytes());
        bytes.resize(CHECKSUM_OFFSET, 0);
        let checksum = checksum::salted(&bytes, self.id, 0);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let mut header = [0; HEADER_BYTES as usize];
        header.copy_from_slice(&bytes);
        header
    }

    /// Whether a header that was found good has the format that this build writes.
    pub(crate) fn is_current(bytes: &[u8]) -> bool {
        bytes.get(8..12) == Some(FORMAT_VERSION.to_le_bytes().as_slice())
    }

    /// Reads the header of a file with values: one that was written as such, or a log that became one.
    ///
    /// # Errors
    /// As [`FileHeader::decode`].
    pub(crate) fn decode_of_values(bytes: &[u8], number: FileNumber, path: &Path) -> Result<FileHeader> {
        let is_log = bytes.starts_with(&FileKind::Log.magic());
        FileHeader::decode(bytes, if is_log { FileKind::Log } else { FileKind::Value }, number, path)
    }

    /// Reads the header of the file at `path` that should be of `kind` and have `number`.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] for a newer format, [`Error::Corruption`] for anything else that does not hold.
    pub(crate) fn decode(
        bytes: &[u8],
        kind: FileKind,
        number: FileNumber,
        path: &Path,
    ) -> Result<FileHeader> {
        let fault = |offset, what| Error::corruption(path, offset, what);
        let header =
            bytes.get(..HEADER_BYTES as usize).ok_or(fault(0, "the file is shorter than its header"))?;
        let (body, checksum) = header.split_at(CHECKSUM_OFFSET);
        let mut fields = Decoder::new(body);
        let magic = fields.bytes(8).unwrap_or_default();
        let short = || fault(8, "the header is short");
        let version = fields.u32().ok_or_else(short)?;
        let flags = fields.u32().ok_or_else(short)?;
        let stored_number = fields.u64().ok_or_else(short)?;
        let id = fields.u64().ok_or_else(short)?;
        let at_nanos = fields.u64().ok_or_else(short)?;
        let manifest = FileNumber(fields.u64().ok_or_else(short)?);
        let manifest_len = fields.u64().ok_or_else(short)?;
        if magic != kind.magic() {
            return Err(fault(0, "the file is not of the kind its name says (wrong magic)"));
        }
        if checksum != checksum::salted(body, id, 0).to_le_bytes() {
            return Err(fault(CHECKSUM_OFFSET as u64, "the header's checksum does not match"));
        }
        // Only a header that is whole may claim to be newer: a flipped bit in the version must not look like an upgrade.
        if version > FORMAT_VERSION {
            return Err(Error::UnsupportedVersion {
                path: path.into(),
                found: version,
                newest: FORMAT_VERSION,
            });
        }
        if version == 0 || flags > 1 || fields.rest().iter().any(|byte| *byte != 0) {
            return Err(fault(8, "the header has fields no version writes"));
        }
        if stored_number != number.0 {
            return Err(fault(16, "the file was renamed or swapped: its number is another one's"));
        }
        Ok(FileHeader {
            kind,
            number,
            id,
            recycled: flags == 1,
            birth: Birth { at_nanos, manifest, manifest_len },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn birth() -> Birth {
        Birth { at_nanos: 5, manifest: FileNumber(6), manifest_len: 7 }
    }

    fn header() -> FileHeader {
        FileHeader {
            kind: FileKind::Log,
            number: FileNumber(12),
            id: 0x0123_4567_89ab_cdef,
            recycled: false,
            birth: birth(),
        }
    }

    fn decode(bytes: &[u8]) -> Result<FileHeader> {
        FileHeader::decode(bytes, FileKind::Log, FileNumber(12), Path::new("000012.log"))
    }

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_is_noticed() {
        let bytes = header().encode();
        assert_eq!(decode(&bytes).unwrap(), header());
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&damaged), Err(Error::Corruption { .. })), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(matches!(decode(&bytes[..len]), Err(Error::Corruption { .. })), "length {len}");
        }
    }

    /// F51, F26: a newer format is refused as such, a file under another's name as corruption.
    #[test]
    fn a_newer_format_is_unsupported_and_a_swapped_file_is_corruption() {
        let mut newer = header().encode();
        newer[8..12].copy_from_slice(&9u32.to_le_bytes());
        let checksum = checksum::salted(&newer[..60], header().id, 0);
        newer[60..].copy_from_slice(&checksum.to_le_bytes());
        assert!(matches!(decode(&newer), Err(Error::UnsupportedVersion { found: 9, .. })));

        let other = FileHeader { number: FileNumber(13), ..header() }.encode();
        assert!(matches!(decode(&other), Err(Error::Corruption { offset: 16, .. })));
        let table = FileHeader { kind: FileKind::Value, ..header() }.encode();
        assert!(matches!(decode(&table), Err(Error::Corruption { offset: 0, .. })));
    }
}
