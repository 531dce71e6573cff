//! What a page that has just been opened wants to know of the last 15 minutes: one compact row a second for each database.
//!
//! | module | owns |
//! | --- | --- |
//! | `columns` | which figures a row has, and how they are read from two snapshots |
//! | `heat` | latencies of one second, in few buckets |
//! | `ring` | the newest rows, and as JSON |
//! | `edits` | the newest changes of the tree, and as JSON |
//! | `book` | all of it for one database, and the messages that go to everybody who looks |
//!
//! Memory for each database: rows take 0.6 KiB and 6 bytes for each bucket of latencies that anything fell into, typically under
//! 1 MiB for 900 rows and never more than 4 MiB; changes of the tree never more than 2 MiB. It does not grow after that.

mod columns;
mod heat;
mod ring;
mod edits;
mod book;

pub(crate) use book::{Book, Latest, labels};
pub(crate) use edits::{changes, newest_changes};
pub(crate) use ring::ROWS;
