//! Loom models of the order in which writes become visible: every interleaving of small cases, and every value that the memory
//! model lets a load return. Shuttle (`engine/shuttle`) runs the whole engine, but takes every access for a sequentially
//! consistent one; this is what it cannot see.
//!
//! `cargo test --release` here runs them. `publish` and `waiter` are the very sources of the engine, compiled with Loom's types.

#![allow(dead_code, reason = "only what the models need of the engine's sources is used")]

mod key;
pub mod models;
#[path = "../../src/publish.rs"]
mod publish;
mod sync;
#[path = "../../src/waiter.rs"]
mod waiter;
