//! Counts per second.

use crate::catalog::{Counter, CounterCell};
use crate::snapshot::MetricsSnapshot;

impl MetricsSnapshot {
    /// How much a counter grew per second of [`span_nanos`](Self::span_nanos), in raw units: in a difference, per second
    /// between the two snapshots; otherwise since the registry was created. 0 if no time has passed.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Counter, Registry};
    ///
    /// let registry = Registry::new("orders");
    /// let before = registry.snapshot();
    /// registry.recorder().add(Counter::GetResults.at(0), 1_000);
    /// let hits_per_second = registry.snapshot().since(&before).rate(Counter::GetResults.at(0));
    /// assert!(hits_per_second > 0.0);
    /// ```
    pub fn rate(&self, cell: impl Into<CounterCell>) -> f64 {
        per_second(self.counter(cell), self.span_nanos())
    }

    /// How much a counter family, summed over all its labels, grew per second, in raw units. See [`Self::rate`].
    pub fn rate_total(&self, family: Counter) -> f64 {
        per_second(self.counter_total(family), self.span_nanos())
    }
}

fn per_second(count: u64, nanos: u64) -> f64 {
    if nanos == 0 { 0.0 } else { count as f64 / (nanos as f64 / 1e9) }
}

#[cfg(all(test, not(feature = "off")))]
#[expect(clippy::float_cmp, reason = "the quotients are exact")]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn a_rate_is_a_count_per_second() {
        assert_eq!(per_second(10, 2_000_000_000), 5.0);
        assert_eq!(per_second(1, 500_000_000), 2.0);
        assert_eq!(per_second(0, 1), 0.0);
        assert_eq!(per_second(7, 0), 0.0);
    }

    #[test]
    fn a_rate_is_over_the_span_of_the_snapshot() {
        let registry = Registry::new("rates");
        let recorder = registry.recorder();
        recorder.add(Counter::GetResults.at(0), 1_000_000);
        let before = registry.snapshot();
        recorder.add(Counter::GetResults.at(0), 30);
        recorder.add(Counter::GetResults.at(2), 12);
        let mut change = registry.snapshot().since(&before);
        change.span_nanos = 3_000_000_000;
        assert_eq!(change.rate(Counter::GetResults.at(0)), 10.0);
        assert_eq!(change.rate_total(Counter::GetResults), 14.0);
    }

    #[test]
    fn readers_with_their_own_previous_snapshots_do_not_disturb_each_other() {
        let registry = Registry::new("readers");
        let recorder = registry.recorder();
        let jobs = registry.counter("app_jobs_total", "Jobs done", &[]).unwrap();
        let mut readers: Vec<_> = (0..3).map(|_| (registry.snapshot(), 0, 0)).collect();
        for round in 1..=60_u64 {
            recorder.add(Counter::GetResults.at(0), round);
            jobs.add(round);
            // The first reader looks every time, the others every second and every third time.
            for (every, (previous, seen, seen_custom)) in (1..).zip(&mut readers) {
                if round % every == 0 {
                    let now = registry.snapshot();
                    let change = now.since(previous);
                    *seen += change.counter(Counter::GetResults.at(0));
                    *seen_custom += match change.custom()[0].value(&[]) {
                        Some(crate::custom::CustomValue::Counter(count)) => *count,
                        other => panic!("{other:?}"),
                    };
                    *previous = now;
                }
            }
        }
        for (_, seen, seen_custom) in readers {
            assert_eq!((seen, seen_custom), (1_830, 1_830));
        }
    }
}
