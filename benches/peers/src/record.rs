//! All that a run came to, as it is kept in JSON, and the arithmetic over its rounds.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::figures::Figures;
use crate::machine::Machine;
use crate::open_loop::Rate;
use crate::settings::Settings;
use crate::site::{Bounds, Shape};
use crate::workload::Workload;

/// A run of the harness.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) machine: Machine,
    pub(crate) engines: Vec<Engine>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) baseline: Engine,
    pub(crate) rounds: u64,
    pub(crate) threads: usize,
    pub(crate) settings: Settings,
    pub(crate) shape: Shape,
    pub(crate) bounds: Bounds,
    pub(crate) rate: Option<Rate>,
    pub(crate) write_rate: Option<f64>,
    pub(crate) notes: Vec<Note>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) figures: Vec<Figures>,
}

/// What an engine's build says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) engine: Engine,
    pub(crate) note: String,
}

/// A step that ended a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) engine: Engine,
    /// The step that was under way, if one had begun.
    pub(crate) workload: Option<Workload>,
    pub(crate) round: u64,
    pub(crate) what: String,
}

/// The middle one of several figures, and how far they reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (low, high) = (*figures.first()?, *figures.last()?);
        let (upper, lower) = (figures[figures.len() / 2], figures[(figures.len() - 1) / 2]);
        Some(Spread { low, median: (lower + upper) / 2.0, high })
    }
}

impl Record {
    /// The rounds of one engine and workload.
    pub(crate) fn of(&self, engine: Engine, workload: Workload) -> impl Iterator<Item = &Figures> {
        self.figures.iter().filter(move |figures| figures.engine == engine && figures.workload == workload)
    }

    pub(crate) fn spread(
        &self,
        engine: Engine,
        workload: Workload,
        figure: impl Fn(&Figures) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.of(engine, workload).filter_map(figure))
    }

    /// How many times the baseline's throughput an engine has: in each round, since they are neighbours in time.
    pub(crate) fn ratio(&self, engine: Engine, workload: Workload) -> Option<Spread> {
        let ratios = self.of(engine, workload).filter_map(|ours| {
            let theirs = self.of(self.baseline, workload).find(|theirs| theirs.round == ours.round)?;
            Some(ours.ops_per_second / theirs.ops_per_second)
        });
        Spread::of(ratios)
    }

    pub(crate) fn has_failed(&self, engine: Engine, workload: Workload) -> bool {
        self.failures.iter().any(|failure| failure.engine == engine && failure.workload == Some(workload))
    }

    /// The workloads of which there are figures, in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Workload> {
        self.workloads.iter().copied().filter(|workload| {
            self.figures.iter().any(|figures| figures.workload == *workload)
                || self.failures.iter().any(|failure| failure.workload == Some(*workload))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { low: 1.0, median: 2.0, high: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { low: 1.0, median: 2.5, high: 4.0 }));
    }
}
