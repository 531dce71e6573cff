//! What the instrumentation costs, on every hot path, against the engine compiled without it.
//!
//! `cargo bench -p bettong-benches --bench overhead`; `-- --quick` for a first look. `docs/benchmarks.md` explains the method.
//!
//! Levels are compared in one process. The engine without instrumentation is another program: this bench builds both, starts
//! them, and lets them take turns of a few milliseconds, never two at a time. Where code and data lie in memory differs from
//! link to link and from process to process and is worth some percent, so all processes are started anew many times, each time
//! with their functions in another order, and the comparison of a program with itself shows what remains of that.
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

mod settings;
mod programs;
mod child;
mod rows;
mod scrape;
mod report;

use programs::Programs;
use settings::Settings;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let settings = Settings::parse(std::env::args().skip(1))?;
    let layouts = if settings.test || settings.paths.is_empty() {
        Programs::same()
    } else {
        Programs::build(settings.layouts)?
    };
    if settings.test {
        println!("a test: nothing is compiled out, and the figures mean nothing");
    }
    let mut all = Vec::new();
    println!("{}", report::head());
    for &path in &settings.paths {
        for threads in [1, 2] {
            let rows = rows::measure(&settings, &layouts, path, threads)?;
            print!("{}", report::lines(&rows));
            all.extend(rows);
        }
    }
    if settings.scrape {
        let (rows, mut scrapes) = scrape::measure(&settings)?;
        print!("{}", report::lines(&rows));
        let took = bettong_paired::median(&mut scrapes).unwrap_or_default() / 1e3;
        println!("{} scrapes, each {took:.0} µs of processor time (median)", scrapes.len());
        all.extend(rows);
    }
    println!("all pairs: {}", report::save(&all)?.display());
    Ok(())
}
