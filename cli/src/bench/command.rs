//! The arguments, and a run from an empty directory to its report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bettong::{Compression, Db, Durability, Instrumentation, LEVELS, Options, Stats, WriteOptions};
use bettong_exporter::{Exporter, Server};
use clap::{Args, ValueEnum};

use super::churn;
use super::churn_report::Config;
use super::compare::{Overhead, compare};
use super::keys::{KEY_BYTES, KeySpace, encode};
use super::live::LiveBytes;
use super::pace::Pace;
use super::phase::{self, Phase};
use super::plan::{Plan, wrong};
use super::report::{self, Report, Shape};
use super::sizes::ValueSizes;
use super::workload::Workload;
use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::process::MemoryWatch;
use crate::progress::Progress;
use crate::random::{Permutation, Random, Zipf};
use crate::signal;
use crate::store::{self, Place};
use crate::units::parse_size;

/// How long a run waits for compactions to end.
const SETTLE_LIMIT: Duration = Duration::from_secs(600);
/// Keys read back after a workload that wrote.
const SAMPLE: u64 = 1000;
/// What churn fills up to where nobody said how far.
const DEFAULT_LIVE_BYTES: u64 = 1 << 30;

/// Compression of table blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CompressionArg {
    /// Blocks as they are
    None,
    /// LZ4 from L2 down, as by default (the values of a run do not compress)
    Lz4,
}

impl CompressionArg {
    fn name(self) -> &'static str {
        match self {
            CompressionArg::None => "none",
            CompressionArg::Lz4 => "lz4",
        }
    }
}

/// How much the database records of what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InstrumentationArg {
    /// Nothing is kept; operations still count into cells that nobody reads
    Off,
    /// Operations, results and bytes are counted
    Counters,
    /// Some operations are timed, too, the slow ones all; the engine's default
    Sampled,
    /// Every operation is timed
    Full,
    /// Compare off with sampled, in slices that take turns, and report the overhead
    Both,
}

impl InstrumentationArg {
    /// The level to open the database at.
    fn level(self) -> Instrumentation {
        match self {
            InstrumentationArg::Off => Instrumentation::Off,
            InstrumentationArg::Counters => Instrumentation::Counters,
            InstrumentationArg::Sampled | InstrumentationArg::Both => Instrumentation::Sampled,
            InstrumentationArg::Full => Instrumentation::Full,
        }
    }

    /// Whether everything is counted, all the time.
    fn counts(self) -> bool {
        !matches!(self, InstrumentationArg::Off | InstrumentationArg::Both)
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Measure a workload
///
/// Runs on a fresh database, in a temporary directory unless --dir is given. Workloads that read fill the database first, in
/// random order, and wait until it has settled. Keys have 16 bytes. Every value that is read is checked, and a wrong one
/// fails the run with exit code 4.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong bench --workload fillrandom
  bettong bench --workload readrandom --keys 4000000 --value-size 100 --threads 2
  bettong bench --workload readrandom --ops 4000000 --instrumentation both
  bettong bench --workload churn --value-size 1KiB..64KiB --live-bytes 1GiB --write-bytes 4GiB
  bettong bench --workload all --keys 100000 --json > runs.json")]
pub(crate) struct BenchArgs {
    /// What to measure
    #[arg(short, long, value_enum, value_name = "NAME")]
    workload: Workload,
    /// Keys in the database
    #[arg(short, long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    keys: u64,
    /// Bytes of a value, as in 4KiB, or from a least to a most, each as likely, as in 1KiB..64KiB
    #[arg(long, default_value = "100", value_name = "BYTES")]
    value_size: ValueSizes,
    /// Threads that share the operations
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: u64,
    /// Operations of all threads together [default: as many as keys, a tenth of that for scans]
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    ops: Option<u64>,
    /// Bytes of values that are live, for churn, which has as many keys as that takes [default: 1GiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    live_bytes: Option<u64>,
    /// Bytes of keys and values that churn writes after its fill [default: three times what is live]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    write_bytes: Option<u64>,
    /// Sync the log before a write counts as done
    #[arg(long)]
    sync: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Serve the metrics meanwhile on this address of this machine, as in 127.0.0.1:9464
    #[arg(short, long, value_name = "ADDR")]
    listen: Option<String>,
    /// Make the database in DIR/WORKLOAD, which must not exist, and keep it
    #[arg(short, long)]
    dir: Option<PathBuf>,
    /// Seed of keys, order and values: the same seed repeats a run
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Bytes of a memtable, as in 64MiB [default: the engine's]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    memtable_bytes: Option<u64>,
    /// Bytes of a table, as in 64MiB [default: the engine's]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    table_bytes: Option<u64>,
    /// Bytes of the block cache, as in 256MiB [default: the engine's]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    cache_bytes: Option<u64>,
    /// Values of so many bytes and more are kept apart from their keys [default: the engine's]
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    separation_threshold: Option<u64>,
    /// Most bytes of disk for each live byte, as in 1.5 [default: the engine's]
    #[arg(long, value_name = "RATIO")]
    max_space_amplification: Option<f64>,
    /// Read tables with pread into the block cache, and write the log with pwrite, instead of through mappings
    #[arg(long)]
    no_mmap: bool,
    /// Compression of table blocks
    #[arg(long, value_enum, default_value = "none")]
    compression: CompressionArg,
    /// How much the database records of what it does
    ///
    /// With `both` the operations are done in slices, at level off and at level sampled in turn, and the report says what the
    /// latter costs. Off at run time still counts into cells that nobody reads: the comparison with an engine that was compiled
    /// without instrumentation is `cargo bench -p bettong-benches --bench overhead`.
    #[arg(long, value_enum, default_value = "sampled", value_name = "LEVEL")]
    instrumentation: InstrumentationArg,
}

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, out: &mut Out) -> Result<()> {
    signal::install();
    args.check()?;
    if args.workload == Workload::Churn {
        return run_churn(args, out);
    }
    let workloads = match args.workload {
        Workload::All => Workload::EACH.to_vec(),
        one => vec![one],
    };
    let mut reports = Vec::new();
    for workload in workloads {
        let report = run_one(args, workload, out)?;
        if !args.json {
            report::print(out, &report)?;
            out.flush()?;
        }
        reports.push(report);
    }
    if args.json {
        let json = report::to_json(&reports).map_err(|e| Fault::output(e.into()))?;
        out.line(json)?;
    }
    Ok(())
}

fn run_one(args: &BenchArgs, workload: Workload, out: &mut Out) -> Result<Report> {
    let place = args.place(workload)?;
    let plan = args.plan(workload, Db::open(place.path(), args.options())?);
    let server = args.serve(&plan, out)?;
    let report = measure(args, &plan, out)?;
    drop(server);
    plan.db.close()?;
    place.leave()?;
    Ok(report)
}

fn run_churn(args: &BenchArgs, out: &mut Out) -> Result<()> {
    let place = args.place(args.workload)?;
    let plan = args.plan(args.workload, Db::open(place.path(), args.options())?);
    let server = args.serve(&plan, out)?;
    let report = churn::run(&plan, place.path(), args.config(&plan), args.instrumentation.counts(), out)?;
    drop(server);
    plan.db.close()?;
    place.leave()?;
    if args.json {
        return out.line(serde_json::to_string(&report).map_err(|e| Fault::output(e.into()))?);
    }
    report.print(out)
}

impl BenchArgs {
    fn options(&self) -> Options {
        let mut options = Options::default()
            .mapped_reads(!self.no_mmap)
            .mapped_log(!self.no_mmap)
            .instrumentation(self.instrumentation.level());
        if self.compression == CompressionArg::None {
            options = options.compression([Compression::None; LEVELS]);
        }
        if let Some(bytes) = self.memtable_bytes {
            options = options.memtable_bytes(bytes as usize);
        }
        if let Some(bytes) = self.table_bytes {
            options = options.table_bytes(bytes);
        }
        if let Some(bytes) = self.cache_bytes {
            options = options.cache_bytes(bytes as usize);
        }
        if let Some(bytes) = self.separation_threshold {
            options = options.separation_threshold(bytes as usize);
        }
        if let Some(ratio) = self.max_space_amplification {
            options = options.max_space_amplification(ratio);
        }
        options
    }

    /// Whether the arguments fit the workload.
    fn check(&self) -> Result<()> {
        let misfits = if self.workload == Workload::Churn {
            [
                (self.ops.is_some(), "--ops: churn ends by --write-bytes"),
                (
                    self.instrumentation == InstrumentationArg::Both,
                    "--instrumentation both: churn is one run",
                ),
            ]
        } else {
            [
                (self.live_bytes.is_some(), "--live-bytes is for churn"),
                (self.write_bytes.is_some(), "--write-bytes is for churn"),
            ]
        };
        match misfits.iter().find(|(given, _)| *given) {
            Some((_, why)) => Err(Fault::Usage((*why).to_owned())),
            None => Ok(()),
        }
    }

    /// Where the database of a workload goes.
    fn place(&self, workload: Workload) -> Result<Place> {
        let dir = self.dir.as_ref().map(|dir| dir.join(workload.name()));
        if let Some(dir) = dir.as_ref().filter(|dir| dir.exists()) {
            return Err(Fault::Usage(format!("{} exists: a run needs a fresh database", dir.display())));
        }
        Place::new(dir.as_deref(), "bettong-bench-")
    }

    /// The server of the metrics, if one is asked for.
    fn serve(&self, plan: &Plan, out: &mut Out) -> Result<Option<Server>> {
        let Some(address) = &self.listen else { return Ok(None) };
        let server = Exporter::new(plan.db.metrics()).listen(address)?;
        out.note(format_args!("{}: http://{}/", plan.workload.name(), server.local_addr()));
        Ok(Some(server))
    }

    fn plan(&self, workload: Workload, db: Db) -> Plan {
        let is_churn = workload == Workload::Churn;
        let mean = self.value_size.mean();
        let live_bytes = self.live_bytes.unwrap_or(DEFAULT_LIVE_BYTES);
        let write_bytes = self.write_bytes.unwrap_or_else(|| live_bytes.saturating_mul(3));
        let (keys, ops) = if is_churn {
            ((live_bytes / mean).max(1), write_bytes / (KEY_BYTES as u64 + mean))
        } else {
            (self.keys, self.ops.unwrap_or_else(|| workload.default_ops(self.keys)))
        };
        let durability = if self.sync { Durability::Sync } else { Durability::Os };
        Plan {
            db,
            workload,
            space: if workload.is_ycsb() { KeySpace::Scattered } else { KeySpace::Ordered },
            keys,
            sizes: self.value_size,
            threads: self.threads,
            ops: ops.min(workload.most_ops(keys)),
            write_bytes,
            live: is_churn.then(|| Arc::new(LiveBytes::new(keys))),
            seed: self.seed,
            order: Permutation::new(keys, self.seed),
            zipf: Zipf::new(keys),
            write: WriteOptions::new().durability(durability),
        }
    }

    /// What a churn was asked for.
    fn config(&self, plan: &Plan) -> Config {
        let (value_size_least, value_size_most) = plan.sizes.ends();
        let state = plan.db.metrics().published();
        Config {
            keys: plan.keys,
            value_size: plan.sizes.mean(),
            value_size_least,
            value_size_most,
            sizes: plan.sizes,
            threads: plan.threads,
            seed: plan.seed,
            sync: self.sync,
            compression: self.compression.name(),
            mapped_reads: !self.no_mmap,
            instrumentation: self.instrumentation.name(),
            separation_threshold: store::option_of(&state, "separation_threshold"),
            space_amplification_ceiling: store::option_of(&state, "max_space_amplification"),
        }
    }
}

fn measure(args: &BenchArgs, plan: &Plan, out: &Out) -> Result<Report> {
    let name = plan.workload.name();
    if !plan.workload.fills() {
        let progress = Progress::of_steps(out, plan.keys, true);
        progress.say(format!("{name}: filling"));
        // Nobody asks for the fill's durability, and it would take hours with a sync for each set.
        phase::fill(&plan.with_write(WriteOptions::new()), &progress)?;
        progress.say(format!("{name}: settling"));
        store::settle(&plan.db, SETTLE_LIMIT)?;
    }
    let before = plan.db.metrics().snapshot();
    let memory = MemoryWatch::start();
    let (phase, overhead) = measured_phase(args, plan, out)?;
    let peak = memory.peak_bytes();
    let stalled = Stats::from_snapshot(&plan.db.metrics().snapshot().since(&before)).stalls;
    let settling = Instant::now();
    if plan.workload.writes() {
        store::settle(&plan.db, SETTLE_LIMIT)?;
    }
    let settled = settling.elapsed();
    let after = plan.db.stats();
    let window = Stats::from_snapshot(&plan.db.metrics().snapshot().since(&before));
    let amplification =
        if window.user_written_bytes > 0 { window.write_amplification } else { after.write_amplification };
    let sampled = sample(plan)?;
    let report = args.report(plan, &phase);
    let counted = args.instrumentation.counts();
    Ok(Report {
        write_amplification: counted.then_some(amplification),
        space_amplification: after.space_amplification,
        peak_rss_anon_bytes: peak,
        stalls: counted.then_some(stalled),
        settle_seconds: if plan.workload.writes() { settled.as_secs_f64() } else { 0.0 },
        shape: Shape::of(&plan.db),
        values_verified: report.values_verified + sampled,
        overhead,
        ..report
    })
}

fn measured_phase(args: &BenchArgs, plan: &Plan, out: &Out) -> Result<(Phase, Option<Overhead>)> {
    let name = plan.workload.name();
    if args.instrumentation == InstrumentationArg::Both {
        // A bar wants to be moved 20 times a second, which takes longer than a slice.
        let (phase, overhead) = compare(plan, &Progress::of_steps(out, plan.ops, false))?;
        return Ok((phase, Some(overhead)));
    }
    let progress = Progress::of_steps(out, plan.ops, true);
    progress.say(name);
    Ok((phase::measure(plan, &progress)?, None))
}

/// Reads some keys back: what was written must be there, what was deleted must be gone.
fn sample(plan: &Plan) -> Result<u64> {
    let mut random = Random::new(plan.seed, u64::MAX);
    let written = if plan.workload.fills() { plan.ops } else { plan.keys };
    for _ in 0..SAMPLE {
        let at = random.below(written);
        let n = if plan.workload == Workload::Fillseq { at } else { plan.order.at(at) };
        let number = plan.number(n);
        if plan.workload == Workload::Deletes && at < plan.ops {
            if plan.db.get(encode(number))?.is_some() {
                return Err(wrong(&encode(number), "was deleted and is there"));
            }
        } else {
            plan.get_present(number)?;
        }
    }
    Ok(SAMPLE)
}

impl BenchArgs {
    fn report(&self, plan: &Plan, phase: &Phase) -> Report {
        let Phase { tally, elapsed, cpu_seconds, pace } = phase;
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let at = |quantile| tally.latencies.value_at_quantile(quantile);
        Report {
            workload: plan.workload.name(),
            keys: plan.keys,
            value_size: plan.sizes,
            threads: plan.threads,
            ops: tally.ops(),
            seed: plan.seed,
            sync: self.sync,
            compression: self.compression.name(),
            mapped_reads: !self.no_mmap,
            instrumentation: self.instrumentation.name(),
            seconds,
            ops_per_second: tally.ops() as f64 / seconds,
            ops_per_second_by_tenth: pace.as_ref().and_then(Pace::by_tenth),
            megabytes_per_second: tally.bytes as f64 / 1e6 / seconds,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: tally.latencies.max(),
            write_amplification: None,
            space_amplification: 0.0,
            cpu_seconds_per_op: cpu_seconds.map(|seconds| seconds / tally.ops().max(1) as f64),
            peak_rss_anon_bytes: 0,
            stalls: None,
            settle_seconds: 0.0,
            shape: Shape::default(),
            verified: true,
            values_verified: tally.verified,
            overhead: None,
        }
    }
}
