//! Reads a whole table and checks what a single read does not.

use super::{ReadContext, Source, TableReader};
use crate::env::Part;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::key::{self, InternalKey, Trailer};
use crate::metric::ReadOrigin;
use crate::table::block::{self, Block};
use crate::table::format::{self, BlockHandle};
use crate::table::index::Index;

/// A key, owned: user key and trailer.
type OwnedKey = (Vec<u8>, Trailer);

impl TableReader {
    /// Reads everything and checks what a single read does not: order across blocks, counts, filter, point index, bounds.
    pub(crate) fn verify(&self, level: usize) -> Result<u64> {
        let context = ReadContext { level, origin: ReadOrigin::Verify };
        let index = self.index()?;
        let mut entries = 0;
        let mut last: Option<OwnedKey> = None;
        for at in 0..index.len() {
            let (bound, handle) = index.get(at).ok_or_else(|| self.damaged_index())?;
            if !handle.fits(self.identity.bytes) {
                return Err(self.damaged_index());
            }
            let stored = self.source.read(handle.offset, handle.stored_len())?;
            let (_, compression) = self.check(&stored, handle, context)?;
            let place = (handle.offset, handle.stored_len(), compression != format::STORED);
            if self.points.as_ref().is_some_and(|(points, bytes)| points.block(bytes, at) != Some(place)) {
                let what = "the point index knows another place for a block";
                return Err(Error::corruption(&self.path, handle.offset, what));
            }
            let bytes = self.block(index, at, context, &self.context.recorder)?;
            entries += self.verify_block(index, (at, handle, &bytes), &mut last, context)?;
            if last.as_ref().map(borrowed) != Some(bound) {
                let what = "the index names another last key than the block has";
                return Err(Error::corruption(&self.path, handle.offset, what));
            }
        }
        let largest = last.map(|(user, _)| user).unwrap_or_default();
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
        let fault = |what| Error::corruption(&self.path, handle.offset, what);
        let plain = format::decompress(bytes, compression).ok_or(fault("a block does not decompress"))?;
        let mut last: Option<OwnedKey> = None;
        let each = |key: InternalKey<'_>| last = Some((key.user.to_vec(), key.trailer));
        self.sound(Block::parse(&plain).and_then(|block| block::check_order(block, each)), at)?;
        if last.as_ref().map(borrowed) == Some(bound) {
            Ok(())
        } else {
            Err(fault("the index names another last key than the block has"))
        }
    }

    /// Checks block `at`, which follows on `last`, makes its last key that, and counts its entries.
    fn verify_block(
        &self,
        index: Index<'_>,
        (at, handle, bytes): (usize, BlockHandle, &Part),
        last: &mut Option<OwnedKey>,
        context: ReadContext,
    ) -> Result<u64> {
        let fault = |what| Err(Error::corruption(&self.path, handle.offset, what));
        let (mut follows, mut led) = (true, Ok(true));
        let each = |key: InternalKey<'_>| {
            follows &= last.as_ref().is_none_or(|last| borrowed(last) < key);
            let is_newest = last.as_ref().is_none_or(|(user, _)| user != key.user);
            if is_newest && matches!(led, Ok(true)) {
                led = self.leads_to(index, (at, bytes), key, context);
            }
            *last = Some((key.user.to_vec(), key.trailer));
        };
        let entries =
            self.sound(Block::parse(bytes).and_then(|block| block::check_order(block, each)), at)?;
        if !follows {
            return fault("a block's keys do not follow those of the block before");
        }
        if !led? {
            return fault("the filter or the point index denies a key that is there");
        }
        Ok(entries)
    }

    /// Whether filter and point index lead to `key`, the newest version of its user key, in block `at`, whose bytes are `block`.
    fn leads_to(
        &self,
        index: Index<'_>,
        (at, block): (usize, &[u8]),
        key: InternalKey<'_>,
        context: ReadContext,
    ) -> Result<bool> {
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

fn borrowed((user, trailer): &OwnedKey) -> InternalKey<'_> {
    InternalKey::new(user, *trailer)
}
