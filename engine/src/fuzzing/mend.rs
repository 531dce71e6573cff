//! Makes all checksums of a damaged file good again, so that the damage reaches what lies behind them.

use crate::checksum;
use crate::coding::Decoder;
use crate::env::names::FileName;
use crate::header::HEADER_BYTES;
use crate::record::format::{GROUP_HEADER_BYTES, GROUP_MAGIC};
use crate::record::reader::split_entry;
use crate::table::format::{BlockHandle, FOOTER_BYTES};
use crate::table::index::Index;

const HEADER_CHECKSUM: usize = 60;
const FOOTER_CHECKSUM: usize = 84;

/// Mends the file with this name.
pub(super) fn mend(name: FileName, bytes: &mut [u8]) {
    match name {
        FileName::Current => mend_current(bytes),
        FileName::Table(_) => {
            let id = mend_header(bytes);
            mend_table(bytes, id);
        }
        FileName::Log(_) | FileName::Manifest(_) | FileName::Value(_) => {
            let id = mend_header(bytes);
            mend_groups(bytes, id);
        }
        FileName::Lock | FileName::CurrentTemp | FileName::Options(_) => {}
    }
}

fn mend_current(bytes: &mut [u8]) {
    let Some(space) = bytes.iter().position(|byte| *byte == b' ') else { return };
    let (name, sum) = bytes.split_at_mut(space);
    let good = format!("{:08x}", checksum::salted(name, 0, 0));
    sum.iter_mut().skip(1).zip(good.bytes()).for_each(|(to, from)| *to = from);
}

/// Mends a file's header, and returns the file's id.
pub(super) fn mend_header(bytes: &mut [u8]) -> u64 {
    let id = bytes.get(24..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |id| u64::from_le_bytes(*id));
    put_checksum(bytes, 0..HEADER_CHECKSUM, HEADER_CHECKSUM, (id, 0));
    id
}

/// Stores the checksum of `covered` at `place`; what does not lie in the file is left.
fn put_checksum(bytes: &mut [u8], covered: std::ops::Range<usize>, place: usize, (id, offset): (u64, u64)) {
    let Some(sum) = bytes.get(covered).map(|covered| checksum::salted(covered, id, offset)) else { return };
    if let Some(place) = bytes.get_mut(place..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *place = sum.to_le_bytes();
    }
}

/// Mends every group that can be made out, and the entries in it.
fn mend_groups(bytes: &mut [u8], id: u64) {
    let mut at = HEADER_BYTES as usize;
    while let Some(group) = bytes.get(at..).filter(|rest| rest.len() >= GROUP_HEADER_BYTES) {
        if group.get(4..6) != Some(GROUP_MAGIC.as_slice()) {
            at += 1;
            continue;
        }
        let len = group.get(12..).and_then(|rest| rest.first_chunk::<4>());
        let end = at + GROUP_HEADER_BYTES + len.map_or(0, |len| u32::from_le_bytes(*len) as usize);
        put_checksum(bytes, at + 4..at + GROUP_HEADER_BYTES, at, (id, at as u64));
        at += GROUP_HEADER_BYTES;
        while at < end {
            let entry = bytes.get(at..end.min(bytes.len()));
            let Some((_, entry)) = entry.and_then(|rest| split_entry(rest, 0)) else { break };
            let entry_end = at + entry.len as usize;
            put_checksum(bytes, at + 4..entry_end, at, (id, at as u64));
            at = entry_end;
        }
    }
}

/// Mends the footer, and every section and block that it leads to.
fn mend_table(bytes: &mut [u8], id: u64) {
    let Some(footer) = bytes.len().checked_sub(FOOTER_BYTES as usize) else { return };
    put_checksum(bytes, footer..footer + FOOTER_CHECKSUM, footer + FOOTER_CHECKSUM, (id, footer as u64));
    let mut fields = Decoder::new(bytes.get(footer..).unwrap_or_default());
    let handle = || Some(BlockHandle { offset: fields.u64()?, len: fields.u32()? });
    let sections: Vec<BlockHandle> = std::iter::from_fn(handle).take(3).collect();
    sections.iter().for_each(|section| mend_block(bytes, *section, id));
    let index = sections.get(1).filter(|index| index.fits(bytes.len() as u64));
    let index = index.and_then(|index| bytes.get(index.offset as usize..)?.get(..index.len as usize));
    let Some(index) = index.and_then(Index::parse) else { return };
    let blocks: Vec<BlockHandle> = (0..index.len()).filter_map(|at| Some(index.get(at)?.1)).collect();
    blocks.into_iter().for_each(|block| mend_block(bytes, block, id));
}

fn mend_block(bytes: &mut [u8], handle: BlockHandle, id: u64) {
    if handle.fits(bytes.len() as u64) {
        let (start, end) = (handle.offset as usize, handle.offset as usize + handle.len as usize + 1);
        put_checksum(bytes, start..end, end, (id, handle.offset));
    }
}
