//! What an operation tells the instrumentation while it goes on.
//!
//! Most operations are not timed, and need one register to count what they do. Asking at every step whether they are, in a timer
//! that lies in memory, would cost them more than all of their counters. So the code of reads and commits is generic over whom it
//! reports to:
//!
//! | reporter | for | where it leaves the fast path |
//! |---|---|---|
//! | [`Untimed`] | most gets, sets and deletes | it stops, and goes on or starts over with a timer |
//! | `&OperationTimer` | those whose turn it is to be timed, and what is left of one that left the fast path | the timer takes a stamp |
//! | `&Recorder` | what is no operation of its own: block reads of scans, compactions, checks | nothing happens |

use bettong_metrics::{
    CounterCell, Counting, GetSource, Lookup, NeedsTimer, OperationTimer, Recorder, Stage,
};

use crate::error::Error;

/// Whom an operation reports to.
pub(crate) trait Report: Copy {
    /// What ends an operation before its end.
    type Stop: From<Error>;

    /// The operation has to wait, or to open or read a file.
    ///
    /// # Errors
    /// If it is not to do so with this reporter.
    fn leave_fast_path(self) -> Result<(), Self::Stop>;

    /// Whether an operation that stopped like this starts over with another reporter, which then counts what this one would have.
    fn starts_over(_stop: &Self::Stop) -> bool {
        false
    }

    /// Adds `n` to a counter.
    fn add(self, cell: impl Into<CounterCell>, n: u64);

    /// Ends a stage.
    fn mark(self, _stage: Stage) {}

    /// How many operations a value recorded of this one stands for; 0 if none is to be recorded.
    fn traced_weight(self) -> u64 {
        0
    }

    /// A get looks into a table.
    fn table_checked(self) {}

    /// A block is read from a file.
    fn block_read(self) {}
}

/// What a get reports to besides.
pub(crate) trait ReportGet: Report {
    /// A get found a value or a tombstone there, or nothing.
    fn served(self, source: GetSource, tombstone: bool);

    /// What a get learnt from a table.
    fn looked_up(self, level: usize, lookup: Lookup);
}

/// An operation that began and is not timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Untimed<'a>(pub(crate) Counting<'a>);

/// Why an untimed operation stops.
#[derive(Debug)]
pub(crate) enum UntimedStop {
    /// In a box: an operation that goes well hands on what it found in fewer words.
    Failed(Box<Error>),
    /// It is to be timed from here on.
    LeavesFastPath(NeedsTimer),
}

impl From<Error> for UntimedStop {
    fn from(error: Error) -> UntimedStop {
        UntimedStop::Failed(Box::new(error))
    }
}

impl Report for Untimed<'_> {
    type Stop = UntimedStop;

    #[inline]
    fn leave_fast_path(self) -> Result<(), UntimedStop> {
        self.0.leave_fast_path().map_err(UntimedStop::LeavesFastPath)
    }

    #[inline]
    fn starts_over(stop: &UntimedStop) -> bool {
        matches!(stop, UntimedStop::LeavesFastPath(_))
    }

    #[inline]
    fn add(self, cell: impl Into<CounterCell>, n: u64) {
        self.0.add(cell, n);
    }
}

impl ReportGet for Untimed<'_> {
    #[inline]
    fn served(self, source: GetSource, tombstone: bool) {
        self.0.served(source, tombstone);
    }

    #[inline]
    fn looked_up(self, level: usize, lookup: Lookup) {
        self.0.looked_up(level, lookup);
    }
}

impl Report for &OperationTimer<'_> {
    type Stop = Error;

    #[inline]
    fn leave_fast_path(self) -> Result<(), Error> {
        OperationTimer::leave_fast_path(self);
        Ok(())
    }

    #[inline]
    fn add(self, cell: impl Into<CounterCell>, n: u64) {
        OperationTimer::add(self, cell, n);
    }

    #[inline]
    fn mark(self, stage: Stage) {
        OperationTimer::mark(self, stage);
    }

    #[inline]
    fn traced_weight(self) -> u64 {
        OperationTimer::traced_weight(self)
    }

    #[inline]
    fn table_checked(self) {
        OperationTimer::table_checked(self);
    }

    #[inline]
    fn block_read(self) {
        OperationTimer::block_read(self);
    }
}

impl ReportGet for &OperationTimer<'_> {
    #[inline]
    fn served(self, source: GetSource, tombstone: bool) {
        OperationTimer::served(self, source, tombstone);
    }

    #[inline]
    fn looked_up(self, level: usize, lookup: Lookup) {
        OperationTimer::looked_up(self, level, lookup);
    }
}

impl Report for &Recorder {
    type Stop = Error;

    #[inline]
    fn leave_fast_path(self) -> Result<(), Error> {
        Ok(())
    }

    #[inline]
    fn add(self, cell: impl Into<CounterCell>, n: u64) {
        Recorder::add(self, cell, n);
    }
}
