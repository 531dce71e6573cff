//! The command line.

use std::time::Duration;

use bettong_benches::paths::Path;
use bettong_metrics::Instrumentation;

pub(crate) const USAGE: &str = "\
usage: cargo bench -p bettong-benches --bench overhead -- [OPTIONS]
  --path PATH    one path only: get_memtable, get_table, get_missing, set, scan, steps,
                 steps_borrowed or scrape
  --levels LIST  which of off, counters, sampled, full are measured, with commas between them [all]
  --keys N       keys in a database [1000]
  --pairs N      pairs of slices per row, over all rounds [250]
  --rounds N     how often all processes are started anew [25]
  --layouts N    how often both programs are linked, each time with their functions in another order;
                 rounds take turns with them. 1 leaves the order to the linker, more want lld [16]
  --cpu          processor time instead of elapsed time, where others use the machine (not for scrape)
  --quick        40 pairs in 8 rounds, 4 layouts
  --test         a few short slices, to see that it works; nothing is compiled";

/// What to measure, and how thoroughly.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) paths: Vec<Path>,
    pub(crate) scrape: bool,
    pub(crate) levels: Vec<Instrumentation>,
    pub(crate) pairs: usize,
    pub(crate) rounds: usize,
    pub(crate) layouts: usize,
    /// Keys in a database: few enough for the caches of one core, where an operation is short and its instrumentation weighs most.
    pub(crate) keys: u64,
    pub(crate) slice: Duration,
    /// How long the sampling interval is given to settle.
    pub(crate) settle: Duration,
    /// Whether processor time counts, and not elapsed time.
    pub(crate) processor_time: bool,
    /// Whether this only looks whether everything works.
    pub(crate) test: bool,
}

impl Settings {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
        let mut settings = Settings {
            paths: Path::ALL.to_vec(),
            scrape: true,
            levels: Instrumentation::ALL.to_vec(),
            pairs: 250,
            rounds: 25,
            layouts: 16,
            keys: 1_000,
            slice: Duration::from_millis(2),
            // The controller looks once a second: at the second look it has seen nothing but samples of this load.
            settle: Duration::from_millis(2_200),
            processor_time: false,
            test: false,
        };
        // As for criterion: without `--bench`, which `cargo bench` adds, this is `cargo test`.
        let (mut bench, mut test) = (false, false);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value\n{USAGE}"));
            match argument.as_str() {
                "--bench" => bench = true,
                "--test" => test = true,
                "--cpu" => settings.processor_time = true,
                "--quick" => (settings.pairs, settings.rounds, settings.layouts) = (40, 8, 4),
                "--levels" => settings.levels = levels(&value()?)?,
                "--keys" => settings.keys = number(&value()?)? as u64,
                "--pairs" => settings.pairs = number(&value()?)?,
                "--rounds" => settings.rounds = number(&value()?)?,
                "--layouts" => settings.layouts = number(&value()?)?,
                "--path" => settings.choose(&value()?)?,
                _ => return Err(format!("{argument} is not known here\n{USAGE}")),
            }
        }
        if test || !bench {
            settings.shrink();
        }
        Ok(settings)
    }

    fn choose(&mut self, name: &str) -> Result<(), String> {
        self.scrape = name == "scrape";
        self.paths = Path::named(name).into_iter().collect();
        if self.paths.is_empty() && !self.scrape {
            return Err(format!("no path is called {name}\n{USAGE}"));
        }
        Ok(())
    }

    fn shrink(&mut self) {
        (self.pairs, self.rounds, self.keys) = (2, 1, 500);
        (self.slice, self.settle) = (Duration::from_micros(50), Duration::from_millis(1));
        self.test = true;
    }

    /// Pairs of one row in one round.
    pub(crate) fn pairs_per_round(&self) -> usize {
        self.pairs.div_ceil(self.rounds)
    }
}

fn levels(list: &str) -> Result<Vec<Instrumentation>, String> {
    list.split(',').map(|name| name.parse().map_err(|error| format!("{error}\n{USAGE}"))).collect()
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or(format!("{text} is not a number from 1 on\n{USAGE}"))
}
