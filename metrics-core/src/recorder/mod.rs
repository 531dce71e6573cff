//! The engine's handle on its registry, and the timers it hands out.
//!
//! With the feature `off` the handle is of size zero and its methods are empty: the engine compiles to what it would be
//! without instrumentation. This is the one place that knows of the feature.

#[cfg(not(feature = "off"))]
mod untimed;
#[cfg(not(feature = "off"))]
mod live;
#[cfg(not(feature = "off"))]
mod io_timer;
#[cfg(not(feature = "off"))]
mod state;
#[cfg(not(feature = "off"))]
pub use crate::quick::TableHit;
#[cfg(not(feature = "off"))]
pub use io_timer::IoTimer;
#[cfg(not(feature = "off"))]
pub use live::{OperationTimer, Queued, Recorder, Session, Stopwatch};
#[cfg(not(feature = "off"))]
pub use state::{Held, Hold, RunningJob};
#[cfg(not(feature = "off"))]
pub use untimed::{Begun, Counting, NeedsTimer};

#[cfg(feature = "off")]
mod absent;
#[cfg(feature = "off")]
pub use absent::{
    Begun, Counting, Held, Hold, IoTimer, NeedsTimer, OperationTimer, Queued, Recorder, RunningJob, Session,
    Stopwatch, TableHit,
};
