//! What the fuzz targets run: a function for each that takes any bytes and panics when a promise is broken.
//!
//! Part of builds for fuzzing (`--cfg fuzzing`) and of the unit tests, which run all of it over the committed corpora in
//! `fuzz/corpus`, so that it does not rot. Inputs are scripts ([`script`]): they choose what is written, and how it is damaged. A
//! checksum keeps a fuzzer from what lies behind it, so an input may ask for it to be mended ([`mend`]) after the damage.
//!
//! | target | takes | holds |
//! |---|---|---|
//! | [`header()`] | a header | what decodes is what was written, and encodes to the same bytes |
//! | [`log()`] | a segment | what is read is a beginning of what was written and as long as was promised, or damage is named |
//! | [`manifest()`] | edits | what decodes encodes to the same; a state that loads is one that was written |
//! | [`block()`] | a data block | forwards, backwards and by seeking a cursor agrees with a plain decoding |
//! | [`filter()`] | a filter | no key that it was built from is denied |
//! | [`table()`] | a table | what is read was written; what verifies reads the same from every side |
//! | [`value()`] | a value file, pointers | a pointer leads to the value of its key, or damage is named |
//! | [`batch()`] | write batches | they come out as they went in, and as a whole after a crash |
//! | [`open()`] | a directory | right data or a typed error, and the database works on |
//! | [`history()`] | operations, crashes, faults | reads, snapshots and what is left after a crash agree with a model |

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a fuzz target reports"
)]

mod script;
mod mend;
mod rig;
mod header;
mod log;
mod manifest;
mod block;
mod filter;
mod table;
mod value;
mod batch;
mod open;
mod history;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

pub use batch::batch;
pub use block::block;
pub use filter::filter;
pub use header::header;
pub use history::history;
pub use log::log;
pub use manifest::manifest;
pub use open::open;
pub use table::table;
pub use value::value;
