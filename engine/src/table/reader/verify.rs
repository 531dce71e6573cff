//! Reads a whole table and checks what a single read does not.

use std::borrow::Cow;

use super::{ReadContext, Source, TableReader};
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::iter::Entry;
use crate::key::{self, InternalKey, KeyBuffer};
use crate::metric::ReadOrigin;
use crate::table::block::{self, Block};
use crate::table::format::{self, BlockHandle};
use crate::table::index::Index;

/// What the system is asked for at a time, and so long before it is read: all of a table will be.
const AHEAD_BYTES: u64 = 1 << 20;

impl TableReader {
    /// Reads everything and checks what a single read does not: order across blocks, counts, filter, point index, bounds. Hands on each entry, up to
    /// the first fault, and counts them.
    pub(crate) fn verify(&self, level: usize, mut each: impl FnMut(Entry<'_>)) -> Result<u64> {
        let context = ReadContext { level, origin: ReadOrigin::Verify };
        let index = self.index()?;
        let mut asked = 0;
        let (mut entries, mut last) = (0, KeyBuffer::default());
        for at in 0..index.len() {
            let (bound, handle) = index.get(at).ok_or_else(|| self.damaged_index())?;
            if !handle.fits(self.identity.bytes) {
                return Err(self.damaged_index());
            }
            if handle.offset + AHEAD_BYTES > asked {
                self.will_need(asked..asked + AHEAD_BYTES);
                asked += AHEAD_BYTES;
            }
            let stored = self.source.read(handle.offset, handle.stored_len())?;
            let (bytes, compression) = self.check(&stored, handle, context)?;
            let place = (handle.offset, handle.stored_len(), compression != format::STORED);
            if self.points.as_ref().is_some_and(|(points, bytes)| points.block(bytes, at) != Some(place)) {
                let what = "the point index knows another place for a block";
                return Err(Error::corruption(&self.path, handle.offset, what));
            }
            let plain = self.plain(bytes, compression, handle)?;
            entries += self.verify_block(index, (at, handle, &plain), &mut last, &mut each)?;
            if last.get() != Some(bound) {
                let what = "the index names another last key than the block has";
                return Err(Error::corruption(&self.path, handle.offset, what));
            }
        }
        let largest = last.get().map_or(&[][..], |last| last.user);
        if entries != self.properties.entries || largest != self.properties.largest {
            return Err(Error::corruption(&self.path, 0, "the table does not hold what its properties say"));
        }
        Ok(entries)
    }

    /// Reads one block from the file and checks it: block `nth`, counted round and round. Neither cache nor mapping has a part in it: a read
    /// that fails says so, where touching a page that cannot be read would end the process.
    pub(crate) fn check_one(&self, nth: u64, level: usize) -> Result<()> {
        let context = ReadContext { level, origin: ReadOrigin::Verify };
        let index = self.index()?;
        let at = (nth % (index.len() as u64).max(1)) as usize;
        let (bound, handle) = index.get(at).ok_or_else(|| self.damaged_index())?;
        if !handle.fits(self.identity.bytes) {
            return Err(self.damaged_index());
        }
        let file = self.context.dir.open(FileName::Table(self.identity.number), false)?;
        let stored = Source::File(file).read(handle.offset, handle.stored_len())?;
        let (bytes, compression) = self.check(&stored, handle, context)?;
        let plain = self.plain(bytes, compression, handle)?;
        let mut last = KeyBuffer::default();
        let each = |(key, _): Entry<'_>| last.set(key);
        self.sound(Block::parse(&plain).and_then(|block| block::check_order(block, each)), at)?;
        if last.get() == Some(bound) {
            return Ok(());
        }
        Err(Error::corruption(
            &self.path,
            handle.offset,
            "the index names another last key than the block has",
        ))
    }

    /// The bytes of a checked block as they were before they were compressed.
    fn plain<'a>(&self, bytes: &'a [u8], compression: u8, handle: BlockHandle) -> Result<Cow<'a, [u8]>> {
        if compression == format::STORED {
            return Ok(Cow::Borrowed(bytes));
        }
        let plain = format::decompress(bytes, compression);
        let fault = || Error::corruption(&self.path, handle.offset, "a block does not decompress");
        plain.map(Cow::Owned).ok_or_else(fault)
    }

    /// Checks block `at`, which follows on `last`, makes its last key that, and hands on and counts its entries.
    fn verify_block(
        &self,
        index: Index<'_>,
        (at, handle, bytes): (usize, BlockHandle, &[u8]),
        last: &mut KeyBuffer,
        each: &mut impl FnMut(Entry<'_>),
    ) -> Result<u64> {
        let fault = |what| Err(Error::corruption(&self.path, handle.offset, what));
        let (mut follows, mut led) = (true, Ok(true));
        let check = |(key, stored): Entry<'_>| {
            follows &= last.get().is_none_or(|last| last < key);
            let is_newest = last.get().is_none_or(|last| last.user != key.user);
            if is_newest && matches!(led, Ok(true)) {
                led = self.leads_to(index, (at, bytes), key);
            }
            last.set(key);
            each((key, stored));
        };
        let entries =
            self.sound(Block::parse(bytes).and_then(|block| block::check_order(block, check)), at)?;
        if !follows {
            return fault("a block's keys do not follow those of the block before");
        }
        if !led? {
            return fault("the filter or the point index denies a key that is there");
        }
        Ok(entries)
    }

    /// Whether filter and point index lead to `key`, the newest version of its user key, in block `at`, whose bytes are `block`.
    fn leads_to(&self, index: Index<'_>, (at, block): (usize, &[u8]), key: InternalKey<'_>) -> Result<bool> {
        let hash = key::hash(key.user);
        if self.filter.as_ref().is_some_and(|(filter, bytes)| !filter.may_contain(bytes, hash)) {
            return Ok(false);
        }
        let Some((points, bytes)) = &self.points else { return Ok(true) };
        let mut candidates = points.candidates(bytes, hash);
        while let Some(position) = candidates.next(*points, bytes, hash) {
            let found = if position.block == at {
                block::find_in_run(block, position.offset, key.user)
            } else {
                let context = ReadContext { level: 0, origin: ReadOrigin::Verify };
                let other = self.block(index, position.block, context, &self.context.recorder)?;
                block::find_in_run(&other, position.offset, key.user)
            };
            if !matches!(found, Ok(None)) {
                return Ok(matches!(found, Ok(Some((found, _))) if found == key.trailer));
            }
        }
        Ok(false)
    }
}
