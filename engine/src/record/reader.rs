//! Decodes groups, and tells a torn tail from corruption.

use std::path::Path;

use bettong_metrics::planted;

use super::format::{ENTRY_FIXED_BYTES, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader, GroupType};
use crate::checksum;
use crate::coding::Decoder;
use crate::error::{Error, Result};
use crate::header::HEADER_BYTES;
use crate::key::{Kind, SeqNo};

/// One entry, borrowed from the file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: Kind,
    pub(crate) keyspace: u32,
    pub(crate) seq: SeqNo,
    pub(crate) key: &'a [u8],
    /// The value as it is stored: an expiring one begins with its time.
    pub(crate) value: &'a [u8],
    /// Where in the file the entry begins, and its length.
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

/// A group whose bytes all check out.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    pub(crate) kind: GroupType,
    pub(crate) promise: u64,
    pub(crate) entries: Vec<Entry<'a>>,
}

/// Why the groups of a file end where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By a seal: nothing can be missing.
    Sealed,
    /// By a tail that no promise covers: `torn_bytes` of an interrupted write were cut (0: nothing had been begun).
    Open {
        /// Bytes that look like the beginning of something.
        torn_bytes: u64,
    },
}

/// Reads the groups of one file in order.
#[derive(Debug)]
pub(crate) struct GroupReader<'a> {
    bytes: &'a [u8],
    path: &'a Path,
    file_id: u64,
    position: u64,
    promised: u64,
    end: Option<End>,
    /// Remains of an earlier life may follow the end: not everything there was torn.
    recycled: bool,
}

impl<'a> GroupReader<'a> {
    /// Reads `bytes`, the whole file at `path`, from behind its header on. `promised` is a length that is known to be
    /// good from elsewhere (a clean-close record), or 0.
    pub(crate) fn new(bytes: &'a [u8], path: &'a Path, file_id: u64, promised: u64) -> Self {
        GroupReader { bytes, path, file_id, position: HEADER_BYTES, promised, end: None, recycled: false }
    }

    /// Says whether the file is a recycled one.
    pub(crate) fn recycled(mut self, recycled: bool) -> Self {
        self.recycled = recycled;
        self
    }

    /// The offset behind the last group read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The length that is known to have been synced, from the groups read so far.
    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }

    /// How the file ended; `None` before [`GroupReader::next`] returned `None`.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// Every group that can be made out, with its offset and length, whatever lies between them: for repairs.
    pub(crate) fn every_group(&self) -> impl Iterator<Item = (u64, u64, Group<'a>)> + '_ {
        let mut at = HEADER_BYTES;
        std::iter::from_fn(move || {
            loop {
                if let Some((group, len)) = self.group_at(at) {
                    at += len;
                    return Some((at - len, len, group));
                }
                at = self.headers_behind(at + 1).next()?.0;
            }
        })
    }

    /// The largest promise of any group that can be made out in the file.
    pub(crate) fn promise_anywhere(&self) -> u64 {
        self.promise_behind(HEADER_BYTES)
    }

    /// The next group, or `None` at the end of the file.
    ///
    /// # Errors
    /// [`Error::Corruption`] for bytes that a promise, in this group or any later one, says were durable.
    pub(crate) fn next(&mut self) -> Result<Option<Group<'a>>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let Some((group, len)) = self.group_at(self.position) else {
            if planted("hole_on_replay") && self.skip_to_next_group() {
                return self.next();
            }
            return self.finish();
        };
        // A group cannot promise its own bytes, nor any behind it.
        if group.promise > self.position {
            return Err(Error::corruption(
                self.path,
                self.position,
                "a record promises bytes that come after it",
            ));
        }
        self.promised = self.promised.max(group.promise);
        self.position += len;
        if group.kind == GroupType::Seal {
            self.end = Some(End::Sealed);
        }
        Ok(Some(group))
    }

    /// What `hole_on_replay` does.
    #[cold]
    fn skip_to_next_group(&mut self) -> bool {
        let next =
            self.headers_behind(self.position + 1).map(|(at, _)| at).find(|at| self.group_at(*at).is_some());
        next.inspect(|at| self.position = *at).is_some()
    }

    /// Decides what a group that does not read means: the end, a torn tail, or corruption.
    fn finish(&mut self) -> Result<Option<Group<'a>>> {
        let later = self.promise_behind(self.position);
        if self.promised.max(later) > self.position {
            let what = "a record that was synced does not read";
            return Err(Error::corruption(self.path, self.position, what));
        }
        let torn_bytes = if self.recycled { self.group_bytes_behind() } else { self.bytes_behind() };
        self.end = Some(End::Open { torn_bytes });
        Ok(None)
    }

    /// Bytes up to the last one that is not zero.
    fn bytes_behind(&self) -> u64 {
        let tail = self.bytes.get(self.position as usize..).unwrap_or_default();
        used_bytes(tail) as u64
    }

    /// Bytes up to the end of the last group of this life whose header can still be made out.
    fn group_bytes_behind(&self) -> u64 {
        let room = self.bytes.len() as u64 - self.position;
        let ends = self.headers_behind(self.position);
        let ends =
            ends.map(|(at, header)| at + GROUP_HEADER_BYTES as u64 + u64::from(header.bytes) - self.position);
        ends.max().unwrap_or(0).min(room)
    }

    /// The largest promise of any group header that can still be made out behind `from`.
    fn promise_behind(&self, from: u64) -> u64 {
        self.headers_behind(from).map(|(at, header)| header.promise.min(at)).max().unwrap_or(0)
    }

    /// The group headers that can be made out from `from` on, with their offsets.
    fn headers_behind(&self, from: u64) -> impl Iterator<Item = (u64, GroupHeader)> + '_ {
        let mut at = from as usize;
        std::iter::from_fn(move || {
            loop {
                at += find_magic(self.bytes.get(at..)?)?;
                let offset = (at as u64).checked_sub(4).filter(|offset| *offset >= from);
                at += 1;
                if let Some(found) = offset.and_then(|offset| Some((offset, self.header_at(offset)?))) {
                    return Some(found);
                }
            }
        })
    }

    fn group_at(&self, offset: u64) -> Option<(Group<'a>, u64)> {
        let header = self.header_at(offset)?;
        let start = offset + GROUP_HEADER_BYTES as u64;
        let body = self.bytes.get(start as usize..)?.get(..header.bytes as usize)?;
        let mut at = 0;
        // The count is checked by decoding; it must not size an allocation before.
        let mut entries =
            Vec::with_capacity((header.entries as usize).min(body.len() / ENTRY_FIXED_BYTES + 1));
        while at < body.len() {
            let entry = decode_entry(body.get(at..)?, self.file_id, start + at as u64)?;
            at += entry.len as usize;
            entries.push(entry);
        }
        let len = GROUP_HEADER_BYTES as u64 + u64::from(header.bytes);
        let whole = entries.len() == header.entries as usize;
        whole.then_some((Group { kind: header.kind, promise: header.promise, entries }, len))
    }

    fn header_at(&self, offset: u64) -> Option<GroupHeader> {
        GroupHeader::decode(self.bytes.get(offset as usize..)?, self.file_id, offset)
    }
}

/// Decodes the entry at the front of `bytes`, which lies at `offset` of the file with `file_id`, and checks that it is whole.
pub(crate) fn decode_entry(bytes: &[u8], file_id: u64, offset: u64) -> Option<Entry<'_>> {
    let (stored, entry) = split_entry(bytes, offset)?;
    (stored == checksum::salted(bytes.get(4..entry.len as usize)?, file_id, offset)).then_some(entry)
}

/// The checksum and the fields of the entry at the front of `bytes`, unchecked: for one whose checksum was good before.
pub(crate) fn split_entry(bytes: &[u8], offset: u64) -> Option<(u32, Entry<'_>)> {
    let mut fields = Decoder::new(bytes);
    let stored = fields.u32()?;
    let kind = Kind::from_u8(fields.u8()?)?;
    let keyspace = u32::try_from(fields.varint()?).ok()?;
    let key_len = fields.varint()?;
    let value_len = fields.varint()?;
    let seq = SeqNo(fields.varint()?);
    let key = fields.bytes(key_len)?;
    let value = fields.bytes(value_len)?;
    let len = u32::try_from(bytes.len() - fields.rest().len()).ok()?;
    Some((stored, Entry { kind, keyspace, seq, key, value, offset, len }))
}

/// The bytes up to the last one that is not zero. Most of a log is often zero: whole lines of it are looked at at once.
pub(crate) fn used_bytes(bytes: &[u8]) -> usize {
    let (rest, lines) = bytes.as_rchunks::<64>();
    let zero = |line: &&[u8; 64]| line.iter().fold(0, |all, byte| all | byte) == 0;
    let used = rest.len() + 64 * (lines.len() - lines.iter().rev().take_while(zero).count());
    let last = bytes.get(..used).unwrap_or_default().iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last + 1)
}

fn find_magic(bytes: &[u8]) -> Option<usize> {
    let [first, second] = GROUP_MAGIC;
    let mut from = 0;
    loop {
        let found = from + memchr::memchr(first, bytes.get(from..)?)?;
        if bytes.get(found + 1) == Some(&second) {
            return Some(found);
        }
        from = found + 1;
    }
}

#[cfg(test)]
mod tests;
