//! `serve`: the metrics of a database that nobody has open.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bettong::Options;
use bettong_exporter::config::Config;
use bettong_exporter::{Exporter, Server};
use clap::Args;

use crate::fault::{Fault, Result};
use crate::listen;
use crate::out::Out;
use crate::signal;
use crate::store::StoreArgs;

const STEP: Duration = Duration::from_millis(50);

/// Serve the metrics of a database that no process has open
///
/// The database is opened for reading: nothing in its directory is changed, and nothing is done in the background. There are no
/// operations to count, so what is served is its shape: levels, tables, value files, disk, what the last process left, and health. A
/// directory does not record options: those that are shown, and what is reckoned with them (targets, scores), are the defaults. A
/// process that has it open serves its own metrics: ask that one. What environment variables (`BETTONG_METRICS_…`) say of the
/// exporter holds here, too.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong serve data
  bettong serve data --listen 127.0.0.1:9500
  BETTONG_METRICS_BEARER_TOKEN_FILE=token bettong serve data

Exit codes: as of every command; 5 if a process has the database open")]
pub(crate) struct ServeArgs {
    /// Directory of the database
    dir: PathBuf,
    /// Serve on this address of this machine [default: 127.0.0.1:9464 and the same port on IPv6]
    #[arg(short, long, value_name = "ADDR")]
    listen: Option<String>,
    /// End after so many seconds [default: when it is interrupted]
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    seconds: Option<u64>,
}

/// Serves until somebody asks for the end.
pub(crate) fn serve(args: &ServeArgs, out: &mut Out) -> Result<()> {
    signal::install();
    let db = StoreArgs { dir: args.dir.clone() }.look(Options::default()).inspect_err(|fault| {
        if let Fault::Engine(bettong::Error::Locked { .. }) = fault {
            out.note(
                "a process that has a database open serves its metrics itself: see `bettong metrics --help`",
            );
        }
    })?;
    let server = start(&Exporter::new(db.metrics()), args.listen.as_deref())?;
    for url in listen::urls(&server) {
        out.line(url)?;
    }
    out.flush()?;
    let length = args.seconds.map_or(Duration::MAX, Duration::from_secs);
    let end = Instant::now().checked_add(length);
    while !signal::is_raised() && end.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(STEP);
    }
    server.stop();
    Ok(db.close()?)
}

fn start(exporter: &Exporter, address: Option<&str>) -> Result<Server> {
    let exporter = exporter.clone().config(&Config::default().environment()?)?;
    if let Some(address) = address {
        return Ok(exporter.listen(address)?);
    }
    let off = || Fault::Usage("BETTONG_METRICS_ENABLED says that nothing is served".to_owned());
    exporter.start()?.ok_or_else(off)
}
