//! The arguments, and the demo from beginning to end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bettong::{Db, Stats};
use bettong_exporter::formats::json;
use bettong_exporter::{Exporter, Profile};
use clap::Args;

use super::load::Load;
use super::scene::Scene;
use super::summary;
use crate::fault::{Fault, Result};
use crate::listen;
use crate::out::Out;
use crate::progress::Progress;
use crate::random::mix;
use crate::signal;
use crate::store::{self, Place};

/// How long the end waits for compactions.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// Run a database under load and watch its metrics
///
/// Several threads set, get, delete, scan and write batches, with values from tens of bytes to 16 KiB, and check everything
/// they read: a wrong value ends the demo with exit code 4. Meanwhile the metrics are served over HTTP: the first address that is
/// printed is that of the dashboard, to be opened in a browser. Ctrl-C ends it early
/// with the same summary. Memtables and tables are small, so that flushes and compactions show within seconds.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong demo
  bettong demo --seconds 300 --scene stall
  bettong demo --seconds 300 --rate 20000 &
  curl http://127.0.0.1:9464/metrics
  bettong demo --seconds 5 --headless --json snapshot.json")]
pub(crate) struct DemoArgs {
    /// What happens
    #[arg(long, value_enum, default_value_t)]
    scene: Scene,
    /// How long
    #[arg(short, long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    seconds: u64,
    /// Use and keep a database in this directory instead of a temporary one
    #[arg(short, long)]
    dir: Option<PathBuf>,
    /// Serve metrics on this address of this machine [default: 127.0.0.1:9464, or any port if that is taken]
    #[arg(short, long, value_name = "ADDR")]
    listen: Option<String>,
    /// Offer native histograms (protobuf) to servers that ask for them
    #[arg(long)]
    native_histograms: bool,
    /// Which series Prometheus gets: standard, native, minimal or full
    #[arg(long, value_name = "PROFILE", default_value_t)]
    profile: Profile,
    /// No progress bar, no colours
    #[arg(long)]
    headless: bool,
    /// Write the JSON snapshot of the metrics to FILE at the end; with `-`, print it instead of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Threads [default: one per core, from 2 to 4; 8 for slow-disk]
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: Option<u64>,
    /// Operations a second of all threads together [default: as many as possible]
    #[arg(short, long, value_name = "OPS_PER_SECOND", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, out: &mut Out) -> Result<()> {
    signal::install();
    if args.headless {
        out.plain();
    }
    let place = Place::new(args.dir.as_deref(), "bettong-demo-")?;
    let db = Db::open(place.path(), args.scene.options())?;
    let result = args.demonstrate(&db, &place, out);
    let closed = db.close();
    let left = place.leave();
    result.and(closed.map_err(Fault::from)).and(left)
}

impl DemoArgs {
    fn demonstrate(&self, db: &Db, place: &Place, out: &mut Out) -> Result<()> {
        let exporter = Exporter::new(db.metrics()).profile(self.profile);
        let exporter = exporter.native_histograms(self.native_histograms);
        let server = listen::start(&exporter, self.listen.as_deref(), out)?;
        self.announce(&listen::urls(&server), place, out)?;
        let progress = Progress::of_steps(out, self.seconds * 1000, !self.headless);
        let done = self.load().run(db, &progress)?;
        drop(progress);
        if signal::is_raised() {
            out.note("stopped early");
            db.flush()?;
        } else {
            store::settle(db, SETTLE_LIMIT)?;
        }
        db.stats();
        let snapshot = db.metrics().snapshot();
        summary::check(&done.counts, &snapshot)?;
        if !self.prints_json() {
            summary::print(out, &done, &Stats::from_snapshot(&snapshot))?;
        }
        if let Some(file) = &self.json {
            write_json(file, &json::render(&snapshot), out)?;
        }
        server.stop();
        out.flush()
    }

    fn prints_json(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    fn announce(&self, urls: &[String], place: &Place, out: &mut Out) -> Result<()> {
        if self.prints_json() {
            urls.iter().for_each(|url| out.note(url));
            return Ok(());
        }
        for url in urls {
            out.line(url)?;
        }
        let fate = if place.is_temporary() { "deleted at the end" } else { "kept" };
        out.line(format_args!("database {} ({fate})", place.path().display()))?;
        out.flush()
    }

    fn load(&self) -> Load {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) as u64;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Load {
            seed: mix(now.as_nanos() as u64),
            scene: self.scene,
            threads: self.threads.unwrap_or(self.scene.threads(cores)),
            rate: self.rate,
            duration: Duration::from_secs(self.seconds),
        }
    }
}

fn write_json(file: &Path, text: &str, out: &mut Out) -> Result<()> {
    if file == Path::new("-") {
        return out.line(text);
    }
    let line = format!("{text}\n");
    fs::write(file, line).map_err(|source| Fault::io("write", file, source))?;
    out.note(format_args!("snapshot written to {}", file.display()));
    Ok(())
}
