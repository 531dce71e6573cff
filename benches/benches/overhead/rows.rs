//! One path and number of threads: all comparisons, in one round after the other.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bettong_benches::paths::Path;
use bettong_benches::slices::MOST_THREADS;
use bettong_metrics::Instrumentation;
use bettong_paired::{Estimate, Pair, Side, interleave};

use crate::Result;
use crate::child::{Child, Work};
use crate::programs::Programs;
use crate::settings::Settings;

/// What is compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Two processes: the engine compiled without instrumentation, and the one with it at a level.
    Build(Instrumentation),
    /// Two processes of the same program at the same level: the noise of the above.
    SameBuild,
    /// One process: level off, and another.
    Level(Instrumentation),
    /// One process at one level: the noise of the above.
    SameLevel,
    /// One process: without and with somebody who scrapes.
    Scrape,
    /// One process that nobody scrapes: the noise of the above.
    NoScrape,
}

impl Comparison {
    /// In the order of measuring. Each comes before its noise; those of the same process are together.
    const ALL: [Comparison; 9] = [
        Comparison::Build(Instrumentation::Off),
        Comparison::Build(Instrumentation::Counters),
        Comparison::Build(Instrumentation::Sampled),
        Comparison::Build(Instrumentation::Full),
        Comparison::SameBuild,
        Comparison::Level(Instrumentation::Counters),
        Comparison::Level(Instrumentation::Sampled),
        Comparison::Level(Instrumentation::Full),
        Comparison::SameLevel,
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Comparison::Build(level) => format!("compiled out -> {level}"),
            Comparison::SameBuild => "A/A, two processes".to_owned(),
            Comparison::Level(level) => format!("off -> {level}"),
            Comparison::SameLevel => "A/A, one process".to_owned(),
            Comparison::Scrape => "alone -> scraped".to_owned(),
            Comparison::NoScrape => "A/A, not scraped".to_owned(),
        }
    }

    /// The comparison of a thing with itself that shows this one's noise; `None` if it is one.
    pub(crate) fn noise(self) -> Option<Comparison> {
        match self {
            Comparison::Build(_) => Some(Comparison::SameBuild),
            Comparison::Level(_) => Some(Comparison::SameLevel),
            Comparison::Scrape => Some(Comparison::NoScrape),
            _ => None,
        }
    }

    /// Whether it is about one of these levels, or the noise of those that are.
    fn is_of(self, levels: &[Instrumentation]) -> bool {
        match self {
            Comparison::Build(level) | Comparison::Level(level) => levels.contains(&level),
            _ => true,
        }
    }

    /// The level of each side.
    fn levels(self) -> [Instrumentation; 2] {
        match self {
            Comparison::Build(level) => [level; 2],
            Comparison::Level(level) => [Instrumentation::Off, level],
            Comparison::SameBuild => [Instrumentation::Counters; 2],
            _ => [Instrumentation::Off; 2],
        }
    }
}

/// All that was measured for one comparison.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) threads: usize,
    pub(crate) comparison: Comparison,
    /// Pairs by round, in nanoseconds per operation.
    pub(crate) rounds: Vec<Vec<Pair>>,
    /// The sampling interval at the end, where it matters.
    pub(crate) interval: Option<u64>,
}

impl Row {
    pub(crate) fn estimate(&self) -> Estimate {
        let differences = |round: &Vec<Pair>| round.iter().map(Pair::difference).collect();
        Estimate::of(&self.rounds.iter().map(differences).collect::<Vec<_>>())
    }

    /// Time of an operation of the first side.
    pub(crate) fn base_nanos(&self) -> f64 {
        bettong_paired::median(&mut self.rounds.iter().flatten().map(|pair| pair.a).collect::<Vec<_>>())
            .unwrap_or_default()
    }
}

/// Measures all rows of a path.
pub(crate) fn measure(
    settings: &Settings,
    layouts: &[Programs],
    path: Path,
    threads: usize,
) -> Result<Vec<Row>> {
    let row = |comparison| Row { path: path.name(), threads, comparison, rounds: Vec::new(), interval: None };
    let compared = Comparison::ALL.into_iter().filter(|comparison| comparison.is_of(&settings.levels));
    let mut rows: Vec<Row> = compared.map(row).collect();
    let anew = layouts.iter().zip(layouts.iter().cycle().skip(1)).cycle();
    for (programs, others) in anew.take(settings.rounds) {
        let mut round = Round::start(settings, [programs, others], path, threads)?;
        for row in &mut rows {
            let (pairs, interval) = round.measure(row.comparison)?;
            row.rounds.push(pairs);
            row.interval = interval;
        }
    }
    Ok(rows)
}

/// Three fresh processes.
struct Round<'a> {
    settings: &'a Settings,
    path: Path,
    out: Child,
    first: Child,
    /// The same program in another layout.
    second: Child,
    work: Work,
}

impl<'a> Round<'a> {
    fn start(
        settings: &'a Settings,
        [programs, others]: [&Programs; 2],
        path: Path,
        threads: usize,
    ) -> Result<Round<'a>> {
        let start = |program| Child::start(program, settings.processor_time);
        let out = start(&programs.out)?;
        let (first, second) = (start(&programs.instrumented)?, start(&others.instrumented)?);
        let work = Work { threads, count: 100, from: 0 };
        let mut round = Round { settings, path, out, first, second, work };
        round.reopen()?;
        round.choose_count()?;
        Ok(round)
    }

    fn children(&mut self) -> [&mut Child; 3] {
        [&mut self.out, &mut self.first, &mut self.second]
    }

    fn reopen(&mut self) -> Result<()> {
        let (path, keys) = (self.path, self.settings.keys);
        self.children().into_iter().try_for_each(|child| child.open(path, keys))
    }

    /// Chooses the operations of a slice by how long they take.
    fn choose_count(&mut self) -> Result<()> {
        let wanted = self.settings.slice.as_nanos() as f64;
        loop {
            let nanos = self.first.run(Instrumentation::Counters, self.work)? * self.work.count as f64;
            if nanos >= wanted / 2.0 {
                self.work.count = ((self.work.count as f64 * wanted / nanos) as u64).max(10);
                return Ok(());
            }
            self.work.count *= 2;
        }
    }

    fn measure(&mut self, comparison: Comparison) -> Result<(Vec<Pair>, Option<u64>)> {
        if self.path.grows() {
            // Beginning anew, no slice meets a flush, and all rows have the same conditions.
            self.reopen()?;
        }
        let levels = comparison.levels();
        let sampled = levels.contains(&Instrumentation::Sampled);
        if sampled {
            self.settle()?;
        }
        for level in levels {
            let work = self.work;
            self.children().into_iter().try_for_each(|child| child.run(level, work).map(drop))?;
        }
        let pairs = self.pairs(comparison)?;
        Ok((pairs, sampled.then_some(self.first.interval)))
    }

    /// Lets the sampling interval of the only process that is measured with one adapt to the load.
    fn settle(&mut self) -> Result<()> {
        if self.first.settled {
            return Ok(());
        }
        let (began, work) = (Instant::now(), self.work);
        while began.elapsed() < self.settings.settle {
            self.first.run(Instrumentation::Sampled, work)?;
            if self.path.grows() {
                // All databases must grow alike, and not much: with pauses.
                self.second.run(Instrumentation::Sampled, work)?;
                self.out.run(Instrumentation::Sampled, work)?;
                sleep(Duration::from_millis(40).min(self.settings.settle));
            }
        }
        self.first.settled = true;
        Ok(())
    }

    fn pairs(&mut self, comparison: Comparison) -> Result<Vec<Pair>> {
        let [a_level, b_level] = comparison.levels();
        let mut slices = 0;
        interleave(self.settings.pairs_per_round(), |side| {
            // Both slices of a pair do the same work.
            let from = slices / 2 * self.work.count * MOST_THREADS as u64;
            slices += 1;
            let work = Work { from, ..self.work };
            match (comparison, side) {
                (Comparison::Build(_), Side::A) => self.out.run(a_level, work),
                (Comparison::SameBuild, Side::A) => self.second.run(a_level, work),
                (_, Side::A) => self.first.run(a_level, work),
                (_, Side::B) => self.first.run(b_level, work),
            }
        })
    }
}
