//! Runs histories until the time is up, and keeps one that fails, cut down to what it takes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bettong_simulator::{Campaign, Found, History, Profile, run, shrink};
use clap::{Parser, ValueEnum};

const REPORT_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const SHRINKING_TRIES: usize = 20_000;

/// Runs the engine through random histories on a simulated machine, cut by crashes and faults, against a model
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Stop after so many seconds [default: 60, or never with --cycles]
    #[arg(long)]
    seconds: Option<u64>,
    /// Stop after so many cycles of crash, reopening and verification
    #[arg(long)]
    cycles: Option<u64>,
    /// Histories run at a time
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The first seed [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// What histories are mostly about
    #[arg(long, value_enum, default_value_t)]
    profile: ProfileName,
    /// Run the histories in these files instead
    #[arg(long, num_args = 1..)]
    replay: Vec<PathBuf>,
    /// Where a history that fails is kept
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds"))]
    keep_in: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ProfileName {
    /// Everything, on any options
    #[default]
    Mixed,
    /// Garbage collection of separated values
    Churn,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match act(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(io::stderr(), "error: {error}").ok();
            ExitCode::from(2)
        }
    }
}

/// Whether all went well.
fn act(arguments: &Arguments) -> io::Result<bool> {
    if !arguments.replay.is_empty() {
        return replay(&arguments.replay);
    }
    let seed = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()) << 32);
    let profile = match arguments.profile {
        ProfileName::Mixed => Profile::Mixed,
        ProfileName::Churn => Profile::Churn,
    };
    writeln!(io::stdout(), "profile {profile:?}, seeds from {seed}, {} threads", arguments.threads)?;
    let panics = catch_panics();
    let campaign = Campaign::new(profile, seed, arguments.cycles.unwrap_or(u64::MAX));
    let seconds = arguments.seconds.or(arguments.cycles.is_none().then_some(60));
    conduct(&campaign, arguments.threads, seconds)?;
    let failures = campaign.failures();
    for found in &failures {
        report(found, arguments, panics)?;
    }
    Ok(failures.is_empty())
}

/// Runs a campaign, saying how far it is now and then.
fn conduct(campaign: &Campaign, threads: usize, seconds: Option<u64>) -> io::Result<()> {
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(|| campaign.work())).collect();
        let mut said = began;
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(LOOK_EVERY);
            if seconds.is_some_and(|seconds| began.elapsed() >= Duration::from_secs(seconds)) {
                campaign.stop();
            }
            if said.elapsed() >= REPORT_EVERY {
                said = Instant::now();
                say(campaign, began)?;
            }
        }
        say(campaign, began)
    })
}

fn say(campaign: &Campaign, began: Instant) -> io::Result<()> {
    let progress = campaign.progress();
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        io::stdout(),
        "{seconds:6.1} s: {} cycles, {:.0} cycles a minute, {} operations, {} histories, {} failures",
        progress.cycles,
        progress.cycles as f64 * 60.0 / seconds,
        progress.operations,
        progress.histories,
        progress.failures
    )
}

/// Says what failed, cuts it down, and keeps it.
fn report(found: &Found, arguments: &Arguments, panics: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut out = io::stdout();
    let Found { history, failure } = found;
    writeln!(out, "\nFAILED: seed {}, profile {:?}: {failure}", history.seed, arguments.profile)?;
    for panic in panics.lock().unwrap_or_else(PoisonError::into_inner).drain(..).take(1) {
        writeln!(out, "{panic}")?;
    }
    writeln!(out, "options of the first opening: {:#?}", history.options)?;
    writeln!(out, "cutting down {} operations …", history.ops.len())?;
    let mut short = shrink(history, SHRINKING_TRIES, |candidate| run(candidate).is_err());
    let now = run(&short).err();
    let what = now.as_ref().unwrap_or(failure);
    short.note = format!("seed {}: {}", history.seed, what.what);
    let path =
        arguments.keep_in.join(format!("{:?}-{}.json", arguments.profile, history.seed).to_lowercase());
    short.save(&path)?;
    writeln!(out, "{} operations do it: {what}", short.ops.len())?;
    for op in short.ops.iter().take(60) {
        writeln!(out, "  {op:?}")?;
    }
    writeln!(out, "kept in {}: run it with --replay, and leave it there once it passes", path.display())
}

fn replay(paths: &[PathBuf]) -> io::Result<bool> {
    let mut all_pass = true;
    for path in paths {
        let history = History::load(path)?;
        match run(&history) {
            Ok(outcome) => writeln!(io::stdout(), "{}: {} cycles, passed", path.display(), outcome.cycles)?,
            Err(failure) => {
                all_pass = false;
                writeln!(io::stdout(), "{}: {failure}", path.display())?;
            }
        }
    }
    Ok(all_pass)
}

/// Keeps the messages of panics: a history that panics fails like any other, and while it is cut down it does so a thousand times.
fn catch_panics() -> &'static Mutex<Vec<String>> {
    static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::panic::set_hook(Box::new(|panic| {
        let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        if panics.len() < 10 {
            panics.push(format!("{panic}\n{}", std::backtrace::Backtrace::force_capture()));
        }
    }));
    &PANICS
}
