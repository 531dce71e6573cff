//! Whether the time-stamp counter still runs evenly.
//!
//! A virtual machine that moves to another host, or sleeps, may find its counter jumped or ticking at another rate. Every
//! look compares the time that passed by the counter with the time that passed by the monotonic clock; two looks in a row
//! that disagree give the counter up.

use crate::clock::{Clock, ClockSource, Ticks};
use std::time::Instant;

/// Disagreements up to this share of the time between two looks are let pass: the monotonic clock itself is slewed by up
/// to 500 parts per million.
const TOLERANCE: f64 = 0.005;

/// Disagreements up to this are let pass, too (nanoseconds): the thread may lose its core between two readings.
const SLACK_NANOS: f64 = 2e6;

/// Disagreements in a row that are enough.
const STRIKES: u32 = 2;

/// Compares the two clocks, look by look.
#[derive(Debug)]
pub(crate) struct Drift {
    clock: Clock,
    ticks: Ticks,
    instant: Instant,
    strikes: u32,
}

impl Drift {
    /// The first look.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, ticks: clock.now(), instant: Instant::now(), strikes: 0 }
    }

    /// The next look; gives the counter up if it is time.
    pub(crate) fn look(&mut self) {
        if self.clock.source() == ClockSource::Monotonic {
            return;
        }
        let (ticks, instant) = (self.clock.now(), Instant::now());
        let counted = nanos(self.clock.nanos_between(self.ticks, ticks));
        let passed = instant.duration_since(self.instant).as_secs_f64() * 1e9;
        let apart = (counted - passed).abs();
        self.strikes = if apart > passed * TOLERANCE + SLACK_NANOS { self.strikes + 1 } else { 0 };
        (self.ticks, self.instant) = (ticks, instant);
        if self.strikes >= STRIKES {
            self.clock.distrust();
        }
    }
}
fn nanos(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_even_counter_is_kept() {
        let clock = Clock::global().with_own_flag();
        let source = clock.source();
        let mut drift = Drift::new(clock);
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(4));
            drift.look();
        }
        assert_eq!(clock.source(), source);
    }

    #[test]
    fn a_counter_that_runs_at_another_rate_is_given_up_at_the_second_look() {
        let clock = Clock::global().with_own_flag().at_rate(50);
        if clock.source() == ClockSource::Monotonic {
            return;
        }
        let mut drift = Drift::new(clock);
        std::thread::sleep(Duration::from_millis(10));
        drift.look();
        assert_eq!(clock.source(), ClockSource::Tsc);
        std::thread::sleep(Duration::from_millis(10));
        drift.look();
        assert_eq!(clock.source(), ClockSource::Monotonic);
    }
}
