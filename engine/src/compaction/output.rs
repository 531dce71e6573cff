//! Where merged entries go: tables of a level, cut where they should be, and files for the values that move.

use std::sync::Arc;

use bettong_metrics::Gauge;

use super::plan::{Plan, grandparent_bytes_max};
use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::Result;
use crate::key::{self, DEFAULT_KEYSPACE, InternalKey, Kind};
use crate::levels::table_file::{TableFile, TableMeta};
use crate::metric::WriteOrigin;
use crate::record::writer::NewEntry;
use crate::table::builder::{BuiltTable, TableBuilder, TableShape};
use crate::values::stored::{EXPIRY_BYTES, with_pointer};
use crate::values::usage::ValueFileMeta;
use crate::values::writer::ValueWriter;

/// Tables being written to one level. If it is dropped unfinished, what was written is removed.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    engine: &'a Engine,
    level: usize,
    origin: WriteOrigin,
    /// The size at which a table ends; L0 tables never end early.
    table_bytes: u64,
    /// Where a table written in place ends, the next last: between two such tables somebody else may put one meanwhile.
    ends: Vec<Vec<u8>>,
    grandparents: &'a [Arc<TableFile>],
    grandparent: usize,
    grandparent_bytes: u64,
    open: Option<TableBuilder>,
    /// The file that values are being moved to.
    open_values: Option<ValueWriter>,
    done_values: Vec<ValueFileMeta>,
    created: Vec<FileName>,
    done: Vec<BuiltTable>,
    /// Bytes of finished tables, for as long as nobody can read them.
    in_progress_bytes: u64,
    adopted: bool,
}

/// What an output has written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) tables: Vec<TableMeta>,
    pub(crate) values: Vec<ValueFileMeta>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        level: usize,
        origin: WriteOrigin,
        grandparents: &'a [Arc<TableFile>],
    ) -> Output<'a> {
        Output {
            engine,
            level,
            origin,
            table_bytes: if level == 0 { u64::MAX } else { engine.options.table_bytes },
            ends: Vec::new(),
            grandparents,
            grandparent: 0,
            grandparent_bytes: 0,
            open: None,
            open_values: None,
            done_values: Vec::new(),
            created: Vec::new(),
            done: Vec::new(),
            in_progress_bytes: 0,
            adopted: false,
        }
    }

    /// Keeps the ends of tables that the plan writes anew where they are.
    pub(crate) fn set_in_place(&mut self, plan: &Plan) {
        if plan.is_in_place() {
            self.ends = plan.tables().map(|(_, table)| table.meta.largest.clone()).collect();
            self.ends.reverse();
        }
    }

    pub(crate) fn add(&mut self, key: InternalKey<'_>, value: &[u8]) -> Result<()> {
        if self.ends_before(key.user) {
            self.end_table()?;
        }
        let builder = if let Some(builder) = &mut self.open {
            builder
        } else {
            let number = self.engine.set.new_file_number();
            self.created.push(FileName::Table(number));
            let shape = TableShape::of_level(&self.engine.options, self.level, DEFAULT_KEYSPACE);
            let birth = self.engine.set.birth();
            self.open.insert(TableBuilder::create(&self.engine.dir, number, shape, birth)?)
        };
        builder.add(key, value)
    }

    /// Writes `value` to a file of its own, and returns the bytes that stand for it in a table: those of `stored`, with another
    /// pointer.
    pub(crate) fn move_value(
        &mut self,
        key: InternalKey<'_>,
        stored: &[u8],
        value: &[u8],
    ) -> Result<Vec<u8>> {
        let expires = key.trailer.kind() == Some(Kind::ExpiringPointer);
        let (pointer_kind, kind) =
            if expires { (Kind::ExpiringPointer, Kind::ExpiringValue) } else { (Kind::Pointer, Kind::Value) };
        let head = if expires { stored.get(..EXPIRY_BYTES).unwrap_or_default() } else { &[] };
        let seq = key.trailer.seq();
        let entry = NewEntry { kind, keyspace: DEFAULT_KEYSPACE, seq, key: key.user, head, value };
        if self
            .open_values
            .as_ref()
            .is_some_and(|values| values.bytes() >= self.engine.options.segment_bytes())
        {
            self.end_values()?;
        }
        let values = if let Some(values) = &mut self.open_values {
            values
        } else {
            let number = self.engine.set.new_file_number();
            self.created.push(FileName::Value(number));
            let origin = match self.origin {
                WriteOrigin::Flush => WriteOrigin::ValueLog,
                _ => WriteOrigin::ValueCollection,
            };
            let birth = self.engine.set.birth();
            self.open_values.insert(ValueWriter::create(&self.engine.dir, number, birth, origin)?)
        };
        Ok(with_pointer(pointer_kind, stored, values.add(entry)?))
    }

    /// Whether an end that is to be kept lies before `user`; it is passed then.
    fn pass_ends(&mut self, user: &[u8]) -> bool {
        let before = self.ends.len();
        while self.ends.last().is_some_and(|end| end.as_slice() < user) {
            self.ends.pop();
        }
        self.ends.len() < before
    }

    fn end_values(&mut self) -> Result<()> {
        if let Some(values) = self.open_values.take() {
            self.done_values.push(values.finish()?);
        }
        Ok(())
    }

    /// Whether the open table ends before `user`. All versions of a key stay in one table, so that the tables of a level
    /// never overlap in user keys.
    #[inline]
    fn ends_before(&mut self, user: &[u8]) -> bool {
        let passed = self.pass_ends(user);
        let Some(builder) = &self.open else { return false };
        while let Some(table) = self.grandparents.get(self.grandparent)
            && key::compare(&table.meta.largest, user).is_lt()
        {
            self.grandparent_bytes += table.meta.bytes;
            self.grandparent += 1;
        }
        let is_due = passed
            || builder.bytes() >= self.table_bytes
            || self.grandparent_bytes > grandparent_bytes_max(&self.engine.options);
        is_due && builder.last_user_key() != user
    }

    fn end_table(&mut self) -> Result<()> {
        self.grandparent_bytes = 0;
        let Some(builder) = self.open.take().filter(|builder| !builder.is_empty()) else {
            return Ok(());
        };
        let built = builder.finish()?;
        self.engine.count_written(self.origin, self.level, &built);
        if self.origin == WriteOrigin::Compaction {
            self.in_progress_bytes += built.bytes;
            self.engine.recorder.shift(Gauge::CompactionInProgressBytes, built.bytes as f64);
        }
        self.done.push(built);
        Ok(())
    }

    /// Completes the tables and makes their names durable. They are removed again unless [`Output::adopt`] is called.
    pub(crate) fn finish(&mut self) -> Result<Written> {
        self.end_table()?;
        self.end_values()?;
        if !self.created.is_empty() {
            self.engine.dir.sync()?;
        }
        let tables = self.done.drain(..).map(TableMeta::of).collect();
        Ok(Written { tables, values: std::mem::take(&mut self.done_values) })
    }

    /// The manifest does not name the tables after all.
    pub(crate) fn disown(&mut self) {
        self.adopted = false;
    }

    /// The manifest may name the tables now: they are no longer ours to remove.
    pub(crate) fn adopt(&mut self) {
        self.adopted = true;
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.engine.recorder.shift(Gauge::CompactionInProgressBytes, -(self.in_progress_bytes as f64));
        if !self.adopted {
            self.created.iter().for_each(|name| self.engine.files.graveyard.bury(*name));
        }
    }
}
