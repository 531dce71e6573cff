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
//! | `plant` | bugs on purpose, to see whether tests notice |
//! | [`clock`] | time stamps: calibrated TSC, or the monotonic clock |
//! | `drift` | whether the time-stamp counter still runs evenly |
//! | [`instrumentation`] | how much is recorded |
//! | `sync` | what the parts without locks are built from |
//! | `cell` | the ways to change one atomic cell |
//! | [`catalog`] | the closed table of metric families |
//! | [`histogram`] | log-linear buckets, recorded and read back |
//! | `cost` | what recording costs here, and how often it may be done |
//! | `quick` | gets that end on the fast path in one of the usual ways |
//! | `stratum` | one kind of operation in one shard: a counter that is its own sampler |
//! | [`strata`] | how operations were timed, and how far their latencies can be off |
//! | `step` | which steps of an iterator are timed |
//! | `trace` | where the time of one operation goes |
//! | `ring` | the newest few of a stream of things |
//! | [`slow`] | operations over the slow threshold |
//! | `io` | the calls of the file system under way |
//! | [`events`] | what happened, one by one |
//! | `event_log` | the newest events, those that matter apart from those that are many |
//! | [`jobs`] | flushes and compactions, running and ended |
//! | [`holders`] | who holds an old state, and since when |
//! | `lending` | lends things to threads, without a lock |
//! | `shard` | the cells of one thread, and the pool that lends them |
//! | `lease` | which shard the running thread writes |
//! | [`custom`] | the metrics of the embedding application |
//! | [`published`] | the state of the tree, as the engine last announced it |
//! | [`probe`] | how a database is tried out |
//! | [`activity`] | jobs, holders, slow operations and events at one moment |
//! | [`snapshot`] | all values at one moment, and differences between two moments |
//! | [`shape`] | which series a snapshot has |
//! | [`registry`] | one database's cells, and how much is recorded in them |
//! | `walk` | the walk that reads a registry |
//! | `watch` | what is only seen by looking again and again |
//! | `watcher` | the thread that watches all registries of the process |
//! | [`recorder`] | the engine's handle, and its timers |
//! | `embedder` | the application's part of the registry and of its snapshots |
//! | `rates` | counts per second |
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

#![cfg_attr(feature = "off", allow(dead_code, reason = "what only the recorder uses that records"))]

mod plant;
pub mod clock;
mod drift;
mod sync;
pub mod instrumentation;
mod cell;
pub mod catalog;
pub mod histogram;
mod cost;
mod quick;
mod stratum;
pub mod strata;
mod step;
mod trace;
mod ring;
pub mod slow;
mod io;
pub mod events;
mod event_log;
pub mod jobs;
pub mod holders;
mod lending;
mod shard;
mod lease;
pub mod custom;
pub mod published;
pub mod probe;
pub mod activity;
pub mod snapshot;
pub mod shape;
pub mod registry;
mod walk;
mod watch;
mod watcher;
pub mod recorder;
mod embedder;
mod rates;

pub use activity::Activity;
pub use catalog::{
    Counter, CounterCell, Desc, ErrorLabel, EventKind, Family, Gauge, GaugeCell, GetSource, Group, Histogram,
    HistogramCell, Home, IoFile, IoOperation, Kind, Label, Labels, Lookup, Operation, Severity, Stage, Unit,
};
pub use clock::{Clock, ClockSource, Ticks};
pub use custom::{
    CustomCounter, CustomFamily, CustomGauge, CustomHistogram, CustomKind, CustomSeries, CustomValue,
    Measure, RegisterError, Rejection,
};
pub use events::{Event, EventsSince};
pub use histogram::{Bucket, HistogramSnapshot};
pub use holders::{Holder, HolderKind, Holders};
pub use instrumentation::{Instrumentation, UnknownLevel};
pub use jobs::{Job, JobKind, JobPlan, JobReport, JobResult, JobTable, JobTables, Jobs};
#[doc(hidden)]
pub use plant::planted;
pub use probe::{DiskRoom, Probe, ProbeFault};
pub use published::{
    LevelState, OptionState, PublishedState, TableState, TreeChange, ValueFileStanding, ValueFileState,
};
pub use recorder::{
    Begun, Counting, Held, Hold, IoTimer, NeedsTimer, OperationTimer, Queued, Recorder, RunningJob, Session,
    Stopwatch, TableHit,
};
pub use registry::Registry;
pub use shape::Shape;
pub use slow::SlowOperation;
pub use snapshot::{MetricsSnapshot, Sample, Value, Window};
pub use step::StepSampler;
pub use strata::Strata;
