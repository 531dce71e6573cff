//! Gets from one table, by its point index.

use bettong_metrics::Stage;

use super::{ReadContext, Source, TableReader};
use crate::env::Bytes;
use crate::key::{InternalKey, Trailer};
use crate::report::Report;
use crate::table::block;
use crate::table::format::{BLOCK_TRAILER_BYTES, BlockHandle};
use crate::table::point_index::{Candidates, Position};

impl TableReader {
    /// The first entry at or after `key`, if it has the same user key. Its hash is `hash`, and it is at one of the candidates for
    /// that.
    #[inline(never)]
    pub(crate) fn get<R: Report>(
        &self,
        key: InternalKey<'_>,
        (hash, mut candidates): (u64, Candidates),
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Bytes<'_>)>, R::Stop> {
        let Some((points, bytes)) = &self.points else { return self.search(key, context, report) };
        let Some(position) = candidates.next(*points, bytes, hash) else { return Ok(None) };
        match self.get_at(position, key, context, report)? {
            // Another key with the same bits of its hash. That is rare, and what is above is no loop, which would first lay all that
            // does not change in it on the stack.
            None => self.get_at_others(key, (hash, candidates), context, report),
            found => Ok(found),
        }
    }

    /// Goes on with the candidates that are left.
    #[cold]
    #[inline(never)]
    fn get_at_others<R: Report>(
        &self,
        key: InternalKey<'_>,
        (hash, mut candidates): (u64, Candidates),
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Bytes<'_>)>, R::Stop> {
        let Some((points, bytes)) = &self.points else { return Ok(None) };
        while let Some(position) = candidates.next(*points, bytes, hash) {
            let found = self.get_at(position, key, context, report)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first entry at or after `key` with the same user key, if that is the one at `position`.
    #[expect(clippy::inline_always, reason = "the first candidate is the way of most gets, of one function")]
    #[inline(always)]
    fn get_at<R: Report>(
        &self,
        position: Position,
        key: InternalKey<'_>,
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Bytes<'_>)>, R::Stop> {
        let place = self.points.as_ref().and_then(|(points, bytes)| points.block(bytes, position.block));
        let place = place.ok_or_else(|| self.damaged_index())?;
        report.mark(Stage::Index);
        let found = self.find_at(position, place, key.user, context, report)?;
        report.mark(Stage::Data);
        match found {
            // Newer than the read: what came before it lies behind it.
            Some((trailer, _)) if trailer > key.trailer => self.search(key, context, report),
            found => Ok(found),
        }
    }

    /// The newest version of a user key in the run at `position` of the block at `place`.
    #[expect(clippy::inline_always, reason = "as `get_at`")]
    #[inline(always)]
    fn find_at<R: Report>(
        &self,
        position: Position,
        (offset, stored_len, compressed): (u64, u64, bool),
        user: &[u8],
        context: ReadContext,
        report: R,
    ) -> std::result::Result<Option<(Trailer, Bytes<'_>)>, R::Stop> {
        let len = stored_len.checked_sub(BLOCK_TRAILER_BYTES).ok_or_else(|| self.damaged_index())?;
        let handle = BlockHandle { offset, len: len as u32 };
        if !handle.fits(self.identity.bytes) {
            return Err(self.damaged_index().into());
        }
        if let (Source::Mapped(map), false) = (&self.source, compressed) {
            let block = self.mapped_block(map, position.block, handle, context, report)?;
            let found = self.sound(block::find_in_run(block, position.offset, user), position.block)?;
            let Some((trailer, range)) = found else { return Ok(None) };
            return Ok(Some((trailer, Bytes::mapped(map, offset as usize, range))));
        }
        let stored = || self.source.read(handle.offset, handle.stored_len());
        let block = self.cached(handle, context, report, stored)?;
        let found = self.sound(block::find_in_run(&block, position.offset, user), position.block)?;
        Ok(found.map(|(trailer, range)| (trailer, Bytes::part(block.cut(range)))))
    }
}
