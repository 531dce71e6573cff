//! Puts what a repair found into force.

use std::collections::BTreeSet;

use super::quarantine;
use super::reading;
use super::rebuild::Rebuild;
use super::report::RepairReport;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::header::{Birth, FileHeader, FileKind};
use crate::levels::edit::VersionEdit;
use crate::levels::manifest::{ManifestState, ManifestWriter};
use crate::values::usage::ValueFileMeta;

impl Rebuild<'_> {
    /// Completes the report, and does what it says unless this is a dry run or there is nothing to do.
    pub(super) fn finish(mut self) -> Result<RepairReport> {
        self.note_values();
        let used = self.used_values();
        let headers: Vec<FileNumber> = used.iter().map(|meta| meta.number).collect();
        let has_fault =
            |number: &FileNumber| self.values.get(*number).is_some_and(|file| file.header.is_some());
        let headers: BTreeSet<FileNumber> = headers.into_iter().filter(has_fault).collect();
        self.set_aside.extend(headers.iter().map(|number| self.values.name_of(*number)));
        let kept = self.tables.iter().map(|(_, table)| FileName::Table(table.number));
        let kept = kept.filter(|name| self.evidence.len_of(*name).is_some());
        let kept = kept.chain(self.logs.keys().map(|number| FileName::Log(*number)));
        let kept = kept.chain(used.iter().map(|meta| self.values.name_of(meta.number)));
        self.report.kept = kept.map(|name| name.to_string()).collect();
        if self.report.was_sound() {
            return Ok(self.report);
        }
        self.report.quarantined = self.set_aside.iter().map(ToString::to_string).collect();
        if !self.how.dry_run {
            self.install(used, &headers)?;
        }
        Ok(self.report)
    }

    /// Says which value files are damaged beyond what their values tell.
    fn note_values(&mut self) {
        for (number, (meta, _)) in &self.evidence.state.values {
            let path = self.dir.path_of(self.values.name_of(*number));
            let fault = match self.values.get(*number) {
                None => Some(Error::corruption(&path, 0, "the value file is missing")),
                Some(file) if file.len < meta.bytes => Some(Error::corruption(
                    &path,
                    file.len,
                    "the value file is shorter than the manifest recorded",
                )),
                Some(file) => match &file.header {
                    Some(Error::Corruption { offset, what, .. }) => {
                        Some(Error::corruption(&path, *offset, what))
                    }
                    _ => None,
                },
            };
            self.report.faults.extend(fault);
        }
    }

    fn install(&mut self, used: Vec<ValueFileMeta>, headers: &BTreeSet<FileNumber>) -> Result<()> {
        let set_aside: Vec<FileName> = self.set_aside.iter().copied().collect();
        self.report.faults.extend(quarantine::keep(self.dir, &set_aside)?);
        for meta in used.iter().filter(|meta| headers.contains(&meta.number)) {
            self.rewrite_header(meta)?;
        }
        let is_new = |meta: &&ValueFileMeta| !self.evidence.state.values.contains_key(&meta.number);
        for meta in used.iter().filter(is_new) {
            reading::write_again(&self.dir.open(self.values.name_of(meta.number), true)?, meta.bytes)?;
        }
        if self.tables.iter().any(|(_, table)| table.expiring.entries > 0) {
            self.time = self.time.max(self.options.env.clock.unix_nanos());
        }
        let named: BTreeSet<FileNumber> =
            self.logs.keys().copied().chain(used.iter().map(|meta| meta.number)).collect();
        let number = self.number();
        let edit = VersionEdit {
            next_file: Some(FileNumber(self.next)),
            last_seq: Some(self.last_seq),
            added_logs: self.logs.iter().map(|(number, id)| (*number, *id)).collect(),
            added_tables: std::mem::take(&mut self.tables),
            added_values: used,
            time: Some(self.time),
            ..VersionEdit::default()
        };
        let mut state = ManifestState::default();
        state.apply(&edit).map_err(|what| Error::corruption(self.dir.path(), 0, what))?;
        // The names of new tables, before anything relies on them.
        self.dir.sync()?;
        ManifestWriter::create(self.dir, number, &state, self.birth())?;
        ManifestWriter::enforce(self.dir)?;
        let replaced = |name: &&FileName| match **name {
            FileName::Current | FileName::Lock => false,
            // A copy of it is in quarantine, and the manifest names it all the same: tables point into what is whole of it.
            FileName::Value(number) | FileName::Log(number) => !named.contains(&number),
            _ => true,
        };
        for name in set_aside.iter().filter(replaced) {
            // One that cannot be removed goes when the database is opened: the manifest does not name it.
            self.dir.remove(*name).ok();
        }
        Ok(())
    }

    /// Gives a value file, a copy of which is in quarantine, a header that says who it is.
    fn rewrite_header(&self, meta: &ValueFileMeta) -> Result<()> {
        let name = self.values.name_of(meta.number);
        let kind = if matches!(name, FileName::Log(_)) { FileKind::Log } else { FileKind::Value };
        let birth = Birth::default();
        let header = FileHeader { kind, number: meta.number, id: meta.id, recycled: false, birth };
        let file = self.dir.open(name, true)?;
        file.write_at(0, &header.encode())?;
        file.sync()
    }
}
