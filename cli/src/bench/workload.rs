//! The workloads.

use bettong_metrics::Operation;
use clap::ValueEnum;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Set every key once, in key order
    Fillseq,
    /// Set every key once, in random order
    Fillrandom,
    /// Set random keys that are there
    Overwrite,
    /// Get random keys that are there
    Readrandom,
    /// Get random keys that are not there
    Readmissing,
    /// Walk over all keys in order; one key is one operation
    Readseq,
    /// Seek to a random key and read the ten from there
    Seekrandom,
    /// Delete every key once, in random order
    Deletes,
    /// Get random keys while one more thread overwrites; the gets are measured
    Readwhilewriting,
    /// YCSB A: half gets, half updates, few keys most often
    YcsbA,
    /// YCSB B: 95 % gets, 5 % updates
    YcsbB,
    /// YCSB C: gets only
    YcsbC,
    /// YCSB D: 95 % gets of the latest, 5 % inserts
    YcsbD,
    /// YCSB E: 95 % scans of 1 to 100 keys, 5 % inserts
    YcsbE,
    /// YCSB F: half gets, half reads followed by a write of the same key
    YcsbF,
    /// Fill up to --live-bytes, overwrite random keys for --write-bytes, and watch the disk; only the sets are timed
    Churn,
    /// Every one of them but churn, each on a database of its own
    All,
}

impl Workload {
    pub(crate) const EACH: [Workload; 15] = [
        Workload::Fillseq,
        Workload::Fillrandom,
        Workload::Overwrite,
        Workload::Readrandom,
        Workload::Readmissing,
        Workload::Readseq,
        Workload::Seekrandom,
        Workload::Deletes,
        Workload::Readwhilewriting,
        Workload::YcsbA,
        Workload::YcsbB,
        Workload::YcsbC,
        Workload::YcsbD,
        Workload::YcsbE,
        Workload::YcsbF,
    ];

    /// The name it is asked for by.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it begins with an empty database.
    pub(crate) fn fills(self) -> bool {
        matches!(self, Workload::Fillseq | Workload::Fillrandom)
    }

    /// Whether it writes while it is measured.
    pub(crate) fn writes(self) -> bool {
        !matches!(
            self,
            Workload::Readrandom
                | Workload::Readmissing
                | Workload::Readseq
                | Workload::Seekrandom
                | Workload::YcsbC
        )
    }

    /// Whether one more thread overwrites while it is measured.
    pub(crate) fn has_writer(self) -> bool {
        self == Workload::Readwhilewriting
    }

    /// The kind of operation there is most of; of equally many, the read.
    pub(crate) fn operation(self) -> Operation {
        match self {
            Workload::Fillseq | Workload::Fillrandom | Workload::Overwrite | Workload::Churn => {
                Operation::Set
            }
            Workload::Deletes => Operation::Delete,
            Workload::Readseq | Workload::Seekrandom | Workload::YcsbE => Operation::Scan,
            _ => Operation::Get,
        }
    }

    /// Whether its keys are scattered over the key space as YCSB's are, so that new ones come between old ones.
    pub(crate) fn is_ycsb(self) -> bool {
        use Workload::{YcsbA, YcsbB, YcsbC, YcsbD, YcsbE, YcsbF};
        matches!(self, YcsbA | YcsbB | YcsbC | YcsbD | YcsbE | YcsbF)
    }

    /// Operations where nobody said how many. Scans are as much work as many gets, so there are fewer of them.
    pub(crate) fn default_ops(self, keys: u64) -> u64 {
        match self {
            Workload::Seekrandom | Workload::YcsbE => (keys / 10).max(1),
            _ => keys,
        }
    }

    /// The most operations that make sense: a key can be filled or deleted once.
    pub(crate) fn most_ops(self, keys: u64) -> u64 {
        if self.fills() || self == Workload::Deletes { keys } else { u64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workload_has_its_usual_name() {
        let names: Vec<String> = Workload::EACH.iter().map(|workload| workload.name()).collect();
        assert!(names.contains(&"readwhilewriting".to_owned()) && names.contains(&"ycsb-a".to_owned()));
        assert_eq!(Workload::value_variants().len(), Workload::EACH.len() + 2);
    }
}
