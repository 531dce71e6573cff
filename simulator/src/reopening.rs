//! The end of one process and the start of the next, and what must hold in between.

use bettong::ErrorKind;
use bettong::VerifyReport;
use bettong::env::sim::{Crash, Fault, Rule};

use crate::failure::Checked;
use crate::op::{Cut, Recovery, Reopen};
use crate::oracle::Left;
use crate::runner::{Runner, SECOND};
use crate::swarm::Swarm;
use crate::tally::Tally;

impl Runner {
    pub(crate) fn take_options(&mut self, swarm: &Swarm) {
        self.options = swarm.options();
        self.default_durability = swarm.durability;
        self.default_ttl = swarm.ttl_seconds;
    }

    /// Ends the process, opens the database again, and compares it with everything that it may be.
    pub(crate) fn reopen(&mut self, reopen: &Reopen) -> Checked {
        let mut left = self.end(reopen)?;
        if let Some(swarm) = &reopen.options {
            self.take_options(swarm);
        }
        // One that met no fault that counted may have met one when it removed what is not needed: room lost until the next opening.
        let tidy = !reopen.recoveries.iter().try_fold(false, |done, recovery| {
            if done { Ok(true) } else { self.recover_badly(*recovery, &mut left) }
        })?;
        self.heal();
        if self.db.is_none() {
            let opened = self.open();
            self.db = Some(opened.map_err(|error| format!("a database that cannot be opened: {error:?}"))?);
        }
        self.outcome.cycles += 1;
        self.faulty = false;
        self.tally = Tally::default();
        let report = self.look_around(left)?;
        if tidy { self.account(&report) } else { Ok(()) }
    }

    /// Ends the process.
    fn end(&mut self, reopen: &Reopen) -> Checked<Left> {
        if reopen.close && self.disk.has_power() {
            // Snapshots and scans go on without the handle, and read nothing any more.
            let closed = self.db()?.clone().close();
            match closed {
                Ok(()) => self.oracle.settle(),
                Err(error) => self.allow(&error)?,
            }
        }
        let left = match reopen.cut {
            Some(cut) => self.cut(cut),
            None => Left::HandedOver,
        };
        self.snapshots.clear();
        self.scans.clear();
        self.db = None;
        self.heal();
        // The machine has taken its time to start, and its clock is right again. Within a process the engine's time is a little ahead of
        // the simulated wall's, which stands still unless it is moved: that must not look like a clock that went back.
        self.now = self.now.saturating_add(SECOND);
        self.disk.set_unix_nanos(self.now);
        Ok(left)
    }

    fn heal(&self) {
        self.disk.heal();
        self.disk.set_capacity(u64::MAX);
    }

    fn cut(&self, cut: Cut) -> Left {
        match cut {
            Cut::Kill => {
                self.disk.kill();
                Left::HandedOver
            }
            Cut::Power { seed, keep, garbage } => {
                let crash = Crash::new(u64::from(seed)).keep_percent(u32::from(keep));
                self.disk.crash_with(crash.garbage_percent(u32::from(garbage)));
                Left::Synced
            }
        }
    }

    /// Tries to open the database while the disk fails; returns whether it did all the same.
    fn recover_badly(&mut self, recovery: Recovery, left: &mut Left) -> Checked<bool> {
        let fault = recovery.errno.map_or(Fault::PowerCut, Fault::Errno);
        self.disk.inject(Rule::new(fault).on_changes().nth(u64::from(recovery.at)));
        match self.open() {
            Ok(db) => {
                self.db = Some(db);
                return Ok(true);
            }
            Err(error)
                if [ErrorKind::Io, ErrorKind::NoSpace, ErrorKind::ReadOnly].contains(&error.kind()) => {}
            Err(error) => return Err(format!("a recovery that failed: {error:?}")),
        }
        if self.cut(recovery.cut) == Left::Synced {
            *left = Left::Synced;
        }
        self.heal();
        Ok(false)
    }

    /// Compares what is there with every state that may be, and goes on from the one that is.
    fn look_around(&mut self, left: Left) -> Checked<VerifyReport> {
        let backward = self.outcome.cycles.is_multiple_of(4);
        let found = self
            .contents(backward)?
            .map_err(|error| format!("what was recovered cannot be read: {error:?}"))?;
        let recovery =
            |runner: &Runner| runner.db().map(|db| format!("{:?}", db.recovery())).unwrap_or_default();
        self.oracle
            .recovered(&found, left, self.now)
            .map_err(|what| format!("{what}; {left:?}, {}", recovery(self)))?;
        self.verify()
    }

    pub(crate) fn verify(&self) -> Checked<VerifyReport> {
        let report = self.db()?.verify().map_err(|error| format!("verify: {error:?}"))?;
        if report.is_sound() { Ok(report) } else { Err(format!("not sound: {:?}", report.faults)) }
    }

    /// What is on the disk is what the manifest names: nothing is left behind, however often a recovery was cut (F78).
    fn account(&self, report: &VerifyReport) -> Checked {
        let paths = self.disk.paths();
        let kind =
            |kind: &str| paths.iter().filter(|path| path.extension().is_some_and(|e| e == kind)).count();
        let (tables, logs) = (kind("sst") as u64, kind("log"));
        if tables != report.tables {
            return Err(format!("{tables} table files for {} tables: {paths:?}", report.tables));
        }
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        let manifests = names.filter(|name| name.starts_with("MANIFEST")).count();
        if (manifests, logs) != (1, 1) {
            return Err(format!("{manifests} manifests and {logs} logs after a recovery: {paths:?}"));
        }
        Ok(())
    }
}
