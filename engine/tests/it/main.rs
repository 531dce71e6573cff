//! Integration tests of the engine, in one binary: linking thirty would cost more than running them.
#![expect(
    clippy::indexing_slicing,
    reason = "a test that indexes out of bounds fails, as it should"
)]

mod support;
mod api;
mod bounds;
mod corruption;
mod faults;
mod floors;
mod formats;
mod locking;
mod metrics;
mod model;
mod simulation;
mod threads;
