//! Bettong: an embedded LSM key-value engine that measures itself.
//!
//! ```
//! use bettong::{Db, Options, WriteBatch};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path();
//! let db = Db::open(path, Options::default())?;
//! db.set(b"user:1", b"Ada")?;
//! let mut batch = WriteBatch::new();
//! batch.set(b"user:2", b"Grace");
//! batch.delete(b"user:1");
//! db.write(batch)?;
//! for item in db.prefix(b"user:") {
//!     let item = item?;
//!     println!("{:?} = {:?}", item.key(), item.value()?);
//! }
//! println!("{}", db.stats());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The floor plan
//! The `mod` lines below are in order: a module names only what is listed above it, and `tests/it/floors.rs` checks that.
//!
//! | floor | modules |
//! |---|---|
//! | words | `sync error coding prefetch pages checksum key key_heads metric report timed_mutex waiter header` |
//! | ground | `value env pieces options meter expiry graveyard` |
//! | shapes | `record iter batch cache context` |
//! | structures | `log memtable table values` |
//! | state | `levels merge job snapshot_list work scan_loss view publish condition state` |
//! | work | `pressure gauges engine placement compaction adopt flush commit read` |
//! | keepers | `inventory replaying recovery closing workers background` |
//! | door | `garbage stats verify repair db` |
//! | not in the building | `fuzzing doc_examples`, for tests |

#[cfg(not(target_pointer_width = "64"))]
compile_error!("Bettong needs a 64-bit target: file offsets and lengths are used as memory sizes");

mod limits;
mod sync;
pub mod error;
mod coding;
mod prefetch;
mod pages;
mod checksum;
mod key;
mod key_heads;
mod metric;
mod report;
mod timed_mutex;
mod waiter;
mod value;
pub mod env;
mod pieces;
mod header;
mod options;
mod meter;
mod expiry;
mod graveyard;
mod record;
mod iter;
mod batch;
mod cache;
mod context;
mod values;
mod log;
mod memtable;
mod table;
mod levels;
mod merge;
mod job;
mod snapshot_list;
mod work;
mod scan_loss;
mod view;
mod publish;
mod condition;
mod state;
mod pressure;
mod gauges;
mod engine;
mod placement;
mod compaction;
mod adopt;
mod flush;
mod commit;
mod read;
mod inventory;
mod replaying;
mod recovery;
mod closing;
mod pacer;
mod workers;
mod background;
mod garbage;
mod stats;
mod verify;
mod probe;
pub mod repair;
mod db;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod doc_examples;

pub use batch::WriteBatch;
pub use bettong_metrics::Instrumentation;
pub use condition::{BackgroundError, Severity};
pub use db::Db;
pub use db::snapshot::Snapshot;
pub use error::{Error, ErrorKind, Result};
pub use garbage::GarbageReport;
pub use limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
pub use options::{Compression, Durability, LEVELS, Options, WriteOptions};
pub use read::item::{Item, ItemRef};
pub use read::scan::Scan;
pub use recovery::RecoveryReport;
pub use repair::{Loss, RepairOptions, RepairReport, repair};
pub use stats::{LatencyStats, LevelStats, Stats};
pub use value::Value;
pub use verify::VerifyReport;
