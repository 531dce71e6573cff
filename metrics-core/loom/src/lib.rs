//! Loom models of the parts of `bettong-metrics` that take no lock: every interleaving of small cases, and every value that
//! the memory model lets a load return.
//!
//! `cargo test --release` here runs them. The modules are the very sources of the library, compiled with Loom's types in
//! place of the standard library's ([`sync`]) and with histograms of three buckets. The models stand in `models`, one file
//! for each module that is modelled; each says which fault it was seen to find.

#![allow(dead_code, reason = "only what the models need of the library's sources is used")]

#[path = "../../src/cell.rs"]
mod cell;
mod histogram;
#[path = "../../src/lending.rs"]
mod lending;
pub mod models;
#[path = "../../src/quick.rs"]
mod quick;
#[path = "../../src/stratum.rs"]
mod stratum;
mod sync;
