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
//! Memory for each database: 0.85 KiB for each of 900 rows, 0.75 MiB together, which is asked for at once and touched within
//! 15 minutes; 6 bytes for each bucket of latencies that anything fell into in a second, about 1.5 MiB under a mixed load and never more
//! than 3 MiB; changes of the tree never more than 0.6 MiB. It does not grow after that. All of it stands in a few large buffers: see
//! `ring`. Beside it there are the last snapshot and the newest messages.

mod columns;
mod heat;
mod ring;
mod edits;
mod book;

pub(crate) use book::{Book, Latest, labels};
pub(crate) use edits::{changes, newest_changes};
pub(crate) use ring::ROWS;
