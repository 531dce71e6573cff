//! The checks that are built in.
//!
//! | check | about | critical |
//! | --- | --- | --- |
//! | `storage` | whether a write and a read work | yes |
//! | `disk` | the room on the file system | yes |
//! | `compaction` | whether it keeps up, and whether writes are held back | no |
//! | `errors` | the share of operations that fail | no |
//! | `memory` | the memory of the process and of the databases | no |
//! | `cpu` | the processors that the process takes | no |
//! | `threads` | what leaks: threads, iterators, snapshots | no |
//!
//! The first four are run for each database, the others once.

mod storage;
mod disk;
mod compaction;
mod errors;
mod memory;
mod cpu;
mod threads;

pub use compaction::CompactionCheck;
pub use cpu::CpuCheck;
pub use disk::DiskCheck;
pub use errors::ErrorsCheck;
pub use memory::MemoryCheck;
pub use storage::StorageCheck;
pub use threads::ThreadCheck;

use super::check::HealthCheck;
use bettong_metrics::Registry;
use std::sync::Arc;
use std::time::Duration;

/// The checks of one database, which are waited for that long.
pub(super) fn of_database(registry: &Arc<Registry>, timeout: Duration) -> Vec<Arc<dyn HealthCheck>> {
    vec![
        Arc::new(StorageCheck::new(registry, timeout)),
        Arc::new(DiskCheck::new(registry)),
        Arc::new(CompactionCheck::new(registry)),
        Arc::new(ErrorsCheck::new(registry)),
    ]
}

/// The checks of the process.
pub(super) fn of_process(
    registries: &[Arc<Registry>],
    memory_limit: Option<u64>,
    threads_max: Option<u64>,
) -> Vec<Arc<dyn HealthCheck>> {
    let memory = memory_limit.map_or_else(MemoryCheck::default, MemoryCheck::new);
    let threads = threads_max.map_or_else(ThreadCheck::default, ThreadCheck::new);
    let memory = registries.iter().fold(memory, MemoryCheck::with);
    let threads = registries.iter().fold(threads, ThreadCheck::with);
    vec![Arc::new(memory), Arc::new(CpuCheck::new()), Arc::new(threads)]
}
