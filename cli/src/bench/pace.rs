//! How fast a run was, from its beginning to its end: whether it slowed down.

use std::time::{Duration, Instant};

/// Parts that a run is divided into.
const PARTS: u64 = 10;
/// A run this short has no parts to speak of.
const SHORTEST: Duration = Duration::from_secs(5);

/// How many operations were done at which times.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    samples: Vec<(Duration, u64)>,
}

impl Pace {
    pub(super) fn begin() -> Pace {
        Pace { began: Instant::now(), samples: vec![(Duration::ZERO, 0)] }
    }

    /// So many operations are done now.
    pub(super) fn note(&mut self, done: u64) {
        self.samples.push((self.began.elapsed(), done));
    }

    /// Operations a second in each tenth of the operations; `None` for a short run.
    pub(super) fn by_tenth(&self) -> Option<Vec<f64>> {
        let (elapsed, ops) = *self.samples.last()?;
        if elapsed < SHORTEST || ops < PARTS {
            return None;
        }
        let ends: Vec<f64> = (0..=PARTS).map(|part| self.time_of(ops * part / PARTS)).collect();
        let each = ops as f64 / PARTS as f64;
        let lengths = ends.iter().zip(ends.iter().skip(1)).map(|(start, end)| end - start);
        Some(lengths.map(|seconds| each / seconds.max(1e-9)).collect())
    }

    /// When so many operations were done, in seconds: between two samples as if they had been done evenly.
    fn time_of(&self, ops: u64) -> f64 {
        let behind = self.samples.partition_point(|(_, done)| *done < ops);
        let Some((time, done)) = self.samples.get(behind) else { return 0.0 };
        let Some((earlier, fewer)) = behind.checked_sub(1).and_then(|at| self.samples.get(at)) else {
            return 0.0;
        };
        let part = (ops - fewer) as f64 / (done - fewer).max(1) as f64;
        earlier.as_secs_f64() + time.saturating_sub(*earlier).as_secs_f64() * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_those_of_the_operations_whenever_they_were_looked_at() {
        let mut pace = Pace::begin();
        // A thousand a second for ten seconds, then a hundred.
        let at = |second: u64| {
            (Duration::from_secs(second), second.min(10) * 1000 + second.saturating_sub(10) * 100)
        };
        pace.samples.extend((1..=110).map(at));
        let tenths = pace.by_tenth().unwrap();
        let expected = [1000.0, 1000.0, 1000.0, 1000.0, 1000.0, 100.0, 100.0, 100.0, 100.0, 100.0];
        assert!(
            tenths.iter().zip(expected).all(|(tenth, expected)| (tenth - expected).abs() < 1.0),
            "{tenths:?}"
        );
        pace.samples.truncate(4);
        assert_eq!(pace.by_tenth(), None, "too short");
    }
}
