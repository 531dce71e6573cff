//! The workloads by name, and which of them share a database.
//!
//! Filling takes longer than most of what is measured, so workloads on the same data run one after the other in one process, as a
//! chain: reads before writes, and after each step that writes the engine settles before the next begins.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;

/// In the order in which a chain runs them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub(crate) enum Workload {
    FillSeq,
    FillRandom,
    FillBatch,
    FillDurable,
    FillSync,
    FillSync8,
    MemFill,
    MemGet,
    ReadRandom,
    ReadMissing,
    ReadZipf,
    ReadHot,
    ReadSeq,
    Seek10,
    Seek50,
    YcsbC,
    YcsbB,
    YcsbA,
    YcsbF,
    ReadWhileWriting,
    Overwrite,
    YcsbD,
    YcsbE,
    Deletes,
    ReadDeleted,
    Open,
    OpenLog,
}

/// Workloads that share a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Chain {
    Sequential,
    Random,
    Batches,
    Durable,
    Synced,
    Synced8,
    Memory,
    Open,
    OpenLog,
}

/// Entries of a batch.
pub(crate) const BATCH_ENTRIES: u64 = 100;

/// Bytes of keys and values that surely fit into a memtable with all that an engine adds to them, as shares of its size.
const MEMORY_SHARE: f64 = 0.375;
/// A log that is nearly full, with no flush yet.
const LOG_SHARE: f64 = 0.625;

impl Workload {
    pub(crate) const ALL: [Workload; 27] = [
        Workload::FillSeq,
        Workload::FillRandom,
        Workload::FillBatch,
        Workload::FillDurable,
        Workload::FillSync,
        Workload::FillSync8,
        Workload::MemFill,
        Workload::MemGet,
        Workload::ReadRandom,
        Workload::ReadMissing,
        Workload::ReadZipf,
        Workload::ReadHot,
        Workload::ReadSeq,
        Workload::Seek10,
        Workload::Seek50,
        Workload::YcsbC,
        Workload::YcsbB,
        Workload::YcsbA,
        Workload::YcsbF,
        Workload::ReadWhileWriting,
        Workload::Overwrite,
        Workload::YcsbD,
        Workload::YcsbE,
        Workload::Deletes,
        Workload::ReadDeleted,
        Workload::Open,
        Workload::OpenLog,
    ];

    /// The rows of the tables by value size.
    pub(crate) const TABLE: [Workload; 16] = [
        Workload::FillRandom,
        Workload::ReadRandom,
        Workload::ReadMissing,
        Workload::ReadZipf,
        Workload::ReadHot,
        Workload::ReadSeq,
        Workload::Seek10,
        Workload::Seek50,
        Workload::YcsbC,
        Workload::YcsbB,
        Workload::YcsbA,
        Workload::YcsbF,
        Workload::ReadWhileWriting,
        Workload::Overwrite,
        Workload::YcsbD,
        Workload::YcsbE,
    ];

    /// The rows of the table of all that is left.
    pub(crate) const MORE: [Workload; 11] = [
        Workload::FillSeq,
        Workload::FillBatch,
        Workload::FillDurable,
        Workload::FillSync,
        Workload::FillSync8,
        Workload::MemFill,
        Workload::MemGet,
        Workload::Deletes,
        Workload::ReadDeleted,
        Workload::Open,
        Workload::OpenLog,
    ];

    /// A first look.
    pub(crate) const CORE: [Workload; 7] = [
        Workload::FillRandom,
        Workload::ReadRandom,
        Workload::ReadMissing,
        Workload::ReadSeq,
        Workload::Seek10,
        Workload::YcsbA,
        Workload::Overwrite,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Workload::FillSeq => "fillseq",
            Workload::FillRandom => "fillrandom",
            Workload::FillBatch => "fillbatch",
            Workload::FillDurable => "filldurable",
            Workload::FillSync => "fillsync",
            Workload::FillSync8 => "fillsync8",
            Workload::MemFill => "memfill",
            Workload::MemGet => "memget",
            Workload::ReadRandom => "readrandom",
            Workload::ReadMissing => "readmissing",
            Workload::ReadZipf => "readzipf",
            Workload::ReadHot => "readhot",
            Workload::ReadSeq => "readseq",
            Workload::Seek10 => "seek10",
            Workload::Seek50 => "seek50",
            Workload::YcsbC => "ycsbc",
            Workload::YcsbB => "ycsbb",
            Workload::YcsbA => "ycsba",
            Workload::YcsbF => "ycsbf",
            Workload::ReadWhileWriting => "readwhilewriting",
            Workload::Overwrite => "overwrite",
            Workload::YcsbD => "ycsbd",
            Workload::YcsbE => "ycsbe",
            Workload::Deletes => "deletes",
            Workload::ReadDeleted => "readdeleted",
            Workload::Open => "open",
            Workload::OpenLog => "openlog",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Workload::FillSeq => "sets every key once, in key order, on an empty database",
            Workload::FillRandom => "sets every key once, in random order, on an empty database",
            Workload::FillBatch => "as fillrandom, in batches of 100 (entries count, a latency is a batch's)",
            Workload::FillDurable => "as fillrandom, ended by one sync that is counted",
            Workload::FillSync => "sets keys in random order, each on the disk when its set returns",
            Workload::FillSync8 => "as fillsync, with eight threads",
            Workload::MemFill => "as fillrandom, with so few keys that all stay in the memtable",
            Workload::MemGet => "gets random keys of those",
            Workload::ReadRandom => "gets random keys, all alike",
            Workload::ReadMissing => "gets keys that are not there, between those that are",
            Workload::ReadZipf => "gets keys by Zipf's law (0.99), the frequent ones scattered",
            Workload::ReadHot => "gets random keys of a hundredth of all, scattered",
            Workload::ReadSeq => {
                "walks all keys in order (entries count, a latency is a step's); each thread a part"
            }
            Workload::Seek10 => "seeks a random key and reads 10 entries",
            Workload::Seek50 => "seeks a random key and reads 50 entries",
            Workload::YcsbC => "YCSB C: 100 % gets by Zipf's law",
            Workload::YcsbB => "YCSB B: 95 % gets, 5 % sets, by Zipf's law",
            Workload::YcsbA => "YCSB A: 50 % gets, 50 % sets, by Zipf's law",
            Workload::YcsbF => "YCSB F: 50 % gets, 50 % gets and sets of the same key, by Zipf's law",
            Workload::ReadWhileWriting => {
                "gets random keys (which count) while one more thread overwrites random keys"
            }
            Workload::Overwrite => "sets random keys that are there",
            Workload::YcsbD => "YCSB D: 95 % gets of the latest keys, 5 % new keys",
            Workload::YcsbE => "YCSB E: 95 % scans of 1 to 100 entries by Zipf's law, 5 % new keys",
            Workload::Deletes => "deletes keys that are there, in random order, each once",
            Workload::ReadDeleted => "gets deleted keys",
            Workload::Open => {
                "opens the database, which was closed properly, and gets one key (both are timed)"
            }
            Workload::OpenLog => {
                "the same with a copy of a database in use whose log is nearly full and synced"
            }
        }
    }

    pub(crate) fn chain(self) -> Chain {
        match self {
            Workload::FillSeq => Chain::Sequential,
            Workload::FillBatch => Chain::Batches,
            Workload::FillDurable => Chain::Durable,
            Workload::FillSync => Chain::Synced,
            Workload::FillSync8 => Chain::Synced8,
            Workload::MemFill | Workload::MemGet => Chain::Memory,
            Workload::Open => Chain::Open,
            Workload::OpenLog => Chain::OpenLog,
            _ => Chain::Random,
        }
    }

    /// Whether it begins with an empty database and sets every key.
    pub(crate) fn is_fill(self) -> bool {
        self <= Workload::MemFill
    }

    /// Whether it goes over a fixed set of keys and ends with the last of them, whatever bounds there are.
    pub(crate) fn is_whole(self) -> bool {
        self.is_fill() && !matches!(self, Workload::FillSync | Workload::FillSync8)
    }

    pub(crate) fn writes(self) -> bool {
        let mixed = [Workload::YcsbA, Workload::YcsbB, Workload::YcsbD, Workload::YcsbE, Workload::YcsbF];
        let others = [Workload::ReadWhileWriting, Workload::Overwrite, Workload::Deletes];
        self.is_fill() || mixed.contains(&self) || others.contains(&self)
    }

    /// Whether an open loop can ask for it at a rate: every operation is one of many alike.
    pub(crate) fn has_rate(self) -> bool {
        !self.is_whole()
            && !matches!(
                self,
                Workload::ReadSeq
                    | Workload::Open
                    | Workload::OpenLog
                    | Workload::Deletes
                    | Workload::ReadDeleted
            )
    }

    /// One operation in so many is timed: all where they take microseconds, few where reading the clock twice (50 ns) would show.
    pub(crate) fn timed_one_in(self) -> u64 {
        match self {
            Workload::FillBatch
            | Workload::FillSync
            | Workload::FillSync8
            | Workload::Seek10
            | Workload::Seek50
            | Workload::YcsbE => 1,
            _ => 16,
        }
    }

    /// Whether an engine can do it.
    pub(crate) fn suits(self, engine: Engine) -> bool {
        engine.reads() || self.is_fill()
    }
}

impl Chain {
    /// What has to run for these to be measured: the fill, and the deletes before reads of what they deleted.
    pub(crate) fn steps(self, wanted: &[Workload]) -> Vec<Workload> {
        let needed = |step: Workload| match step {
            Workload::Deletes => wanted.contains(&Workload::ReadDeleted),
            step => step.is_fill(),
        };
        Workload::ALL
            .into_iter()
            .filter(|step| step.chain() == self && (wanted.contains(step) || needed(*step)))
            .collect()
    }

    pub(crate) fn threads(self, asked: usize) -> usize {
        if self == Chain::Synced8 { 8 } else { asked }
    }

    /// Whether sets wait for the disk.
    pub(crate) fn syncs(self) -> bool {
        matches!(self, Chain::Synced | Chain::Synced8)
    }

    /// Whether an engine flushes and settles between steps. What lives in memory must not.
    pub(crate) fn settles(self) -> bool {
        !matches!(self, Chain::Memory | Chain::OpenLog)
    }

    /// How many of the keys it has, if entries have so many bytes.
    pub(crate) fn keys(self, keys: u64, entry_bytes: u64, write_buffer_bytes: u64) -> u64 {
        let share = match self {
            Chain::Memory => MEMORY_SHARE,
            Chain::OpenLog => LOG_SHARE,
            _ => return keys,
        };
        keys.min((write_buffer_bytes as f64 * share) as u64 / entry_bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line_and_of_the_report() {
        for workload in Workload::ALL {
            let value = clap::ValueEnum::to_possible_value(&workload).unwrap();
            assert_eq!(value.get_name(), workload.name());
            assert_eq!(serde_json::to_value(workload).unwrap(), workload.name());
        }
        for engine in Engine::ALL {
            assert_eq!(clap::ValueEnum::to_possible_value(&engine).unwrap().get_name(), engine.name());
            assert_eq!(serde_json::to_value(engine).unwrap(), engine.name());
        }
    }

    #[test]
    fn a_chain_begins_with_its_fill_and_reads_before_it_writes() {
        let steps = Chain::Random.steps(&[Workload::ReadDeleted, Workload::ReadRandom]);
        assert_eq!(
            steps,
            [Workload::FillRandom, Workload::ReadRandom, Workload::Deletes, Workload::ReadDeleted]
        );
        let all = Chain::Random.steps(&Workload::ALL);
        let first_write = all.iter().position(|step| step.writes() && !step.is_fill()).unwrap();
        let last_read =
            all.iter().rposition(|step| !step.writes() && *step != Workload::ReadDeleted).unwrap();
        assert!(last_read < first_write);
    }

    #[test]
    fn every_workload_is_in_a_table() {
        for workload in Workload::ALL {
            assert!(Workload::TABLE.contains(&workload) != Workload::MORE.contains(&workload));
        }
    }
}
