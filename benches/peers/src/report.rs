//! A record as tables in Markdown: one of throughput, with ratios to the baseline, and one for each of the other figures.

use std::fmt::Write;

use crate::engine::Engine;
use crate::figures::Figures;
use crate::record::{Record, Spread};
use crate::units::short;
use crate::workload::Workload;

/// A table: its title, and what is in the cell of an engine and a workload, if there is anything.
struct Table<'a> {
    title: &'a str,
    cell: &'a dyn Fn(Engine, Workload) -> Option<String>,
}

/// All tables.
pub(crate) fn tables(record: &Record) -> String {
    let mut text = head(record);
    let throughput = |engine, workload| throughput(record, engine, workload);
    let title = if record.rate.is_some() { "Operations a second: done of asked for" } else { "Throughput" };
    Table { title, cell: &throughput }.write(record, &mut text);
    let latencies = |engine, workload| latencies(record, engine, workload);
    Table { title: "Latency in ns: p50 / p99 / p99.9 (medians of the rounds)", cell: &latencies }
        .write(record, &mut text);
    for (title, figure) in MEDIANS {
        let cell = |engine, workload| median(record, engine, workload, figure);
        Table { title, cell: &cell }.write(record, &mut text);
    }
    record.failures.iter().for_each(|failure| {
        let workload = failure.workload.map_or("opening", Workload::name);
        let _ = writeln!(
            text,
            "\n{} failed at {workload} in round {}: {}",
            failure.engine.name(),
            failure.round + 1,
            failure.what
        );
    });
    text
}

type Figure = fn(&Figures) -> Option<f64>;

const MEDIANS: [(&str, Figure); 7] = [
    ("Processor time of all threads in µs per operation, until settled", |figures| {
        Some(figures.cost.settled_cpu_micros_per_op)
    }),
    ("Bytes written per byte of keys and values, until settled (by the system's account)", |figures| {
        figures.cost.write_amplification()
    }),
    ("Time to settle in s", |figures| figures.workload.writes().then_some(figures.cost.settle_seconds)),
    ("Disk in MiB, when settled", |figures| Some(figures.cost.disk_bytes as f64 / 1_048_576.0)),
    ("Disk in MiB, at its most until settled", |figures| {
        Some(figures.cost.most_disk_bytes? as f64 / 1_048_576.0)
    }),
    ("Anonymous memory in MiB, when settled", |figures| {
        Some(figures.cost.anonymous_bytes? as f64 / 1_048_576.0)
    }),
    ("Sets beside the readers, a second", |figures| {
        (figures.sets_beside > 0).then(|| figures.sets_beside as f64 / figures.seconds)
    }),
];

fn head(record: &Record) -> String {
    let mut text = String::new();
    let (machine, shape, settings) = (&record.machine, &record.shape, &record.settings);
    let crates: Vec<String> =
        machine.crates.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = writeln!(
        text,
        "{} × {}, {:.0} GiB, Linux {}. {}.\n",
        machine.processors,
        machine.processor,
        machine.memory_bytes as f64 / f64::from(1 << 30),
        machine.kernel,
        crates.join(", ")
    );
    let _ = writeln!(
        text,
        "{} keys of 16 B, values of {}; threads: {}; rounds: {}, interleaved; medians (least–most). Write buffer {} MiB, cache {} MiB, \
         {} filter bits a key, compression {:?}, values apart from {} B on ({} B in engines that are named for it), {} background \
         threads. Values verified{}.",
        short(shape.keys as f64),
        shape.sizes,
        record.threads,
        record.rounds,
        settings.write_buffer_bytes >> 20,
        settings.cache_bytes >> 20,
        settings.filter_bits,
        settings.compression,
        settings.separation_bytes,
        settings.peer_separation_bytes,
        settings.background_threads,
        if shape.consume { ", every cache line of them touched" } else { "" }
    );
    if let Some(most) = settings.space_amplification {
        let _ = writeln!(text, "\nBettong may take {most} times the disk that is live.");
    }
    if let Some(rate) = record.rate {
        let _ = writeln!(
            text,
            "\nOpen loop: {rate}; a latency counts from when its operation was meant to start."
        );
    }
    for note in &record.notes {
        let _ = writeln!(text, "\n**{}** {}.", note.engine.name(), note.note);
    }
    text
}

impl Table<'_> {
    fn write(&self, record: &Record, text: &mut String) {
        let rows: Vec<(Workload, Vec<Option<String>>)> = record
            .rows()
            .map(|workload| {
                (workload, record.engines.iter().map(|engine| (self.cell)(*engine, workload)).collect())
            })
            .filter(|(_, cells): &(Workload, Vec<Option<String>>)| cells.iter().any(Option::is_some))
            .collect();
        if rows.is_empty() {
            return;
        }
        let names: Vec<&str> = record.engines.iter().map(|engine| engine.name()).collect();
        let _ = writeln!(text, "\n**{}**\n\n| workload | {} |", self.title, names.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(names.len()));
        for (workload, cells) in rows {
            let cells: Vec<String> =
                cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
            let _ = writeln!(text, "| {} | {} |", workload.name(), cells.join(" | "));
        }
    }
}

/// The baseline in operations a second, the others as multiples of it. Without a baseline there all are in operations.
fn throughput(record: &Record, engine: Engine, workload: Workload) -> Option<String> {
    if record.has_failed(engine, workload) {
        return Some("failed".to_owned());
    }
    let spread = record.spread(engine, workload, |figures| Some(figures.ops_per_second))?;
    if let Some(asked) = record.spread(engine, workload, |figures| figures.rate) {
        return Some(format!("{} of {}", short(spread.median), short(asked.median)));
    }
    let of_baseline = record.ratio(engine, workload).filter(|_| engine != record.baseline);
    Some(match of_baseline {
        Some(Spread { low, median, high }) => format!("{median:.2} ({low:.2}–{high:.2})"),
        None => format!("{} ({}–{})", short(spread.median), short(spread.low), short(spread.high)),
    })
}

fn latencies(record: &Record, engine: Engine, workload: Workload) -> Option<String> {
    let median = |figure: Figure| Some(record.spread(engine, workload, figure)?.median);
    let p50 = median(|figures| Some(figures.latency.p50 as f64))?;
    let p99 = median(|figures| Some(figures.latency.p99 as f64))?;
    let p999 = median(|figures| Some(figures.latency.p999 as f64))?;
    Some(format!("{p50:.0} / {p99:.0} / {p999:.0}"))
}

fn median(record: &Record, engine: Engine, workload: Workload, figure: Figure) -> Option<String> {
    Some(short(record.spread(engine, workload, figure)?.median))
}
