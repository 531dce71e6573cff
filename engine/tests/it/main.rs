//! Integration tests of the engine, in one binary: linking thirty would cost more than running them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that fails may fail anywhere, and tests damage files from outside"
)]

mod support;
mod activity;
mod api;
mod bounds;
mod catalogue;
mod corruption;
mod expiry;
mod faults;
mod severity;
mod reading;
mod repair;
mod floors;
mod formats;
mod guarantees;
mod linearizability;
mod locking;
mod metrics;
mod model;
mod probe;
mod simulation;
mod sweeps;
mod threads;
mod values;
mod walks;
