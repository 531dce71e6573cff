//! The command line.

use std::time::Duration;

use bettong_benches::paths::Path;

pub(crate) const USAGE: &str = "\
usage: cargo bench -p bettong-benches --bench overhead -- [OPTIONS]
  --path PATH    one path only: get_memtable, get_table, get_missing, set, scan, steps,
                 steps_borrowed or scrape
  --pairs N      pairs of slices per row, over all rounds [200]
  --rounds N     how often all processes are started anew [5]
  --cpu          processor time instead of elapsed time, where others use the machine (not for scrape)
  --quick        40 pairs in 2 rounds
  --test         a few short slices, to see that it works; nothing is compiled";

/// What to measure, and how thoroughly.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) paths: Vec<Path>,
    pub(crate) scrape: bool,
    pub(crate) pairs: usize,
    pub(crate) rounds: usize,
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
            pairs: 200,
            rounds: 5,
            keys: 10_000,
            slice: Duration::from_millis(4),
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
                "--quick" => (settings.pairs, settings.rounds) = (40, 2),
                "--pairs" => settings.pairs = number(&value()?)?,
                "--rounds" => settings.rounds = number(&value()?)?,
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

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or(format!("{text} is not a number from 1 on\n{USAGE}"))
}
