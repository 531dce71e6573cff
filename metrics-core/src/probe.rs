//! What a health check may ask a database to do: a small thing that shows whether writes and reads work.
//!
//! The exporter knows the registry and nothing of the engine. So the engine registers a [`Probe`] there, and whoever checks the
//! health of a database asks it, on a thread that may wait. It is the one way from a registry into the engine; snapshots
//! and scrapes do not take it.

use std::fmt;

/// Tries out a database. The engine registers one with [`Registry::set_probe`](crate::Registry::set_probe).
///
/// No call shows in what users read or in what is counted of their operations, and none holds a lock for longer than one small
/// write does. A call may take as long as the disk takes: it belongs on a thread that can be left behind.
pub trait Probe: Send + Sync {
    /// Does what a write does, without writing a key.
    ///
    /// # Errors
    /// A [`ProbeFault`] that says why a user's write would fail now, or would have to wait.
    fn write(&self) -> Result<(), ProbeFault>;

    /// Reads a piece of what is stored from the file that it lies in, and checks it. The next call reads another piece; one that
    /// could not be read, or was damaged, is read again.
    ///
    /// # Errors
    /// [`ProbeFault::Failed`], [`ProbeFault::Damaged`] or [`ProbeFault::Closed`].
    fn read(&self) -> Result<(), ProbeFault>;

    /// The room on the file system that the database lies on; `None` where that cannot be told.
    ///
    /// # Errors
    /// [`ProbeFault::Failed`] if the directory cannot be accessed, [`ProbeFault::Closed`].
    fn disk(&self) -> Result<Option<DiskRoom>, ProbeFault>;
}

/// The room on a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// What can still be written by this process.
    pub free: u64,
    /// All there is.
    pub capacity: u64,
}

/// Why a probe did not do what it was asked for. Sentences name files, never keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeFault {
    /// The database is closed.
    Closed,
    /// It was opened for reading only: there is nothing wrong.
    ReadOnly,
    /// Writes wait at the moment, for this cause: a label of `db_write_stall_active`. Nothing was tried.
    Waiting(&'static str),
    /// It failed, or would: what happened.
    Failed(String),
    /// What was read is not what was written: which file, where.
    Damaged(String),
}

impl fmt::Display for ProbeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the database is closed"),
            Self::ReadOnly => f.write_str("the database was opened for reading only"),
            Self::Waiting(cause) => write!(f, "writes wait ({cause})"),
            Self::Failed(reason) | Self::Damaged(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ProbeFault {}

/// What stands in the place of a closed database's probe.
#[derive(Debug)]
pub(crate) struct Closed;

impl Probe for Closed {
    fn write(&self) -> Result<(), ProbeFault> {
        Err(ProbeFault::Closed)
    }

    fn read(&self) -> Result<(), ProbeFault> {
        Err(ProbeFault::Closed)
    }

    fn disk(&self) -> Result<Option<DiskRoom>, ProbeFault> {
        Err(ProbeFault::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use std::sync::{Arc, Weak};

    struct Fine(#[expect(dead_code, reason = "its end is what is looked at")] Arc<()>);

    impl Probe for Fine {
        fn write(&self) -> Result<(), ProbeFault> {
            Ok(())
        }

        fn read(&self) -> Result<(), ProbeFault> {
            Ok(())
        }

        fn disk(&self) -> Result<Option<DiskRoom>, ProbeFault> {
            Ok(None)
        }
    }

    #[test]
    fn a_probe_is_let_go_when_its_database_closes_and_says_so_from_then_on() {
        let registry = Registry::new("orders");
        assert!(registry.probe().is_none());
        let held = Arc::new(());
        let watched: Weak<()> = Arc::downgrade(&held);
        registry.set_probe(Arc::new(Fine(held)));
        assert_eq!(registry.probe().map(|probe| probe.write()), Some(Ok(())));
        registry.close_probe();
        assert!(watched.upgrade().is_none());
        let closed = registry.probe().unwrap();
        let answers = (closed.write(), closed.read(), closed.disk());
        assert_eq!(answers, (Err(ProbeFault::Closed), Err(ProbeFault::Closed), Err(ProbeFault::Closed)));
    }
}
