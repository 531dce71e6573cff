//! Operations that are not timed: most of them, which is why they have nothing but the shard that they count in.

use crate::catalog::{CounterCell, GetSource, Lookup, Operation};
use crate::quick::{QuickEnd, TableHit};
use crate::shard::Shard;
use std::marker::PhantomData;

/// An operation that was counted as entered and is not timed: one word that travels in a register. That there is no second one
/// is why whoever ends it says again which operation it is.
#[derive(Debug)]
#[must_use = "the operation would be under way for ever"]
pub struct Begun<'a> {
    shard: &'a Shard,
    one_thread: PhantomData<*const ()>,
}

impl<'a> Begun<'a> {
    #[inline]
    pub(super) fn new(shard: &'a Shard) -> Self {
        Begun { shard, one_thread: PhantomData }
    }

    #[inline]
    pub(super) fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// Whom the operation tells what it does, until it ends.
    #[inline]
    pub fn counting(&self) -> Counting<'_> {
        Counting::new(self.shard)
    }

    /// Ends a get that found a value of so many bytes in the memtable, or a tombstone (`None`). Counts where it was served.
    #[inline]
    pub fn end_in_memtable(self, value_bytes: Option<u64>) {
        let end = if value_bytes.is_some() { QuickEnd::MemtableValue } else { QuickEnd::MemtableTombstone };
        self.shard.operation(Operation::Get).finish_quick(end, value_bytes);
    }

    /// Ends a get that found a value of so many bytes in a table. Counts where it was served, and the look into that table if it is
    /// not counted.
    #[inline]
    pub fn end_in_table(self, hit: TableHit, value_bytes: u64) {
        self.shard.operation(Operation::Get).finish_quick(QuickEnd::TableValue(hit), Some(value_bytes));
    }

    /// Ends a get that found nothing. Counts that.
    #[inline]
    pub fn end_missing(self) {
        self.shard.operation(Operation::Get).finish_quick(QuickEnd::Missing, None);
    }

    /// Ends the operation.
    #[inline]
    pub fn end(self, operation: Operation) {
        self.shard.operation(operation).finish_fast();
    }
}

/// Where the calling thread counts: what an operation does that was counted as entered and is not timed, or what
/// [`Recorder::tell`](crate::Recorder::tell) is told. It travels by value: behind a reference, every counter would be looked for
/// through the stack.
#[derive(Clone, Copy, Debug)]
pub struct Counting<'a> {
    shard: &'a Shard,
    one_thread: PhantomData<*const ()>,
}

impl<'a> Counting<'a> {
    #[inline]
    pub(super) fn new(shard: &'a Shard) -> Self {
        Counting { shard, one_thread: PhantomData }
    }

    /// The operation is about to wait, or to open or read a file.
    ///
    /// # Errors
    /// It is to do so with a timer ([`Recorder::resume`](crate::Recorder::resume)).
    #[inline]
    pub fn leave_fast_path(self) -> Result<(), NeedsTimer> {
        Err(NeedsTimer(()))
    }

    /// Adds `n` to a counter. What an operation adds is in every snapshot that counts it as finished.
    #[inline]
    pub fn add(self, cell: impl Into<CounterCell>, n: u64) {
        self.shard.add(cell.into(), n);
    }

    /// Counts where a get found its key, and whether it found a value or a tombstone there.
    #[inline]
    pub fn served(self, source: GetSource, tombstone: bool) {
        self.shard.add_get(source, tombstone);
    }

    /// Counts what a get learnt from a table of `level`, 0 to 6.
    #[inline]
    pub fn looked_up(self, level: usize, lookup: Lookup) {
        self.shard.add_lookup(level, lookup);
    }
}

/// Says that an operation is not to go on without a timer. Where nothing is timed there is no such thing, and the compiler
/// removes what would be done about it.
#[derive(Clone, Copy, Debug)]
pub struct NeedsTimer(());
