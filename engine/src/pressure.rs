//! When writes must slow down, or stop, because the tree cannot take more.
//!
//! Pressure is graded: from the first threshold of a cause on, writes are paced, and the rate falls as the second comes
//! nearer; at the second they stop. It is computed when the view changes, not when a write looks at it.

use crate::levels::space::Space;
use crate::metric::{SLOWDOWN, STOP, StallCause};
use crate::options::Options;
use crate::sync::{AtomicU64, Ordering};
use crate::view::View;

/// Slowest pace, as a fraction of the configured one.
const SLOWEST: f64 = 0.1;

/// What a write has to expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pressure {
    /// Nothing.
    None,
    /// It is let through at this many bytes a second.
    Slowdown { cause: StallCause, bytes_per_second: u64 },
    /// It waits until this is over.
    Stop { cause: StallCause },
}

impl Pressure {
    /// The pressure that a view puts on writes, with so many bytes waiting for compaction.
    pub(crate) fn of(view: &View, debt_bytes: u64, space: &Space, options: &Options) -> Pressure {
        let l0 = view.version.levels.first().map_or(0, |level| level.tables.len());
        let causes = [
            (
                StallCause::L0Tables,
                l0 as f64,
                options.l0_slowdown_tables as f64,
                options.l0_stop_tables as f64,
            ),
            (
                StallCause::CompactionDebt,
                debt_bytes as f64,
                options.compaction_debt_slowdown_bytes as f64,
                options.compaction_debt_stop_bytes as f64,
            ),
            {
                let (value, slowdown, stop) = space.pressure(options);
                (StallCause::ValueGarbage, value, slowdown, stop)
            },
        ];
        let mut worst = Pressure::None;
        for (cause, value, slowdown, stop) in causes {
            if value >= stop {
                return Pressure::Stop { cause };
            }
            if value >= slowdown {
                let left = (stop - value) / (stop - slowdown);
                let rate = options.slowdown_bytes_per_second as f64 * left.max(SLOWEST);
                worst = worst.or_slower(cause, rate as u64);
            }
        }
        worst
    }

    /// The cause for which writes are held back, and the condition, if they are.
    pub(crate) fn stall(self) -> Option<(StallCause, usize)> {
        match self {
            Pressure::None => None,
            Pressure::Slowdown { cause, .. } => Some((cause, SLOWDOWN)),
            Pressure::Stop { cause } => Some((cause, STOP)),
        }
    }

    fn or_slower(self, cause: StallCause, rate: u64) -> Pressure {
        match self {
            Pressure::Slowdown { bytes_per_second, .. } if bytes_per_second <= rate => self,
            _ => Pressure::Slowdown { cause, bytes_per_second: rate.max(1) },
        }
    }
}

/// The pressure in force, as one number that a write can look at.
#[derive(Debug, Default)]
pub(crate) struct CurrentPressure(AtomicU64);

const STOP_BIT: u64 = 1 << 63;
const CAUSE_SHIFT: u32 = 56;
const RATE_MASK: u64 = (1 << CAUSE_SHIFT) - 1;

impl CurrentPressure {
    /// Whether a write may pass without looking further.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn get(&self) -> Pressure {
        let word = self.0.load(Ordering::Relaxed);
        if word == 0 {
            return Pressure::None;
        }
        let cause = match (word >> CAUSE_SHIFT) & 0x7f {
            0 => StallCause::L0Tables,
            2 => StallCause::CompactionDebt,
            _ => StallCause::ValueGarbage,
        };
        if word & STOP_BIT != 0 {
            return Pressure::Stop { cause };
        }
        Pressure::Slowdown { cause, bytes_per_second: word & RATE_MASK }
    }

    pub(crate) fn set(&self, pressure: Pressure) {
        let cause_bits = |cause: StallCause| (cause as u64) << CAUSE_SHIFT;
        let word = match pressure {
            Pressure::None => 0,
            Pressure::Slowdown { cause, bytes_per_second } => {
                cause_bits(cause) | bytes_per_second.clamp(1, RATE_MASK)
            }
            Pressure::Stop { cause } => STOP_BIT | cause_bits(cause),
        };
        self.0.store(word, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_survives_its_word() {
        let current = CurrentPressure::default();
        for pressure in [
            Pressure::None,
            Pressure::Slowdown { cause: StallCause::L0Tables, bytes_per_second: 5 },
            Pressure::Slowdown { cause: StallCause::CompactionDebt, bytes_per_second: 1 << 40 },
            Pressure::Stop { cause: StallCause::L0Tables },
            Pressure::Stop { cause: StallCause::CompactionDebt },
            Pressure::Slowdown { cause: StallCause::ValueGarbage, bytes_per_second: 9 },
        ] {
            current.set(pressure);
            assert_eq!(current.get(), pressure);
            assert_eq!(current.is_none(), pressure == Pressure::None);
        }
    }
}
