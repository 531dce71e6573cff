//! Walks the visible keys of a range, from both ends.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use bettong_metrics::{Counter, CounterCell, Histogram, Hold, HolderKind, Operation, StepSampler, planted};

use crate::context::FileContext;
use crate::error::{Error, Result};
use crate::iter::internal::{BoxedIterator, InternalIterator};
use crate::iter::merge::MergeIter;
use crate::key::{InternalKey, Kind, SeqNo, Trailer};
use crate::levels::level_cursor::LevelCursor;
use crate::metric::ReadOrigin;
use crate::options::LEVELS;
use crate::read::fetch::{ApartValue, Fetcher, ItemValue, read_ahead};
use crate::read::point::ReadPoint;
use crate::table::cursor::TableCursor;
use crate::table::reader::ReadContext;
use crate::value::Value;
use crate::values::stored::{EXPIRY_BYTES, Place, Stored};
use crate::view::View;

const SHADOWED: usize = 0;
const TOMBSTONE: usize = 1;
const NEWER: usize = 2;

const FORWARD: usize = 0;
const BACKWARD: usize = 1;

/// How many steps are counted here before the metrics hear of them.
const STEPS_KEPT: u64 = 1024;

/// The most items whose values are read ahead, and about the most bytes of such values.
const AHEAD_ITEMS_MAX: usize = 64;
const AHEAD_BYTES_MAX: u64 = 1 << 20;

/// One key and its value.
#[derive(Clone, Debug)]
pub struct Item {
    key: Value,
    value: ItemValue,
}

impl Item {
    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The value, borrowed from where it lies if it is not very small: an item keeps a block of its table alive. A separated one is read
    /// when it is asked for, and ahead of that once a scan has seen that it is: a walk over keys alone reads none.
    ///
    /// # Errors
    /// [`Error::Corruption`] or [`Error::Io`] if it cannot be read. The scan can go on.
    pub fn value(&self) -> Result<&[u8]> {
        match &self.value {
            ItemValue::Here(value) => Ok(value),
            ItemValue::Apart(value) => Ok(value.get(&self.key)?),
        }
    }

    /// The value as a handle that outlives the item.
    ///
    /// # Errors
    /// As [`Item::value`].
    pub fn into_value(self) -> Result<Value> {
        match self.value {
            ItemValue::Here(value) => Ok(value.detached_if_small()),
            ItemValue::Apart(value) => value.get(&self.key).cloned(),
        }
    }

    fn is_apart(&self) -> bool {
        matches!(self.value, ItemValue::Apart(_))
    }

    fn apart_bytes(&self) -> u64 {
        if let ItemValue::Apart(value) = &self.value { value.bytes() } else { 0 }
    }

    /// The bytes that count as read when the item is handed out; those of a separated value count when it is asked for.
    fn bytes(&self) -> usize {
        let here = if let ItemValue::Here(value) = &self.value { value.len() } else { 0 };
        self.key.len() + here
    }
}

/// The keys of a range in order, from the front with `next`, from the back with `next_back`, until they meet.
///
/// A scan sees the state at which it was created, whatever is written, flushed or compacted while it is held. It keeps
/// the files of that state on the disk, so do not hold one for longer than it is used. After an error it ends.
pub struct Scan {
    view: Arc<View>,
    seq: SeqNo,
    /// What expires then or before is gone.
    time: u64,
    fetcher: Option<Arc<Fetcher>>,
    files: Arc<FileContext>,
    ahead: Ahead,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    // In boxes, because they are taken out for each step.
    front: Option<Box<MergeIter>>,
    back: Option<Box<MergeIter>>,
    /// The key last returned from the front: the rest of its versions are passed over, and the back stops before it.
    front_key: Option<Vec<u8>>,
    back_key: Option<Vec<u8>>,
    done: bool,
    /// Why the first step fails, if it does.
    refused: Option<Error>,
    /// That it is open, for those who look at the metrics; and the recorder.
    hold: Hold,
    sampler: StepSampler,
    counts: Counts,
}

/// Items that were passed already, so that their values could be read together.
#[derive(Debug, Default)]
struct Ahead {
    items: VecDeque<Item>,
    /// How many to gather next.
    window: usize,
    /// Separated values handed out, and how many had been asked for, when the last were gathered.
    handed: u64,
    asked: u64,
    /// What ended the last gathering.
    failed: Option<Error>,
}

#[derive(Debug, Default)]
struct Counts {
    steps: [u64; 2],
    skipped: [u64; 3],
    bytes: u64,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan({:?} .. {:?} at {})", self.lower, self.upper, self.seq.0)
    }
}

/// What a scan is to walk.
#[derive(Debug)]
pub(crate) struct ScanRange {
    pub(crate) lower: Bound<Vec<u8>>,
    pub(crate) upper: Bound<Vec<u8>>,
}

impl ScanRange {
    /// All keys that start with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> ScanRange {
        // The first key behind all of them: the prefix with its last byte that can grow grown by one.
        let mut end = prefix.to_vec();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        let upper = match end.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(end)
            }
            None => Bound::Unbounded,
        };
        ScanRange { lower: Bound::Included(prefix.to_vec()), upper }
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
        let recorder = &files.recorder;
        recorder.add(Counter::IteratorsCreated, 1);
        Scan {
            view,
            seq: point.seq,
            time: point.time.unwrap_or(0),
            fetcher: None,
            files: files.clone(),
            ahead: Ahead::default(),
            lower: range.lower,
            upper: range.upper,
            front: None,
            back: None,
            front_key: None,
            back_key: None,
            done: false,
            refused: allowed.err(),
            hold: recorder.hold(HolderKind::Iterator, point.seq.0),
            sampler: recorder.step_sampler(),
            counts: Counts::default(),
        }
    }

    fn merge(&self) -> Result<Box<MergeIter>> {
        let mut sources: Vec<BoxedIterator> = Vec::with_capacity(4 + LEVELS);
        for memtable in self.view.memtables() {
            if !memtable.is_empty() {
                sources.push(Box::new(memtable.iter()));
            }
        }
        for (level, tables) in self.view.version.levels.iter().enumerate() {
            let context = ReadContext { level, origin: ReadOrigin::Scan };
            if level == 0 {
                for table in tables.tables.iter().filter(|table| self.touches(&table.meta)) {
                    sources.push(Box::new(TableCursor::new(table.reader()?.clone(), context)));
                }
            } else if !tables.tables.is_empty() {
                sources.push(Box::new(LevelCursor::new(tables.tables.clone(), context)));
            }
        }
        Ok(Box::new(MergeIter::new(sources)))
    }

    fn touches(&self, meta: &crate::levels::table_file::TableMeta) -> bool {
        !self.is_above(&meta.smallest) && !self.is_below(&meta.largest)
    }

    fn is_below(&self, key: &[u8]) -> bool {
        match &self.lower {
            Bound::Included(lower) => key < lower.as_slice(),
            Bound::Excluded(lower) => key <= lower.as_slice(),
            Bound::Unbounded => false,
        }
    }

    fn is_above(&self, key: &[u8]) -> bool {
        match &self.upper {
            Bound::Included(upper) => key > upper.as_slice(),
            Bound::Excluded(upper) => key >= upper.as_slice(),
            Bound::Unbounded => false,
        }
    }

    /// Places a merge for walking on from the lower bound.
    fn place_front(&self) -> Result<Box<MergeIter>> {
        self.hold.recorder().add(Counter::IteratorSeeks.at(FORWARD), 1);
        let mut merge = self.merge()?;
        match &self.lower {
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
    fn place_back(&self) -> Result<Box<MergeIter>> {
        self.hold.recorder().add(Counter::IteratorSeeks.at(BACKWARD), 1);
        let mut merge = self.merge()?;
        match &self.upper {
            Bound::Included(upper) => {
                let next = [upper.as_slice(), &[0]].concat();
                merge.seek_before(InternalKey::seek(&next, SeqNo::MAX))?;
            }
            Bound::Excluded(upper) => merge.seek_before(InternalKey::seek(upper, SeqNo::MAX))?,
            Bound::Unbounded => merge.seek_to_last()?,
        }
        Ok(merge)
    }

    fn step_front(&mut self) -> Result<Option<Item>> {
        let mut merge = if let Some(mut merge) = self.front.take() {
            // The step off the key returned last is taken only now: its value may have been all that was wanted.
            merge.next()?;
            merge
        } else {
            let recorder = self.hold.recorder().clone();
            let _timer = recorder.start(Operation::Scan);
            self.place_front()?
        };
        let item = self.find_front(&mut merge)?;
        self.front = Some(merge);
        Ok(item)
    }

    /// The next item from the front: one that was gathered, or the next that is found, and with it, where all values are asked for,
    /// some of those behind it.
    fn next_item(&mut self) -> Result<Option<Item>> {
        if let Some(item) = self.ahead.items.pop_front() {
            self.ahead.handed += u64::from(item.is_apart());
            return Ok(Some(item));
        }
        if let Some(failed) = self.ahead.failed.take() {
            return Err(failed);
        }
        let Some(item) = self.step_front()? else { return Ok(None) };
        if item.is_apart() {
            self.gather(&item);
            self.ahead.handed += 1;
        }
        Ok(Some(item))
    }

    /// Passes over some items and reads their values, if the values of the last ones were asked for.
    fn gather(&mut self, first: &Item) {
        let asked = self.fetcher.as_ref().map_or(0, |fetcher| fetcher.asked());
        let ahead = &mut self.ahead;
        let (handed_since, asked_since) = (ahead.handed, asked - ahead.asked);
        (ahead.handed, ahead.asked) = (0, asked);
        let wanted = handed_since > 0 && asked_since * 4 >= handed_since * 3;
        ahead.window = if wanted { (ahead.window * 2).clamp(2, AHEAD_ITEMS_MAX) } else { 0 };
        let mut bytes = 0;
        while self.ahead.items.len() < self.ahead.window && bytes < AHEAD_BYTES_MAX {
            match self.step_front() {
                Ok(Some(item)) => {
                    bytes += item.apart_bytes();
                    self.ahead.items.push_back(item);
                }
                Ok(None) => break,
                Err(error) => {
                    self.ahead.failed = Some(error);
                    break;
                }
            }
        }
        if !self.ahead.items.is_empty() {
            let items = std::iter::once(first).chain(&self.ahead.items);
            read_ahead(items.map(|item| (&*item.key, &item.value)));
        }
    }

    /// The next item from the back: where both ends have met, one that the front had passed.
    fn next_back_item(&mut self) -> Result<Option<Item>> {
        if let Some(item) = self.step_back()? {
            return Ok(Some(item));
        }
        match self.ahead.failed.take() {
            // It lies between the two ends.
            Some(failed) => Err(failed),
            None => Ok(self.ahead.items.pop_back()),
        }
    }

    fn find_front(&mut self, merge: &mut MergeIter) -> Result<Option<Item>> {
        while let Some((key, _)) = merge.current() {
            if self.is_above(key.user) || self.back_key.as_deref().is_some_and(|back| key.user >= back) {
                return Ok(None);
            }
            let skipped = if key.trailer.seq() > self.seq {
                NEWER
            } else if self.front_key.as_deref() == Some(key.user) {
                SHADOWED
            } else {
                let front_key = self.front_key.get_or_insert_default();
                front_key.clear();
                front_key.extend_from_slice(key.user);
                let (user, trailer) = (Value::copied(key.user), key.trailer);
                if let Some(value) = self.value_of(trailer, merge)? {
                    return Ok(Some(Item { key: user, value }));
                }
                if planted("scan_misses_tombstones") {
                    self.front_key = None;
                }
                TOMBSTONE
            };
            self.skip(skipped);
            merge.next()?;
        }
        Ok(None)
    }

    fn step_back(&mut self) -> Result<Option<Item>> {
        let mut merge = if let Some(merge) = self.back.take() {
            merge
        } else {
            let recorder = self.hold.recorder().clone();
            let _timer = recorder.start(Operation::Scan);
            self.place_back()?
        };
        let item = self.find_back(&mut merge)?;
        self.back = Some(merge);
        Ok(item)
    }

    /// Backwards the versions of a key come oldest first: the last one that is visible counts.
    fn find_back(&mut self, merge: &mut MergeIter) -> Result<Option<Item>> {
        while let Some((key, _)) = merge.current() {
            let user = key.user.to_vec();
            if self.is_below(&user) || self.front_key.as_deref().is_some_and(|front| user.as_slice() <= front)
            {
                return Ok(None);
            }
            let mut visible: Option<Option<ItemValue>> = None;
            while let Some((key, _)) = merge.current().filter(|(key, _)| key.user == user) {
                if key.trailer.seq() > self.seq {
                    self.skip(NEWER);
                } else {
                    if visible.is_some() {
                        self.skip(SHADOWED);
                    }
                    let trailer = key.trailer;
                    visible = Some(self.value_of(trailer, merge)?);
                }
                merge.prev()?;
            }
            match visible {
                Some(Some(value)) => {
                    let key = Value::copied(&user);
                    self.back_key = Some(user);
                    return Ok(Some(Item { key, value }));
                }
                Some(None) => self.skip(TOMBSTONE),
                None => {}
            }
        }
        Ok(None)
    }

    /// The value of the entry that a merge stands on, if its key has one.
    fn value_of(&mut self, trailer: Trailer, merge: &MergeIter) -> Result<Option<ItemValue>> {
        match trailer.kind() {
            Some(Kind::Value) => Ok(merge.lend().map(ItemValue::Here)),
            Some(Kind::Tombstone) => Ok(None),
            kind => self.unusual(kind, merge),
        }
    }

    #[inline(never)]
    fn unusual(&mut self, kind: Option<Kind>, merge: &MergeIter) -> Result<Option<ItemValue>> {
        let Some(stored) = merge.lend() else { return Ok(None) };
        let parsed = kind
            .and_then(|kind| Stored::parse(kind, &stored))
            .ok_or_else(|| Error::corruption(self.files.dir.path(), 0, "an entry is none of its kind"))?;
        if parsed.is_past(self.time) {
            return Ok(None);
        }
        Ok(match parsed.place {
            Place::Nowhere => None,
            Place::Here(_) => Some(ItemValue::Here(stored.without_head(EXPIRY_BYTES))),
            Place::Apart(pointer) => {
                let (view, files) = (&self.view, &self.files);
                let fetcher = self.fetcher.get_or_insert_with(|| Arc::new(Fetcher::new(view, files)));
                Some(ItemValue::Apart(Box::new(ApartValue::new(fetcher, pointer))))
            }
        })
    }

    fn skip(&mut self, reason: usize) {
        if let Some(count) = self.counts.skipped.get_mut(reason) {
            *count += 1;
        }
    }

    fn count(&mut self, direction: usize, bytes: usize) {
        self.counts.bytes += bytes as u64;
        if let Some(steps) = self.counts.steps.get_mut(direction) {
            *steps += 1;
            if *steps == STEPS_KEPT {
                self.hand_over_counts();
            }
        }
    }

    fn hand_over_counts(&mut self) {
        let (recorder, counts) = (&self.hold.recorder(), std::mem::take(&mut self.counts));
        let add = |cell: CounterCell, n| {
            if n > 0 {
                recorder.add(cell, n);
            }
        };
        for (direction, steps) in counts.steps.into_iter().enumerate() {
            add(Counter::IteratorSteps.at(direction), steps);
        }
        for (reason, skipped) in counts.skipped.into_iter().enumerate() {
            add(Counter::IteratorSkippedKeys.at(reason), skipped);
        }
        add(Counter::UserReadBytes.at(0), counts.bytes);
    }

    /// Takes a step, and times it if it is its turn. The first step of a direction is not timed: it places the iterator,
    /// which is an operation of its own.
    #[inline]
    fn step(
        &mut self,
        placed: bool,
        take: impl FnOnce(&mut Scan) -> Result<Option<Item>>,
    ) -> Result<Option<Item>> {
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        if !placed || !self.sampler.is_turn() {
            return take(self);
        }
        let started = self.hold.recorder().now();
        let step = take(self);
        let nanos = self.hold.recorder().nanos_since(started);
        self.hold.recorder().record_n(Histogram::IteratorStepLatency, nanos, self.sampler.weight());
        step
    }

    fn finish(&mut self, direction: usize, step: Result<Option<Item>>) -> Option<Result<Item>> {
        match step {
            Ok(Some(item)) => {
                self.count(direction, item.bytes());
                Some(Ok(item))
            }
            Ok(None) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                let kind = error.label();
                self.hold.recorder().fail(Operation::Scan, kind);
                Some(Err(error))
            }
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        if self.done {
            return None;
        }
        let step = self.step(self.front.is_some(), Scan::next_item);
        self.finish(FORWARD, step)
    }
}

impl DoubleEndedIterator for Scan {
    fn next_back(&mut self) -> Option<Result<Item>> {
        if self.done {
            return None;
        }
        let step = self.step(self.back.is_some(), Scan::next_back_item);
        self.finish(BACKWARD, step)
    }
}

impl std::iter::FusedIterator for Scan {}

impl Drop for Scan {
    fn drop(&mut self) {
        self.hand_over_counts();
    }
}
