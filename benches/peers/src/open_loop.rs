//! Operations at a fixed rate, each with the time at which it is meant to start.
//!
//! A latency counts from that time, not from when the operation was begun: while one hangs, those that come meanwhile wait, and
//! their waiting counts (Gil Tene calls leaving it out coordinated omission). A thread whose operation is early waits for its
//! time; one that is late begins at once.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::failed::Done;
use crate::recorder::Recorder;
use crate::units;

/// A thread that is so many times the length of a run behind gives up.
const BEHIND_MAX: u32 = 3;

/// Sleeping ends up to this much too late; the rest is waited for awake.
const OVERSLEEP: Duration = Duration::from_micros(150);
/// While waiting for longer than this, a thread lets others run.
const YIELD: Duration = Duration::from_micros(5);

/// How often operations start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Rate {
    /// So many a second, of all threads together.
    PerSecond(f64),
    /// This share of what the engine does in a closed loop just before.
    Share(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let rate = match text.strip_suffix('%') {
            Some(share) => Rate::Share(share.parse::<f64>().map_err(|error| error.to_string())? / 100.0),
            None => Rate::PerSecond(units::count(text)? as f64),
        };
        let (Rate::PerSecond(number) | Rate::Share(number)) = rate;
        if number > 0.0 { Ok(rate) } else { Err("a rate is more than 0".to_owned()) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::PerSecond(rate) => write!(f, "{} operations a second", units::short(*rate)),
            Rate::Share(share) => write!(f, "{:.0} % of each engine's closed loop", share * 100.0),
        }
    }
}

/// When the operations of one thread are meant to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Seconds between two.
    interval: f64,
    /// Those of several threads come in turn.
    offset: f64,
    lasts: Duration,
}

impl Schedule {
    pub(crate) fn new(per_second: f64, threads: usize, thread: usize, lasts: Duration) -> Schedule {
        Schedule { interval: threads as f64 / per_second, offset: thread as f64 / per_second, lasts }
    }

    fn intended(self, began: Instant, operation: u64) -> Instant {
        began + Duration::from_secs_f64(self.offset + operation as f64 * self.interval)
    }

    /// Starts operations as planned until the time is over; returns how many were done.
    pub(crate) fn run(self, actor: &mut Actor<'_>, recorder: &mut Recorder) -> Done<u64> {
        let began = Instant::now();
        let (end, too_late) = (began + self.lasts, began + self.lasts * BEHIND_MAX);
        let mut done = 0;
        loop {
            let intended = self.intended(began, done);
            if intended >= end || Instant::now() >= too_late {
                return Ok(done);
            }
            wait_until(intended);
            if actor.act()? == 0 {
                return Ok(done);
            }
            recorder.add(intended.elapsed());
            done += 1;
        }
    }
}

pub(crate) fn wait_until(time: Instant) {
    loop {
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        } else if left > 2 * OVERSLEEP {
            std::thread::sleep(left - OVERSLEEP);
        } else if left > YIELD {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_or_shares() {
        assert_eq!("70%".parse(), Ok(Rate::Share(0.7)));
        assert_eq!("50k".parse(), Ok(Rate::PerSecond(50_000.0)));
        assert!("0".parse::<Rate>().is_err() && "fast".parse::<Rate>().is_err());
    }

    #[test]
    fn threads_start_in_turn_at_the_rate_of_all() {
        let began = Instant::now();
        let at = |thread, operation| {
            Schedule::new(1000.0, 2, thread, Duration::ZERO).intended(began, operation) - began
        };
        assert_eq!(at(0, 0), Duration::ZERO);
        assert_eq!(at(1, 0), Duration::from_millis(1));
        assert_eq!(at(0, 1), Duration::from_millis(2));
        assert_eq!(at(1, 50), Duration::from_millis(101));
    }
}
