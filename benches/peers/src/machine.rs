//! Where and of what a run was made.

use serde::{Deserialize, Serialize};

use crate::measure;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Names and versions of the engines' crates.
    pub(crate) crates: Vec<(String, String)>,
}

impl Machine {
    pub(crate) fn this() -> Machine {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let about = read("/proc/cpuinfo");
        let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
        Machine {
            processor: model.unwrap_or("unknown").trim().to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: measure::machine_bytes().unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            crates: crates(include_str!("../Cargo.lock")),
        }
    }
}

/// The versions of what is compared.
fn crates(lock: &str) -> Vec<(String, String)> {
    const NAMES: [&str; 6] = ["bettong", "fjall", "heed", "librocksdb-sys", "redb", "rocksdb"];
    let quoted = |line: &str, name: &str| Some(line.strip_prefix(name)?.trim_matches('"').to_owned());
    let lines: Vec<&str> = lock.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| Some((quoted(pair[0], "name = ")?, quoted(pair[1], "version = ")?)))
        .filter(|(name, _)| NAMES.contains(&name.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_all_engines_are_known() {
        let crates = Machine::this().crates;
        assert_eq!(crates.len(), 6, "{crates:?}");
        assert!(crates.iter().all(|(_, version)| version.contains('.')));
    }
}
