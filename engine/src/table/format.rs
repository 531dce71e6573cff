//! Handles, block trailers and the footer.

use std::path::Path;

use bettong_metrics::planted;

use crate::checksum;
use crate::coding::Decoder;
use crate::error::{Error, Result};
use crate::header::HEADER_BYTES;

/// Behind every block and section: compression (1), checksum (4) of bytes and compression, salted.
pub(crate) const BLOCK_TRAILER_BYTES: u64 = 5;
/// The last bytes of a table.
pub(crate) const FOOTER_BYTES: u64 = 96;
/// A block that is stored as it is.
pub(crate) const STORED: u8 = 0;
/// A block of LZ4; its uncompressed length (4) comes first.
pub(crate) const LZ4: u8 = 1;
/// LZ4 cannot shrink bytes by more than this, so a length beyond it is damage.
const LZ4_RATIO_MAX: usize = 255;

/// The end of a footer, and so of a finished table.
pub(crate) const FOOTER_MAGIC: [u8; 8] = *b"BTGTABLE";
const FOOTER_CHECKSUM_OFFSET: usize = 84;

/// Where a block or section lies; its trailer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct BlockHandle {
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

impl BlockHandle {
    /// The bytes on disk, trailer included.
    pub(crate) fn stored_len(self) -> u64 {
        u64::from(self.len) + BLOCK_TRAILER_BYTES
    }

    /// Whether block and trailer lie between header and footer of a file of `file_len` bytes.
    pub(crate) fn fits(self, file_len: u64) -> bool {
        let end = self.offset.checked_add(self.stored_len());
        self.offset >= HEADER_BYTES && end.is_some_and(|end| end <= file_len.saturating_sub(FOOTER_BYTES))
    }
}

/// The trailer of the block of these bytes that will lie at `offset`.
pub(crate) fn block_trailer(
    bytes: &[u8],
    compression: u8,
    file_id: u64,
    offset: u64,
) -> [u8; BLOCK_TRAILER_BYTES as usize] {
    let [a, b, c, d] = checksum::salted_of([bytes, &[compression]], file_id, offset).to_le_bytes();
    [compression, a, b, c, d]
}

/// Checks the trailer of `stored` (block and trailer) and returns the block's bytes and compression.
pub(crate) fn check_block(stored: &[u8], file_id: u64, offset: u64) -> Option<(&[u8], u8)> {
    let (covered, checksum) = stored.split_last_chunk::<4>()?;
    let matches = u32::from_le_bytes(*checksum) == checksum::salted(covered, file_id, offset);
    if !matches && !planted("block_checksum_skipped") {
        return None;
    }
    let (compression, block) = covered.split_last()?;
    Some((block, *compression))
}

/// Undoes the compression of a checked block; `None` for damage.
pub(crate) fn decompress(block: &[u8], compression: u8) -> Option<Vec<u8>> {
    match compression {
        STORED => Some(block.to_vec()),
        LZ4 => {
            let (len, packed) = block.split_first_chunk::<4>()?;
            let len = u32::from_le_bytes(*len) as usize;
            if len > packed.len().saturating_mul(LZ4_RATIO_MAX) + 64 {
                return None;
            }
            let plain = lz4_flex::block::decompress(packed, len).ok()?;
            (plain.len() == len).then_some(plain)
        }
        _ => None,
    }
}

/// Compresses a block, or `None` when that does not save an eighth.
pub(crate) fn compress(block: &[u8]) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(4 + lz4_flex::block::get_maximum_output_size(block.len()));
    packed.extend_from_slice(&(block.len() as u32).to_le_bytes());
    packed.extend_from_slice(&lz4_flex::block::compress(block));
    (packed.len() <= block.len() - block.len() / 8).then_some(packed)
}

/// Where the sections of a table lie.
///
/// ```text
/// 0   properties    12  offset 8, length 4
/// 12  index         12
/// 24  filter        12  length 0: none
/// 36  point index   12  room for an index from key hash to entry; length 0: none
/// 48  reserved      24  zero
/// 72  file id        8
/// 80  format version 4
/// 84  checksum       4  of bytes 0..84, salted with file id and the footer's offset
/// 88  magic          8  "BTGTABLE"
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) properties: BlockHandle,
    pub(crate) index: BlockHandle,
    pub(crate) filter: BlockHandle,
    pub(crate) point_index: BlockHandle,
}

impl Footer {
    pub(crate) fn encode(&self, file_id: u64, format_version: u32, offset: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES as usize);
        for handle in [self.properties, self.index, self.filter, self.point_index] {
            bytes.extend_from_slice(&handle.offset.to_le_bytes());
            bytes.extend_from_slice(&handle.len.to_le_bytes());
        }
        bytes.resize(72, 0);
        bytes.extend_from_slice(&file_id.to_le_bytes());
        bytes.extend_from_slice(&format_version.to_le_bytes());
        let checksum = checksum::salted(&bytes, file_id, offset);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&FOOTER_MAGIC);
        bytes
    }

    /// Reads the footer of the file at `path`, of `file_len` bytes and with unique id `file_id`.
    pub(crate) fn decode(bytes: &[u8], file_id: u64, file_len: u64, path: &Path) -> Result<Footer> {
        let offset = file_len.saturating_sub(FOOTER_BYTES);
        let fault = |what| Error::corruption(path, offset, what);
        let (covered, rest) =
            bytes.split_at_checked(FOOTER_CHECKSUM_OFFSET).ok_or(fault("the footer is short"))?;
        let mut tail = Decoder::new(rest);
        let checksum = tail.u32();
        if tail.rest() != FOOTER_MAGIC {
            return Err(fault("the footer's magic is wrong: the file was cut or is not a table"));
        }
        if checksum != Some(checksum::salted(covered, file_id, offset)) {
            return Err(fault("the footer's checksum does not match"));
        }
        let mut fields = Decoder::new(covered);
        let mut handle = || Some(BlockHandle { offset: fields.u64()?, len: fields.u32()? });
        let footer = (|| {
            Some(Footer {
                properties: handle()?,
                index: handle()?,
                filter: handle()?,
                point_index: handle()?,
            })
        })();
        let footer = footer.ok_or(fault("the footer is short"))?;
        let optional = |handle: BlockHandle| handle.len == 0 || handle.fits(file_len);
        let placed = footer.properties.fits(file_len) && footer.index.fits(file_len);
        if !placed || !optional(footer.filter) || !optional(footer.point_index) {
            return Err(fault("a section lies outside the file"));
        }
        Ok(footer)
    }
}
