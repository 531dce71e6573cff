//! Kills writers, and looks at what they leave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bettong::Db;
use clap::Args;

use crate::check;
use crate::fault::{Fault, Result, broken};
use crate::ledger::{Count, Ledger};
use crate::model::Model;
use crate::random::{Random, mix};
use crate::shape::Preset;
use crate::trial::{After, Asked, Trial};

/// A writer that has not come so far within this time is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a writer's progress is looked at.
const LOOK: Duration = Duration::from_micros(50);

/// Starts writers, kills each at a random moment, and verifies what is left, cycle after cycle
#[derive(Args, Debug)]
pub(crate) struct KillLoopArgs {
    /// Where databases are made; what is bad is left there
    #[arg(long)]
    dir: PathBuf,
    /// Writers to kill
    #[arg(long, default_value_t = 1000)]
    cycles: u64,
    /// Cycles after which a new database is begun
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    cycles_per_database: u64,
    /// The seed [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// The durability that commits ask for
    #[arg(long, value_enum, default_value_t = Asked::Mixed)]
    durability: Asked,
}

pub(crate) fn run(args: &KillLoopArgs) -> Result<serde_json::Value> {
    let seed = args.seed.unwrap_or_else(seed_of_now);
    let began = Instant::now();
    let mut killed = 0;
    let mut commits = 0;
    let mut database = 0;
    while killed < args.cycles {
        let cycles = args.cycles_per_database.min(args.cycles - killed);
        let mut history = History::begin(args, mix(seed ^ database))?;
        commits += history.live(cycles).map_err(|fault| history.tell(seed, database, fault))?;
        history.end()?;
        killed += cycles;
        database += 1;
    }
    let per_minute = (killed as f64 / began.elapsed().as_secs_f64() * 60.0).round();
    Ok(serde_json::json!({
        "outcome": "sound", "cycles": killed, "bad": 0, "cycles_per_minute": per_minute,
        "databases": database, "commits": commits, "seed": seed,
    }))
}

fn seed_of_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    mix(since.map_or(0, |since| since.as_nanos() as u64))
}

/// When a writer is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after its start: it may not even have opened the database.
    Time(Duration),
    /// When so many commits were begun.
    Commits(u64),
}

/// The life of one database.
struct History<'a> {
    args: &'a KillLoopArgs,
    trial: Trial,
    ledger: Ledger,
    models: Vec<Model>,
    random: Random,
    cycle: u64,
}

impl<'a> History<'a> {
    fn begin(args: &'a KillLoopArgs, seed: u64) -> Result<History<'a>> {
        let mut random = Random::of(&[seed]);
        let home = args.dir.join(format!("kill-{seed:016x}"));
        fs::create_dir_all(&home).map_err(|error| broken("make", &home, &error))?;
        let trial = Trial {
            dir: home.join("db"),
            ledger: home.join("ledger"),
            seed,
            threads: random.within(1, 3),
            keys: [20, 100, 300, 1000].get(random.below(4) as usize).copied().unwrap_or(300),
            shape: 0,
            preset: Preset::Small,
        };
        let (ledger, models) = (trial.open_ledger()?, trial.models());
        Ok(History { args, trial, ledger, models, random, cycle: 0 })
    }

    fn home(&self) -> &Path {
        self.trial.dir.parent().unwrap_or(&self.trial.dir)
    }

    /// Kills so many writers; returns the commits that were found in the end.
    fn live(&mut self, cycles: u64) -> Result<u64> {
        let mut found = 0;
        for cycle in 0..cycles {
            self.cycle = cycle;
            self.trial.shape = self.random.next();
            self.kill_one()?;
            // Now and then the next writer recovers, and is killed at that.
            if cycle + 1 == cycles || self.random.below(4) > 0 {
                self.keep_a_copy()?;
                found = self.verify()?;
            }
        }
        Ok(found)
    }

    fn kill_one(&mut self) -> Result<()> {
        let moment = if self.random.below(4) == 0 {
            Moment::Time(Duration::from_micros(self.random.below(8000)))
        } else {
            // Few commits more often than many.
            let most = 1 << self.random.within(1, 10);
            Moment::Commits(self.random.within(1, most))
        };
        let program = std::env::current_exe().map_err(|error| broken("find", Path::new("itself"), &error))?;
        let mut writer = Command::new(program)
            .arg("write")
            .args(self.trial.arguments())
            .args(["--durability", self.args.durability.name()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| broken("start", Path::new("a writer"), &error))?;
        let waited = self.await_moment(&mut writer, moment);
        writer.kill().ok();
        let output =
            writer.wait_with_output().map_err(|error| broken("await", Path::new("a writer"), &error))?;
        let said = || [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).concat();
        match waited {
            Ok(()) if output.status.code().is_none() => Ok(()),
            Ok(()) => Err(Fault::Bad(format!("a writer ended by itself ({}): {}", output.status, said()))),
            Err(what) => Err(Fault::Bad(format!("{what}: {}", said()))),
        }
    }

    fn begun(&self) -> u64 {
        (0..self.trial.threads as usize).map(|thread| self.ledger.get(thread, Count::Started)).sum()
    }

    fn await_moment(&self, writer: &mut Child, moment: Moment) -> std::result::Result<(), String> {
        let (began, before) = (Instant::now(), self.begun());
        let reached = || match moment {
            Moment::Time(time) => began.elapsed() >= time,
            // A writer that finds fewer commits than were begun begins some anew.
            Moment::Commits(commits) => self.begun().abs_diff(before) >= commits,
        };
        while !reached() {
            if matches!(writer.try_wait(), Ok(Some(_))) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("a writer is stuck: {moment:?} is not reached"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Keeps the state before recovery, for whoever looks for a bug.
    fn keep_a_copy(&self) -> Result<()> {
        let copy = self.home().join("before");
        fs::remove_dir_all(&copy).ok();
        let copied = || {
            fs::create_dir_all(&copy)?;
            fs::copy(&self.trial.ledger, copy.join("ledger"))?;
            // Killed early enough, a writer has not even made the directory.
            let Ok(entries) = fs::read_dir(&self.trial.dir) else { return Ok(()) };
            entries.into_iter().try_for_each(|entry| {
                let entry = entry?;
                fs::copy(entry.path(), copy.join(entry.file_name())).map(drop)
            })
        };
        copied().map_err(|error: std::io::Error| broken("copy", &self.trial.dir, &error))
    }

    fn verify(&mut self) -> Result<u64> {
        let db = Db::open(&self.trial.dir, self.trial.options())?;
        let found = self.trial.settle(&db, &self.ledger, &mut self.models, After::Kill)?;
        check::sound(&db)?;
        db.close()?;
        Ok(found.iter().sum())
    }

    fn end(self) -> Result<()> {
        fs::remove_dir_all(self.home()).map_err(|error| broken("remove", self.home(), &error))
    }

    /// The fault, and how to look at it.
    fn tell(&self, seed: u64, database: u64, fault: Fault) -> Fault {
        let what = match fault {
            Fault::Bad(what) => what,
            Fault::Engine(error) => format!("the database does not open, or cannot be read: {error}"),
        };
        let arguments = self.trial.arguments().join(" ");
        let copy = self.home().join("before");
        Fault::Bad(format!(
            "{what} (seed {seed}, database {database}, cycle {}); before recovery it was as in {}; look again with: \
             bettong-stress verify {arguments}",
            self.cycle,
            copy.display(),
        ))
    }
}
