//! What a history is made of.

use bettong::Durability;
use bettong::env::sim::{Fault, IoOp, Rule};
use serde::{Deserialize, Serialize};

use crate::swarm::Swarm;

/// One operation. Any list of any of them is a history: keys are taken modulo the number of keys, and what cannot be done now (a
/// step of a scan that is not open) does nothing. So a list can be cut anywhere when it is shrunk, or made by a fuzzer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// A set of one key to a value of `len` bytes.
    Set {
        /// Its number.
        key: u16,
        /// Bytes of the value.
        len: u32,
        /// How, and for how long.
        terms: Terms,
    },
    /// A delete.
    Delete {
        /// Its number.
        key: u16,
        /// How.
        terms: Terms,
    },
    /// A batch.
    Batch {
        /// Keys, and bytes of their values; `None` deletes.
        entries: Vec<(u16, Option<u32>)>,
        /// How, and for how long.
        terms: Terms,
    },
    /// A get of one key.
    Get(u16),
    /// Whether a key is there.
    Contains(u16),
    /// Several gets of one state.
    MultiGet(Vec<u16>),
    /// Opens a scan, walks, and drops it.
    Scan {
        /// What is walked.
        range: Range,
        /// How.
        walk: Walk,
    },
    /// Opens a scan and keeps it.
    HoldScan(Range),
    /// Walks a scan that is held.
    StepScan {
        /// Which.
        at: u8,
        /// How.
        walk: Walk,
    },
    /// Takes a snapshot.
    Snapshot,
    /// Reads a snapshot through, and drops it.
    CheckSnapshot {
        /// Which.
        at: u8,
        /// From the end.
        backward: bool,
    },
    /// One piece of background work.
    Step,
    /// A flush.
    Flush,
    /// Merges all between two keys, or everything.
    Compact(Option<(u16, u16)>),
    /// Collects garbage.
    Collect,
    /// A sync of the log.
    Sync,
    /// Time goes by, in seconds.
    Advance(u32),
    /// The clock of the wall is set back by so many seconds; until the next opening, when it is right again.
    SetBack(u32),
    /// Reads everything and compares, and verifies.
    Check,
    /// Compares the metrics with the model's own counts.
    Metrics,
    /// Operations of the disk fail from now on.
    Fault(FaultRule),
    /// So many bytes are free on the disk, and no more.
    Capacity(u32),
    /// Nothing fails any more, and there is room.
    Heal,
    /// The process ends, in one way or another, and the database is opened again.
    Reopen(Reopen),
}

/// What a write asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// When it is safe.
    pub safety: Safety,
    /// How long its values live.
    pub ttl: Ttl,
}

/// The durability of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "all but the first are the engine's of the same name")]
pub enum Safety {
    /// As the options say.
    Default,
    Sync,
    Os,
    None,
}

impl Safety {
    /// What the write asks for, if it does.
    pub(crate) fn asked(self) -> Option<Durability> {
        match self {
            Safety::Default => None,
            Safety::Sync => Some(Durability::Sync),
            Safety::Os => Some(Durability::Os),
            Safety::None => Some(Durability::None),
        }
    }

    /// What it gets.
    pub(crate) fn or(self, default: Durability) -> Durability {
        self.asked().unwrap_or(default)
    }
}

/// How long values live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ttl {
    /// As the options say.
    Default,
    /// They expire at once.
    Zero,
    /// So many seconds, and a half.
    Seconds(u32),
    /// For ever.
    Max,
}

/// A range of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Where it begins.
    pub lower: End,
    /// Where it ends.
    pub upper: End,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// There is none.
    Open,
    /// At a key, which belongs to it.
    Included(u16),
    /// At a key, which does not.
    Excluded(u16),
}

/// How a scan is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The most steps.
    pub steps: u16,
    /// Steps in a hundred that are taken from the end.
    pub backward: u8,
    /// Which these are.
    pub seed: u32,
    /// Whether the values are asked for.
    pub values: bool,
}

/// A fault of the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What happens.
    pub what: What,
    /// To which operations.
    pub on: On,
    /// On files whose path contains this.
    pub path: String,
    /// At which match, from 0.
    pub nth: u16,
    /// And from then on.
    pub forever: bool,
}

/// What happens to an operation of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// An error number.
    Errno(i32),
    /// Half of it is done.
    Short,
    /// A signal interrupts it.
    Interrupted,
    /// A sync does nothing and says that it did.
    Lie,
    /// The power fails: nothing works any more.
    PowerCut,
}

/// Operations of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the operation of the same name")]
pub enum On {
    Any,
    Changes,
    Read,
    Write,
    Sync,
    SyncDir,
    Create,
    Open,
    Rename,
    Remove,
    Truncate,
    Preallocate,
    Map,
}

impl FaultRule {
    /// The rule for the disk.
    pub fn rule(&self) -> Rule {
        let fault = match self.what {
            What::Errno(code) => Fault::Errno(code),
            What::Short => Fault::Short,
            What::Interrupted => Fault::Errno(EINTR),
            What::Lie => Fault::Lie,
            What::PowerCut => Fault::PowerCut,
        };
        let rule = Rule::new(fault).nth(u64::from(self.nth)).path(&self.path);
        let rule = match self.on {
            On::Any => rule,
            On::Changes => rule.on_changes(),
            On::Read => rule.on(IoOp::Read),
            On::Write => rule.on(IoOp::Write),
            On::Sync => rule.on(IoOp::Sync),
            On::SyncDir => rule.on(IoOp::SyncDir),
            On::Create => rule.on(IoOp::Create),
            On::Open => rule.on(IoOp::Open),
            On::Rename => rule.on(IoOp::Rename),
            On::Remove => rule.on(IoOp::Remove),
            On::Truncate => rule.on(IoOp::Truncate),
            On::Preallocate => rule.on(IoOp::Preallocate),
            On::Map => rule.on(IoOp::Map),
        };
        // What is interrupted for ever is never done: no program gets anywhere then.
        if self.forever && self.what != What::Interrupted { rule.forever() } else { rule }
    }

    /// Whether nobody should notice: calls that were cut short or interrupted are completed (F60, F61, F62).
    pub fn is_harmless(&self) -> bool {
        matches!(self.what, What::Short | What::Interrupted)
    }
}

const EINTR: i32 = 4;

/// The end of one process and the start of the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reopen {
    /// Whether the database is closed before.
    pub close: bool,
    /// What happens then; `None` drops the handle, with the disk as it is.
    pub cut: Option<Cut>,
    /// Openings that fail before the one that must not.
    pub recoveries: Vec<Recovery>,
    /// The options from then on, if they are others.
    pub options: Option<Box<Swarm>>,
}

/// An opening that a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// At which change of the disk.
    pub at: u16,
    /// `None`: the power fails. Otherwise the operation, with this error number.
    pub errno: Option<i32>,
    /// How the process ends.
    pub cut: Cut,
}

/// How a process ends that nobody asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// It is killed: what the operating system has stays.
    Kill,
    /// The power fails.
    Power {
        /// Decides what survives.
        seed: u32,
        /// Per cent of what was not synced that does.
        keep: u8,
        /// Per cent of the sectors that were being written that hold garbage.
        garbage: u8,
    },
}
