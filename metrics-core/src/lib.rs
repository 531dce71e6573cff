//! What the Bettong engine counts and times, at a cost of a few nanoseconds per operation.
//!
//! A [`Registry`] belongs to one database. The engine records through a [`Recorder`]; whoever wants to look takes a
//! [`MetricsSnapshot`]. Recording takes no lock, hashes nothing and, after a thread's first use, allocates nothing;
//! a snapshot takes no lock that a recording thread could wait for.
//!
//! # Floor plan
//! A module names only modules listed above it:
//!
//! | module | owns |
//! | --- | --- |
//! | [`clock`] | time stamps: calibrated TSC, or the monotonic clock |
//! | `cell` | the ways to change one atomic cell |
//! | [`catalog`] | the closed table of metric families |
//! | [`histogram`] | log-linear buckets, recorded and read back |
//! | `io` | the calls of the file system under way |
//! | `shard` | the cells of one thread, and the pool that lends them |
//! | `lease` | which shard the running thread writes |
//! | [`published`] | the state of the tree, as the engine last announced it |
//! | [`snapshot`] | all values at one moment, and differences between two moments |
//! | [`registry`] | one database's cells, and the walk that reads them |
//! | [`recorder`] | the engine's handle, and its timers |
//!
//! # Examples
//! ```
//! use bettong_metrics::{Counter, Operation, Registry};
//!
//! let registry = Registry::new("orders");
//! let recorder = registry.recorder();
//! {
//!     let timer = recorder.start(Operation::Get);
//!     timer.add(Counter::UserReadBytes, 120);
//! } // dropped: the get is counted and its latency recorded
//! let snapshot = registry.snapshot();
//! assert_eq!(snapshot.counter(Counter::GetOperations), 1);
//! assert_eq!(snapshot.counter(Counter::UserReadBytes), 120);
//! ```

pub mod clock;
mod cell;
pub mod catalog;
pub mod histogram;
mod io;
mod shard;
mod lease;
pub mod published;
pub mod snapshot;
pub mod registry;
pub mod recorder;

pub use catalog::{
    Counter, CounterCell, Desc, ErrorLabel, Family, Gauge, GaugeCell, Group, Histogram, HistogramCell, Home,
    IoFile, IoOperation, Kind, Label, Labels, Operation, Unit,
};
pub use clock::{Clock, ClockSource, Ticks};
pub use histogram::{Bucket, HistogramSnapshot};
pub use published::{LevelState, PublishedState, TableState};
pub use recorder::io_timer::IoTimer;
pub use recorder::{OperationTimer, Recorder, Stopwatch};
pub use registry::Registry;
pub use snapshot::{MetricsSnapshot, Sample, Value, Window};
