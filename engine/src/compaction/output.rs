//! Where merged entries go: tables of a level, cut where they should be.

use std::sync::Arc;

use bettong_metrics::Gauge;

use crate::engine::Engine;
use crate::env::names::FileName;
use crate::error::Result;
use crate::key::{DEFAULT_KEYSPACE, InternalKey};
use crate::levels::table_file::{TableFile, TableMeta};
use crate::metric::WriteOrigin;
use crate::table::builder::{BuiltTable, TableBuilder, TableShape};

/// An output table is cut when it would meet more than this many tables' worth of the level below.
const GRANDPARENT_TABLES: u64 = 10;

/// Tables being written to one level. If it is dropped unfinished, what was written is removed.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    engine: &'a Engine,
    level: usize,
    origin: WriteOrigin,
    /// The size at which a table ends; L0 tables never end early.
    table_bytes: u64,
    grandparents: &'a [Arc<TableFile>],
    grandparent: usize,
    grandparent_bytes: u64,
    open: Option<TableBuilder>,
    created: Vec<FileName>,
    done: Vec<BuiltTable>,
    /// Bytes of finished tables, for as long as nobody can read them.
    in_progress_bytes: u64,
    adopted: bool,
}

/// The most that a table should meet of the level below.
pub(crate) fn grandparent_bytes_max(engine: &Engine) -> u64 {
    engine.options.table_bytes.saturating_mul(GRANDPARENT_TABLES)
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
            grandparents,
            grandparent: 0,
            grandparent_bytes: 0,
            open: None,
            created: Vec::new(),
            done: Vec::new(),
            in_progress_bytes: 0,
            adopted: false,
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

    /// Whether the open table ends before `user`. All versions of a key stay in one table, so that the tables of a level
    /// never overlap in user keys.
    fn ends_before(&mut self, user: &[u8]) -> bool {
        let Some(builder) = &self.open else { return false };
        if builder.last_user_key() == user {
            return false;
        }
        while let Some(table) = self.grandparents.get(self.grandparent)
            && table.meta.largest.as_slice() < user
        {
            self.grandparent_bytes += table.meta.bytes;
            self.grandparent += 1;
        }
        builder.bytes() >= self.table_bytes || self.grandparent_bytes > grandparent_bytes_max(self.engine)
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
    pub(crate) fn finish(&mut self) -> Result<Vec<TableMeta>> {
        self.end_table()?;
        if !self.done.is_empty() {
            self.engine.dir.sync()?;
        }
        Ok(self.done.drain(..).map(TableMeta::of).collect())
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
            self.created.iter().for_each(|name| self.engine.graveyard.bury(*name));
        }
    }
}
