//! Databases as the commands open them.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use bettong::{Db, Durability, Options};
use bettong_metrics::{Gauge, PublishedState};
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::fault::{Fault, Result};
use crate::signal;
use crate::text::Format;

/// Which database, for every command that works on one.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArgs {
    /// Directory of the database
    #[arg(short, long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

impl StoreArgs {
    /// Opens a database that must be there, to change it.
    pub(crate) fn open(&self) -> Result<Db> {
        self.find()?;
        Ok(Db::open(&self.dir, Options::default().create_if_missing(false))?)
    }

    /// The same to look at it: nothing in the directory is changed, and others may look, too.
    pub(crate) fn look(&self, options: Options) -> Result<Db> {
        self.find()?;
        Ok(Db::open_read_only(&self.dir, options)?)
    }

    fn find(&self) -> Result<()> {
        if self.dir.exists() {
            return Ok(());
        }
        let missing = std::io::ErrorKind::NotFound.into();
        Err(Fault::io("find a database in", &self.dir, missing))
    }

    /// Opens a database, or makes one.
    pub(crate) fn open_or_create(&self, options: Options) -> Result<Db> {
        Ok(Db::open(&self.dir, options)?)
    }
}

/// How keys and values are typed and shown, for every command that has some.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FormatArgs {
    /// How keys and values are typed and shown
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl FormatArgs {
    /// The bytes of an argument.
    pub(crate) fn parse(self, name: &str, text: &str) -> Result<Vec<u8>> {
        self.format.parse(text).map_err(|why| Fault::Usage(format!("{name}: {why}")))
    }
}

/// When a write counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityArg {
    /// When a power cut cannot take it
    Sync,
    /// When a crash of the process cannot take it
    #[default]
    Os,
    /// When it is visible
    None,
}

impl From<DurabilityArg> for Durability {
    fn from(arg: DurabilityArg) -> Durability {
        match arg {
            DurabilityArg::Sync => Durability::Sync,
            DurabilityArg::Os => Durability::Os,
            DurabilityArg::None => Durability::None,
        }
    }
}

/// A directory for a run: one of the user's, or a temporary one that goes away with this value.
#[derive(Debug)]
pub(crate) enum Place {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Place {
    pub(crate) fn new(dir: Option<&Path>, prefix: &str) -> Result<Place> {
        if let Some(dir) = dir {
            return Ok(Place::Given(dir.to_owned()));
        }
        let made = tempfile::Builder::new().prefix(prefix).tempdir();
        made.map(Place::Temporary).map_err(|e| Fault::io("make a directory in", &std::env::temp_dir(), e))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Place::Given(path) => path,
            Place::Temporary(dir) => dir.path(),
        }
    }

    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Place::Temporary(_))
    }

    /// Deletes a temporary directory; says so if that fails.
    pub(crate) fn leave(self) -> Result<()> {
        match self {
            Place::Given(_) => Ok(()),
            Place::Temporary(dir) => {
                let path = dir.path().to_owned();
                dir.close().map_err(|e| Fault::io("remove", &path, e))
            }
        }
    }
}

/// An option in force that is a number, by its name.
pub(crate) fn option_of<T: FromStr>(state: &PublishedState, name: &str) -> Option<T> {
    state.options.iter().find(|option| option.name == name)?.value.parse().ok()
}

/// Writes everything to tables and waits until no compaction is due or running, or for `limit`.
pub(crate) fn settle(db: &Db, limit: Duration) -> Result<()> {
    const STEP: Duration = Duration::from_millis(10);
    /// Looks in a row that must find nothing to do: a compaction may be between two states at one of them.
    const CALM: u32 = 3;
    db.flush()?;
    let registry = db.metrics();
    let (deadline, mut calm) = (Instant::now() + limit, 0);
    while calm < CALM && Instant::now() < deadline {
        signal::check()?;
        let snapshot = registry.snapshot();
        let busy = [Gauge::CompactionsPending, Gauge::CompactionsRunning, Gauge::ImmutableMemtables];
        calm = if busy.iter().all(|gauge| snapshot.gauge(*gauge) < 0.5) { calm + 1 } else { 0 };
        std::thread::sleep(STEP);
    }
    Ok(())
}
