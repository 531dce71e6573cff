//! Whole histories of the engine on a simulated machine, in one thread, decided by a seed and checked against a model.
//!
//! ```text
//! seed ─▶ generate ─▶ History (options, operations) ─▶ run ─▶ Outcome
//!                          ▲                            │
//!              seeds/*.json│                            ▼
//!                          └────────── shrink ◀── Failure
//! ```
//!
//! A history is a list of operations, made before any of them is done. So the same history runs the same way for ever, and one that fails
//! can be cut down and kept: `seeds/` holds those that once did, and a test runs them all.
//!
//! ```
//! use bettong_simulator::{Profile, generate, run};
//!
//! let history = generate(7, Profile::Mixed);
//! let outcome = run(&history)?;
//! assert!(outcome.cycles > 0);
//! # Ok::<(), bettong_simulator::Failure>(())
//! ```
//!
//! The idea is that of the simulators of `FoundationDB` and `TigerBeetle`; the options follow Groce et al., "Swarm Testing" (ISSTA 2012).

mod dice;
mod failure;
mod keys;
mod cell;
mod swarm;
mod op;
mod history;
mod generate;
mod state;
mod oracle;
mod tally;
mod walking;
mod runner;
mod reopening;
mod shrink;
mod campaign;

pub use campaign::{Campaign, Found, Progress};
pub use dice::Dice;
pub use failure::Failure;
pub use generate::{Profile, generate};
pub use history::History;
pub use op::{Cut, End, FaultRule, On, Op, Range, Recovery, Reopen, Safety, Terms, Ttl, Walk, What};
pub use runner::{Outcome, run};
pub use shrink::shrink;
pub use swarm::{Swarm, Timing, random_options};
