//! `bettong demo`: a database under a mixed load that checks what it reads, with its metrics served meanwhile.
//!
//! | module | owns |
//! |---|---|
//! | `ledger` | what is known of every key: the last write begun and the last one done |
//! | `slow_disk` | a disk that is slow to write and to sync |
//! | `scene` | what the load is like |
//! | `mix` | which operation comes next, on which key, with how large a value |
//! | `worker` | one thread: operations, and the check of everything it reads |
//! | `load` | all threads, their pace and their end |
//! | `summary` | the tables at the end, and the check that the metrics counted right |
//! | `command` | the arguments, and the demo from beginning to end |

mod ledger;
mod slow_disk;
mod scene;
mod mix;
mod worker;
mod load;
mod summary;
mod command;

pub(crate) use command::{DemoArgs, run};
