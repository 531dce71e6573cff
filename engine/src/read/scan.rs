//! Walks the visible keys of a range, from both ends.

use std::ops::Bound;
use std::sync::Arc;

use bettong_metrics::{
    Counter, Counting, Held, Histogram, HolderKind, Operation, Recorder, StepSampler, Ticks, planted,
};

use crate::context::FileContext;
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::key::{InternalKey, Kind, SeqNo};
use crate::levels::level_cursor::LevelCursor;
use crate::merge::{MergeIter, Source};
use crate::metric::ReadOrigin;
use crate::read::ahead::Ahead;
use crate::read::fetch::ItemValue;
use crate::read::item::{Item, ItemRef};
use crate::read::point::ReadPoint;
use crate::read::range::ScanRange;
use crate::read::resolver::{Found, Resolver};
use crate::table::cursor::TableCursor;
use crate::table::reader::ReadContext;
use crate::value::Value;
use crate::view::View;

const SHADOWED: usize = 0;
const TOMBSTONE: usize = 1;
const NEWER: usize = 2;

const FORWARD: usize = 0;
const BACKWARD: usize = 1;

/// Sorted runs of a settled database; an allocation for many more would take longer than the seek that wants it.
const USUAL_RUNS: usize = 4;

/// From how many steps on they are no longer only counted here: the metrics hear of them at the next block.
const STEPS_KEPT: u64 = 1024;

/// The keys of a range in order, from the front with `next`, from the back with `next_back`, until they meet.
///
/// Items can be kept. Who looks at each only until the next one comes walks faster with [`next_ref`](Scan::next_ref).
///
/// A scan sees the state at which it was created, whatever is written, flushed or compacted while it is held. It keeps
/// the files of that state on the disk, so do not hold one for longer than it is used. After an error it ends.
pub struct Scan {
    range: ScanRange,
    seq: SeqNo,
    resolver: Resolver,
    ahead: Ahead,
    front: Option<MergeIter>,
    back: Option<MergeIter>,
    /// Whether the front has seen the newest visible version of the key that it stands on: the rest of its versions are passed over.
    is_settled: bool,
    /// The item that a step has come to, if it does not lie where the front stands.
    made: Option<Item>,
    phase: Phase,
    /// Why the first step fails, if it does; why the last one did, until that is said.
    refused: Option<Error>,
    /// That it is open, for those who look at the metrics.
    held: Held,
    sampler: StepSampler,
    counts: Counts,
    /// Steps that the metrics have heard of.
    steps: u64,
}

/// What a step from the front may find where the last one ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The front stands on what was returned last, and nothing is in `made` or `ahead`.
    Walking,
    /// There may be something in `made` or `ahead`.
    Holding,
    Over,
}

/// What a step forwards has come to.
enum Stop {
    /// The entry that the front stands on. Its value has so many bytes before it that are not part of it.
    Here { head: usize },
    /// An item that does not lie there: it is in `made`.
    Made,
    /// Nothing: the scan is over.
    Over,
    /// Nothing: why is in `refused`.
    Failed,
}

#[derive(Debug, Default)]
struct Counts {
    steps: [u64; 2],
    skipped: [u64; 3],
    bytes: u64,
}

impl Counts {
    #[inline]
    fn add(&mut self, direction: usize, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(steps) = self.steps.get_mut(direction) {
            *steps += 1;
        }
    }

    fn skip(&mut self, reason: usize) {
        if let Some(count) = self.skipped.get_mut(reason) {
            *count += 1;
        }
    }

    fn tell(&self, to: Counting<'_>) {
        for (direction, steps) in self.steps.into_iter().enumerate() {
            to.add(Counter::IteratorSteps.at(direction), steps);
        }
        to.add(Counter::UserReadBytes, self.bytes);
        if self.skipped.iter().any(|skipped| *skipped > 0) {
            for (reason, skipped) in self.skipped.into_iter().enumerate() {
                to.add(Counter::IteratorSkippedKeys.at(reason), skipped);
            }
        }
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan({:?} .. {:?} at {})", self.range.lower, self.range.upper, self.seq.0)
    }
}

impl Scan {
    /// A scan of `range` in `view` at `seq`. Nothing is read before the first step.
    pub(crate) fn new(
        view: Arc<View>,
        point: ReadPoint,
        range: ScanRange,
        files: &Arc<FileContext>,
        allowed: Result<()>,
    ) -> Scan {
        // Called before the scan is put together, which then happens where it is to be, and not on the stack first.
        let resolver = Resolver::new(view, files, point.time.unwrap_or(0));
        let held = files.recorder.take_hold(HolderKind::Iterator, point.seq.0);
        let sampler = files.recorder.open_iterator();
        Scan {
            range,
            seq: point.seq,
            resolver,
            ahead: Ahead::default(),
            front: None,
            back: None,
            is_settled: false,
            made: None,
            phase: Phase::Holding,
            refused: allowed.err(),
            held,
            sampler,
            counts: Counts::default(),
            steps: 0,
        }
    }

    fn recorder(&self) -> &Recorder {
        self.resolver.recorder()
    }

    fn merge(&self) -> Result<MergeIter> {
        let mut sources = Vec::with_capacity(USUAL_RUNS);
        let view = self.resolver.view();
        for memtable in view.memtables() {
            if !memtable.is_empty() {
                sources.push(Source::Memtable(memtable.iter()));
            }
        }
        for (level, tables) in view.version.levels_with_tables(0) {
            let context = ReadContext { level, origin: ReadOrigin::Scan };
            if level == 0 {
                for table in tables.tables.iter().filter(|table| self.range.touches(&table.meta)) {
                    sources.push(Source::Table(TableCursor::new(table.reader()?.clone(), context)));
                }
            } else if self.range.touches_any(&tables.tables) {
                sources.push(Source::Level(LevelCursor::new(tables.tables.clone(), context)));
            }
        }
        Ok(MergeIter::new(sources))
    }

    /// Places a merge for walking on from the lower bound.
    fn place_front(&self) -> Result<MergeIter> {
        let timer = self.recorder().start(Operation::Scan);
        timer.add(Counter::IteratorSeeks.at(FORWARD), 1);
        let mut merge = self.merge()?;
        match &self.range.lower {
            // Keys are never longer than they may be, so nothing lies between a key and the same key with a zero byte.
            Bound::Excluded(lower) => {
                let next = [lower.as_slice(), &[0]].concat();
                merge.seek(InternalKey::seek(&next, SeqNo::MAX))?;
            }
            Bound::Included(lower) => merge.seek(InternalKey::seek(lower, SeqNo::MAX))?,
            Bound::Unbounded => merge.seek_to_first()?,
        }
        Ok(merge)
    }

    /// Places a merge for walking back from the upper bound.
    fn place_back(&self) -> Result<MergeIter> {
        let timer = self.recorder().start(Operation::Scan);
        timer.add(Counter::IteratorSeeks.at(BACKWARD), 1);
        let mut merge = self.merge()?;
        match &self.range.upper {
            Bound::Included(upper) => {
                let next = [upper.as_slice(), &[0]].concat();
                merge.seek_before(InternalKey::seek(&next, SeqNo::MAX))?;
            }
            Bound::Excluded(upper) => merge.seek_before(InternalKey::seek(upper, SeqNo::MAX))?,
            Bound::Unbounded => merge.seek_to_last()?,
        }
        Ok(merge)
    }

    /// Takes a step from the front. What most steps come to is found here: a value of a new key, where the merge need not move a source.
    #[inline]
    fn advance(&mut self) -> Stop {
        // The first step is not timed: it places the iterator, which is an operation of its own.
        if self.front.is_some() && self.sampler.is_turn() {
            self.advance_timed()
        } else {
            self.advance_untimed()
        }
    }

    #[inline]
    fn advance_untimed(&mut self) -> Stop {
        let Some(merge) = &mut self.front else { return self.advance_specially(None) };
        let stepped = if self.phase == Phase::Walking { merge.step_in_block() } else { None };
        if stepped == Some(true)
            && let Some((InternalKey { user, trailer }, _)) = merge.current()
            && trailer.is_of(Kind::Value)
            && trailer.seq() <= self.seq
            && !self.range.is_above(user)
        {
            self.is_settled = true;
            return Stop::Here { head: 0 };
        }
        self.advance_specially(stepped)
    }

    #[cold]
    #[inline(never)]
    fn advance_timed(&mut self) -> Stop {
        if self.phase == Phase::Over {
            return Stop::Over;
        }
        let started = self.recorder().now();
        let stop = self.advance_untimed();
        self.end_timed_step(started);
        stop
    }

    /// Takes a step from the front, or what is left of it: the merge has stepped already if `stepped` says whether that led to another key.
    #[inline(never)]
    fn advance_specially(&mut self, stepped: Option<bool>) -> Stop {
        if self.phase == Phase::Over {
            return Stop::Over;
        }
        let step = self.refused.take().map_or_else(|| self.go_on(stepped), Err);
        match step {
            Ok(Some(stop)) => {
                self.phase = if let Stop::Here { .. } = stop { Phase::Walking } else { Phase::Holding };
                self.hand_over_full_counts();
                stop
            }
            step => self.end(step.err()),
        }
    }

    /// The scan ends here, with an error perhaps.
    #[cold]
    #[inline(never)]
    fn end(&mut self, error: Option<Error>) -> Stop {
        self.phase = Phase::Over;
        let Some(error) = error else { return Stop::Over };
        self.recorder().fail(Operation::Scan, error.label());
        self.refused = Some(error);
        Stop::Failed
    }

    /// Goes on to the next item from the front: one that was gathered, or the next that is found, and with it, where all values are asked
    /// for, some of those behind it.
    #[inline]
    fn go_on(&mut self, stepped: Option<bool>) -> Result<Option<Stop>> {
        if self.phase == Phase::Holding
            && let Some(stop) = self.advance_in_gathered()?
        {
            return Ok(Some(stop));
        }
        match self.step_front(stepped)? {
            Some(Found::Here { head }) => Ok(Some(Stop::Here { head })),
            Some(apart) => Ok(self.gather(apart)),
            None => Ok(None),
        }
    }

    #[inline(never)]
    fn advance_in_gathered(&mut self) -> Result<Option<Stop>> {
        // What was lent before, perhaps a large value, is let go in any case.
        self.made = None;
        self.made = self.ahead.pop()?;
        Ok(self.made.as_ref().map(|_| Stop::Made))
    }

    /// An item for what the front has found.
    fn item(&self, found: Found) -> Option<Item> {
        let merge = self.front.as_ref()?;
        let (key, stored) = merge.current()?;
        Some(Item { key: Value::copied(key.user), value: found.keep(merge, stored)? })
    }

    /// An item for a separated value that the front has found. Some items behind it are passed over and their values read, if the values of the
    /// last ones were asked for.
    #[inline(never)]
    fn gather(&mut self, apart: Found) -> Option<Stop> {
        let first = self.item(apart)?;
        if self.ahead.begin(self.resolver.asked()) {
            let mut ahead = std::mem::take(&mut self.ahead);
            ahead.gather(&first, || Ok(self.step_front(None)?.and_then(|found| self.item(found))));
            self.ahead = ahead;
        }
        self.made = Some(first);
        Some(Stop::Made)
    }

    /// The next item from the back: where both ends have met, one that the front had passed.
    fn step_from_back(&mut self) -> Result<Option<Item>> {
        if let Some(item) = self.step_back()? {
            return Ok(Some(item));
        }
        self.ahead.pop_back()
    }

    /// Goes on to the next visible entry from the front. If `stepped`, the first step was taken.
    fn step_front(&mut self, mut stepped: Option<bool>) -> Result<Option<Found>> {
        // A merge that was just placed stands on what is to be looked at. Later the step off the key returned last is taken only now: its value
        // may have been all that was wanted.
        if self.front.is_none() {
            self.front = Some(self.place_front()?);
            stepped = Some(true);
        }
        let Some(merge) = &mut self.front else { return Ok(None) };
        loop {
            let is_new = stepped.take().map_or_else(|| merge.step(), Ok)?;
            let Some((key, stored)) = merge.current() else { return Ok(None) };
            if self.range.is_above(key.user) {
                return Ok(None);
            }
            self.is_settled &= !is_new;
            let skipped = if key.trailer.seq() > self.seq {
                NEWER
            } else if self.is_settled {
                SHADOWED
            } else {
                self.is_settled = true;
                if let Some(found) = self.resolver.value_of(key.trailer, stored)? {
                    return Ok(Some(found));
                }
                if planted("scan_misses_tombstones") {
                    self.is_settled = false;
                }
                TOMBSTONE
            };
            self.counts.skip(skipped);
        }
    }

    fn step_back(&mut self) -> Result<Option<Item>> {
        if self.back.is_none() {
            self.back = Some(self.place_back()?);
        }
        self.find_back()
    }

    /// Backwards the versions of a key come oldest first: the last one that is visible counts.
    fn find_back(&mut self) -> Result<Option<Item>> {
        let Some(merge) = &mut self.back else { return Ok(None) };
        while let Some((key, _)) = merge.current() {
            let user = key.user.to_vec();
            let has_met = |front: &[u8]| user.as_slice() <= front;
            let front = self.front.as_ref().and_then(MergeIter::latest_user);
            if self.range.is_below(&user) || front.is_some_and(has_met) {
                return Ok(None);
            }
            let mut visible: Option<Option<ItemValue>> = None;
            while let Some((key, stored)) = merge.current().filter(|(key, _)| key.user == user) {
                if key.trailer.seq() > self.seq {
                    self.counts.skip(NEWER);
                } else {
                    if visible.is_some() {
                        self.counts.skip(SHADOWED);
                    }
                    let found = self.resolver.value_of(key.trailer, stored)?;
                    visible = Some(found.and_then(|found| found.keep(merge, stored)));
                }
                merge.prev()?;
            }
            match visible {
                Some(Some(value)) => {
                    let key = Value::copied(&user);
                    // The front stops before it.
                    self.range.upper = Bound::Excluded(user);
                    return Ok(Some(Item { key, value }));
                }
                Some(None) => self.counts.skip(TOMBSTONE),
                None => {}
            }
        }
        Ok(None)
    }

    /// Hands over the counts of every so many steps.
    #[inline]
    fn hand_over_full_counts(&mut self) {
        if self.counts.steps.iter().any(|steps| *steps >= STEPS_KEPT) {
            self.hand_over_counts();
        }
    }

    #[inline(never)]
    fn hand_over_counts(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        self.steps += counts.steps.into_iter().sum::<u64>();
        self.recorder().tell(|to| counts.tell(to));
    }

    #[cold]
    #[inline(never)]
    fn end_timed_step(&self, started: Ticks) {
        let nanos = self.recorder().nanos_since(started);
        self.recorder().record_n(Histogram::IteratorStepLatency, nanos, self.sampler.weight());
    }

    /// The next item from the front, borrowed from where it lies until the scan is used again: what [`next`](Iterator::next) returns, without a
    /// copy of the key or a count on the block.
    ///
    /// # Errors
    /// As for [`next`](Iterator::next): after one, the scan ends.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let db = bettong::Db::open(dir.path(), bettong::Options::default())?;
    /// db.set(b"a", b"1")?;
    /// db.set(b"b", b"22")?;
    /// let (mut scan, mut bytes) = (db.scan(..), 0);
    /// while let Some(item) = scan.next_ref() {
    ///     let item = item?;
    ///     bytes += item.key().len() + item.value()?.len();
    /// }
    /// assert_eq!(bytes, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn next_ref(&mut self) -> Option<Result<ItemRef<'_>>> {
        let item = match self.advance() {
            Stop::Here { head } => {
                let (key, stored) = self.front.as_ref()?.current()?;
                ItemRef::here(key.user, stored.get(head..)?)
            }
            Stop::Made => self.made.as_ref()?.borrowed(),
            Stop::Over => return None,
            Stop::Failed => return self.refused.take().map(Err),
        };
        self.counts.add(FORWARD, item.bytes());
        Some(Ok(item))
    }
}

impl Iterator for Scan {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        let item = match self.advance() {
            Stop::Here { head } => {
                let merge = self.front.as_ref()?;
                let (key, stored) = merge.current()?;
                let value = Found::Here { head }.keep(merge, stored)?;
                self.counts.add(FORWARD, key.user.len() + stored.len() - head);
                return Some(Ok(Item { key: Value::copied(key.user), value }));
            }
            Stop::Made => self.made.take()?,
            Stop::Over => return None,
            Stop::Failed => return self.refused.take().map(Err),
        };
        self.counts.add(FORWARD, item.borrowed().bytes());
        Some(Ok(item))
    }
}

impl DoubleEndedIterator for Scan {
    fn next_back(&mut self) -> Option<Result<Item>> {
        if self.phase == Phase::Over {
            return None;
        }
        let is_timed = self.back.is_some() && self.sampler.is_turn();
        let started = is_timed.then(|| self.recorder().now());
        let step = self.refused.take().map_or_else(|| self.step_from_back(), Err);
        if let Some(started) = started {
            self.end_timed_step(started);
        }
        match step {
            Ok(Some(item)) => {
                self.counts.add(BACKWARD, item.borrowed().bytes());
                self.hand_over_full_counts();
                Some(Ok(item))
            }
            step => {
                self.end(step.err());
                self.refused.take().map(Err)
            }
        }
    }
}

impl std::iter::FusedIterator for Scan {}

impl Drop for Scan {
    fn drop(&mut self) {
        self.hand_over_counts();
        let merges = || [&self.front, &self.back].into_iter().flatten();
        let runs = merges().map(MergeIter::table_runs).max().unwrap_or(0);
        self.resolver.view().scan_loss.add(runs, merges().count() as u64, self.steps);
        self.recorder().let_go(&self.held);
    }
}
