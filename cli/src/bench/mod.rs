//! `bettong bench`: workloads in a closed loop, with every value that is read checked.
//!
//! The names of the workloads are those of LevelDB's and RocksDB's `db_bench`, which people know, and of YCSB (Cooper et
//! al.: "Benchmarking cloud serving systems with YCSB", ACM Symposium on Cloud Computing 2010). In order:
//!
//! | module | owns |
//! |---|---|
//! | `workload` | the list of workloads and what each needs beforehand |
//! | `keys` | the numbers that keys stand for, and their bytes |
//! | `sizes` | how large values are |
//! | `live` | what is live of what was written |
//! | `plan` | one run: sizes, seed, database; parts of it |
//! | `tally` | what one thread counted |
//! | `worker` | one thread's loop for each workload |
//! | `pace` | how fast a run was from its beginning to its end |
//! | `phase` | all threads of one phase: start, progress, end |
//! | `compare` | a phase in slices, with and without instrumentation |
//! | `report` | the figures of a run, printed and as JSON |
//! | `disk` | the disk that a directory takes, over time |
//! | `machine` | how fast the machine itself writes |
//! | `churn_report` | the figures of a churn, printed and as JSON |
//! | `churn` | overwriting for long: what it costs in writes and in disk |
//! | `command` | the arguments, and the run from empty directory to report |

mod workload;
mod keys;
mod sizes;
mod live;
mod plan;
mod tally;
mod worker;
mod pace;
mod phase;
mod compare;
mod report;
mod disk;
mod machine;
mod churn_report;
mod churn;
mod command;

pub(crate) use command::{BenchArgs, run};
