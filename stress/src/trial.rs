//! What a writer and whoever verifies it must agree on.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use bettong::{Db, Durability, Options};
use clap::{Args, ValueEnum};

use crate::check;
use crate::fault::{Result, broken};
use crate::ledger::{Count, Ledger, THREADS};
use crate::model::Model;
use crate::shape::{Preset, options};
use crate::workload::Stream;

/// The database, and what is written to it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Trial {
    /// The directory of the database
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// The file that says what was begun and acknowledged
    #[arg(long)]
    pub(crate) ledger: PathBuf,
    /// The seed that all commits follow from
    #[arg(long)]
    pub(crate) seed: u64,
    /// Threads that write
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=THREADS as u64))]
    pub(crate) threads: u64,
    /// Keys of each thread
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=999_999))]
    pub(crate) keys: u64,
    /// The number that small options are drawn by; those of a database may change from one opening to the next
    #[arg(long, default_value_t = 0)]
    pub(crate) shape: u64,
    /// The kind of options
    #[arg(long, value_enum, default_value_t = Preset::Small)]
    pub(crate) preset: Preset,
}

/// What a crash may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum After {
    /// The process died: what the operating system had is there.
    Kill,
    /// The power went: what was not synced may be lost.
    Power,
}

/// The durability that writes ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Asked {
    Sync,
    Os,
    None,
    /// Each commit decides for itself.
    Mixed,
}

impl Asked {
    pub(crate) fn durability(self, commit: Durability) -> Durability {
        match self {
            Asked::Sync => Durability::Sync,
            Asked::Os => Durability::Os,
            Asked::None => Durability::None,
            Asked::Mixed => commit,
        }
    }

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Asked::Sync => "sync",
            Asked::Os => "os",
            Asked::None => "none",
            Asked::Mixed => "mixed",
        }
    }
}

impl Trial {
    pub(crate) fn streams(&self) -> Vec<Stream> {
        let stream = |thread| Stream { seed: self.seed, thread, keys: self.keys };
        (0..self.threads).map(stream).collect()
    }

    pub(crate) fn models(&self) -> Vec<Model> {
        self.streams().into_iter().map(Model::new).collect()
    }

    pub(crate) fn options(&self) -> Options {
        options(self.preset, self.shape)
    }

    pub(crate) fn open_ledger(&self) -> Result<Ledger> {
        Ledger::open(&self.ledger).map_err(|error| broken("open", &self.ledger, &error))
    }

    /// The numbers of commits of each thread that may be there.
    pub(crate) fn possible(&self, ledger: &Ledger, after: After) -> Vec<RangeInclusive<u64>> {
        let range = |thread| {
            let synced = ledger.get(thread, Count::Synced);
            let low = match after {
                After::Kill => ledger.get(thread, Count::Handed).max(synced),
                After::Power => synced,
            };
            low..=ledger.get(thread, Count::Started).max(low)
        };
        (0..self.threads as usize).map(range).collect()
    }

    /// Finds the state that the database is in, which is settled from then on: a database that is open has made it durable.
    pub(crate) fn settle(
        &self,
        db: &Db,
        ledger: &Ledger,
        models: &mut [Model],
        after: After,
    ) -> Result<Vec<u64>> {
        let found = check::locate(db, &self.streams(), models, &self.possible(ledger, after))?;
        found.iter().enumerate().for_each(|(thread, number)| ledger.settle(thread, *number));
        Ok(found)
    }

    /// The arguments that give another process the same trial.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (dir, ledger) = (self.dir.display().to_string(), self.ledger.display().to_string());
        let preset = match self.preset {
            Preset::Small => "small",
            Preset::LowMemory => "low-memory",
            Preset::Default => "default",
        };
        let pairs = [
            ("--dir", dir),
            ("--ledger", ledger),
            ("--seed", self.seed.to_string()),
            ("--threads", self.threads.to_string()),
            ("--keys", self.keys.to_string()),
            ("--shape", self.shape.to_string()),
            ("--preset", preset.to_owned()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}
