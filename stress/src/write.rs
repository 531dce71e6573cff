//! The writer, which is to be killed, starved and lied to.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use bettong::{Db, Durability, Error, ErrorKind, WriteBatch, WriteOptions};
use clap::Args;

use crate::check;
use crate::fault::{Fault, Result, broken};
use crate::ledger::{Count, Ledger};
use crate::model::Model;
use crate::trial::{After, Asked, Trial};
use crate::workload::{Commit, Stream, Then};

/// How long a writer waits before it tries again.
const PAUSE: Duration = Duration::from_millis(2);

/// Commits until it is killed, a write fails, or so many are done
#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    #[command(flatten)]
    trial: Trial,
    /// The durability that commits ask for
    #[arg(long, value_enum, default_value_t = Asked::Mixed)]
    durability: Asked,
    /// Commits of each thread, after which the database is closed [default: no end]
    #[arg(long)]
    commits: Option<u64>,
    /// What happened to the last writer: what may be missing of its commits
    #[arg(long, value_enum, default_value_t = After::Kill)]
    after: After,
    /// Try refused writes again for so many seconds each, and check meanwhile that reads go on
    #[arg(long, default_value_t = 0)]
    retry_seconds: u64,
}

/// What the threads of a writer share.
struct Writer<'a> {
    args: &'a WriteArgs,
    db: &'a Db,
    ledger: &'a Ledger,
    failed: AtomicBool,
}

pub(crate) fn run(args: &WriteArgs) -> Result<serde_json::Value> {
    let ledger = args.trial.open_ledger()?;
    let db = Db::open(&args.trial.dir, args.trial.options())?;
    let mut models = args.trial.models();
    let settled = args.trial.possible(&ledger, args.after).iter().all(|range| range.start() == range.end());
    if !settled {
        args.trial.settle(&db, &ledger, &mut models, args.after)?;
    }
    let writer = Writer { args, db: &db, ledger: &ledger, failed: AtomicBool::new(false) };
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let spawn = |(stream, model)| {
            let writer = &writer;
            let work = move || {
                writer.work(stream, model).inspect_err(|_| writer.failed.store(true, Ordering::Relaxed))
            };
            std::thread::Builder::new().spawn_scoped(scope, work)
        };
        let threads: Vec<_> = args.trial.streams().into_iter().zip(models).map(spawn).collect();
        let panicked = |_| Err(Fault::Bad("a thread of the writer panicked".to_owned()));
        let unstarted = |error| broken("start", Path::new("a thread"), &error);
        let join = |thread: ScopedJoinHandle<'_, Result<()>>| thread.join().unwrap_or_else(panicked);
        threads.into_iter().map(|thread| thread.map_err(unstarted).and_then(join)).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    db.close()?;
    Ok(serde_json::json!({ "outcome": "done" }))
}

impl Writer<'_> {
    /// The commits of one thread.
    fn work(&self, stream: Stream, mut model: Model) -> Result<()> {
        let thread = stream.thread as usize;
        let first = self.ledger.get(thread, Count::Started) + 1;
        let last = self.args.commits.map_or(u64::MAX, |commits| first.saturating_add(commits) - 1);
        for number in first..=last {
            if self.failed.load(Ordering::Relaxed) {
                break;
            }
            let commit = stream.commit(number);
            let durability = self.args.durability.durability(commit.durability);
            self.ledger.set(thread, Count::Started, number);
            let options = WriteOptions::new().durability(durability);
            if let Err(error) = write(self.db, &stream, number, &commit, options) {
                self.insist(&stream, &mut model, (number, &commit, options), error)?;
            }
            if durability == Durability::Sync {
                self.ledger.set(thread, Count::Synced, number);
            }
            if durability != Durability::None {
                self.ledger.set(thread, Count::Handed, number);
            }
            self.follow(thread, number, commit.then)?;
        }
        Ok(())
    }

    /// Tries a refused write again until it goes through. What was refused must not be seen, everything else must.
    fn insist(
        &self,
        stream: &Stream,
        model: &mut Model,
        (number, commit, options): (u64, &Commit, WriteOptions),
        mut error: Error,
    ) -> Result<()> {
        let thread = stream.thread as usize;
        let began = Instant::now();
        loop {
            self.ledger.add(thread, Count::RefusedWrites);
            if began.elapsed() >= Duration::from_secs(self.args.retry_seconds) {
                return Err(error.into());
            }
            self.look(stream, model, number)?;
            std::thread::sleep(PAUSE);
            match write(self.db, stream, number, commit, options) {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
    }

    /// Reads the thread's keys. A write that was not synced as it asked may be there.
    fn look(&self, stream: &Stream, model: &mut Model, number: u64) -> Result<()> {
        let mut held = Vec::new();
        for slot in 0..stream.keys as usize {
            match self.db.get(stream.key(slot)) {
                Ok(value) => held.push(value.map(Vec::from)),
                Err(error) if error.kind() == ErrorKind::Io => {
                    self.ledger.add(stream.thread as usize, Count::RefusedReads);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        model.clone().locate(&held, &(number - 1..=number)).map_err(Fault::Bad)?;
        model.advance_to(number - 1);
        Ok(())
    }

    /// What the commit brings with it.
    fn follow(&self, thread: usize, number: u64, then: Then) -> Result<()> {
        let done = match then {
            Then::Nothing => return Ok(()),
            Then::Sync => self.db.sync(),
            Then::Flush => self.db.flush(),
            Then::Compact => self.db.compact(..),
            Then::CollectGarbage => self.db.collect_garbage().map(drop),
        };
        match done {
            Ok(()) => {
                // A flush and a sync make durable whatever came before; the others flush first.
                if matches!(then, Then::Sync | Then::Flush | Then::Compact) {
                    self.ledger.set(thread, Count::Synced, number);
                    self.ledger.set(thread, Count::Handed, number);
                }
                Ok(())
            }
            Err(_) if self.args.retry_seconds > 0 => {
                self.ledger.add(thread, Count::RefusedWrites);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes one commit: a lone write by itself, several as a batch.
fn write(
    db: &Db,
    stream: &Stream,
    number: u64,
    commit: &Commit,
    options: WriteOptions,
) -> bettong::Result<()> {
    if let [op] = commit.ops.as_slice() {
        let key = stream.key(op.slot);
        return match op.set {
            Some(len) => db.set_with(key, stream.value(number, op.slot, len), options),
            None => db.delete_with(key, options),
        };
    }
    let mut batch = WriteBatch::new();
    for op in &commit.ops {
        match op.set {
            Some(len) => batch.set(stream.key(op.slot), stream.value(number, op.slot, len)),
            None => batch.delete(stream.key(op.slot)),
        }
    }
    db.write_with(batch, options)
}

/// Opens a database, and checks it against the ledger and the model
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) trial: Trial,
    /// What happened to the writer
    #[arg(long, value_enum, default_value_t = After::Kill)]
    pub(crate) after: After,
}

/// Prints the commits of each thread that are there.
pub(crate) fn verify(args: &VerifyArgs) -> Result<serde_json::Value> {
    let ledger = args.trial.open_ledger()?;
    let db = Db::open(&args.trial.dir, args.trial.options())?;
    let found = args.trial.settle(&db, &ledger, &mut args.trial.models(), args.after)?;
    check::sound(&db)?;
    db.close()?;
    Ok(serde_json::json!({ "outcome": "sound", "commits": found }))
}
