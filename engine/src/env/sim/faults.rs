//! Rules that make operations of the simulated disk fail.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The operations a rule can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum IoOp {
    Read,
    Write,
    Sync,
    Len,
    Preallocate,
    Truncate,
    Map,
    Open,
    Create,
    Rename,
    Remove,
    SyncDir,
    CreateDir,
    List,
    Lock,
    Space,
}

impl IoOp {
    /// Whether the operation changes what is on the disk.
    pub fn is_change(self) -> bool {
        matches!(
            self,
            IoOp::Write
                | IoOp::Sync
                | IoOp::Preallocate
                | IoOp::Truncate
                | IoOp::Create
                | IoOp::Rename
                | IoOp::Remove
                | IoOp::SyncDir
                | IoOp::CreateDir
        )
    }
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this error number and changes nothing.
    Errno(i32),
    /// It does half of its bytes.
    Short,
    /// A read returns one wrong bit.
    Flip,
    /// A sync answers that all is well and does nothing.
    Lie,
    /// The clock moves on by this many nanoseconds first.
    Delay(u64),
    /// The power fails just before: this and every later operation fails with `EIO` until
    /// [`SimDisk::heal`](super::SimDisk::heal).
    PowerCut,
    /// The code that called it panics: a bug, planted.
    Panic,
}

/// Which operations fail, and how.
#[derive(Clone, Debug)]
pub struct Rule {
    op: Option<IoOp>,
    changes_only: bool,
    path: String,
    skip: u64,
    times: u64,
    fault: Fault,
}

impl Rule {
    /// Every operation, once, with `fault`. Narrow it with the methods below.
    pub fn new(fault: Fault) -> Rule {
        Rule { op: None, changes_only: false, path: String::new(), skip: 0, times: 1, fault }
    }

    /// Only this operation.
    #[must_use]
    pub fn on(mut self, op: IoOp) -> Rule {
        self.op = Some(op);
        self
    }

    /// Only operations that change the disk.
    #[must_use]
    pub fn on_changes(mut self) -> Rule {
        self.changes_only = true;
        self
    }

    /// Only on paths that contain `part`.
    #[must_use]
    pub fn path(mut self, part: &str) -> Rule {
        part.clone_into(&mut self.path);
        self
    }

    /// Only from the `n`-th match on (the first is 0).
    #[must_use]
    pub fn nth(mut self, n: u64) -> Rule {
        self.skip = n;
        self
    }

    /// From then on for ever, not once.
    #[must_use]
    pub fn forever(mut self) -> Rule {
        self.times = u64::MAX;
        self
    }

    fn matches(&self, op: IoOp, path: &Path) -> bool {
        self.op.is_none_or(|only| only == op)
            && (!self.changes_only || op.is_change())
            && (self.path.is_empty() || path.to_string_lossy().contains(&self.path))
    }
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
    /// Bytes that the disk cannot read.
    bad: Vec<(PathBuf, Range<u64>)>,
    operations: u64,
    power_lost: bool,
}

impl Faults {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn spoil(&mut self, path: &Path, bytes: Range<u64>) {
        self.bad.push((path.to_path_buf(), bytes));
    }

    /// Whether none of these bytes lies in a bad sector.
    pub(super) fn check_sectors(&self, path: &Path, bytes: &Range<u64>) -> io::Result<()> {
        let meets = |bad: &Range<u64>| bad.start < bytes.end && bytes.start < bad.end;
        let bad = self.bad.iter().any(|(of, bad)| of == path && meets(bad));
        if bad { Err(io::Error::from_raw_os_error(libc::EIO)) } else { Ok(()) }
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.bad.clear();
        self.power_lost = false;
    }

    pub(super) fn has_power(&self) -> bool {
        !self.power_lost
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// The fault to apply to this operation, or the error it fails with.
    pub(super) fn check(&mut self, op: IoOp, path: &Path) -> io::Result<Option<Fault>> {
        self.operations += 1;
        let eio = || io::Error::from_raw_os_error(libc::EIO);
        if self.power_lost {
            return Err(eio());
        }
        let due =
            self.rules.iter_mut().filter(|rule| rule.times > 0 && rule.matches(op, path)).find_map(|rule| {
                if rule.skip > 0 {
                    rule.skip -= 1;
                    return None;
                }
                if rule.times != u64::MAX {
                    rule.times -= 1;
                }
                Some(rule.fault)
            });
        match due {
            Some(Fault::Errno(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(Fault::PowerCut) => {
                self.power_lost = true;
                Err(eio())
            }
            #[expect(clippy::panic, reason = "it was asked for")]
            Some(Fault::Panic) => panic!("a planted panic at {op:?} of {}", path.display()),
            other => Ok(other),
        }
    }
}
